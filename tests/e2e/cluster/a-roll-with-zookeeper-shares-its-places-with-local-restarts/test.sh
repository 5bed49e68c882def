# shellcheck shell=bash
# lock = zookeeper on the nodes: the roll takes leases, and each node its place; a local restart of a node that is not part of the
# roll waits for its place between them.
# takes: 70

lock_with_zookeeper r1 r2 r3 r4 r5 r6
for name in r1 r2 r3 r4; do config "$name" 'name = four'; done
before=$(lives_of r1 r2 r3 r4)
regions_load_start 200
bastion_start restart router --cluster --limit r1,r2,r3 --yes
roll=$ER_CALL
wait_for 60 node_phase r1 notice
bastion_wait "$roll"
assert_result "done" 0
# r4 stands in line behind the roll, whose nodes it knows from there.
restart_start r4 --wait
restart_done r4
regions_proof
assert_all_restarted "$before" r1 r2 r3 r4
assert_same "$(pool_blocks r1 r2 r3 r4 | two_out 1)" "" "two out at once"
