# shellcheck shell=bash
# The job is the agent's, from its first phase on: who asked for it may go.

lb_start
load_mixed_start 120
caller_lost r1 hung-up notice
wait_for 20 lb_says r1 UP
caller_lost r1 terminal notice
wait_for 20 lb_says r1 UP
load_stop
assert_nothing_lost
