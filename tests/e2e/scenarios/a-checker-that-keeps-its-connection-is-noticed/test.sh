# shellcheck shell=bash
# Such a checker sends no SYN while all is well: its checks show on the socket only. Refused, its connection is reset and it
# comes anew.

tool_build checker
checker_start() {
        RUN_AS="exec" in_net client "$LAB/bin/checker" "$1" "$2" "$3" 500 3 2 >"$SCENE/checker" </dev/null &
        echo $! >"$SCENE/checker.pid"
        disown
        wait_for 5 grep -q connect "$SCENE/checker"
}
checker_stop() { kill "$(cat "$SCENE/checker.pid")" 2>/dev/null || :; }
trap checker_stop EXIT

# The stand-in's own health page closes; this one keeps, as nginx does.
conf=$(node_file r1 /opt/apigee/edge-router/conf/haproxy.cfg)
sed -i 's|^ *monitor-uri .*|        http-request return status 200 content-type text/plain string true|' "$conf"
dirty r1
in_node r1 systemctl restart edge-router.service
wait_for 20 component_ready r1
LB_CHECK=none lb_start
checker_start "$(ip4 r1)" 15999 /v1/servers/self/reachable
before=$(life r1)
er r1 restart router
assert_result "done" 0
assert_restarted r1 "$before"
result '.phases[]|select(.phase == "watch")|.evidence' | shows "by $(ip4 client) (every 0.5 s)" || fail "its interval was not seen"
tell_phases
# It had marked the router down when that was stopped, and has it up again; one connection before, one after.
assert_same "$(awk '{ print $2 }' "$SCENE/checker" | xargs)" "connect DOWN connect UP" "what the checker saw"
checker_stop

# On a message processor a check on a kept connection cannot be told from a request: it is named, and the job ends as
# `persistent` says.
checker_start "$(ip4 m1)" 8998 /v1/servers/self/up
before=$(life m1)
er m1 restart message-processor --persistent=give-back
assert_result gave-back 15
result .reason | shows "go on sending: from .*$(ip4 client) " || fail "it is not named: $(result .reason)"
say "$(result .reason)"
assert_as_it_was m1 "$before"
