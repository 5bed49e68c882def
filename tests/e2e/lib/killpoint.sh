# shellcheck shell=bash
# An agent that dies at a call of its own: lib/killpoint.c gives each call a name, and kills there.

KP_DIR=/run/killpoint

# kp_fast NODE...: a restart takes about two seconds: short intervals everywhere, a component that is up at once.
kp_fast() {
        local node r
        for node; do
                config "$node" "[component $(component_name "$node")]" 'quiet_time = 200ms' 'ready_interval = 20ms' 'watch_max = 2s' 'check_interval = 100ms'
        done
        for r in r1 r2; do
                dirty $r
                printf '        server %s inter 100ms\n' "m1 $(ip4 m1):8998" "m2 $(ip4 m2):8998" >"$(node_file $r /etc/standin/message-processors.cfg)"
                in_node $r systemctl restart "$(unit_of $r)"
        done
        wait_for 20 through_routers
        LB_INTER=100ms lb_start
}

# kp_load SECONDS: what is in flight ends within half a second.
kp_load() {
        load_start "$1" "kept:name=short,to=$(ip4 lb):80,path=/fast,n=6,every=0.1" "new:name=new,to=$(ip4 lb):80,path=/fast,n=3,every=0.1" \
                "kept:name=slow,to=$(ip4 lb):80,path=/slow/0.4,n=4" "upload:name=upload,to=$(ip4 lb):80,path=/upload,bytes=30000,over=0.4,n=2"
}

# kp_watch NODE: from the next start of an own unit on its processes are watched.
kp_watch() {
        local node=$1
        [ -e "$LAB/bin/killpoint" ] || tool_build killpoint killpoint-call
        cp "$LAB/bin/killpoint" "$(node_file "$node" /usr/bin/killpoint)"
        in_node "$node" mkdir -p $KP_DIR
        RUN_AS="exec" in_node "$node" killpoint serve $KP_DIR </dev/null &
        KP_SERVER=$!
        kp_wrap "$node" agent ExecStart agent WatchdogSec=10
        kp_wrap "$node" heal ExecStart heal
        kp_wrap "$node" hold ExecStart 'hold apply'
        kp_wrap "$node" hold ExecReload 'hold apply'
        kp_wrap "$node" hold ExecStop 'hold remove'
        in_node "$node" systemctl daemon-reload
        wait_for 5 in_node "$node" test -e $KP_DIR/socket
        # Asked for again and again.
        KP_FILES=$(node_file "$node" $KP_DIR)
        KP_SAID=$KP_FILES/said
}

# kp_wrap NODE UNIT EXEC ARGUMENTS [LINE...]: that command of an own unit is watched; its role is the unit's name.
kp_wrap() {
        local dir=/run/systemd/system/edge-roll-$2.service.d
        in_node "$1" mkdir -p "$dir"
        printf '%s\n' '[Service]' "$3=" "$3=/usr/bin/killpoint run $KP_DIR $2 /usr/bin/edge-roll $4" "${@:5}" >"$(node_file "$1" "$dir/killpoint-$3.conf")"
}

# kp_order ROLE LINE...: what the next processes of that role are to suffer (killpoint.c), and all others nothing.
kp_order() {
        rm -f "$KP_FILES"/{agent,heal,hold}
        printf '%s\n' "${@:2}" >"$KP_FILES/$1"
        : >"$KP_SAID"
}

# What killpoint has told since the last order.
kp_said() { cat "$KP_SAID"; }

# kp_gone [N]: the process of the present order, or N of them, is gone.
kp_gone() { [ "$(kp_said | grep -c '^end')" -ge "${1:-1}" ]; }

# kp_list NODE FILE: an undisturbed restart by an agent that is started for it and leaves by itself; what it did is in FILE.
kp_list() {
        in_node "$1" systemctl stop edge-roll-agent.service
        kp_order agent list
        er "$1" restart "$(component_name "$1")" --reason "to list what it does"
        assert_result "done" 0
        wait_for 20 kp_gone
        kp_said >"$2"
        kp_order agent
}

