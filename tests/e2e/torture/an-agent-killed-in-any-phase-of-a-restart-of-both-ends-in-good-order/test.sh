# shellcheck shell=bash
# kill -9 of the agent in phase after phase of restart rmp, in those of the router and in those of the message processor, with
# monit on watch and clients at work: the next agent goes on with both jobs, nothing of them is left, monit is as it was, no
# request is lost. Then the same without a table owner, as on older kernels. At last a message processor that does not start is
# held; repaired, the same command starts it and restarts the router.

rmp_up
rmp_monit_start
rmp_standin router START_DELAY=1
rmp_standin message-processor START_DELAY=1
job_over() { ! in_node rmp1 sh -c 'ls /var/lib/edge-roll/job*.json' 2>/dev/null | shows json; }
load_start 600 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=12,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08" \
        "kept:name=slow,to=$(ip4 lb):80,path=/slow/0.5,n=8" "kept:name=other,to=$(ip4 r1):9001,path=/slow/0.2,n=4"
# killed COMPONENT PHASE
killed() {
        er_start rmp1 restart rmp --reason "killed in $2 of $1"
        if [ "$1" = router ]; then
                wait_for 60 er_event ".phase == \"$2\" and .state == \"begin\" and (has(\"component\") | not)"
        else
                wait_for 60 rmp_phase "$2"
        fi
        in_node rmp1 systemctl kill --signal=KILL edge-roll-agent.service
        er_wait
        wait_for 90 job_over
        case $ER_EXIT in
        0 | 11 | 15) ;;
        *) fail "killed in $2 of $1: exit $ER_EXIT, $(result '"\(.result): \(.reason)"')" ;;
        esac
        assert_no_block rmp1
        assert monit_active rmp1
        wait_for 10 rmp_monit 1
        wait_for 10 rmp_serves
        wait_for 15 lb_says rmp1 UP
        say "killed in $2 of $1: $(result '"\(.result) \(.reason)"')"
}
for phase in preflight watch notice drain start return; do killed message-processor $phase; done
for phase in notice partner stop; do killed router $phase; done
config rmp1 '[agent]' 'nft_owner = none'
killed message-processor notice
killed message-processor start
load_more 60
load_stop
assert_nothing_lost

rmp_standin message-processor START=fails
er rmp1 restart rmp
assert_result held 16
router=$(rmp_life router)
rmp_standin message-processor START=good
er_plain rmp1 restart rmp
assert_same "$ER_EXIT" 0 "exit status"
assert grep -q '^partner .* message-processor: start done in ' "$ER_CALL.json"
assert grep -q '^message-processor start .* runs anew' "$ER_CALL.json"
[ "$(rmp_life router)" != "$router" ] || fail "the router was not restarted"
rmp_as_before
