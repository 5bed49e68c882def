# shellcheck shell=bash
# The published procedure on a router, with its 120 s sleep cut to 8 s (the longest request of the load takes 4 s): nothing
# is lost, and all it takes besides the sleep is told.

monit_start r1
load_mixed_start 90
in_node r1 sh -s router 8 <"$E2E/documented-procedure.sh" >"$SCENE/steps"
wait_for 10 lb_says r1 UP
load_more 30
load_stop
assert_nothing_lost
assert_lb_saw_down_and_up r1
say "documented procedure: $(awk '/ end$/ { print ($1 - 8000) / 1000 }' "$SCENE/steps") s besides the sleep"
