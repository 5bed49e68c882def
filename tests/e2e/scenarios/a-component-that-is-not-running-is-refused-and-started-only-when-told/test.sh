# shellcheck shell=bash
# restart is no start: what somebody has stopped stays stopped unless --start is given.

need_edge_roll
dirty r1
in_node r1 systemctl stop edge-router.service
er r1 restart router
assert_result refused 11
assert_same "$(in_node r1 systemctl is-active edge-router.service || :)" inactive "component"
assert_no_block r1

er r1 restart router --start
assert_result "done" 0
assert component_ready r1
assert_no_block r1
wait_for 10 lb_says r1 UP
