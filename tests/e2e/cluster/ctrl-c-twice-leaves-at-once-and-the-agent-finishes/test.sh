# shellcheck shell=bash
# Ctrl-C twice while r1 is drained by long requests: the command is gone within seconds, the job is not.

before=$(lives_of r1 r2 r3)
load_start 200 "kept:name=long,to=$(ip4 lb):80,path=/slow/12,n=6"
tty_start restart router --cluster --region dc-1 --yes
wait_for 60 node_lb_says r1 DOWN
tty_type '\003'
wait_for 10 tty_shows -i 'ctrl-c\|again'
tty_type '\003'
wait_for 5 gone "$ER_PID"
bastion_wait
[ "$ER_EXIT" != 0 ] || fail "a roll that was left exits 0"
has_block r1 || fail "the job of r1 ended with its caller"
wait_for 90 job_over r1
load_more 60
load_stop
assert_nothing_lost
assert_all_restarted "$before" r1
assert_all_untouched "$before" r2 r3
assert_no_block r1
bastion_er resume --yes
assert_result "done" 0
assert_order "r1 r2 r3" r1 r2 r3
