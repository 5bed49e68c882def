# shellcheck shell=bash
# restart --now leaves out watch, notice and drain. One that is checked or has clients is refused, with who they are; one
# that serves nobody is restarted at once, and nobody is waited for.

wait_for 10 was_checked r1
before=$(life r1)
er r1 restart router --now
assert_result refused 11
result .reason | shows "somebody is served.*health port 15999.*$(ip4 lb)" || fail "the reason does not name who: $(result .reason)"
assert_as_it_was r1 "$before"

# Nobody checks, but one client is connected.
LB_CHECK=none lb_start
forget() { in_node r1 ss -HK state time-wait >/dev/null; } # what a minute without anybody would do
forget
in_net client bash -c "exec 5<>/dev/tcp/$(ip4 r1)/9001 && read -r -t 60 <&5" &
client=$!
connected() { in_node r1 ss -Htn state established "sport = :9001" | shows "$(ip4 client)"; }
wait_for 5 connected
er r1 restart router --now
assert_result refused 11
result .reason | shows "1 connections on the traffic ports.*$(ip4 client)" || fail "the reason does not name the client: $(result .reason)"
assert_as_it_was r1 "$before"
kill "$(first_child "$client")"
wait_for 5 not connected
forget

# Nobody at all.
monit_start r1
er r1 restart router --now
assert_result "done" 0
tell_phases
assert_same "$(result '[.phases[].phase] | join(" ")')" \
        "preflight discover place block stop-monit gate stop start ready verify start-monit unblock return" "phases"
result '.phases[-1].evidence' | shows "nobody asked" || fail "somebody was waited for"
assert_restarted r1 "$before"
assert_no_block r1
assert monit_says r1 1
