# shellcheck shell=bash
# restart rmp: the router is out only once, its message processor is restarted meanwhile, and not one request is lost of the
# load through all routers and of those that other routers send to this message processor. The agent is killed when the
# message processor is stopped: it must be back at once, in both jobs. monit is as it was.

rmp_up
rmp_monit_start
rmp_standin message-processor START_DELAY=1
router=$(rmp_life router) mp=$(rmp_life message-processor)
load_start 120 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=12,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08" \
        "kept:name=slow,to=$(ip4 lb):80,path=/slow/1.5,n=8" "kept:name=other,to=$(ip4 r1):9001,path=/slow/0.2,n=4"
er_start rmp1 restart rmp --reason "both"
wait_for 60 rmp_phase stop
in_node rmp1 systemctl kill --signal=KILL edge-roll-agent.service
er_wait
assert_result "done" 0
assert er_event '.event == "job" and .resumed == true'
# The block was taken over, not put back: once in each phase.
assert not er_event '.event == "warning"'
assert_same "$(jq -c 'select(.phase == "notice" and .state == "begin")' "$ER_CALL.json" | wc -l)" 2 "phases notice, of both"
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
