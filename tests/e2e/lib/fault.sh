# shellcheck shell=bash
# Faults in the middle of a restart, and what must be true at the end of each: one of the three ends, monit as it was, foreign
# rules unchanged, nobody let in by mistake. What was measured goes to $LAB/faults, which the runner prints as a table.

FAULT_UNITS="-u edge-roll-agent.service -u edge-roll-heal.service"

# Kinds after which another process goes on: back within a second, as long as nothing makes it wait on purpose.
FAULTS_DEATH="kill term restart upgrade stopped config"
# ... and those that the agent lives through, or that take longer by themselves.
FAULTS_OTHER="bus bus-away reload reexec frozen given-up given-up-alone"
# The phases that last.
FAULT_PHASES="preflight watch notice stop-monit drain stop start ready start-monit return"
# Those of the torture: with the ones that are over in a moment.
FAULT_PHASES_ALL="preflight discover watch place block notice stop-monit drain gate stop start ready verify start-monit unblock return"
# A message processor goes by its block here; its own graceful stop has a test of its own.
FAULT_MP_OPTIONS=--mp-leave=block

# fault_ready NODE: once before the faults of a node. Its own table is the foreign rules, and counts the checks that get through.
#   FAULT_LOOK   seconds between two looks at that counter (0.03)
fault_ready() {
        dirty "$1"
        in_node "$1" nft -f - <<-'NFT'
		table inet lab_witness {
		        counter checks { }
		        chain input {
		                type filter hook input priority 100
		                ip saddr != 127.0.0.0/8 tcp dport { 15999, 8998 } tcp flags & (syn | ack) == syn counter name checks
		        }
		}
	NFT
        rules "$1" >"$SCENE/$1.rules"
        in_node "$1" mkdir -p /run/systemd/system/edge-roll-agent.service.d
        # A frozen agent is found sooner; nothing else is different from what is installed.
        printf '[Service]\nWatchdogSec=2\n' \
                >"$(node_file "$1" /run/systemd/system/edge-roll-agent.service.d/fault.conf)"
        in_node "$1" systemctl daemon-reload
        standin "$1" START_DELAY=0.5
        monit_start "$1"
        : >"$SCENE/$1.seen"
        # A line for each look: when, how many checks got through by then.
        # shellcheck disable=SC2016
        RUN_AS="exec" in_node "$1" bash -c '
                exec 7<> <(:)
                while :; do
                        set -- $(nft list counter inet lab_witness checks)
                        echo "$EPOCHREALTIME ${*: -4:1}"
                        read -r -t "$0" -u 7 _
                done' "${FAULT_LOOK:-0.03}" >"$SCENE/$1.seen" 2>/dev/null </dev/null &
        FAULT_WATCH="${FAULT_WATCH:-} $!"
}

# shellcheck disable=SC2086
fault_done() { kill $FAULT_WATCH 2>/dev/null || :; }

agent_pid() { in_node "$1" systemctl show -P MainPID edge-roll-agent.service; }

# fault_inject NODE KIND
fault_inject() {
        local node=$1 conf
        case $2 in
        kill) in_node "$node" systemctl kill --signal=KILL edge-roll-agent.service ;;
        term) in_node "$node" systemctl kill --signal=TERM edge-roll-agent.service ;;
        restart) in_node "$node" systemctl --no-block restart edge-roll-agent.service ;;
        stopped) in_node "$node" systemctl --no-block stop edge-roll-agent.service ;;
        upgrade)
                in_node "$node" sh -c 'cp /usr/bin/edge-roll /usr/bin/edge-roll.new && mv /usr/bin/edge-roll.new /usr/bin/edge-roll'
                in_node "$node" sh -s <"$TOP/units/activate.sh" >/dev/null 2>&1
                ;;
        config)
                conf=$(node_file "$node" /etc/edge-roll/edge-roll.conf.d/90-being-edited.conf)
                echo '[component rou' >"$conf"
                in_node "$node" systemctl kill --signal=KILL edge-roll-agent.service
                ;;
        bus) in_node "$node" systemctl restart dbus.service ;;
        bus-away) in_node "$node" systemctl stop dbus.socket dbus.service ;;
        reload) in_node "$node" systemctl daemon-reload ;;
        reexec) in_node "$node" systemctl daemon-reexec ;;
        frozen) in_node "$node" systemctl kill --signal=STOP edge-roll-agent.service ;;
        given-up*)
                printf '[Unit]\nStartLimitBurst=5\n[Service]\nExecStart=\nExecStart=/bin/false\n' \
                        >"$(node_file "$node" /run/systemd/system/edge-roll-agent.service.d/given-up.conf)"
                in_node "$node" systemctl daemon-reload
                [ "$2" = given-up ] || in_node "$node" systemctl stop dbus.socket dbus.service
                in_node "$node" systemctl kill --signal=KILL edge-roll-agent.service
                ;;
        *) fail "no fault $2" ;;
        esac
}

