# shellcheck shell=bash
# Where it is known what the routers retry, auto takes the way that loses nothing; where it is not, it says so. The whole
# table, with what the other ways cost: torture/each-way-to-leave-is-shown-with-what-it-loses.

config m1 '[component message-processor]' 'watch_max = 2200ms'
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
load_stop

# Nobody has said what the routers of other nodes retry.
er m1 restart mp --dry-run --router-retry='http_599 error'
result '.phases[] | .evidence' | shows 'leaves by block: the routers retry refused connections (the caller)' || fail "auto takes another way"
er m1 restart mp --dry-run
result '.phases[] | .evidence' | shows 'retry set of the routers not known.*: block' || fail "not told that it is not known"
# A router on the same node tells by its properties.
in_node m1 systemd-run -q --unit=edge-router /opt/apigee/edge-router/bin/run
listens() { in_node m1 ss -Hlnt 'sport = :15999' | shows .; }
wait_for 20 listens
er m1 restart mp --dry-run
result '.phases[] | .evidence' | shows "leaves by block: the routers retry refused connections (the properties of this node's router)" ||
        fail "the router of this node was not asked"
printf '%s\n' 'conf_load_balancing_load.balancing.driver.nginx.server.retry=http_599' >>"$(node_file m1 /opt/apigee/customer/application/router.properties)"
er m1 restart mp --dry-run
result '.phases[] | .evidence' | shows 'leaves by its own graceful stop: the routers retry 599' || fail "the router of this node is not believed"
in_node m1 systemctl stop edge-router.service
# systemd would kill it with its requests.
mkdir -p "$(node_file m1 /etc/systemd/system/edge-message-processor.service.d)"
printf '[Service]\nTimeoutStopSec=20\n' >"$(node_file m1 /etc/systemd/system/edge-message-processor.service.d/stop.conf)"
in_node m1 systemctl daemon-reload
er m1 restart mp --mp-leave=graceful
assert_result refused 11
result .hint | shows 'TimeoutStopSec=65' || fail "no number: $(result .hint)"
