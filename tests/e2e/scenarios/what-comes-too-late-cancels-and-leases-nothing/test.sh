# shellcheck shell=bash
# An order to go back and the wish for a lease, from a roll that has ended: the agent was frozen while they were on their way. By the
# time it wakes the node is somebody else's, whose job and lease they must not touch. An order to go back names its job.

need_edge_roll
dirty r1
agent() { in_node r1 systemctl kill --signal="$1" edge-roll-agent.service; }
# late METHOD SIGNATURE ARGUMENT...: called of the frozen agent, by somebody who gives up before it wakes.
late() {
        ! in_node r1 busctl --timeout=1 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 "$@" >"$SCENE/out" 2>&1 ||
                fail "a frozen agent has answered"
}
# thaw: when what was sent is too old.
thaw() {
        local then
        then=$(boot_usec 1)
        wait_for 5 same_or_later "$then"
        agent CONT
}
lb_start
before=$(life r1)

# A lease that nobody waits for any more.
all=$(members r1)
assert_same "$(look r1 router .lease)" null "the lease at the begin"
agent STOP
# shellcheck disable=SC2086
late LeaseTake 'ssa(sss)a{sv}' router roll-1 $all 1 expires t "$(boot_usec 1)"
thaw
assert_same "$(look r1 router .lease)" null "the lease behind it"
# shellcheck disable=SC2086
bus_refused "too long on its way" r1 LeaseTake 'ssa(sss)a{sv}' router roll-1 $all 1 expires t "$(boot_usec -1)"

# An order to go back of one roll, and the job of the next one.
assert lease_take r1 roll-1 ttl t 300000000
old=$LEASE
lease_give r1
agent STOP
late CancelJob 'ssa{sv}' router "others are missing" 3 lease t "$old" step t 2 expires t "$(boot_usec 1)"
thaw
assert lease_take r1 roll-2 ttl t 300000000
assert ordered r1 Restart 1 roll-2 await-go b true
wait_for 30 in_phase r1 place
bus_refused "lease $old of router is not in force" r1 CancelJob 'ssa{sv}' router "" 3 lease t "$old" step t 9 expires t "$(boot_usec 10)"
bus_refused "too long on its way" r1 CancelJob 'ssa{sv}' router "" 3 lease t "$LEASE" step t 9 expires t "$(boot_usec -1)"
bus_refused "step 0 of lease $LEASE is over" r1 CancelJob 'ssa{sv}' router "" 3 lease t "$LEASE" step t 0 expires t "$(boot_usec 10)"
bus_refused "needs expires" r1 CancelJob 'ssa{sv}' router "" 2 lease t "$LEASE" step t 9
bus_refused "needs expires" r1 CancelJob 'ssa{sv}' router "" 1 expires t "$(boot_usec 10)"
job=$(look r1 router .job.id)
bus_refused "what runs is another one, job $job" r1 CancelJob 'ssa{sv}' router "" 2 job t $((job + 1)) expires t "$(boot_usec 10)"
in_phase r1 place || fail "the job of roll-2 does not wait any more: $(look r1 router .job)"
assert bus_call r1 CancelJob 'ssa{sv}' router "others are missing" 3 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)"
wait_for 30 no_job r1
last r1 .reason | shows "others are missing" || fail "why it went back: $(last r1 .reason)"
# The word that was overtaken by it does nothing.
assert ordered r1 Restart 3 roll-2 await-go b true
wait_for 30 in_phase r1 place
bus_refused "step 2 of lease $LEASE is over" r1 Go 'sa{sv}' router 3 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)"
assert bus_call r1 CancelJob 'ssa{sv}' router "" 2 job t "$(look r1 router .job.id)" expires t "$(boot_usec 10)"
wait_for 30 no_job r1
lease_give r1
assert_as_it_was r1 "$before"

# A person's is the same: of the job that runs now.
er_plain r1 cancel router
assert_same "$ER_EXIT" 10 "cancel when nothing runs"
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/20" &
er_start r1 restart router
wait_for 60 in_phase r1 drain
er_plain r1 cancel router --reason "not today"
assert_same "$ER_EXIT" 0 "exit status of cancel"
wait_for 60 no_job r1
assert_as_it_was r1 "$before"
