# shellcheck shell=bash
# One roll of r1, one of r2 and r3, at the same time: selecting nodes does not make a pool of them.

before=$(lives_of r1 r2 r3)
regions_load_start 200
bastion_start restart router --cluster --limit r1 --yes --wait
one=$ER_CALL
BASTION_USER=ops bastion_start restart router --cluster --limit r2,r3 --yes --wait
two=$ER_CALL
bastion_wait "$one"
assert_result "done" 0
bastion_wait "$two"
assert_result "done" 0
assert_all_restarted "$before" r1 r2 r3
assert_never_two

# The agents know each other from there on: also by --nodes alone, which says nothing of the others.
bastion_start restart router --nodes r1 --yes
one=$ER_CALL
BASTION_USER=ops bastion_start restart router --nodes r2,r3 --yes
two=$ER_CALL
bastion_wait "$one"
bastion_wait "$two"
regions_proof
