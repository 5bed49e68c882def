# shellcheck shell=bash
# An order to go back and the wish for a lease, from a roll that has ended: the agent was frozen while they were on their way. By the
# time it wakes the node is somebody else's, whose job and lease they must not touch. An order to go back names its job.

need_edge_roll
dirty r1
in_node r1 systemctl stop edge-roll-agent.service
state_small r1
agent() { in_node r1 systemctl kill --signal="$1" edge-roll-agent.service; }
# late METHOD SIGNATURE ARGUMENT...: called of the frozen agent, by somebody who is still there when it wakes, as a bridge is.
late() {
        LATE=$1
        RUN_AS="exec" in_node r1 busctl --timeout=60 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 "$@" >"$SCENE/out" 2>&1 &
        late=$!
}
expired() {
        in_node r1 journalctl -q -o cat --output-fields=EDGE_ROLL_ANSWER EDGE_ROLL_METHOD="$1" | tail -n 1 | shows 'org.edgeroll.Error.Expired'
}
# thaw: when what was sent is too old: it is told so, and nothing else is the reason.
thaw() {
        local then
        then=$(boot_usec 1)
        wait_for 5 same_or_later "$then"
        agent CONT
        ! wait "$late" || fail "$LATE was obeyed"
        grep -q "too long on its way" "$SCENE/out" || fail "why $LATE was refused: $(cat "$SCENE/out")"
        wait_for 5 expired "$LATE"
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

# To go back is obeyed where its step cannot be written; what was overtaken by it does nothing all the same.
assert lease_take r1 roll-3 ttl t 300000000
assert ordered r1 Restart 1 roll-3 await-go b true
wait_for 30 in_phase r1 place
trouble_inject r1 state-read-only
assert bus_call r1 CancelJob 'ssa{sv}' router "others are missing" 3 lease t "$LEASE" step t 3 expires t "$(boot_usec 10)"
wait_for 30 no_job r1
trouble_mend r1 state-read-only
bus_refused "step 2 of lease $LEASE is over" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)" roll s roll-3
assert_as_it_was r1 "$before"

# One that is refused as nothing can be undone any more leaves nothing behind: what comes after it is not older than it.
beyond_stop() { look r1 router .job.phase | shows '^start$\|^ready$'; }
standin r1 START_DELAY=6
assert ordered r1 Restart 4 roll-3
wait_for 60 beyond_stop
bus_refused "cannot be undone" r1 CancelJob 'ssa{sv}' router "" 3 lease t "$LEASE" step t 50 expires t "$(boot_usec 10)"
bus_refused "cannot be undone" r1 CancelJob 'ssa{sv}' router "" 3 lease t "$LEASE" step t 5 expires t "$(boot_usec 10)"
wait_for 60 no_job r1
assert_restarted r1 "$before"
lease_give r1
