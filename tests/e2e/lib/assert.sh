# shellcheck shell=bash
# What a scenario may claim. Each failure says what was expected and what was seen.

fail() {
        echo "FAILED: $*" >&2
        exit 1
}

# skip REASON: for what this machine cannot have; the reason is shown. With STRICT=1 it counts as failed.
skip() {
        echo "SKIPPED: $*" >&2
        exit 77
}

assert() { "$@" || fail "not so: $*"; }

assert_same() { [ "$1" = "$2" ] || fail "${3:-value}: expected '$2', seen '$1'"; }

# ---- edge-roll in a node

need_edge_roll() { [ -e "$LAB/stage/usr/bin/edge-roll" ] || fail "edge-roll is not built"; }

# er_start NODE ARGUMENT...: runs edge-roll with --json in the background. ER_CALL is where its lines are ($ER_CALL.json,
# .err), ER_PID what to wait for.
er_start() {
        local node=$1 n
        shift
        need_edge_roll
        dirty "$node"
        n=$(($(cat "$SCENE/calls" 2>/dev/null || echo 0) + 1))
        echo "$n" >"$SCENE/calls"
        ER_CALL=$SCENE/$n
        echo "$node: edge-roll $*" >"$ER_CALL.call"
        : >"$ER_CALL.json"
        RUN_AS="exec" in_node "$node" timeout "${ER_LIMIT:-150}" edge-roll "$@" --json >"$ER_CALL.json" 2>"$ER_CALL.err" </dev/null &
        ER_PID=$!
}

# er_wait: the end of the call of er_start; its status is in ER_EXIT.
er_wait() {
        ER_EXIT=0
        wait "$ER_PID" || ER_EXIT=$?
        say "$(cat "$ER_CALL.call"): exit $ER_EXIT"
}

# er NODE ARGUMENT...: both.
er() {
        er_start "$@"
        er_wait
}

# er_plain NODE ARGUMENT...: without --json, for a person; its output is $ER_CALL.json too.
er_plain() {
        need_edge_roll
        dirty "$1"
        ER_CALL=$SCENE/plain
        ER_EXIT=0
        echo "$1: edge-roll ${*:2}" >"$ER_CALL.call"
        in_node "$1" timeout 150 edge-roll "${@:2}" >"$ER_CALL.json" 2>"$ER_CALL.err" </dev/null || ER_EXIT=$?
}

# er_kill: kills the caller of er_start like the loss of its session would; nsenter, timeout, edge-roll.
er_kill() { er_signal KILL; }

# er_signal SIGNAL: to that caller itself.
er_signal() { kill "-$1" "$(first_child "$(first_child "$ER_PID")")"; }

# er_event FILTER: the call of er_start has told an event for which the jq filter is true.
er_event() { jq -es "any(.[]; $1)" "$ER_CALL.json" >/dev/null 2>&1; }

# er_phase NAME: the call has begun this phase.
er_phase() { er_event ".event == \"phase\" and .phase == \"$1\" and .state == \"begin\""; }

# result FILTER: of the last line of the last call, which must be the result.
result() { tail -n 1 "$ER_CALL.json" | jq -r "select(.event == \"result\") | $1"; }

# assert_result NAME EXIT: the ending of the last call, in its exit status and in its last line.
assert_result() {
        assert_same "$(result .result)" "$1" "result"
        assert_same "$(result .exit)" "$2" "exit in the result"
        assert_same "$ER_EXIT" "$2" "exit status"
}

# ---- what the node looks like

# No table of edge-roll in the node.
assert_no_block() {
        local tables
        tables=$(in_node "$1" nft list tables | grep edge_roll || :)
        [ -z "$tables" ] || fail "$1 still has: $tables"
}

# shows PATTERN: grep -q at the end of a pipe, but reads everything: under pipefail a writer that is cut off by SIGPIPE
# would make what was found look as if it had not been.
shows() {
        local all
        all=$(cat)
        grep -q "$@" <<<"$all"
}

has_hold() { in_node "$1" nft list tables | shows 'inet edge_roll_hold$'; }

has_block() { in_node "$1" nft list tables | shows 'inet edge_roll$'; }

no_block() { ! in_node "$1" nft list tables | shows edge_roll; }

# life NODE: changes with each start of the component, whoever does it.
life() { in_node "$1" sh -c "cat /proc/\$(cat /run/standin/$(component_of "$1")/pid)/stat" | awk '{ print $1 "@" $22 }'; }

assert_restarted() { [ "$(life "$1")" != "$2" ] || fail "the component of $1 was not restarted"; }

assert_untouched() { assert_same "$(life "$1")" "$2" "process of the component of $1"; }

rules() { in_node "$1" nft -s list ruleset; }

