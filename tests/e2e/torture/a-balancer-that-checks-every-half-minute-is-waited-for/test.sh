# shellcheck shell=bash
# A load balancer that checks every 30 s. The first job cannot see that while it watches: the configured interval is believed. The
# second one has learned it. Either waits for three refused checks, and for two that were let in, within limits that follow.

ER_LIMIT=400
# phase_end PHASE FIELD, phase_limit PHASE: of the last call.
phase_end() {
        jq -rs "[.[] | select(.event == \"phase\" and .phase == \"$1\" and .state == \"end\")] | last | .$2" "$ER_CALL.json"
}
phase_limit() {
        jq -rs "[.[] | select(.event == \"phase\" and .phase == \"$1\" and .state == \"begin\")] | last | .limit | round" "$ER_CALL.json"
}
at_least() { jq -en "$(phase_end "$1" elapsed) >= $2" >/dev/null || fail "$1 took $(phase_end "$1" elapsed) s only"; }

# Its first checks come after up to 30 s.
LB_INTER=30s lb_start || :
wait_for 60 lb_says r1 UP
wait_for 60 lb_says r2 UP
believed=$(node_file r1 /etc/edge-roll/edge-roll.conf.d/60-interval.conf)
printf '[component router]\ncheck_interval = 30s\n' >"$believed"
monit_start r1
for job in first second; do
        load_start 500 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=12,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08"
        before=$(life r1)
        er r1 restart router --reason "the $job job"
        assert_result "done" 0
        tell_phases
        for phase in watch notice return; do
                say "$job: $phase $(phase_end $phase elapsed) s of $(phase_limit $phase) s: $(phase_end $phase evidence)"
        done
        # Three refusals are 60 s apart at the least, two checks 30 s.
        at_least notice 58
        at_least return 28
        [ "$(phase_limit notice)" -ge 180 ] || fail "the limit of notice does not follow: $(phase_limit notice) s"
        [ "$(phase_limit return)" -ge 150 ] || fail "the limit of return does not follow: $(phase_limit return) s"
        assert_restarted r1 "$before"
        assert_no_block r1
        load_stop
        assert_nothing_lost
        wait_for 60 lb_says r1 UP
        rm -f "$believed"
done
assert monit_says r1 1
assert_lb_saw_down_and_up r1
