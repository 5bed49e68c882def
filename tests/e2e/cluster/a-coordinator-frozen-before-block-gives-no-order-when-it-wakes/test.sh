# shellcheck shell=bash
# A coordinator is stopped while its first node is watched. Its lease runs out, the job goes back; another one starts and is in the
# middle of a node when the first wakes. Nothing of what that had in mind may happen.

before=$(lives_of r1 r2 r3)
regions_load_start 280
bastion_start restart router --cluster --region dc-1 --yes
frozen=$ER_CALL
wait_for 60 node_phase r1 watch
bastion_signal STOP "$frozen"
wait_for 90 job_over r1
BASTION_USER=ops bastion_start restart router --cluster --region dc-1 --yes --wait=90s
other=$ER_CALL
wait_for 120 node_phase r2 notice "$other"
bastion_signal CONT "$frozen"
bastion_wait "$other"
assert_result "done" 0
bastion_wait "$frozen"
[ "$ER_EXIT" != 0 ] || fail "the one that was frozen calls it done"
regions_proof
assert_all_restarted "$before" r1 r2 r3
