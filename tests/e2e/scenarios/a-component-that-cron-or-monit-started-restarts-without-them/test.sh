# shellcheck shell=bash
# Real cron and real monit start what they find stopped, and then it lives in their cgroup: neither is stopped with it.

need_edge_roll
main_pid() { in_node r1 systemctl show -P MainPID "$1"; }

node_renew r1 wrapper
in_node r1 systemctl stop "$(unit_of r1)"
printf '%s\n' 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' '@reboot root /opt/apigee/apigee-service/bin/apigee-service edge-router start' \
        >"$(node_file r1 /etc/cron.d/edge)"
in_node r1 systemctl start cron.service
wait_for 20 router_open r1
runs_in r1 | shows '/cron.service$' || fail "the component is in $(runs_in r1)"
wait_for 20 through_routers
wait_for 20 lb_says r1 UP
cron=$(main_pid cron.service)
# The agent is killed while the stop command runs: the next one goes on with it.
standin r1 STOP_DELAY=1
er_start r1 restart router
stopping() { [ "$(in_node r1 systemctl is-active edge-roll-run-stop-router.service)" = activating ]; }
wait_for 60 stopping
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
er_wait
assert_result "done" 0
standin r1 STOP_DELAY=0
result .ran_in | shows '/cron.service$'
runs_in r1 | shows 'edge-component@edge-router.service$' || fail "the component is in $(runs_in r1)"
assert_same "$(main_pid cron.service)" "$cron" "cron's process"

# monit's own start command, so that what it starts is its child.
in_node r1 systemctl stop "$(unit_of r1)"
sed -i 's|/usr/bin/systemctl \([a-z]*\) .*"|/opt/apigee/apigee-service/bin/apigee-service edge-router \1"|' "$(node_file r1 /etc/monit/monitrc)"
in_node r1 systemctl start apigee-monit.service
wait_for 20 router_open r1
wait_for 20 monit_says r1 1
runs_in r1 | shows '/apigee-monit.service$' || fail "the component is in $(runs_in r1)"
wait_for 20 lb_says r1 UP
monit=$(main_pid apigee-monit.service)
er r1 restart router
assert_result "done" 0
result .ran_in | shows '/apigee-monit.service$'
runs_in r1 | shows 'edge-component@edge-router.service$' || fail "the component is in $(runs_in r1)"
assert_same "$(main_pid apigee-monit.service)" "$monit" "monit's process"
assert monit_says r1 1
assert_no_block r1

# monit is brought back behind our back, and starts the component between our stop and our start: accepted, and told.
cat >"$(node_file r1 /usr/local/bin/stop-and-monit)" <<'STOP'
#!/bin/sh
/opt/apigee/apigee-service/bin/apigee-service edge-router stop
systemctl start apigee-monit.service
until curl -s -m 2 -o /dev/null http://127.0.0.1:15999/v1/servers/self/reachable; do
        monit monitor edge-router
        timeout 0.2 tail -f /dev/null
done
exit 0
STOP
chmod 755 "$(node_file r1 /usr/local/bin/stop-and-monit)"
config r1 '[component router]' 'stop_command = /usr/local/bin/stop-and-monit'
in_node r1 systemctl stop "$(unit_of r1)"
in_node r1 systemd-run -q --scope /opt/apigee/apigee-service/bin/apigee-service edge-router start
wait_for 20 router_open r1
wait_for 20 lb_says r1 UP
er r1 restart router
assert_result "done" 0
result '.warnings[]' | shows 'started by somebody else between our stop and our start' || fail "not told: $(result '.warnings')"
result '.warnings[]' | shows 'runs already, in monit' || fail "not told who: $(result '.warnings')"
assert monit_says r1 1
assert_no_block r1
