# shellcheck shell=bash
# Each way to leave with each kind of router, and what it costs. auto takes the one without loss where it knows.

standin m1 LEAVE=graceful
in_node m1 systemctl restart edge-message-processor.service
wait_for 20 component_ready m1

routers_retry http_599
leaving_load_start
leaves auto http_599
assert_same "$LOST" 0 "requests lost"
assert_same "$(result .kind)" restart-graceful "way of auto"
result '.phases[] | select(.phase == "preflight") | .evidence' | shows 'graceful stop: the routers retry 599 and no refused' || fail "not told why"
jq -r 'select(.event == "progress" and .phase == "stop") | .text' "$ER_CALL.json" | shows 'in flight [1-9]' || fail "what is in flight is not told"
result '.warnings[]' | shows 'before its routers can have noticed' && fail "routers had noticed"
leaves block http_599
result '.warnings[]' | shows 'do not retry refused connections' || fail "no warning of the loss"
load_stop

routers_retry 'http_599 error'
leaving_load_start
leaves auto 'http_599 error'
assert_same "$LOST" 0 "requests lost"
assert_same "$(result .kind)" restart "way of auto"
standin m1 LINGER=0
leaves graceful 'http_599 error'
assert_same "$LOST" 0 "requests lost"
# Now it does not linger: its ports are closed before three checks have failed. What that costs is shown; it is not
# edge-roll's to prevent, and is told.
leaves graceful 'http_599 error'
result '.warnings[]' | shows 'before its routers can have noticed' || fail "that the routers had not noticed is not told"
load_stop
routers_retry http_599
leaving_load_start
leaves graceful http_599
result '.warnings[]' | shows 'before its routers can have noticed' || fail "that the routers had not noticed is not told"
load_stop
