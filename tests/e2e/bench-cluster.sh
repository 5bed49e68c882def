#!/bin/bash
# make bench, the part that needs the big cluster. Each number stands beside what it is measured against, from the same run:
#   - a roll of a region's routers under load: from one node's readmission to the next one's block, besides soak and watch
#   - `edge-roll status --cluster` of eight nodes over ssh against `ansible -m ping` of the same nodes
set -u
export EDGE_ROLL_SCENARIOS=cluster
. "$(dirname "$0")/lib/lab.sh"

# Longer than the watch phase, which is to run meanwhile.
SOAK=4
EIGHT=r1,r2,r3,r4,r5,r6,m1,m2
RUNS=5

# between SINCE NODE...: for each pair of nodes that were out one after the other: seconds from "return: ok" of the one to "block: ok" of
# the other, by their own journals; all clocks are this machine's.
between() {
        local name since=$1
        shift
        for name; do
                in_node "$name" journalctl -q --no-pager -o short-unix -t edge-roll --since "@${since%.*}" |
                        sed -nE "s/^([^ ]+) .*: (block|return|watch): ok: .*/\\1 \\2 $name/p"
        done | sort -n | awk '
                $2 == "return" { back = $1; who = $3 }
                $2 == "block" && back { printf "%.3f %s %s\n", $1 - back, who, $3 }'
}

roll_measured() {
        local began=$EPOCHREALTIME
        regions_load_start 200
        on_bastion edge-roll restart router --cluster --yes --soak "${SOAK}s-30s" --json </dev/null >"$LAB/roll.json" 2>"$LAB/roll.err"
        load_more 30
        load_stop
        if ! tail -n 1 "$LAB/roll.json" | shows '"result":"done"'; then
                echo "roll of six routers: FAILED: $(tail -n 1 "$LAB/roll.json" | cut -c1-300) $(tail -n 2 "$LAB/roll.err")"
                return 1
        fi
        # shellcheck disable=SC2046
        for region in $REGIONS; do between "$began" $(routers_of "$region"); done >"$LAB/between"
        sort -n "$LAB/between" | awk -v soak="$SOAK" -v failed="$(load_total failed)" -v whole="$(tail -n 1 "$LAB/roll.json" | jq .elapsed)" '
                { t[NR] = $1 - soak }
                END {
                        printf "roll of six routers under load: %.1f s, %d requests failed\n", whole, failed
                        printf "  from one readmitted to the block of the next, besides the soak of %d s: ", soak
                        printf "median %.2f s, longest %.2f s (goal 0.30)\n", t[int((NR + 1) / 2)], t[NR]
                        exit t[NR] > 0.3
                }' || return
        [ "$(load_total failed)" = 0 ]
}

# middle COMMAND...: its median wall time in seconds, of RUNS, after one that does not count.
middle() {
        local i began
        for ((i = 0; i <= RUNS; i++)); do
                began=$EPOCHREALTIME
                "$@" >"$LAB/middle.out" 2>&1 || return
                [ $i = 0 ] || awk "BEGIN { print $EPOCHREALTIME - $began }"
        done | sort -n | sed -n "$(((RUNS + 1) / 2))p"
}

status_once() { on_bastion edge-roll status --nodes "$EIGHT" --json; }

# As it comes: it keeps its connections, which is good for it within a run, but not from one run to the next here.
ansible_once() {
        on_bastion sh -c 'ansible -i "$1" "$2" -m ping -f 8 -o; status=$?; pkill -x ssh; exit $status' sh "$INVENTORY" "${EIGHT//,/:}"
}

status_measured() {
        local ours theirs
        ours=$(middle status_once)
        theirs=$(middle ansible_once)
        if [ -z "$ours" ] || [ -z "$theirs" ]; then
                echo "status of eight nodes over ssh: FAILED: $(tail -n 3 "$LAB/middle.out")"
                return 1
        fi
        awk -v ours="$ours" -v theirs="$theirs" 'BEGIN {
                printf "status of eight nodes over ssh: %.2f s, ansible -m ping %.2f s: 1/%.1f (goal 1/3)\n", ours, theirs, theirs / ours
                exit ours * 3 > theirs
        }'
}

main() {
        local status=0
        if ! { tool_build load && stage && regions_up; }; then
                die "the cluster did not come up"
        fi
        need_edge_roll
        roll_measured || status=1
        status_measured || status=1
        return $status
}

lab_main main "$@"