# kp_points FILE: the points of that list, one a line: NAME before|after.
#   SIDES  only these (before after)
kp_points() {
        awk -F '\t' -v sides="${SIDES:-before after}" '
                BEGIN { n = split(sides, side, " ") }
                $1 == "call" && !seen[$6]++ { for (i = 1; i <= n; i++) print $6, side[i] }' "$1"
}

# kp_others FILE SEED N: N of the calls that are not in kp_points.
kp_others() {
        awk -F '\t' -v seed="$2" -v n="$3" '
                $1 == "many" { name[++k] = $4; last[k] = sum += $5 }
                END {
                        srand(seed)
                        while (n-- > 0 && sum) {
                                at = int(rand() * sum)
                                for (i = 1; last[i] <= at; i++);
                                print name[i] "#" (at - (i > 1 ? last[i - 1] : 0) + 1), rand() < 0.5 ? "before" : "after"
                        }
                }' "$1"
}

# kp_struck NAME N KIND: the N processes that were to be killed are, the last one at NAME; or the caller has an answer and nothing is
# to come any more.
kp_struck() {
        local said left=$2
        said=$(<"$KP_SAID")
        while [ "$left" -gt 0 ] && [[ $said == *$'kill\t'* ]]; do
                said=${said#*$'kill\t'}
                left=$((left - 1))
        done
        [ "$left" -gt 0 ] || return 0
        gone "$ER_PID" || return 1
        case $1,$3 in over/*,* | *,stopped) kp_gone ;; esac
}

# kp_run NODE POINT: a restart whose agent dies there. KP_END: how it ended, or missed (it never came there). A POINT is
#   NAME before|after                                  a call of the agent
#   NAME before|after then NAME before|after           ... and one of the agent that goes on
#   heal in PHASE at NAME before|after                 a call of heal, for an agent that was stopped in that phase
kp_run() {
        local node=$1 point=$2 kind=killpoint orders=("kill ${2#heal in * at }") name before began at failed
        name=${point#heal in * at }
        case $point in
        *" then "*) orders=("kill ${point% then *}" "kill ${point#* then }") name=${point#* then } ;;
        "heal in "*) kind=stopped ;;
        esac
        in_node "$node" systemctl stop edge-roll-agent.service
        if [ $kind = stopped ]; then kp_order heal "${orders[@]}"; else kp_order agent "${orders[@]}"; fi
        before=$(life "$node")
        failed=$(lost)
        began=$EPOCHREALTIME
        ER_LIMIT=60 er_start "$node" restart "$(component_name "$node")" --reason "killed at $point"
        if [ $kind = stopped ]; then
                point=${point#heal in }
                wait_for 60 er_phase "${point%% *}"
                # Its caller would call the next agent, which may be faster than heal.
                er_kill
                in_node "$node" systemctl --no-block stop edge-roll-agent.service
        fi
        wait_for 60 kp_struck "$name" ${#orders[@]} $kind
        at=$(kp_said | awk -F '\t' '$1 == "kill" { at = $4 } END { print at }')
        if [ -z "$at" ]; then
                ER_EXIT=0
                wait "$ER_PID" || ER_EXIT=$?
                wait_for 60 job_over "$node"
                [ $kind = stopped ] || assert_result "done" 0
                KP_END=missed FAULT_BACK=-
                return
        fi
        fault_judge "$node" $kind "${name%%/*}" "$before" "$at"
        KP_END=$FAULT_END
        case $FAULT_END,$ER_EXIT in
        restarted,0) ;;
        *,0) fail "$FAULT_END, and its caller was told that it is done" ;;
        restarted,*) [ $kind = stopped ] || fail "restarted, and its caller was told: exit $ER_EXIT" ;;
        esac
        agent_journal "$node" "$began" >"$SCENE/story"
        kp_story "$SCENE/story" || fail "the journal does not tell how it ended"
        assert_same "$(lost)" "$failed" "failed requests"
}

# kp_ordered FILE: what the list says of the order of things. A state file is written beside its place, synced, renamed, and its
# directory is synced, before anything else is done; and what is done then is in the record of the job by that time.
kp_ordered() {
        awk -F '\t' '
                function bad(why) { print "FAILED: " $6 ": " why; n++ }
                function needs(flag) { if (!(" " durable " " ~ " " flag " ")) bad("the record on the disk does not have \"" flag "\" yet, only: " durable) }
                $1 != "call" || $5 != "effect" { next }
                { calls++; split($6, part, "/"); phase = part[1]; what = part[2]; sub(/#.*/, "", what) }
                what ~ /^create-.*\.tmp$/ { file = substr(what, 8); dirty[file] = 1; written[file] = "" }
                what ~ /^write-.*\.tmp$/ { file = substr(what, 7); dirty[file] = 1; if ($8 != "") written[file] = $8 }
                what ~ /^fsync-.*\.tmp$/ { dirty[substr(what, 7)] = 0 }
                what ~ /^rename-/ {
                        file = substr(what, 8)
                        if (!((file ".tmp") in dirty) || dirty[file ".tmp"]) bad("renamed before its temporary file was synced")
                        if (dark != "") bad("the directory was not synced after " dark)
                        dark = $6; said = file == "job.json" ? written[file ".tmp"] : durable; renames++
                }
                what ~ /^unlink-.*\.json$/ && $7 == 0 { dark = $6; said = what == "unlink-job.json" ? "" : durable }
                what == "fsync-edge-roll_dir" { dark = ""; durable = said; next }
                what ~ /^(create|write|fsync|rename|unlink)-/ { next }
                dark != "" { bad("done before the directory was synced after " dark); dark = "" }
                what ~ /^nft-.*newset/ && what ~ /newtable/ { needs("table") }
                $6 ~ /^block\/nft-.*newsetelem/ { needs("blocked") }
                $6 ~ /^stop-monit\/(bus-StartTransientUnit|bus-StopUnit|http-POST)/ { needs("monit") }
                $6 ~ /^stop\/(bus-StopUnit|bus-StartTransientUnit)/ { needs("stopped"); stops++ }
                END {
                        if (renames < 10 || !stops) { print "FAILED: the list shows " renames + 0 " renames and " stops + 0 " stops"; n++ }
                        exit n > 0
                }' "$1" >"$SCENE/order" || fail "the order of the state files and of what they describe:
