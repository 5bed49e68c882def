# shellcheck shell=bash
# A router that ends at once after its start: no traffic is let in, status says so; once repaired, the same command starts it, proves it and lets
# it in.

standin r1 START=fails
load_mixed_start 120
er r1 restart router
assert_result held 16
[ -n "$(result .hint)" ] || fail "the result does not say what to do"
assert has_hold r1
assert not has_block r1
assert lb_says r1 DOWN
er r1 status router
assert grep -qi held "$ER_CALL.json"
load_more 60
load_stop
assert_nothing_lost

standin r1 START=good
er r1 restart router
assert_result "done" 0
assert_no_block r1
wait_for 10 lb_says r1 UP
