# shellcheck shell=bash
# A load balancer that knows its routers by IPv6 addresses only.

LB_CHECK=6 lb_start
monit_start r1
load_mixed_start 120
er r1 restart router
assert_result "done" 0
grep -q 'fd77::5' "$ER_CALL.json" || fail "the checker fd77::5 is not named"
load_more 60
load_stop
assert_nothing_lost
assert_lb_saw_down_and_up r1
