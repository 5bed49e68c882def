#!/bin/bash
# make soak HOURS=n: the whole cluster is rolled again and again, n hours long, under every kind of load; each request is counted.
# Ends at the first roll that is not done, the first request lost, the first moment at which two of a pool were out.
#   HOURS   how long (1); a fraction is fine. A roll that has begun is finished
#   LAPS    at most so many rolls, whatever the hours say
# A line for each roll, then the sums. The scenario all-routers-and-message-processors-are-rolled-... is one lap of this.
set -u
export EDGE_ROLL_SCENARIOS=cluster
. "$(dirname "$0")/lib/lab.sh"

HOURS=${HOURS:-1}
LAPS=${LAPS:-1000000}

# Taken in turn: the whole cluster; each kind alone; two of the three routers of a region allowed to be out.
KINDS=("all" "router" "message-processor" "router --max-unavailable 2")

most_out() { case $1 in *2) echo 2 ;; *) echo 1 ;; esac; }

fail() {
        say "$*"
        return 1
}

soak_load_start() {
        local region to streams=()
        for region in $REGIONS; do
                to=$(ip4 "$(lb_of "$region")"):80
                streams+=("upload:name=upload-$region,to=$to,path=/upload,bytes=300000,over=3,n=2"
                        "kept:name=idle-$region,to=$to,path=/fast,n=5,every=4")
        done
        regions_load_start "$1" "${streams[@]}"
}

sent() { jq '[.kinds[] | .ok + .failed] | add' "$LAB/load/progress"; }

restarts() { jq -rs '[.[] | select(.event == "result")] | last | [.nodes[]? | select(.result == "done")] | length' "$1"; }

# lap NUMBER KIND: one roll, and what everybody saw of it.
lap() {
        local began=$EPOCHREALTIME took result two lost
        SCENE_AT=$began
        # shellcheck disable=SC2086
        on_bastion edge-roll restart $2 --cluster --yes --reason "lap $1" --json </dev/null >"$LAB/lap.json" 2>"$LAB/lap.err"
        took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
        result=$(tail -n 1 "$LAB/lap.json" | jq -r 'select(.event == "result") | .result')
        load_more 60 || return
        two=$(never_two "$(most_out "$2")")
        lost=$(lb_lost)
        ROLLS=$((ROLLS + 1)) RESTARTS=$((RESTARTS + $(restarts "$LAB/lap.json")))
        printf '%5d  %-28s %-8s %7s s  %3d components so far, %d requests, %d failed\n' \
                "$1" "$2" "${result:-nothing}" "$took" "$RESTARTS" "$(sent)" "$(lost)"
        if [ "$result" != "done" ]; then
                tail -n 1 "$LAB/lap.json" | cut -c1-2000 >&2
                fail "the roll ended as ${result:-nothing}: $(tail -n 3 "$LAB/lap.err")" || return
        fi
        [ -z "$two" ] || fail "too many were out at once: $two" || return
        if [ "$(lost)" != 0 ] || [ -n "$lost" ]; then
                head -n 5 "$LAB/load/failures" <(echo "$lost") >&2
                fail "requests were lost" || return
        fi
        # What was read is not needed again, and hours of it would fill the memory.
        : >"$LAB/lb/log"
        : >"$LAB/lb2/log"
}

main() {
        local began seconds n=0 status=0 kind
        ROLLS=0 RESTARTS=0
        seconds=$(awk "BEGIN { print int($HOURS * 3600) }")
        if ! { tool_build load && stage && regions_up; }; then
                die "the cluster did not come up"
        fi
        need_edge_roll
        soak_load_start $((seconds + 900)) || die "the load did not start"
        began=$EPOCHSECONDS
        while [ $n = 0 ] || { [ $((EPOCHSECONDS - began)) -lt "$seconds" ] && [ $n -lt "$LAPS" ]; }; do
                kind=${KINDS[n % ${#KINDS[@]}]}
                n=$((n + 1))
                lap "$n" "$kind" || {
                        status=1
                        break
                }
        done
        load_stop || status=1
        [ "$(load_total failed)" = 0 ] || status=1
        echo
        jq -r '.kinds | to_entries[] | [.key, .value.ok, .value.failed, (.value.p99_ms | floor), (.value.max_ms | floor)] | @tsv' "$LAB/load/summary" |
                awk -F'\t' 'BEGIN { printf "%-16s %10s %7s %9s %9s\n", "kind", "requests", "failed", "99 %/ms", "max/ms" }
                        { printf "%-16s %10d %7d %9d %9d\n", $1, $2, $3, $4, $5 }'
        echo
        echo "soak: $(awk "BEGIN { printf \"%.2f\", ($EPOCHSECONDS - $began) / 3600 }") h, $ROLLS rolls, $RESTARTS components restarted," \
                "$(load_total sent) requests, $(load_total failed) failed"
        return $status
}

lab_main main "$@"
