# shellcheck shell=bash
# Two callers, one restart, the same result for both.

before=$(life r1)
er_start r1 restart router --reason first
first=$ER_CALL first_pid=$ER_PID
wait_for 20 er_phase watch
er r1 restart router --reason second
assert_result "done" 0
second=$ER_CALL
grep -q joined "$second.json" || fail "the second caller is not told that it joined"
wait "$first_pid"
ER_CALL=$first
assert_result "done" 0
job() { jq -r 'select(.event == "job") | .job' "$1.json"; }
assert_same "$(job "$second")" "$(job "$first")" "job"
assert_restarted r1 "$before"
assert_same "$(in_node r1 journalctl -q -u edge-router.service | grep -c 'Started edge-router')" 2 "starts of the component since boot"
