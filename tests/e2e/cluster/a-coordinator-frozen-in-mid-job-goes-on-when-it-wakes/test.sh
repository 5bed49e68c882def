# shellcheck shell=bash
# A coordinator stands still while r1 is drained, for so long that its leases run out. The agent ends its job alone. Awake again it
# takes leases that nobody has taken meanwhile, believes what r1 has recorded, and goes on.
# takes: 90

before=$(lives_of r1 r2 r3)
regions_load_start 280
bastion_start restart router --cluster --region dc-1 --yes
wait_for 60 node_phase r1 drain
bastion_signal STOP
wait_for 90 job_over r1
for name in r1 r2 r3; do wait_for 60 lease_over $name; done
assert_all_untouched "$before" r2 r3
bastion_signal CONT
bastion_wait
assert_result "done" 0
regions_proof
assert_all_restarted "$before" r1 r2 r3
assert_order "r1 r2 r3" r1 r2 r3
