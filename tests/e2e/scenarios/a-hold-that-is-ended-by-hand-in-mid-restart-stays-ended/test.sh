# shellcheck shell=bash
# A restart of what is held puts its hold back where others took the table away. Who ends the hold in good order has ended it.

er r1 drain router --reason "by hand"
assert_same "$ER_EXIT" 0 "exit status of drain"
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/8" &
er_start r1 restart router
wait_for 30 er_phase drain
in_node r1 systemctl stop edge-roll-hold
told_in_journal() { in_node r1 journalctl -q -o cat MESSAGE_ID=6f0ad1d0b2a34b6c9a8f3de0a1c7b509 | shows 'the hold of router .*by hand.* has ended: edge-roll-hold.service was stopped$'; }
wait_for 10 told_in_journal
assert not in_node r1 test -e /var/lib/edge-roll/hold-router.json
in_node r1 edge-roll cancel router >/dev/null
er_wait
assert_result gave-back 15
assert_no_block r1
assert not in_node r1 test -e /var/lib/edge-roll/hold-router.json
wait_for 20 lb_says r1 UP
