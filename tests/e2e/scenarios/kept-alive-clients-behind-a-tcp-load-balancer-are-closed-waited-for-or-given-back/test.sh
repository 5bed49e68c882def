# shellcheck shell=bash
# A load balancer that only forwards connections keeps those of clients who keep theirs: mark-down does not move them.
# The three ways of `persistent`.

LB_MODE=tcp lb_start
wait_for 10 lb_says r1 UP
load_start 150 "kept:name=kept,to=$(ip4 lb):80,path=/fast,n=50,every=0.25" "kept:name=busy,to=$(ip4 lb):80,path=/fast,n=10,every=0.05"
before=$(life r1)

er r1 restart router --persistent=give-back
assert_result gave-back 15
result .reason | shows "$(ip4 lb)" || fail "who goes on sending is not named: $(result .reason)"
assert_as_it_was r1 "$before"
wait_for 10 lb_says r1 UP

config r1 '[component router]' 'limit_drain = 6s'
er r1 restart router --persistent=wait
assert_result gave-back 15
assert_as_it_was r1 "$before"
wait_for 10 lb_says r1 UP

er r1 restart router --persistent=close
assert_result "done" 0
assert_restarted r1 "$before"
result '.drained.persistent' | shows -v '^0$' || fail "persistent connections are not counted"
load_more 60
load_stop
# The stop closes their connections as any server closes idle ones: some clients had a request on its way just then.
# What must not happen is an answer cut in the middle.
assert_same "$(load_total truncated)" 0 "truncated answers"
say "load: $(load_total sent) requests, $(load_total failed) lost on connections that the stop closed"
