# shellcheck shell=bash
# Nobody has to be there to end it.

before=$(life m1)
# Connections that were last used before the watch may be ties, which only their age settles.
config m1 '[component message-processor]' 'request_limit = 3s'
er m1 drain mp --for 6s
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold m1
wait_for 15 no_block m1
assert_untouched m1 "$before"
wait_for 20 through_routers
