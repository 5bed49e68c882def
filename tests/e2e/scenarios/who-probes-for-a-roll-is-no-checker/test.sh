# shellcheck shell=bash
# A coordinator asks the health port of the nodes that stay, and of the one that comes back. Who does that is named in the call, and is
# neither awaited nor counted, though he comes as regularly as a balancer; who is not named is taken for a checker.

need_edge_roll
dirty r1
probe() {
        in_net client bash -c 'exec 7<> <(:); while :; do curl -s -m 1 -o /dev/null "$0"; read -r -t 0.4 -u 7 _; done' \
                "http://$(ip4 r1):15999/v1/servers/self/reachable" </dev/null &
        PROBER=$!
}
checkers() { last r1 '[.checkers[] | select(.awaited) | .address] | sort | join(" ")'; }
lb=$(ip4 lb) client=$(ip4 client)
probe
assert lease_take r1 roll-1 ttl t 120000000
assert ordered r1 Restart 1 roll-1 probers as 2 "$client" "$(ip6 client)"
wait_for 90 no_job r1
assert_same "$(last r1 .result)" "done" "result"
assert_same "$(checkers)" "$lb" "who was awaited"
! last r1 '.checkers[].address' | shows "^$client\$" || fail "the prober is among the checkers"
bus_refused "probers: at most 16 addresses" r1 Restart 'sa{sv}' router 1 probers as 1 example.org
bus_refused "probers: at most 16 addresses" r1 Restart 'sa{sv}' router 1 probers as 17 10.0.0.{1..17}
# Without being told, nobody can know.
assert ordered r1 Restart 2 roll-1
wait_for 90 no_job r1
assert_same "$(checkers)" "$(printf '%s\n' "$lb" "$client" | sort | xargs)" "who was awaited when nobody said otherwise"
kill "$PROBER"
