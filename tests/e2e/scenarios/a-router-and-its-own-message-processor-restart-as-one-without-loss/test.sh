# shellcheck shell=bash
# restart rmp: the router is out only once, its message processor is restarted meanwhile, and not one request is lost of the
# load through all routers and of those that other routers send to this message processor. monit is as it was.

rmp_up
rmp_monit_start
router=$(rmp_life router) mp=$(rmp_life message-processor)
load_mixed_start 180
er rmp1 restart rmp --reason "both"
assert_result "done" 0
tell_phases
say "message-processor: $(result '[.partner.phases[] | "\(.phase) \(.elapsed)"] | join(", ")')"
load_more 60
load_stop
assert_nothing_lost
[ "$(rmp_life router)" != "$router" ] || fail "the router was not restarted"
[ "$(rmp_life message-processor)" != "$mp" ] || fail "the message processor was not restarted"
rmp_as_before
assert monit_active rmp1
assert_same "$(lb_health | grep -c 'Server routers/rmp1 is DOWN')" 1 "times the load balancer took the router out"
in_node r1 journalctl -q -u edge-router.service >"$SCENE/r1.journal"
assert grep -q "Server message-processors/rmp1 is DOWN" "$SCENE/r1.journal"
