# shellcheck shell=bash
# It comes up, says `true` on /up, and has not loaded `prod`: what a broken keystore does. It gets no traffic.

standin m1 ENVIRONMENTS=test
# Long enough for environments that load late, short enough for a test.
config m1 '[component message-processor]' 'limit_ready = 4s'
load_mixed_start 120
er m1 restart mp
assert_result held 16
result '"\(.reason) \(.hint)"' | shows prod || fail "the result does not name the lost environment: $(result .reason)"
assert has_hold m1
er m1 status mp
assert grep -q prod "$ER_CALL.json"
load_more 60
load_stop
assert_nothing_lost
assert in_node m1 curl -s -m 2 -o /dev/null http://127.0.0.1:8998/fast
assert not in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast"
# Again, with nothing mended: measured by what it had at first, not by the bad state it is in.
er m1 restart mp
assert_result held 16
result .reason | shows prod || fail "the second try is measured by the bad state: $(result .reason)"
# Mended: the same command ends the hold.
standin m1 'ENVIRONMENTS="test prod"'
er m1 restart mp
assert_result "done" 0
assert_no_block m1
wait_for 20 through_routers