monit_active() { [ "$(in_node "$1" systemctl is-active apigee-monit.service 2>/dev/null)" = active ]; }

# ---- witnesses

# Requests the load balancer saw lost: any status but 200, or an end that was not in good order (termination state).
lb_lost() { lb_logs | awk '$4 == "clients" && ($7 != 200 || $11 != "----")'; }

# What all load balancers that take part have logged.
lb_logs() { if cluster_kind; then cat "$LAB/lb/log" "$LAB/lb2/log"; else cat "$LAB/lb/log"; fi; }

# lb_health: what its checks said, in order.
lb_health() { lb_logs | grep -E '^[0-9].*(Health check|Server routers/)' || :; }

assert_lb_saw_down_and_up() {
        lb_health | shows "Server routers/$1 is DOWN" || fail "the load balancer never took $1 out"
        lb_health | shows "Server routers/$1 is UP" || fail "the load balancer never took $1 in again"
}

# assert_nothing_lost: the load's summary and the load balancer's log agree that every request was answered in full.
assert_nothing_lost() {
        local failed
        failed=$(load_total failed)
        [ "$failed" = 0 ] || fail "$failed of $(load_total sent) requests failed, $(load_total truncated) of them truncated:
$(head -n 12 "$LAB/load/failures")"
        assert_same "$(jq -r '.sent - .ok' "$LAB/load/summary")" 0 "requests without an answer"
        failed=$(lb_lost | wc -l)
        [ "$failed" = 0 ] || fail "the load balancer logged $failed lost requests:
$(lb_lost | head -n 12)"
        say "load: $(jq -r '"\(.sent) requests, \(.failed) failed, \(.truncated) truncated; " +
                ([.kinds | to_entries[] | "\(.key) \(.value.ok)"] | join(", "))' "$LAB/load/summary")"
}

# ---- whole proofs that several scenarios share

# Both routers' own logs: they took the message processor out and in again.
assert_routers_saw_down_and_up() {
        local r
        for r in r1 r2; do
                in_node "$r" journalctl -q -u edge-router.service >"$SCENE/$r.journal"
                grep -q "Server message-processors/$1 is DOWN" "$SCENE/$r.journal" || fail "$r never took $1 out"
                grep -q "Server message-processors/$1 is UP" "$SCENE/$r.journal" || fail "$r never took $1 in again"
        done
}

tell_phases() { say "$(result '"done in \(.elapsed) s: " + ([.phases[] | "\(.phase) \(.elapsed)"] | join(", "))')"; }

# prove_restart NODE: restarts its component under every kind of load, with monit on watch. Not one request is lost, the process is
# a new one, its clients took it out and in again, and the node is as it was.
prove_restart() {
        local node=$1 before
        monit_start "$node"
        before=$(life "$node")
        load_mixed_start 180
        er "$node" restart "$(component_name "$node")" --reason "proof of $node"
        assert_result "done" 0
        tell_phases
        load_more 60
        load_stop
        assert_nothing_lost
        assert_restarted "$node" "$before"
        assert_no_block "$node"
        assert_same "$(rules "$node")" "" "ruleset"
        assert monit_says "$node" 1
        case $node in
        r*) assert_lb_saw_down_and_up "$node" ;;
        m*) assert_routers_saw_down_and_up "$node" ;;
        esac
}

# assert_as_it_was NODE LIFE: nothing of a job is left and the component was not touched.
assert_as_it_was() {
        assert_untouched "$1" "$2"
        assert_no_block "$1"
}

# lost: requests of the load that have failed so far.
lost() { jq .failed "$LAB/load/progress"; }

# leaves WAY RETRY: restarts m1 under load that way, with routers that retry so; LOST is how many requests that cost.
leaves() {
        local before began
        began=$(lost)
        before=$(life m1)
        er m1 restart mp --mp-leave="$1" --router-retry="$2"
        assert_result "done" 0
        assert_restarted m1 "$before"
        assert_no_block m1
        load_more 30
        # Read by the scenarios.
        # shellcheck disable=SC2034
        LOST=$(($(lost) - began))
        say "$1, routers that retry $2: $LOST lost; $(result .kind) in $(result .elapsed) s"
}

# leaving_load_start [STREAMS...]: what a message processor is left under, and more.
leaving_load_start() {
        load_start 100 "new:name=new,to=$(ip4 lb):80,path=/fast,n=8,every=0.05" "kept:name=kept,to=$(ip4 lb):80,path=/fast,n=8,every=0.06" \
                "kept:name=slow,to=$(ip4 lb):80,path=/slow/1.5,n=6" "download:name=download,to=$(ip4 lb):80,path=/big?rate=4000000,bytes=$BIG_BYTES,n=2" "$@"
}
