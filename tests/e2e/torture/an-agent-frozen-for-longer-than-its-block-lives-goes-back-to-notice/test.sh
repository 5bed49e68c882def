# shellcheck shell=bash
# The agent is frozen in `drain` with nobody who watches it: the block lapses, the load balancer sends traffic again. Thawed, the agent
# notices that, and proves everything again before it stops anything.

dirty r1
in_node r1 mkdir -p /run/systemd/system/edge-roll-agent.service.d
printf '[Service]\nWatchdogSec=0\n' >"$(node_file r1 /run/systemd/system/edge-roll-agent.service.d/frozen.conf)"
in_node r1 systemctl daemon-reload
load_mixed_start 200
er_start r1 restart router
wait_for 30 er_phase drain
in_node r1 systemctl kill --signal=STOP edge-roll-agent.service
wait_for 20 lb_says r1 DOWN
wait_for 60 lb_says r1 UP
in_node r1 systemctl kill --signal=CONT edge-roll-agent.service
er_wait
case $ER_EXIT in 0 | 15) ;; *) fail "exit $ER_EXIT: $(result .reason)" ;; esac
assert er_event '.event == "phase" and .outcome == "lapsed"'
assert component_ready r1
assert_no_block r1
load_more 60
load_stop
assert_nothing_lost
