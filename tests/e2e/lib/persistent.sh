# shellcheck shell=bash
# Clients that keep their connections, behind a load balancer that only forwards these, and the three ways of `persistent`.

# persistent_run WAY RATE...: restarts r1 while 50 clients of each RATE, in requests a second, go on. WAY is close, give-back, wait
# (they never end), or wait-ended (they end while it waits). Tells what ended the drain and how many requests met the closing.
persistent_run() {
        local way=$1 rate before streams=() failed held
        for rate in "${@:2}"; do
                streams+=("kept:name=at-$rate,to=$(ip4 lb):80,path=/fast,n=50,every=$(awk "BEGIN { print 1 / $rate }")")
        done
        wait_for 30 lb_says r1 UP
        load_start 200 "${streams[@]}"
        before=$(life r1)
        er_start r1 restart router --persistent="${way%-ended}"
        if [ "$way" = wait-ended ]; then
                wait_for 60 er_event '.event == "progress" and .phase == "drain" and .elapsed > 2'
                load_stop
        fi
        er_wait
        if [ "$way" != wait-ended ]; then
                load_more 60
                load_stop
        fi
        failed=$(load_total failed)
        held=$(result '.drained.persistent // 0')
        say "$way at ${*:2} a second: $(result .result), drain ended by: $(drain_end)"
        say "$way at ${*:2} a second: $(jq -r '[.kinds | to_entries[] | "\(.key): \(.value.failed) of \(.value.sent) lost"] | join(", ")' \
                "$LAB/load/summary"), $(load_total truncated) truncated, $held connections went on sending"
        assert_same "$(load_total truncated)" 0 "truncated answers"
        case $way in
        close)
                assert_result "done" 0
                assert_restarted r1 "$before"
                [ "$held" -gt 0 ] || fail "persistent connections are not counted"
                # The stop closes their connections as any server closes idle ones: one request of each may be on its way just then.
                [ "$failed" -le "$held" ] || fail "$failed requests lost on $held connections: $(head -n 3 "$LAB/load/failures")"
                ;;
        wait-ended)
                assert_result "done" 0
                assert_restarted r1 "$before"
                ;;
        *)
                assert_result gave-back 15
                result .reason | shows "$(ip4 lb)" || fail "who goes on sending is not named: $(result .reason)"
                assert_as_it_was r1 "$before"
                ;;
        esac
        [ "$way" = close ] || assert_same "$failed" 0 "lost requests"
}

# What ended the drain of the last call: its outcome, its time, and what it says itself.
drain_end() {
        jq -rs '[.[] | select(.event == "phase" and .phase == "drain" and .state == "end")] | last |
                "\(.outcome) after \(.elapsed) s: \(.evidence)"' "$ER_CALL.json"
}