# fault_mend NODE KIND: what the fault has left outside of edge-roll.
fault_mend() {
        case $2 in
        config) in_node "$1" rm -f /etc/edge-roll/edge-roll.conf.d/90-being-edited.conf ;;
        bus-away) in_node "$1" systemctl start dbus.socket dbus.service ;;
        given-up*)
                in_node "$1" systemctl start dbus.socket dbus.service
                in_node "$1" rm -f /run/systemd/system/edge-roll-agent.service.d/given-up.conf
                in_node "$1" systemctl daemon-reload
                ;;
        esac
}

# Whoever sends it requests does so again.
fault_readmitted() {
        case $1 in
        r*) lb_says "$1" UP ;;
        m*) through_routers ;;
        esac
}

# Nobody works on a job any more.
job_over() {
        in_node "$1" sh -c '! test -e /var/lib/edge-roll/job.json && ! test -e /var/lib/edge-roll/job-partner.json && ! systemctl -q is-active edge-roll-heal.service'
}

# Seconds, with a fraction, of journal entries of the agent since $2, oldest first: TIME MESSAGE.
agent_journal() {
        # shellcheck disable=SC2086
        in_node "$1" journalctl -q --no-pager -o json $FAULT_UNITS --since "@$2" |
                jq -r --argjson since "$2" 'select((.MESSAGE | type) == "string") |
                        ((.__REALTIME_TIMESTAMP | tonumber) / 1000000) as $t | select($t >= $since) | "\($t) \(.MESSAGE)"'
}

# fault_run NODE KIND PHASE: a restart with this fault as soon as that phase has begun.
fault_run() {
        local node=$1 kind=$2 phase=$3 before at out
        before=$(life "$node")
        case $node in
        m*) set -- "$FAULT_MP_OPTIONS" ;;
        *) set -- ;;
        esac
        er_start "$node" restart "$(component_name "$node")" --reason "$kind in $phase" "$@"
        wait_for 60 er_phase "$phase"
        at=$EPOCHREALTIME
        case " $TROUBLES $TROUBLES_DEAF " in
        *" $kind "*)
                trouble_inject "$node" "$kind"
                trouble_pass "$node" "$kind"
                ;;
        *) fault_inject "$node" "$kind" ;;
        esac
        fault_judge "$node" "$kind" "$phase" "$before" "$at"
        out=$(fault_out "$node" "$at")
        printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$kind" "$phase" "$FAULT_BACK" "$FAULT_LET_IN" "$out" "$FAULT_END" >>"$LAB/faults"
        say "$node: $kind in $phase: $FAULT_END, exit $ER_EXIT, back after $FAULT_BACK ms, $FAULT_LET_IN let in by mistake, out for $out s"
}

