# shellcheck shell=bash
# kill -9 of the agent in each phase of a restart by the component's own graceful stop, whose block comes behind the stop.

standin m1 LEAVE=graceful START_DELAY=1
in_node m1 systemctl restart edge-message-processor.service
wait_for 20 component_ready m1
monit_start m1
routers_retry http_599
job_over() { ! in_node m1 test -e /var/lib/edge-roll/job.json; }
load_start 280 "new:name=new,to=$(ip4 lb):80,path=/fast,n=8,every=0.05" "kept:name=slow,to=$(ip4 lb):80,path=/slow/1.5,n=6"
for phase in watch stop-monit stop block start ready start-monit return; do
        er_start m1 restart mp --mp-leave=graceful --reason "killed in $phase"
        wait_for 60 er_phase "$phase"
        in_node m1 systemctl kill --signal=KILL edge-roll-agent.service
        wait_for 30 er_event '.event == "job" and .resumed == true' || { er_wait && job_over; }
        er_wait
        wait_for 90 job_over
        case $ER_EXIT in
        0 | 11 | 15) ;;
        *) fail "killed in $phase: exit $ER_EXIT, $(result '"\(.result): \(.reason)"')" ;;
        esac
        wait_for 20 component_ready m1
        assert_no_block m1
        assert monit_active m1
        wait_for 10 monit_says m1 1
        say "killed in $phase: $(result .result)"
done
load_more 60
load_stop
assert_nothing_lost
