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

# Another check, which the operator has taken off: monit may forget that whenever it is started again.
printf '%s\n' 'check file other with path /etc/passwd' >>"$(node_file r1 /etc/monit/monitrc)"
other_off() {
        in_node r1 curl -s -m 2 'http://127.0.0.1:2812/_status?format=xml' |
                shows '<name>other</name>.*<monitor>0</monitor>.*<pendingaction>0</pendingaction>'
}
monit_start r1
in_node r1 monit unmonitor other
wait_for 10 other_off
once "running and watching"
assert monit_active r1
assert monit_says r1 1
assert other_off

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
