# shellcheck shell=bash
# The agent is frozen in `drain` with nobody who watches it, by a signal and by its cgroup: the block lapses, the load balancer sends
# traffic again. Thawed, the agent notices that, and proves everything again before it stops anything; the time in which it stood
# still is not taken from what a drain may last. So it is, too, where it is stopped at the worst of points: between the last look and
# the call of the stop. At last its watchdog is on, and the next agent goes on.

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
        gate) agent_on r1 ;;
        esac
}
# shellcheck disable=SC2016
group_freeze() {
        in_node r1 sh -c 'echo '"$1"' >/sys/fs/cgroup$(systemctl show -P ControlGroup edge-roll-agent.service)/cgroup.freeze'
}

dirty r1
monit_start r1
trouble_ready r1
# Less than it is frozen for.
config r1 '[component router]' 'drain_max = 20s'
for how in signal cgroup gate; do
        watchdog 0
        load_mixed_start 200
        before=$(life r1)
        er_start r1 restart router --reason "frozen by $how"
        if [ $how = gate ]; then
                agent_halt r1 ': gate: ok: '
                wait_for 60 agent_halted r1
        else
                wait_for 30 er_phase drain
                freeze $how
        fi
        wait_for 20 lb_says r1 DOWN
        wait_for 60 lb_says r1 UP
        thaw $how
        er_wait
        assert_result "done" 0
        assert_restarted r1 "$before"
        say "frozen by $how: $(jq -rs '[.[] | select(.event == "phase" and .state == "end") |
                "\(.phase) \(.outcome) \(.elapsed)"] | join(", ")' "$ER_CALL.json")"
        if [ $how = gate ]; then
                assert er_event '.event == "phase" and .phase == "stop" and .outcome == "back"'
        else
                assert er_event '.event == "phase" and .outcome == "lapsed"'
                result '.warnings[]' | shows 'stood still for' || fail "nobody was told that it stood still"
        fi
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
