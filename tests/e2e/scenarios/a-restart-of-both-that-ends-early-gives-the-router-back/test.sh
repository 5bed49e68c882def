# shellcheck shell=bash
# restart rmp that does not come to its end: cancelled while the message processor is drained, everything is as it was;
# with a message processor that does not start, that one is held, and the router, with which nothing is wrong, serves.
# One of the two alone is refused.

rmp_up
router=$(rmp_life router) mp=$(rmp_life message-processor)
in_node r1 curl -s -o /dev/null "http://$(ip4 rmp1):8998/slow/20" &
er_start rmp1 restart rmp
first=$ER_CALL
wait_for 30 rmp_phase drain
assert in_node rmp1 nft list table inet edge_roll_partner >"$SCENE/table"
er_plain rmp1 status
assert grep -q 'message-processor, drain: in flight 1' "$ER_CALL.json"
assert_same "$(grep -c 'in the hands of the job' "$ER_CALL.json")" 2 "components in the hands of the job"
er_plain rmp1 cancel rmp
assert_same "$ER_EXIT" 0 "exit status of cancel"
ER_CALL=$first
er_wait
assert_result gave-back 15
assert_same "$(result .partner.result)" gave-back "end of the message processor's job"
rmp_as_before
assert_same "$(rmp_life router) $(rmp_life message-processor)" "$router $mp" "processes"

rmp_standin message-processor START=fails
er rmp1 restart rmp
assert_result held 16
result .reason | shows '^message-processor: held: ' || fail "the reason does not name the message processor: $(result .reason)"
assert has_hold rmp1
assert not has_block rmp1
assert_same "$(rmp_life router)" "$router" "process of the router"
wait_for 10 lb_says rmp1 UP
er rmp1 restart rmp --dry-run
assert_same "$ER_EXIT" 2 "exit status"

er r1 restart rmp
assert_result refused 11
result .hint | shows 'edge-roll restart router' || fail "the hint is: $(result .hint)"
