# shellcheck shell=bash
# What a coordinator sends under its lease: done once, however often it arrives; not behind a later step; not under an older
# lease; and not when it comes too late: an agent that was frozen executes nothing when it thaws.

need_edge_roll
dirty r1
agent() { in_node r1 systemctl kill --signal="$1" edge-roll-agent.service; }
before=$(life r1)
assert lease_take r1 roll-1 ttl t 300000000

EXPIRES=$(boot_usec -0.5)
bus_refused "too long on its way" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 1 expires t "$EXPIRES" roll s roll-1
unset EXPIRES
bus_refused "needs step and expires" r1 Restart 'sa{sv}' router 1 lease t "$LEASE"
bus_refused "need a lease" r1 Restart 'sa{sv}' router 1 step t 1
bus_refused "lease 99 of router is not in force" r1 Restart 'sa{sv}' router 3 lease t 99 step t 1 expires t "$(boot_usec 10)"
bus_refused "is that of another roll, roll-1" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 1 expires t "$(boot_usec 10)" roll s roll-2
assert_same "$(look r1 router .job)" null "job"
assert_as_it_was r1 "$before"

# Frozen while the call is on its way, and its caller has given up.
agent STOP
! in_node r1 busctl --timeout=1 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 Restart 'sa{sv}' router 4 \
        lease t "$LEASE" step t 1 expires t "$(boot_usec 1)" roll s roll-1 >"$SCENE/out" 2>&1 || fail "a frozen agent has answered"
late=$(boot_usec 1)
wait_for 5 same_or_later "$late"
agent CONT
# The next call is answered behind that one.
assert_same "$(look r1 router .job)" null "job of the agent that thawed"
assert_same "$(look r1 router .last)" null "what it has done"
assert_as_it_was r1 "$before"

assert ordered r1 Restart 1 roll-1 reason s "step one"
job=$(jq -r '.[0]' <<<"$BUS_DATA")
assert_same "$(jq '.[1]' <<<"$BUS_DATA")" false "joined"
assert ordered r1 Restart 1 roll-1
assert_same "$BUS_DATA" "[\"$job\",true]" "the same step again"
bus_refused "a restart of router runs on this node" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)" roll s roll-1
wait_for 60 no_job r1
assert_restarted r1 "$before"
assert_same "$(last r1 '"\(.roll) \(.step) \(.lease) \(.result) \(.protection)"')" "roll-1 1 $LEASE done lease" "record of the step"
last r1 .lock_text | shows "lease $LEASE of roll-1 on 1 member" || fail "what protected it: $(last r1 .lock_text)"

# Done is done: for the agent that did it, for the next one, and behind a step that was begun since.
before=$(life r1)
assert ordered r1 Restart 1 roll-1
assert_same "$BUS_DATA" "[\"$job\",true]" "the same step again when it is over"
agent KILL
bus_refused "step 1 of roll-1 is over, with the result done, and is not done twice" r1 Restart 'sa{sv}' router 4 \
        lease t "$LEASE" step t 1 expires t "$(boot_usec 10)" roll s roll-1
assert ordered r1 Drain 2 roll-1
wait_for 60 has_hold r1
wait_for 20 no_job r1
bus_refused "step 1 of lease $LEASE is over: step 2 was begun since" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 1 \
        expires t "$(boot_usec 10)" roll s roll-1
assert ordered r1 Undrain 3 roll-1
wait_for 60 no_job r1
assert_as_it_was r1 "$before"
