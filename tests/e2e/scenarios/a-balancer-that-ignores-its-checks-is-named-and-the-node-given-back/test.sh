# shellcheck shell=bash
# Every check is refused, and yet it goes on sending: nobody has noticed, so the node is not stopped.

LB_CHECK=apart lb_start
config r1 '[component router]' 'limit_notice = 4s'
before=$(life r1)
load_start 60 "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.1"
er r1 restart router
assert_result gave-back 15
result .reason | shows "not noticed: .*refused [0-9]*/3 by $(ip4 lb).*still connecting: $(ip4 lb) " ||
        fail "who still connects is not named: $(result .reason)"
say "$(result .reason)"
load_more 20
load_stop
assert_nothing_lost
assert_as_it_was r1 "$before"
