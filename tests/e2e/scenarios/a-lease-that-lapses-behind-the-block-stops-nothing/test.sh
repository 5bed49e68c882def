# shellcheck shell=bash
# The coordinator is gone when the node is out already: its job comes to its end, and until then nobody else gets the lease, though
# its time is over. Whoever takes the same roll up again gets it at once, with a new number.

need_edge_roll
dirty r1
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/12" &
long=$!
before=$(life r1)
uuid=$(look r1 router .uuid)
assert lease_take r1 roll-1 ttl t 5000000
assert ordered r1 Restart 1 roll-1
wait_for 30 in_phase r1 drain
assert_same "$(look r1 router .out)" true "out"
wait_for 10 lease_over r1
assert in_phase r1 drain
bus_refused "a restart of router runs, asked by uid 0" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$uuid" r1 "" 1 accept-out b true
bus_refused "nobody else gets its lease before it ends" r1 LeaseSteal ss router "it looks dead"
bus_refused "its time is over" r1 LeaseRenew st router "$LEASE"
bus_refused "its time is over" r1 LeaseGive st router "$LEASE"
# What it was sent with is void; the job goes on.
bus_refused "is not in force" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)" roll s roll-1
old=$LEASE
assert lease_take r1 roll-1 ttl t 60000000
[ "$LEASE" -gt "$old" ] || fail "the number of the lease has not grown: $LEASE"
assert in_phase r1 drain
bus_refused "lease $old of router is not in force" r1 LeaseGive st router "$old"
wait $long || fail "the request in flight was lost"
wait_for 60 no_job r1
assert_same "$(last r1 '"\(.result) \(.roll) \(.step) \(.protection)"')" "done roll-1 1 lease" "how it ended"
last r1 '.warnings[]' | shows "its coordinator is gone" || fail "nobody was told: $(last r1 .warnings)"
assert_restarted r1 "$before"
assert_no_block r1
bus_refused "leased by the roll roll-1" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$uuid" r1 "" 0
assert lease_give r1
assert lease_take r1 roll-2
