# shellcheck shell=bash
# The ssh of the node under way is killed while it is notified and once more behind its stop; to the next one no packet goes for a
# while. Their agents go on, the coordinator comes back to the same job, and nothing is restarted twice.

before=$(lives_of r1 r2 r3)
regions_load_start 200
bastion_start restart router --cluster --region dc-1 --yes
wait_for 60 node_phase r1 notice
ssh_kill r1
wait_for 60 node_phase r1 start
ssh_kill r1
wait_for 60 node_phase r2 notice
ssh_cut r2
# Long enough for r2 to be restarted meanwhile.
restarted_r2() { ! grep -qxF "r2 $(life r2)" <<<"$before"; }
wait_for 60 restarted_r2
ssh_mend
bastion_wait
assert_result "done" 0
regions_proof
assert_all_restarted "$before" r1 r2 r3
assert_order "r1 r2 r3" r1 r2 r3
