# shellcheck shell=bash
# drain holds the node out of traffic without touching its component, and lasts until undrain.

before=$(life r1)
load_mixed_start 120
er r1 drain router --reason "new memory"
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold r1
assert lb_says r1 DOWN
er r1 status router
assert grep -q 'new memory' "$ER_CALL.json"
er r1 undrain router
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block r1
wait_for 10 lb_says r1 UP
load_more 60
load_stop
assert_nothing_lost
assert_untouched r1 "$before"
