# shellcheck shell=bash
# Each next request comes in the clock tick in which the answer left, on the router's side towards the client and on that towards
# the message processors alike, which acknowledge at once; and each lasts longer than the quiet time. No clock of a socket tells
# such a request from an answered one.

# acknowledge 0|1: at once, not with the answer or 40 ms later.
acknowledge() {
        local node
        for node in m1 m2; do
                in_net "$node" ip route replace 10.77.0.0/24 dev eth0 src "$(ip4 "$node")" proto kernel scope link quickack "$1"
        done
}

urls=()
for _ in 1 2 3 4; do
        urls+=(-o /dev/null "http://$(ip4 r1):9001/slow/3")
done
acknowledge 1
# With one message processor only, each request takes the connection that the answer has just come from.
dirty m2
in_node m2 systemctl stop "$(unit_of m2)"
wait_for 10 not in_node r1 curl -sf -m 1 -o /dev/null "http://$(ip4 m2):8998/fast"
in_net client curl -s -m 60 -w '%{http_code}\n' "${urls[@]}" >"$LAB/answers" &
client=$!
wait_for 5 eval 'in_node r1 ss -Htn state established sport = :9001 | shows 10.77.0.9'

before=$(life r1)
er r1 restart router
acknowledge 0
assert_result "done" 0
assert_restarted r1 "$before"
wait $client || fail "a request was cut off: $(tr '\n' ' ' <"$LAB/answers")"
[ "$(grep -c '^200$' "$LAB/answers")" = 4 ] || fail "not four answers: $(tr '\n' ' ' <"$LAB/answers")"
