# shellcheck shell=bash
# An agent that is gone for good, with its record, has left its table where nobody owns tables: it refuses until its time is over.
# status says so; the next job takes its place.

refusing() { in_node "$1" nft list set inet edge_roll whole 2>/dev/null | shows 'elements = .*15999'; }

config r1 '[agent]' 'nft_owner = none'
before=$(life r1)
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/20" &
er_start r1 restart router
wait_for 30 er_phase drain
# Its caller would start it again.
er_kill
in_node r1 systemctl stop edge-roll-agent.service
in_node r1 rm /var/lib/edge-roll/job.json
assert refusing r1
er_plain r1 status router
assert grep -qF "health port 15999 REFUSED by the table inet edge_roll, which no job uses" "$ER_CALL.json"
er_start r1 restart router
wait_for 10 er_phase watch
wait_for 2 not refusing r1
in_node r1 edge-roll cancel router >/dev/null
er_wait
assert_result refused 11
assert_as_it_was r1 "$before"
wait_for 10 lb_says r1 UP
