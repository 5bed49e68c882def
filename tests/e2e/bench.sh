#!/bin/bash
# make bench, the part that needs real nodes. Each number stands beside what it is measured against, from the same run:
#   - the restart of one node, from `block` to readmitted, against its floor and against the documented procedure
#   - what the agent costs while it drains a node with 50,000 established connections
#   - what it costs idle, and a cold `edge-roll status`
#
# The floor is what any lossless restart has to wait for: detection by the checkers (their own log) + the rest of the longest
# request then in flight (the load balancer's log) + quiet time + service stop (systemd's journal) + start to ready (measured on
# the same node without edge-roll) + return to rotation (the checkers' own log).
set -u
. "$(dirname "$0")/lib/lab.sh"

QUIET=1.0 # edge-roll-lab.conf

# All clocks are this machine's: seconds of the day, from the logs' own stamps.
of_day() { awk '{ split(substr($1, 12, 15), t, ":"); printf "%.3f\n", t[1] * 3600 + t[2] * 60 + t[3] }'; }

# The call's events, each with the time it came.
stamped() {
        local line
        while IFS= read -r line; do printf '%(%Y-%m-%dT%H:%M:%S)T.%s %s\n' -1 "${EPOCHREALTIME#*.}" "$line"; done
}

event_at() { grep "\"phase\":\"$2\",\"state\":\"$3\"" "$1" | tail -n 1 | of_day; }

# checker_log NODE DOWN|UP: when the last of its checkers said so in its own log.
checker_log() {
        local r
        case $1 in
        r*) lb_health ;;
        m*) for r in r1 r2; do in_node "$r" journalctl -q -o cat -u edge-router.service; done ;;
        esac | grep "^[0-9].*/$1 is $2" | sort | tail -n 1 | of_day
}

# last_of NODE FROM TO: end of the last request that NODE served and that ended between the two times.
last_of() {
        awk -v node="$1" -v from="$2" -v to="$3" '
                $4 == "clients" && ($5 == "routers/" node || index($0, "{" node "}")) {
                        split(substr($1, 12, 15), t, ":")
                        s = t[1] * 3600 + t[2] * 60 + t[3]
                        if (s >= from && s <= to && s > last) last = s
                }
                END { printf "%.3f\n", last ? last : from }' "$LAB/lb/log"
}

# start_to_ready NODE: three plain restarts, the middle one; the node serves nobody meanwhile that anybody counts.
start_to_ready() {
        local began port=8081
        case $1 in m*) port=8082 ;; esac
        for _ in 1 2 3; do
                in_node "$1" systemctl stop "$(unit_of "$1")"
                began=$EPOCHREALTIME
                # shellcheck disable=SC2016
                in_node "$1" bash -c 'systemctl start "$1"; exec 7<> <(:)
                        until [ "$(curl -s -m 2 "http://127.0.0.1:$2/v1/servers/self/up")" = true ]; do read -r -t 0.01 -u 7; done' \
                        bash "$(unit_of "$1")" "$port"
                awk "BEGIN { print $EPOCHREALTIME - $began }"
        done | sort -n | sed -n 2p
}

# service_stop NODE: as systemd logged the one stop of the component.
service_stop() {
        in_node "$1" journalctl -q -o short-unix -u "$(unit_of "$1")" |
                awk '/: Stopping /{ from = $1 } /: Stopped /{ to = $1 } END { printf "%.3f\n", to - from }'
}

