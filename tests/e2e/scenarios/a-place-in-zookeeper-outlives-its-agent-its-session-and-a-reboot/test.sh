# shellcheck shell=bash
# A node that is out keeps its place whatever dies, and gives it back when it is let in again; a ticket waits on after a boot.

zk_start
ZK_SESSION=2s zk_nodes r1 r2
zk_register r2

# The agent dies behind stop; the next one ends the job and gives the place back.
standin r1 START_DELAY=3
er_start r1 restart router --reason "agent dies"
wait_for 30 er_phase start
in_node r1 systemctl kill -s KILL edge-roll-agent.service
assert place_held r2 r1
er_wait
assert_result "done" 0
wait_for 10 place_free r2

# ZooKeeper is away from behind the multi to the end: the job goes on, and the place is given back when it is there again.
er_start r1 restart router --reason "ensemble away"
wait_for 30 er_phase notice
zk_kill
er_wait
assert_result "done" 0
in_node r1 edge-roll status --json | jq -r .notice | shows 'being given back' || fail "status does not tell that the place is not given back yet"
zk_start 1 2 3
wait_for 30 place_free r2

# Plug pulled while it is held: the place stays, also when its session is long over.
er r1 drain router --reason "maintenance"
assert_result "done" 0
er r2 request router --reason "new keystore"
assert_same "$ER_EXIT" 0 "exit of request"
wait_for 20 place_waits r1 r2
in_line_since() { place_of r1 '.place.waiting[0].since'; }
since=$(in_line_since)
in_line_anew() { place_waits r1 r2 && [ "$(in_line_since)" != "$since" ]; }
for name in r1 r2; do
        in_node $name systemctl --quiet add-wants lab.target edge-roll-hold.service edge-roll-recover.service "$(unit_of $name)"
        node_kill $name
        in_net $name nft flush ruleset
done
for name in r1 r2; do node_boot $name; done
node_up r1 r2
wait_for 20 component_ready r2
wait_for 20 has_hold r1
# The ticket stands in line again by itself, behind r1.
wait_for 30 in_line_anew
assert place_held r2 r1
er r1 undrain router
assert_result "done" 0
restarted() { [ "$(in_node r2 sh -c 'cat /var/lib/edge-roll/last-router.json' | jq -r '.kind + " " + .result')" = "restart done" ]; }
wait_for 60 restarted
wait_for 10 place_free r1