$(cat "$SCENE/order")"
}

# kp_story FILE: whatever began or was gone on with has an end.
kp_story() {
        awk '/: [a-z-]+ (begins|goes on), asked by/ { open = 1; n++ } /: [a-z-]+ done$|: [a-z-]+ ended: / { open = 0 }
                END { exit !(n > 0 && !open) }' "$1"
}

# kp_try NODE POINT [must]: kp_run, its end written down; a failure is told with the way to see it again, and is no end of the others.
#   must   that it never came there is one, too
kp_try() {
        local node=$1 point=$2 must=${3:-} status=0 log began
        log=$SCENE/point.log
        began=$(now_ms)
        : >"$SCENE/story"
        (
                kp_run "$node" "$point"
                [ "$must$KP_END" != mustmissed ] || fail "it never came there"
                printf '%s\t%s\n' "$KP_END" "${FAULT_BACK:--}" >"$SCENE/end"
        ) 2>"$log" &
        wait $! || status=$?
        printf '%s\t%s\t%s\t%s\n' "$(component_name "$node")" "$point" "$([ $status = 0 ] && cat "$SCENE/end" || printf 'FAILED\t-')" \
                $(($(now_ms) - began)) | tee -a "$SCENE/tried" >>"$LAB/points"
        [ $status != 0 ] || return 0
        {
                echo "FAILED: $node: $point; again: make torture ONLY='$KP_ONLY' POINT='$point'"
                sed 's/^/  /' "$log"
                sed 's/^/  journal: /' "$SCENE/story" 2>/dev/null || :
        } >>"$SCENE/failures"
        say "FAILED: $point: $(grep FAILED "$log" | head -n 1)"
        kp_mend "$node"
}