# fault_judge NODE KIND PHASE LIFE AT: waits for the end of the job of er_start, which began with LIFE and was hit AT that time in PHASE,
# and looks whether it is one of those that may be. FAULT_END says which, FAULT_BACK after how many ms somebody went on with the job,
# FAULT_LET_IN how many checks got through meanwhile; the journal since is $SCENE/journal.
fault_judge() {
        local node=$1 kind=$2 phase=$3 before=$4 at=$5 state
        wait_for 120 job_over "$node"
        fault_mend "$node" "$kind"
        # Its caller waits for an agent for longer than anybody here wants to.
        case $kind in given-up*) er_kill 2>/dev/null || : ;; esac
        ER_EXIT=0
        wait "$ER_PID" || ER_EXIT=$?
        # Where the job had not begun yet its caller has asked again.
        wait_for 120 job_over "$node"
        agent_journal "$node" "$at" >"$SCENE/journal"
        if has_hold "$node"; then
                FAULT_END=held
                # Held because the machine did not let it start: the restart that is told proves it.
                if component_ready "$node"; then
                        er "$node" undrain "$(component_name "$node")"
                else
                        er "$node" restart "$(component_name "$node")"
                        assert_same "$ER_EXIT" 0 "exit of the restart of what was held after $kind in $phase"
                fi
        elif [ "$(life "$node")" = "$before" ]; then
                FAULT_END=as-it-was
        else
                FAULT_END=restarted
        fi
        assert component_ready "$node"
        [ -z "$(in_node "$node" nft list tables | grep edge_roll || :)" ] || fail "$kind in $phase: the node is left blocked"
        assert_same "$(rules "$node")" "$(cat "$SCENE/$node.rules")" "foreign rules after $kind in $phase"
        wait_for 15 monit_says "$node" 1 || fail "$kind in $phase: monit is not as it was"
        # Its clients, too, may be about to restart.
        wait_for 40 fault_readmitted "$node" || fail "$kind in $phase: the node gets no requests"
        state=$(in_node "$node" systemctl is-active edge-roll-agent.service || :)
        [ "$state" != failed ] || fail "$kind in $phase: the agent's unit is left failed"
        FAULT_BACK=$(awk -v at="$at" '/(: [a-z-]+ goes on|: [a-z-]+ begins), asked by/ { printf "%.0f", ($1 - at) * 1000; exit }' "$SCENE/journal")
        FAULT_BACK=${FAULT_BACK:--}
        case $kind in
        given-up* | stopped) ;;
        *) ! grep -q 'the agent had gone' "$SCENE/journal" || fail "$kind in $phase: heal took the job that the next agent goes on with" ;;
        esac
        case $kind in
        state-*) grep -q 'cannot be \(written\|kept\|removed\)' "$SCENE/journal" || fail "$kind in $phase: the journal does not tell" ;;
        esac
        FAULT_LET_IN=$(fault_let_in "$node" "$phase" "$at" "$FAULT_END")
        # Where the agent's program was whole, nobody may have been let in while it was away. A frozen node has nobody who renews the
        # block: it opens, and is proven again.
        case $kind,$FAULT_LET_IN in given-up*,* | node-frozen,* | *,- | *,0) ;; *) fail "$kind in $phase: $FAULT_LET_IN checks were let in by mistake" ;; esac
}

# Checks that got through between the fault and the moment at which the node was opened on purpose. "-": the fault came before the
# block or after its end, or its end was to be open.
fault_let_in() {
        local node=$1 phase=$2 at=$3 end=$4 open
        case $phase,$end in
        up,* | preflight,* | discover,* | watch,* | place,* | block,* | unblock,* | return,* | over,* | *,as-it-was) echo - && return ;;
        esac
        open=$(awk '/: (unblock|undo|hold): [a-z]+: / { print last; exit } { last = $1 }' "$SCENE/journal")
        awk -v from="$at" -v to="${open:-0}" '$1 >= from && !seen { first = $2; seen = 1 } $1 <= to { last = $2 }
                END { print ((seen && last > first) ? last - first : 0) }' "$SCENE/$node.seen"
}

# What those said who send to it, with the time in front.
fault_checks() {
        case $1 in
        r*) lb_health ;;
        m*) in_node r2 journalctl -q --no-pager -o short-iso-precise -u edge-router.service ;;
        esac
}

# The longest time for which the load balancer, or a router, had it out since $2, in seconds.
fault_out() {
        fault_checks "$1" | NODE=$1 python3 -c '
import datetime, os, re, sys
down, longest = None, 0
for line in sys.stdin:
    said = re.search("Server [a-z-]+/%s is (DOWN|UP)" % os.environ["NODE"], line)
    if not said: continue
    t = datetime.datetime.fromisoformat(line.split()[0]).timestamp()
    if t < '"$2"' - 60: continue
    if said[1] == "DOWN": down = t
    elif down:
        if t > '"$2"': longest = max(longest, t - down)
        down = None
print("%.1f" % longest)'
}

# fault_table FILE: for people, with the median of what came back.
fault_table() {
        echo "fault phase back/ms let-in out/s end" | cat - "$1" | tr '\t' ' ' | column -t
        awk '$3 != "-" && " kill term restart upgrade stopped config " ~ " " $1 " " { print $3 }' "$1" | sort -n |
                awk '{ a[NR] = $1 } END { if (NR) printf "back after the agent went, median: %d ms, longest %d ms, %d times\n", a[int((NR + 1) / 2)], a[NR], NR }'
        awk '$4 != "-" { n += $4 } $5 > out { out = $5 } END { printf "checks let in by mistake: %d; longest time out: %s s\n", n, out }' "$1"
}
