# shellcheck shell=bash
# The agent is frozen in `drain` with nobody who watches it, by a signal and by its cgroup: the block lapses, the load balancer sends
# traffic again. Thawed, the agent notices that, and proves everything again before it stops anything. At last its watchdog is on, and
# the next agent goes on.

watchdog() {
        in_node r1 mkdir -p /run/systemd/system/edge-roll-agent.service.d
        printf '[Service]\nWatchdogSec=%s\nTimeoutAbortSec=5\n' "$1" \
                >"$(node_file r1 /run/systemd/system/edge-roll-agent.service.d/frozen.conf)"
        in_node r1 systemctl daemon-reload
        # What a running process was told is not changed.
        in_node r1 systemctl stop edge-roll-agent.service
}
# freeze, thaw signal|cgroup
freeze() {
        case $1 in
        signal) in_node r1 systemctl kill --signal=STOP edge-roll-agent.service ;;
        cgroup) group_freeze 1 ;;
        esac
}
thaw() {
        case $1 in
        signal) in_node r1 systemctl kill --signal=CONT edge-roll-agent.service ;;
        cgroup) group_freeze 0 ;;
        esac
}
# shellcheck disable=SC2016
group_freeze() {
        in_node r1 sh -c 'echo '"$1"' >/sys/fs/cgroup$(systemctl show -P ControlGroup edge-roll-agent.service)/cgroup.freeze'
}

dirty r1
monit_start r1
for how in signal cgroup; do
        watchdog 0
        load_mixed_start 200
        before=$(life r1)
        er_start r1 restart router --reason "frozen by $how"
        wait_for 30 er_phase drain
        freeze $how
        wait_for 20 lb_says r1 DOWN
        wait_for 60 lb_says r1 UP
        thaw $how
        er_wait
        case $ER_EXIT in
        0) assert_restarted r1 "$before" ;;
        15) assert_untouched r1 "$before" ;;
        *) fail "frozen by $how: exit $ER_EXIT: $(result .reason)" ;;
        esac
        say "frozen by $how: $(jq -rs '[.[] | select(.event == "phase" and .state == "end") |
                "\(.phase) \(.outcome) \(.elapsed)"] | join(", ")' "$ER_CALL.json")"
        assert er_event '.event == "phase" and .outcome == "lapsed"'
        assert component_ready r1
        assert_no_block r1
        assert monit_says r1 1
        load_more 60
        load_stop
        assert_nothing_lost
        wait_for 15 lb_says r1 UP
done

watchdog 10
load_mixed_start 200
before=$(life r1)
er_start r1 restart router --reason "frozen by cgroup, watched"
wait_for 30 er_phase drain
pid=$(agent_pid r1)
freeze cgroup
er_wait
assert_result "done" 0
[ "$(agent_pid r1)" != "$pid" ] || fail "the frozen agent was not replaced"
assert_restarted r1 "$before"
assert_no_block r1
assert monit_says r1 1
tell_phases
load_more 60
load_stop
assert_nothing_lost
