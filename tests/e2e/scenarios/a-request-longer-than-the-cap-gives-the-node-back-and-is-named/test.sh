# shellcheck shell=bash
# With the cap of drain at 4 s a request of 60 s does not end in time: by default the node is given back and the result names
# the one who was waited for; with --at-cap=go-on the restart is done and costs that request.

config r1 '[component router]' 'drain_max = 4s'
monit_start r1
before=$(life r1)
in_net client curl -s -m 120 -o /dev/null "http://$(ip4 r1):9001/slow/60" &
long=$!
wait_for 5 eval 'in_node r1 ss -Htn state established sport = :9001 | shows 10.77.0.9'

er r1 restart router
assert_result gave-back 15
grep -q '10\.77\.0\.9' "$ER_CALL.json" || fail "the straggler 10.77.0.9 is not named"
assert_as_it_was r1 "$before"
assert monit_says r1 1
assert kill -0 $long
wait_for 10 lb_says r1 UP

er r1 restart router --at-cap=go-on
assert_result "done" 0
assert_restarted r1 "$before"
assert_no_block r1
assert not wait $long
