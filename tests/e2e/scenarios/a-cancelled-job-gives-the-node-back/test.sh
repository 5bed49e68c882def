# shellcheck shell=bash
# Before the stop everything can be undone. It is over when the load balancer, which here takes longer to let a node in than to
# take it out, has it in again: until then nobody else of the pool may go out.

config r1 '[component router]' 'check_rise = 7'
LB_RISE=6 lb_start
monit_start r1
before=$(life r1)
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/20" &
er_start r1 restart router
first=$ER_CALL
wait_for 30 er_phase drain
er_plain r1 cancel router
assert_same "$ER_EXIT" 0 "exit status of cancel"
ER_CALL=$first
er_wait
assert lb_says r1 UP
assert_result gave-back 15
assert_as_it_was r1 "$before"
assert monit_says r1 1
