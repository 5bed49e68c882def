# shellcheck shell=bash
# Ansible: two plays at once, one that is out of time, one that is refused.

ansible_serve r1
plays

say "two plays at once share one restart"
r1=$(life r1)
touched r1
playbook_start settle
first=$PLAY first_pid=$PLAY_PID
playbook settle
assert_play 0 r1 1 0
PLAY=$first PLAY_PID=$first_pid
playbook_wait
assert_play 0 r1 1 0
assert_restarted r1 "$r1"
assert_same "$(in_node r1 journalctl -q -u edge-router.service | grep -c 'Started edge-router')" 2 "starts since boot"

say "a limit that is shorter than the restart fails the task; the restart goes on to its end"
wait_for 10 lb_says r1 UP
r1=$(life r1)
standin r1 START_DELAY=20
touched r1
playbook settle -e edge_roll_limit=2
assert_play 2 r1 0 1
grep -q 'edge-roll status says what runs' "$PLAY" || fail "not told what to do: $(tail -n 20 "$PLAY")"
ended() { in_node r1 edge-roll status --json | jq -e '.job == null' >/dev/null; }
wait_for 60 ended
assert_restarted r1 "$r1"
assert_no_block r1
playbook settle
assert_play 0 r1 0 0

say "what edge-roll refuses fails the task with its own words"
wait_for 10 lb_says r1 UP
r1=$(life r1)
LB_CHECK=none lb_start
touched r1
playbook settle
assert_play 2 r1 0 1
grep -q 'router on r1: no-checker: .*; what to do: ' "$PLAY" || fail "not told why: $(tail -n 20 "$PLAY")"
assert_as_it_was r1 "$r1"
