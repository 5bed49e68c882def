# shellcheck shell=bash
# kill -9 of the agent in phase after phase, with monit on watch and clients at work: the next agent goes on, nothing of the
# job is left, monit is as it was, no request is lost.

standin r1 START_DELAY=1
monit_start r1
job_over() { ! in_node r1 test -e /var/lib/edge-roll/job.json; }
load_mixed_start 280
for phase in preflight watch notice stop-monit drain stop start ready start-monit return; do
        er_start r1 restart router --reason "killed in $phase"
        wait_for 60 er_phase "$phase"
        began=$(now_ms)
        in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
        # Back in its phase when it tells of it again: a job event of the new agent.
        wait_for 30 er_event '.event == "job" and .resumed == true' || { er_wait && job_over; }
        back=$(($(now_ms) - began))
        er_wait
        wait_for 90 job_over
        case $ER_EXIT in
        0 | 11 | 15) ;;
        *) fail "killed in $phase: exit $ER_EXIT, $(result '"\(.result): \(.reason)"')" ;;
        esac
        assert component_ready r1
        assert_no_block r1
        assert monit_active r1
        wait_for 10 monit_says r1 1
        wait_for 15 lb_says r1 UP
        say "killed in $phase: back after $back ms, $(result .result)"
done
load_more 60
load_stop
assert_nothing_lost
