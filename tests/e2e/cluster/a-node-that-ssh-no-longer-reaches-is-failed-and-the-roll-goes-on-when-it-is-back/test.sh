# shellcheck shell=bash
# No packet goes between the bastion and r2 once its job is behind the block. Its agent finishes alone; the roll cannot know, counts
# it as failed, and stops. When the link is back `resume` believes what the agent has recorded.

before=$(lives_of r1 r2 r3)
regions_load_start 280
bastion_start restart router --cluster --region dc-1 --yes
wait_for 60 node_phase r2 notice
ssh_cut r2
bastion_wait
[ "$ER_EXIT" != 0 ] || fail "a node that could not be reached is called done"
assert_same "$(result .result)" agent-unreachable "result"
assert_all_untouched "$before" r3
wait_for 60 job_over r2
assert_all_restarted "$before" r1 r2
assert_no_block r2
ssh_mend
middle=$(lives_of r1 r2)
bastion_er resume --yes
assert_result "done" 0
regions_proof
assert_all_untouched "$middle" r1 r2
assert_all_restarted "$before" r3
