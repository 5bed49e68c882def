# shellcheck shell=bash
# A person at a terminal: the plan is asked about; Ctrl-C while r1 is drained. r1 is finished, r2 and r3 stay as they are.

before=$(lives_of r1 r2 r3)
regions_load_start 120
tty_start restart router --cluster --region dc-1
wait_for 30 tty_shows 'y/N'
tty_type 'y\r'
wait_for 60 node_lb_says r1 DOWN
tty_type '\003'
bastion_wait
[ "$ER_EXIT" != 0 ] || fail "a roll that was interrupted exits 0"
assert_all_restarted "$before" r1
assert_all_untouched "$before" r2 r3
assert_no_block r1
tty_shows 'edge-roll resume' || fail "the way on is not shown"
wait_for 10 node_lb_says r1 UP
bastion_er resume --yes
assert_result "done" 0
regions_proof
assert_order "r1 r2 r3" r1 r2 r3
