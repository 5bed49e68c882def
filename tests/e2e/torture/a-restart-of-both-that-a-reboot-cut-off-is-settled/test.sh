# shellcheck shell=bash
# A reboot in the middle of restart rmp (seen by edge-roll as records of another boot, tables and processes gone): a message
# processor that had been stopped is started and proven, one that had not is left alone; the router is not restarted in either
# case, monit is as it was. And a partner's record alone is a job like any other.

rmp_up
rmp_monit_start
rmp_standin message-processor START_DELAY=3
# reboot: the caller gone (it would call the agent back), the agent gone, with it its sockets and so its tables; then the records are of another boot.
reboot() {
        er_kill
        er_wait
        in_node rmp1 systemctl stop edge-roll-agent.service
        in_node rmp1 sh -c 'sed -i "s/\"boot_id\":.*\"[0-9a-f]*\"/\"boot_id\": \"00000000000000000000000000000001\"/" /var/lib/edge-roll/job*.json'
        [ "$1" != stopped ] || in_node rmp1 systemctl stop edge-message-processor.service
        # Tables that persist without their owner are gone after a reboot, too.
        in_node rmp1 sh -c 'for t in edge_roll edge_roll_partner; do nft delete table inet $t 2>/dev/null; done; :'
}
settled() { ! in_node rmp1 sh -c 'ls /var/lib/edge-roll/job*.json' 2>/dev/null | shows json; }
last() { in_node rmp1 jq -r "$2" "/var/lib/edge-roll/last-$1.json"; }

router=$(rmp_life router) mp=$(rmp_life message-processor)
er_start rmp1 restart rmp
wait_for 60 rmp_phase start
reboot stopped
in_node rmp1 systemctl start edge-roll-agent.service
wait_for 60 settled
assert_same "$(last message-processor .result)" "done" "end of the message processor's job"
assert_same "$(last router .result)" gave-back "end of the router's job"
rmp_as_before
assert_same "$(rmp_life router)" "$router" "process of the router"
[ "$(rmp_life message-processor)" != "$mp" ] || fail "the message processor was not restarted"

mp=$(rmp_life message-processor)
er_start rmp1 restart rmp
wait_for 60 rmp_phase notice
reboot running
in_node rmp1 systemctl start edge-roll-agent.service
wait_for 60 settled
assert_same "$(last router .result)" gave-back "end of the router's job"
rmp_as_before
assert_same "$(rmp_life router) $(rmp_life message-processor)" "$router $mp" "processes"

er_start rmp1 restart rmp
wait_for 60 rmp_phase start
er_kill
er_wait
in_node rmp1 systemctl stop edge-roll-agent.service
in_node rmp1 rm /var/lib/edge-roll/job.json
in_node rmp1 systemctl start edge-roll-agent.service
wait_for 60 settled
assert_same "$(last message-processor .result)" "done" "end of the message processor's job"
assert not in_node rmp1 nft list table inet edge_roll_partner 2>/dev/null
wait_for 10 rmp_serves
