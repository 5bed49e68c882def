# shellcheck shell=bash
# restart rmp where the routers retry 599 and no refused connections: its message processor leaves by its own graceful stop,
# and nothing is lost. Then again, with the agent killed in that stop.

rmp_up
routers_retry http_599
rmp_standin router "RETRY='http_599'"
properties=$(node_file rmp1 /opt/apigee/customer/application/router.properties)
printf '%s\n' 'conf_load_balancing_load.balancing.driver.nginx.server.retry=http_599' >>"$properties"
rmp_standin message-processor LEAVE=graceful START_DELAY=1
# shellcheck disable=SC2086
in_node rmp1 systemctl restart $RMP_UNITS
wait_for 20 rmp_serves
wait_for 10 lb_says rmp1 UP
rmp_monit_start
load_start 120 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=12,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08" \
        "kept:name=slow,to=$(ip4 lb):80,path=/slow/1.5,n=8" "kept:name=other,to=$(ip4 r1):9001,path=/slow/0.2,n=4"
for killed in no yes; do
        router=$(rmp_life router) mp=$(rmp_life message-processor)
        er_start rmp1 restart rmp --reason "both, killed: $killed"
        wait_for 60 rmp_phase stop
        [ $killed = no ] || in_node rmp1 systemctl kill --signal=KILL edge-roll-agent.service
        er_wait
        assert_result "done" 0
        assert_same "$(result .partner.kind)" restart-graceful "way of the message processor"
        say "killed: $killed; $(result '[.partner.phases[] | "\(.phase) \(.elapsed)"] | join(", ")')"
        [ "$(rmp_life router)" != "$router" ] || fail "the router was not restarted"
        [ "$(rmp_life message-processor)" != "$mp" ] || fail "the message processor was not restarted"
        rmp_as_before
        assert monit_active rmp1
        load_more 30
done
load_stop
assert_nothing_lost
