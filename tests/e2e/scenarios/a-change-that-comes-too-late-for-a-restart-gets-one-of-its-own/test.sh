# shellcheck shell=bash
# Callers join a restart that runs; one that has changed something after that had started the component gets another one.

starts() { in_node r1 journalctl -q -u edge-router.service | grep -c 'Started edge-router'; }

say "joined, and nothing was changed since: one restart for both"
properties r1 conf_load_balancing_load.balancing.driver.proxy.read.timeout=30
before=$(life r1)
er_start r1 restart router --if-needed --reason first
first=$ER_CALL first_pid=$ER_PID
wait_for 20 er_phase watch
er r1 restart router --if-needed --reason second
assert_result "done" 0
grep -q 'joined it' "$ER_CALL.json" || fail "the second caller is not told that it joined"
assert_same "$(jq -s '[.[] | select(.event == "result")] | length' "$ER_CALL.json")" 1 "results of the second caller"
wait "$first_pid"
ER_CALL=$first ER_EXIT=0
assert_result "done" 0
assert_restarted r1 "$before"
assert_same "$(starts)" 2 "starts of the component since boot"

say "joined behind the start, with a change of its own"
wait_for 10 lb_says r1 UP
properties r1 conf_load_balancing_load.balancing.driver.proxy.read.timeout=40
er_start r1 restart router --if-needed --reason third
third_pid=$ER_PID
wait_for 30 er_phase return
properties r1 conf_load_balancing_load.balancing.driver.proxy.read.timeout=50
er r1 restart router --if-needed --reason fourth
assert_result "done" 0
grep -q 'once more' "$ER_CALL.json" || fail "not told that it is done once more"
result '.needed[].reasons[]' | shows router.properties || fail "no reason: $(result .needed)"
wait "$third_pid"
assert_same "$(starts)" 4 "starts of the component since boot"
er r1 restart router --if-needed
assert_result not-needed 10
assert_same "$(starts)" 4 "starts of the component since boot"
assert_no_block r1