# kp_mend NODE: as it was, by force, so that the next point begins with nothing of this one.
kp_mend() {
        local t
        in_node "$1" systemctl stop edge-roll-agent.service edge-roll-heal.service edge-roll-hold.service || :
        in_node "$1" sh -c 'rm -f /var/lib/edge-roll/*.json; systemctl reset-failed'
        for t in edge_roll edge_roll_hold edge_roll_partner; do in_node "$1" nft delete table inet $t 2>/dev/null || :; done
        in_node "$1" systemctl start "$(unit_of "$1")" apigee-monit.service
        in_node "$1" monit -c /etc/monit/monitrc monitor "$(component_of "$1")" >/dev/null 2>&1 || :
        wait_for 30 component_ready "$1"
        wait_for 20 monit_says "$1" 1
        wait_for 20 fault_readmitted "$1"
        er "$1" restart "$(component_name "$1")" --reason "is it as it was?"
}

# kp_ready NODE SECONDS: once, before its points; the load runs from here on, that long at most.
kp_ready() {
        kp_fast "$1"
        config "$1" '[agent]' 'idle_exit = 1s'
        FAULT_LOOK=0.2 fault_ready "$1"
        standin "$1" START_DELAY=0.05
        kp_watch "$1"
        kp_load "$2"
        # What is learned at the first time is confirmed from then on.
        er "$1" restart "$(component_name "$1")" --reason "to learn who checks"
        assert_result "done" 0
}

# The points of POINT.
kp_given() { tr ';' '\n' <<<"$POINT" | sed 's/^ *//; s/ *$//'; }

# kp_all NODE LISTER...: each point that the lister prints for NODE, or those of POINT (several with ";" between them), under load.
#   PICK   only so many of them, at random; SEED which
kp_all() {
        local node=$1 points point seed=${SEED:-$RANDOM}
        # As long as a scenario of torture may take; it ends with the points.
        kp_ready "$node" 7100
        if [ -n "${POINT:-}" ]; then
                mapfile -t points < <(kp_given)
        else
                SEED=$seed "${@:2}" "$node" >"$SCENE/points"
                mapfile -t points < <(if [ -n "${PICK:-}" ]; then kp_shuffle "$seed" | sed -n "1,${PICK}p"; else cat; fi <"$SCENE/points")
                say "$node: ${#points[@]} of $(wc -l <"$SCENE/points") points, SEED=$seed"
        fi
        for point in "${points[@]}"; do kp_try "$node" "$point" ${POINT:+must}; done
        kp_reached
        kp_done
}

# Most points of a list are there in the next run, too; if not nothing was tried.
kp_reached() {
        awk -F '\t' '$3 == "missed" { n++ } END { exit !NR || n > NR / 3 }' "$SCENE/tried" ||
                fail "too many points were never reached: $(grep -c missed "$SCENE/tried") of $(wc -l <"$SCENE/tried")"
}

# kp_of_agent NODE: those of an undisturbed restart.
#   SEED, OTHERS   which calls besides, and how many of them (at random, 40)
kp_of_agent() {
        kp_list "$1" "$SCENE/list"
        kp_ordered "$SCENE/list"
        kp_points "$SCENE/list"
        kp_others "$SCENE/list" "$SEED" "${OTHERS:-40}"
}

# kp_of_next POINT... NODE: those of the agent that goes on after each of these.
kp_of_next() {
        local node=${*: -1} first
        for first in "${@:1:$#-1}"; do
                in_node "$node" systemctl stop edge-roll-agent.service
                kp_order agent "kill $first" list
                er "$node" restart "$(component_name "$node")" --reason "to list what the next one does"
                wait_for 20 kp_gone 2
                kp_said >"$SCENE/list"
                kp_order agent
                kp_points "$SCENE/list" | sed "s|^|$first then |"
        done
}

