# shellcheck shell=bash
# Records of a newer version, damaged ones, one of a component that is not configured any more: unknown means hold and ask. And the
# commands that are told then work.

state=/var/lib/edge-roll
agent_restarted() { in_node r1 systemctl restart edge-roll-agent.service; }
asked() {
        er r1 status
        jq -r .notice "$ER_CALL.json" | shows 'unreadable-job.json' || fail "status does not name the record"
        in_node r1 test ! -e $state/job.json
        in_node r1 journalctl -q -u edge-roll-agent.service | shows "$1" || fail "the journal does not say: $1"
        in_node r1 rm $state/unreadable-job.json
}
put() { cat >"$(node_file r1 "$state/job.json")"; }

er r1 restart router
assert_result "done" 0

# Of a version to come, cut off behind `stop`, with the component down, and no monit that starts it.
component_stopped() { ! in_node r1 systemctl -q is-active "$(unit_of r1)"; }
in_node r1 systemctl stop "$(unit_of r1)"
assert component_stopped
echo '{"format":99,"component":"router","health_port":15999,"block":"whole","phase":"start"}' | put
agent_restarted
wait_for 10 has_hold r1
er r1 status router
assert_same "$ER_EXIT" 16 "exit status of status"
asked 'edge-roll restart router. proves it, starting it if it is stopped'
assert component_stopped
er r1 restart router
assert_result "done" 0
assert_no_block r1
assert component_ready r1

monit_start r1

# Empty, in the middle of a drain: what is left to be read is the table.
in_node r1 mkdir -p /run/systemd/system/edge-roll-agent.service.d
printf '[Service]\nRestartSec=2s\n' >"$(node_file r1 /run/systemd/system/edge-roll-agent.service.d/slow.conf)"
in_node r1 systemctl daemon-reload
before=$(life r1)
er_start r1 restart router
wait_for 30 er_phase notice
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
: | put
wait_for 20 has_hold r1
er_wait
in_node r1 nft list tables | shows 'inet edge_roll$' && fail "the transit table is still there"
asked 'is damaged: empty'
assert_untouched r1 "$before"
er r1 undrain router
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block r1

# Of a component that was taken out of the configuration behind `stop`.
printf '{"format":1,"component":"gone","kind":"restart","phase":"ready","health_port":15998,"block":"whole","changes":{"stopped":true}}' | put
agent_restarted
wait_for 10 has_hold r1
er r1 status
assert_same "$ER_EXIT" 16 "exit status of status"
jq -r '.components[] | select(.name == "gone") | .error' "$ER_CALL.json" | shows 'systemctl stop edge-roll-hold' || fail "status does not say how it ends"
asked 'is not configured any more'
in_node r1 systemctl stop edge-roll-hold.service
assert_no_block r1

# Where nothing had been stopped, nothing is held.
printf '{"format":1,"component":"gone","kind":"restart","phase":"drain","health_port":15998,"block":"whole","changes":{"stopped":false}}' | put
agent_restarted
asked 'It had stopped nothing'
assert_no_block r1
wait_for 15 lb_says r1 UP

# Where not even the program that heals can run, systemd's journal says what to do.
in_node r1 mkdir -p /run/systemd/system/edge-roll-heal.service.d
printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >"$(node_file r1 /run/systemd/system/edge-roll-heal.service.d/broken.conf)"
in_node r1 systemctl daemon-reload
in_node r1 systemctl start edge-roll-heal.service || :
says() { in_node r1 journalctl -q -u edge-roll-heal.service | shows 'agent and heal have both ended badly (exit-code 1)'; }
wait_for 10 says
