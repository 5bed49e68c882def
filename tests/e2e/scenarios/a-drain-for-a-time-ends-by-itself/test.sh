# shellcheck shell=bash
# Nobody has to be there to end it.

before=$(life m1)
er m1 drain mp --for 6s
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold m1
wait_for 15 no_block m1
assert_untouched m1 "$before"
wait_for 20 through_routers