# restart_measured NODE WHAT STREAM...
restart_measured() {
        local node=$1 what=$2 block down stop_at unblock up last end failed stop ready
        shift 2
        lb_start
        load_start 120 "$@"
        dirty "$node"
        in_node "$node" edge-roll restart "$(component_name "$node")" --json | stamped >"$LAB/events"
        load_more 30
        load_stop
        failed=$(load_total failed)
        if ! tail -n 1 "$LAB/events" | shows '"result":"done"'; then
                echo "restart of $node, $what: FAILED: $(tail -n 1 "$LAB/events" | cut -c1-300)"
                return 1
        fi
        block=$(event_at "$LAB/events" block begin)
        stop_at=$(event_at "$LAB/events" stop begin)
        unblock=$(event_at "$LAB/events" unblock begin)
        end=$(event_at "$LAB/events" return end)
        down=$(checker_log "$node" DOWN)
        up=$(checker_log "$node" UP)
        last=$(last_of "$node" "$down" "$stop_at")
        stop=$(service_stop "$node")
        ready=$(start_to_ready "$node")
        wait_for 20 through_routers
        awk -v what="$node, $what" -v block="$block" -v down="$down" -v last="$last" -v quiet="$QUIET" -v stop="$stop" \
                -v ready="$ready" -v unblock="$unblock" -v up="$up" -v end="$end" -v failed="$failed" '
                BEGIN {
                        floor = (down - block) + (last - down) + quiet + stop + ready + (up - unblock)
                        printf "restart of %s: %.2f s from block to readmitted, %d requests failed\n", what, end - block, failed
                        printf "  floor %.2f s = detection %.2f + longest request %.2f + quiet time %.2f + ", floor, down - block,
                                last - down, quiet
                        printf "stop %.2f + start to ready %.2f + return %.2f\n", stop, ready, up - unblock
                        printf "  %.2f s over the floor (goal 0.50), %.2f times the floor\n", end - block - floor, (end - block) / floor
                        print end - block >"'"$LAB"'/whole"
                }'
        [ "$failed" = 0 ]
}

# documented_measured NODE STREAM...: with 10 s of its 120 s of sleep.
documented_measured() {
        local node=$1 kind
        shift
        kind=$(component_name "$node")
        load_start 120 "$@"
        dirty "$node"
        monit_start "$node"
        in_node "$node" sh -s "$kind" 10 <"$E2E/documented-procedure.sh" >"$LAB/steps"
        load_more 60
        load_stop
        awk -v node="$node" -v failed="$(load_total failed)" -v ours="$(cat "$LAB/whole")" '
                / end$/ { whole = $1 / 1000 + 110 }
                END {
                        printf "  documented procedure on %s: %.1f s (sleep cut to 10 s, plus 110 s), ", node, whole
                        printf "%d requests failed; %.1f times as long\n", failed, whole / ours
                }' "$LAB/steps"
}

cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }

agent_pid() { in_node "$1" systemctl show -P MainPID edge-roll-agent.service; }

# drain_cost: 50,000 kept connections on a router's traffic port, one of them with a request in flight that never ends.
drain_cost() {
        local pid from to began rss=0 now n
        tool_build filler
        lb_start
        node_destroy r1
        node_make r1
        role_put r1
        cp "$LAB/bin/filler" "$LAB/nodes/r1/root/opt/apigee/edge-router/bin/"
        # Its traffic port is the filler's; health and management ports stay the stand-in's.
        cat >"$LAB/nodes/r1/root/opt/apigee/edge-router/bin/run" <<-'RUN'
		#!/bin/sh
		set -eu
		NAME=edge-router
		. /opt/apigee/standin/start.sh
		nginx -e stderr -c "$RUN/nginx.conf"
		cat /etc/standin/message-processors.cfg >>"$RUN/haproxy.cfg"
		sed -i '/:9001/d; /^frontend virtual-host/,/default_backend/d' "$RUN/haproxy.cfg"
		haproxy -D -f "$RUN/haproxy.cfg"
		exec /opt/apigee/edge-router/bin/filler serve 9001 4 600
	RUN
        node_boot r1
        node_up r1
        printf '[component router]\nrequest_limit = 57s\n' >"$(node_file r1 /etc/edge-roll/edge-roll.conf.d/60-scenario.conf)"
        component_start r1
        wait_for 20 in_net client bash -c ": </dev/tcp/$(ip4 r1)/9001"
        for n in 1 2 3 4; do ip -n client address add "10.77.0.10$n/24" dev eth0; done
        RUN_AS="exec" in_net client "$LAB/bin/filler" fill "$(ip4 r1)" 9001 10.77.0.101 "${1:-50000}" 4 1 300 >"$LAB/filled" &
        disown
        if ! { wait_for 60 grep -q ready "$LAB/filled" && wait_for 10 lb_says r1 UP; }; then
                echo "agent while it drains: FAILED: the connections did not come up"
                return 1
        fi
        RUN_AS="exec" in_node r1 edge-roll restart router --json >"$LAB/drain.json" </dev/null &
        disown
        wait_for 60 grep -q '"phase":"drain","state":"begin"' "$LAB/drain.json" || {
                echo "agent while it drains: FAILED: $(tail -n 1 "$LAB/drain.json")"
                return 1
        }
        # The agent's process as this machine sees it: the one whose command line says so and whose root is the node's.
        pid=$(agent_here)
        from=$(cpu_ms "$pid") began=$(now_ms)
        for _ in {1..50}; do
                pause 0.2
                now=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")
                [ "$now" -le "$rss" ] || rss=$now
        done
        to=$(cpu_ms "$pid")
        awk -v cpu=$((to - from)) -v wall=$(($(now_ms) - began)) -v rss="$rss" -v n="$(grep -oE '[0-9]+' "$LAB/filled")" 'BEGIN {
                printf "agent while it drains %d connections: %.2f %% of one core (goal 2), ", n, cpu / wall * 100
                printf "RssAnon at most %.2f MiB (goal 4)\n", rss / 1024
        }'
        grep '"phase":"drain"' "$LAB/drain.json" | tail -n 1 | jq -r '"  it says: \(.text)"'
        in_node r1 edge-roll cancel router >/dev/null
}

