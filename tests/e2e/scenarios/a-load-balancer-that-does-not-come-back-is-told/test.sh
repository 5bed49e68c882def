# shellcheck shell=bash
# Restarted, proven, open, but its load balancer is gone: not done, and said so; what is true of the node is true.

config r1 '[component router]' 'limit_return = 4s'
standin r1 START_DELAY=2
monit_start r1
before=$(life r1)
er_start r1 restart router
wait_for 40 er_phase start
lb_stop
er_wait
assert_result not-readmitted 17
result .reason | shows "$(ip4 lb)" || fail "the checker that stays away is not named: $(result .reason)"
assert_restarted r1 "$before"
assert_no_block r1
assert monit_says r1 1
