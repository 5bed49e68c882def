# shellcheck shell=bash
# The address space of the agent is limited (LimitAS=), from so little that it cannot start to more than it needs, and a restart is asked
# for, under load. Each ends, and in one of the three ends; a limit that is given up leaves nothing behind.

dirty r1
fault_ready r1
load_mixed_start 900
limit() {
        printf '[Service]\nLimitAS=%s\n' "$1" >"$(node_file r1 /run/systemd/system/edge-roll-agent.service.d/memory.conf)"
        in_node r1 systemctl daemon-reload
        in_node r1 systemctl stop edge-roll-agent.service
}
agent_settled() { ! in_node r1 systemctl -q is-active edge-roll-heal.service; }

er r1 restart router
assert_result "done" 0
whole=$(in_node r1 sed -n 's/^VmPeak:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(agent_pid r1)/status")
say "what a restart needs: $whole KiB of address space"
# Most of that is asked for in passing, while libraries are loaded: what matters lies between a third and a half.
declare -A ends=()
for percent in 5 20 30 35 38 40 41 42 43 44 45 46 47 48 50 55 60 70 80 90 100 110; do
        limit $((whole * percent / 100))K
        before=$(life r1)
        ER_LIMIT=100 er r1 restart router --reason "$percent % of the memory"
        wait_for 120 job_over r1
        wait_for 60 agent_settled
        in_node r1 rm /run/systemd/system/edge-roll-agent.service.d/memory.conf
        in_node r1 systemctl daemon-reload
        in_node r1 systemctl reset-failed edge-roll-agent.service edge-roll-heal.service 2>/dev/null || :
        end=as-it-was
        [ "$(life r1)" = "$before" ] || end=restarted
        if has_hold r1; then
                end=held
                er r1 undrain router
        fi
        say "$percent %: $end, exit $ER_EXIT: $(result .reason)"
        ! result .reason | shows 'cannot be loaded' || result .reason | shows 'cannot be loaded (.*\(memory\|segment\)' ||
                fail "$percent %: the true reason is not told"
        ends[$end]=1
        assert component_ready r1
        wait_for 35 no_block r1 || fail "$percent %: the node is left blocked"
        wait_for 15 monit_says r1 1 || fail "$percent %: monit is not as it was"
        wait_for 40 lb_says r1 UP
        printf 'limit-as-%s\tup\t-\t-\t0\t%s\n' "$percent%" "$end" >>"$LAB/faults"
done
# From nothing to all: both must have been seen.
[ -n "${ends[as-it-was]:-}" ] && [ -n "${ends[restarted]:-}" ] || fail "only these ends: ${!ends[*]}"
fault_done
load_more 60
load_stop
assert_nothing_lost
