# shellcheck shell=bash
# The real ansible-playbook with the role that is installed, on two routers: changed, ok, and what --check says.

ansible_serve r1 r2
plays

say "changed: one node after the other, by serial"
r1=$(life r1) r2=$(life r2)
playbook site -e seconds=30 -e at_once=1
assert_play 0 r1 2 0
assert_play 0 r2 2 0
assert_restarted r1 "$r1"
assert_restarted r2 "$r2"
wait_for 10 lb_says r1 UP
wait_for 10 lb_says r2 UP

say "ok: nothing has changed"
r1=$(life r1) r2=$(life r2)
playbook site -e seconds=30
assert_play 0 r1 0 0
playbook settle
assert_play 0 r1 0 0
assert_play 0 r2 0 0
assert_untouched r1 "$r1"
assert_untouched r2 "$r2"

say "check mode says what would be, and does nothing"
touched r1
playbook settle --check
assert_play 0 r1 1 0
assert_play 0 r2 0 0
playbook site -e seconds=40 --check
assert_play 0 r1 2 0
assert_untouched r1 "$r1"
assert_untouched r2 "$r2"

say "changed by somebody else: only where it is needed"
playbook settle
assert_play 0 r1 1 0
assert_play 0 r2 0 0
assert_restarted r1 "$r1"
assert_untouched r2 "$r2"
wait_for 10 lb_says r1 UP

say "both in one batch: one node after the other, by throttle"
r1=$(life r1) r2=$(life r2)
playbook site -e seconds=50 -e edge_roll_throttle=1
assert_play 0 r1 2 0
assert_play 0 r2 2 0
assert_restarted r1 "$r1"
assert_restarted r2 "$r2"
if grep -q 'has no server available' "$LAB/lb/log"; then fail "both routers were out at once"; fi
