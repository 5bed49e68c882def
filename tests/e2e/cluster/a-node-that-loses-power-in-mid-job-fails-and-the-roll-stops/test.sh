# shellcheck shell=bash
# The plug of r2 is pulled while it is drained, later that of r3 while it starts. The roll stops there; after the boot the node ends
# its job by itself, and `resume` goes on. Requests that were on the node are lost with it; nothing else may go out meanwhile.

before=$(lives_of r1 r2 r3)
bastion_start restart router --cluster --region dc-1 --yes
wait_for 60 node_phase r2 drain
node_power_cut r2
bastion_wait
[ "$ER_EXIT" != 0 ] || fail "a node without power is called done"
assert_all_untouched "$before" r3
bastion_er resume --yes
[ "$ER_EXIT" != 0 ] || fail "the roll goes on although a node of the pool is down"
assert_all_untouched "$before" r3
node_power_on r2
wait_for 30 component_ready r2
wait_for 30 job_over r2
assert_no_block r2
wait_for 20 node_lb_says r2 UP
bastion_start resume --yes
wait_for 90 node_phase r3 start
node_power_cut r3
bastion_wait
[ "$ER_EXIT" != 0 ] || fail "a node without power is called done"
node_power_on r3
wait_for 60 job_over r3
wait_for 30 component_ready r3
assert_no_block r3
wait_for 20 node_lb_says r3 UP
# r3 has ended its job by itself, so nothing is left to do.
bastion_er resume --yes
case $(result .result) in "done" | not-needed) ;; *) fail "the roll ends $(result .result): $(result .reason)" ;; esac
assert_same "$(result '[.nodes[].result] | unique | join(" ")')" "done" "results of the nodes"
assert_all_restarted "$before" r1 r2 r3
assert_never_two
