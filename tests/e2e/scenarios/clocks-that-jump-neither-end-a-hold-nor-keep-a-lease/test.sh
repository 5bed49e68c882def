# shellcheck shell=bash
# takes: 60
# One agent's wall clock jumps by a day in either direction, and its boot clock by an hour, as when a machine has slept. A hold for a
# time takes its time, a lease does not outlive the sleep, a job under way takes no notice, and an order that was given before the
# sleep is not obeyed.

DAY=86400000000 HOUR=3600000000
need_edge_roll
dirty r1
config r1 '[agent]' 'idle_exit = 1s'
trouble_ready r1
# The time of the hold is over by the clock that nobody can set, and not before.
held_until() { in_node r1 jq -r '.until_boot' /var/lib/edge-roll/hold-router.json; }

for jump in $DAY -$DAY; do
        clock_jump r1 0 0
        er r1 drain router --for 8s
        assert_same "$ER_EXIT" 0 "exit status of drain"
        until=$(held_until)
        clock_jump r1 "$jump" 0
        # Any status looks at it, and so does an agent that begins.
        er r1 status router
        assert_same "$(jq -r '.components[0].blocked' "$ER_CALL.json")" hold "a hold whose clock jumps by $jump"
        in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
        in_node r1 systemctl reload edge-roll-hold.service
        assert has_hold r1
        wait_for 25 no_block r1
        [ "$(boot_usec)" -ge "$until" ] || fail "the hold ended $((until - $(boot_usec))) us too early"
        [ "$(boot_usec)" -lt $((until + 12000000)) ] || fail "the hold lasted $(($(boot_usec) - until)) us too long"
        wait_for 20 lb_says r1 UP
done

clock_jump r1 0 0
assert lease_take r1 roll-1 ttl t 60000000
expires=$(boot_usec 20)
clock_jump r1 $HOUR $HOUR
wait_for 5 lease_over r1
bus_refused "was good until" r1 Restart 'sa{sv}' router 4 lease t "$LEASE" step t 1 expires t "$expires" roll s roll-1
assert lease_take r1 roll-2 ttl t 60000000
# As the agent's clock tells it: the coordinator asks for that.
EXPIRES=$(($(boot_usec 20) + HOUR)) assert ordered r1 Restart 1 roll-2
before=$(life r1)
wait_for 30 in_phase r1 notice
clock_jump r1 $((2 * HOUR)) $((2 * HOUR))
wait_for 5 lease_over r1
wait_for 60 no_job r1
assert_same "$(last r1 '"\(.result) \(.roll)"')" "done roll-2" "how it ended"
assert_restarted r1 "$before"
! last r1 '.warnings[]' | shows "stood still" || fail "a clock that jumps is no agent that stood still"
assert_no_block r1
wait_for 20 lb_says r1 UP
