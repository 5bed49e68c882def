# shellcheck shell=bash
# Real monit with a cycle of 2 s starts a stopped component at once if it is left watching.

# One start for each restart: nobody else started the component in between.
starts() { in_node r1 journalctl -q -u edge-router.service | grep -c 'Started edge-router' || :; }

once() {
        local before
        before=$(starts)
        er r1 restart router
        assert_result "done" 0
        assert_same "$(($(starts) - before))" 1 "starts of the component with monit $1"
}

once "not running"
assert not monit_active r1

monit_start r1
once "running and watching"
assert monit_active r1
assert monit_says r1 1

in_node r1 monit unmonitor edge-router
wait_for 10 monit_says r1 0
once "running and not watching"
assert monit_active r1
assert monit_says r1 0

in_node r1 systemctl stop apigee-monit.service
rm "$(node_file r1 /etc/systemd/system/apigee-monit.service)"
in_node r1 systemctl daemon-reload
once absent
assert not monit_active r1
