# shellcheck shell=bash
# systemd gives the agent up and starts heal in its place: what is to end by itself needs an agent again.

er r1 drain router --for 8s
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold r1
in_node r1 systemctl stop edge-roll-agent
in_node r1 systemctl start edge-roll-heal
wait_for 30 no_block r1
assert not in_node r1 test -e /var/lib/edge-roll/hold-router.json
wait_for 20 lb_says r1 UP
