# shellcheck shell=bash
# The commands of edge-roll-recovery(7), as they stand there, on nodes whose edge-roll is gone: in the middle of a restart,
# and with a hold.

page=$LAB/stage/usr/share/man/man7/edge-roll-recovery.7
# The N-th display of the page: 1 which component, 2 see, 3 make it run, 4 open it, 5 why, 6 when it is mended.
command() { awk -v n="$1" '/^\.Bd/ { k++; on = 1; next } /^\.Ed/ { on = 0 } on && k == n' "$page" | sed 's/\\-/-/g'; }
page_says() { # NODE N: their exit status is not what counts
        in_node "$1" bash -c "$(command 1)
$(command "$2")" >"$SCENE/$1.$2" 2>&1 || :
}
break_it() { in_node "$1" sh -c 'mv /usr/bin/edge-roll /usr/bin/edge-roll.away; systemctl kill --signal=KILL edge-roll-agent.service || :'; }
mend_it() { in_node "$1" mv /usr/bin/edge-roll.away /usr/bin/edge-roll; }
assert [ -s "$page" ]

# In the middle of a restart: stopped, monit away.
monit_start r1
before=$(life r1)
standin r1 START_DELAY=1
er_start r1 restart router
wait_for 60 er_phase start
break_it r1
er_wait
assert_same "$ER_EXIT" 19 "exit status"
page_says r1 2
grep -q '"phase":.*"start"' "$SCENE/r1.2" || fail "the page does not show how far the job had come: $(cat "$SCENE/r1.2")"
page_says r1 3
component_ready r1 || fail "the component does not run: $(cat "$SCENE/r1.3")"
assert_restarted r1 "$before"
wait_for 5 monit_says r1 1
page_says r1 4
assert_no_block r1
wait_for 10 lb_says r1 UP
assert not in_node r1 ls /var/lib/edge-roll/job.json
page_says r1 5
grep -q edge-roll-agent "$SCENE/r1.5" || fail "the journal does not say what happened"
mend_it r1
page_says r1 6
grep -q '^router: doctor done' "$SCENE/r1.6" || fail "it does not work again: $(cat "$SCENE/r1.6")"

# With a hold.
er r2 drain router --reason "by hand"
assert has_hold r2
break_it r2
page_says r2 2
grep -q 'inet edge_roll_hold' "$SCENE/r2.2" || fail "the page does not show the hold"
grep -q 'by hand' "$SCENE/r2.2" || fail "the page does not show why it is held: $(cat "$SCENE/r2.2")"
page_says r2 3
assert has_hold r2
page_says r2 4
assert_no_block r2
wait_for 10 lb_says r2 UP
mend_it r2
in_node r2 systemctl reset-failed edge-roll-agent.service
er r2 status router
assert_same "$ER_EXIT" 0 "exit status of status"