# kp_of_heal PHASE... NODE: those of heal for an agent that was stopped in each of these.
kp_of_heal() {
        local node=${*: -1} phase
        for phase in "${@:1:$#-1}"; do
                in_node "$node" systemctl stop edge-roll-agent.service
                kp_order heal list
                er_start "$node" restart "$(component_name "$node")" --reason "to list what heal does"
                wait_for 60 er_phase "$phase"
                er_kill
                in_node "$node" systemctl --no-block stop edge-roll-agent.service
                er_wait
                wait_for 60 kp_gone
                kp_said >"$SCENE/list"
                kp_order heal
                kp_points "$SCENE/list" | sed "s|^|heal in $phase at |"
        done
}

# kp_done: what the whole of the points was.
kp_done() {
        load_more 60
        load_stop
        kill "$KP_SERVER"
        fault_done
        if [ -e "$SCENE/failures" ]; then
                cat "$SCENE/failures" >&2
                fail "$(grep -c ^FAILED "$SCENE/failures") points ended badly"
        fi
        assert_nothing_lost
}

# kp_table FILE: for people; how many points of each phase were tried, and how they ended.
kp_table() {
        awk -F '\t' '
                { row = $2; heal = sub(/^heal in .* at /, "", row); twice = sub(/.* then /, "", row); sub(/\/.*/, "", row)
                        row = $1 " " (heal ? "heal:" : twice ? "twice:" : "") row; if (!(row in n)) rows[++k] = row; n[row]++; end[row, $3]++ }
                END {
                        print "component phase points as-it-was restarted held missed FAILED"
                        for (i = 1; i <= k; i++) { row = rows[i]; print row, n[row], end[row, "as-it-was"] + 0, end[row, "restarted"] + 0, end[row, "held"] + 0, end[row, "missed"] + 0, end[row, "FAILED"] + 0 }
                }' "$1" | column -t
        awk -F '\t' '$4 ~ /^[0-9]+$/ { print $4 }' "$1" | sort -n |
                awk '{ a[NR] = $1 } END { if (NR) printf "somebody goes on after: median %d ms, longest %d ms, %d times\n", a[int((NR + 1) / 2)], a[NR], NR }'
        awk -F '\t' '{ print $5 }' "$1" | sort -n | awk '{ a[NR] = $1 } END { printf "a point takes: median %d ms, longest %d ms\n", a[int((NR + 1) / 2)], a[NR] }'
        awk -F '\t' '{ n++; if ($3 == "missed") m++; if ($3 == "FAILED") f++ } END { printf "points tried: %d, never reached: %d, failed: %d\n", n - m, m, f }' "$1"
}

# Points at which something was once wrong, "COMPONENT NAME before|after" a line: each sample begins with them.
KP_KNOWN=$E2E/killpoints

# kp_sample NODE SECONDS: points of its restart at random, as many as there is time for and at least three, under load.
#   SEED   the order
kp_sample() {
        local node=$1 end seed=${SEED:-$RANDOM} known points point n=0
        kp_ready "$node" 280
        end=$(($(now_ms) + $2 * 1000))
        kp_list "$node" "$SCENE/list"
        kp_ordered "$SCENE/list"
        mapfile -t known < <(sed -n "s/^$(component_name "$node") //p" "$KP_KNOWN")
        mapfile -t points < <({ kp_points "$SCENE/list"; kp_others "$SCENE/list" "$seed" 40; } | kp_shuffle "$seed")
        for point in "${known[@]}"; do kp_try "$node" "$point" must; done
        for point in "${points[@]}"; do
                [ $n -lt 3 ] || [ "$(now_ms)" -lt "$end" ] || break
                kp_try "$node" "$point"
                n=$((n + 1))
        done
        kp_reached
        say "$node: ${#known[@]} known points, $n of ${#points[@]} others, SEED=$seed; all of them: make torture ONLY='$KP_ONLY'"
        kp_done
}

# kp_shuffle SEED: lines, always in the same other order. More random bytes than are wanted: who makes them is cut off.
kp_shuffle() { shuf --random-source=<(trap - ERR; awk -v seed="$1" 'BEGIN { srand(seed); for (i = 0; i < 200000; i++) printf "%c", 33 + int(rand() * 90) }'); }
