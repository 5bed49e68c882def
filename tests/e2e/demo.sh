#!/bin/bash
# make demo: a load balancer, two routers, two message processors and their clients on this machine; edge-roll restarts a
# router and a message processor under load. Ends with the evidence. Under three minutes, as root, cleans up after itself.
set -u
. "$(dirname "$0")/lib/lab.sh"

BOLD='' PLAIN=''
[ ! -t 1 ] || [ -n "${NO_COLOR:-}" ] || BOLD=$'\e[1m' PLAIN=$'\e[0m'

title() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"; }

# restart_shown NODE: the display is edge-roll's own; the numbers come afterwards from `watch`, which tells the last result.
restart_shown() {
        title "$1: edge-roll restart $(component_name "$1")"
        in_node "$1" edge-roll restart "$(component_name "$1")" --reason demo
        RESTART_EXIT=$?
        in_node "$1" edge-roll watch "$(component_name "$1")" --json | tail -n 1 >"$LAB/$1.result"
}

evidence() {
        local seconds
        title "Evidence"
        jq -r --argjson lost "$(lb_lost | wc -l)" '
                "requests sent              \(.sent)",
                "answered in full           \(.ok)",
                "failed                     \(.failed)",
                "truncated                  \(.truncated)",
                "lost, by the load balancer \($lost)",
                "",
                "kind         requests  failed   99 %       slowest",
                (.kinds | to_entries[] | [.key, .value.ok, .value.failed, "\(.value.p99_ms | floor) ms", "\(.value.max_ms | floor) ms"] | @tsv)
        ' "$LAB/load/summary" | awk -F'\t' 'NF == 5 { printf "%-12s %8s %7s   %-10s %s\n", $1, $2, $3, $4, $5; next } { print }'
        echo
        printf '%-14s %8s %18s\n' phase router "message processor"
        jq -rs '
                def took(result; name): first((result.phases[] | select(.phase == name) | .elapsed), 0);
                . as [$router, $mp] |
                ($router.phases[].phase as $name | [$name, took($router; $name), took($mp; $name)]), ["in all", $router.elapsed, $mp.elapsed] |
                @tsv
        ' "$LAB/r1.result" "$LAB/m1.result" | awk -F'\t' '{ printf "%-14s %6.2f s %16.2f s\n", $1, $2, $3 }'
        echo
        seconds=$(jq -rs '[.[].phases[] | select(.phase == "stop" or .phase == "start" or .phase == "ready") | .elapsed] | add | . * 10 | round / 10' \
                "$LAB/r1.result" "$LAB/m1.result")
        echo "The documented procedure would have taken $(awk "BEGIN { print 240 + $seconds }") s for the two: 2 x 120 s of sleep"
        echo "and the $seconds s that stop, start and getting ready took here."
}

main() {
        local streams status=0 node
        echo "Booting a load balancer, two routers, two message processors (whole nodes with systemd, D-Bus, nftables, monit) ..."
        if ! { tool_build load && stage && cluster_up && monit_start r1 && monit_start m1; }; then
                die "the cluster did not come up"
        fi
        need_edge_roll
        mapfile -t streams < <(load_mixed "$(ip4 lb):80")
        load_start 170 "${streams[@]}" || die "the load did not start"
        echo "Clients at work: short requests, new connections, requests of 2.5 s, downloads of 4 s, uploads of 3 s, idle connections."
        for node in r1 m1; do
                restart_shown "$node"
                [ "$RESTART_EXIT" = 0 ] || status=1
        done
        load_more 30
        load_stop || status=1
        evidence
        [ "$(load_total failed)" = 0 ] || {
                head -n 12 "$LAB/load/failures"
                status=1
        }
        return $status
}

lab_main main "$@"