agent_here() {
        local init p
        init=$(node_init_pid r1)
        for p in $(pgrep -f '^/usr/bin/edge-roll agent'); do
                [ "$(readlink "/proc/$p/ns/net")" != "$(readlink "/proc/$init/ns/net")" ] || echo "$p"
        done
}

# idle_cost: cold status through activation (no agent runs before it), then whether the agent leaves.
idle_cost() {
        local began times=()
        for _ in {1..7}; do
                in_node r2 systemctl stop edge-roll-agent.service 2>/dev/null
                began=$EPOCHREALTIME
                # Timed inside the node, so that entering it does not count.
                # shellcheck disable=SC2016
                times+=("$(in_node r2 bash -c 'a=$EPOCHREALTIME; edge-roll status >/dev/null 2>&1; b=$EPOCHREALTIME
                        echo $(((${b/./} - ${a/./}) / 1000))')")
        done
        printf '%s\n' "${times[@]}" | sort -n | awk '
                { t[NR] = $1 }
                END { printf "cold edge-roll status: %d ms (goal 100), slowest of %d: %d ms\n", t[int((NR + 1) / 2)], NR, t[NR] }'
        began=$(now_ms)
        if wait_for 40 agent_left r2; then
                echo "idle: no process, $((($(now_ms) - began + 500) / 1000)) s after the last call"
        else
                echo "idle: FAILED: the agent is still there"
        fi
}

agent_left() { [ "$(agent_pid "$1")" = 0 ]; }

main() {
        local to fast node mixed status=0
        if ! { tool_build load && stage && cluster_up; }; then
                die "the cluster did not come up"
        fi
        need_edge_roll
        to=$(ip4 lb):80
        fast="kept:name=short,to=$to,path=/fast,n=16,every=0.08"
        for node in r1 m1; do
                restart_measured $node "short requests and requests of 3 s" "$fast" "kept:name=slow,to=$to,path=/slow/3,n=8" || status=1
                cluster_renew
                documented_measured $node "$fast" "kept:name=slow,to=$to,path=/slow/3,n=8"
                cluster_renew
                mapfile -t mixed < <(load_mixed "$to")
                restart_measured $node "every kind of load" "${mixed[@]}" || status=1
                cluster_renew
        done
        idle_cost
        drain_cost "${EDGE_ROLL_BENCH_CONNECTIONS:-50000}" || status=1
        return $status
}

lab_main main "$@"
