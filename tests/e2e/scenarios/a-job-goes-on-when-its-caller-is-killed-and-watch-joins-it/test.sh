# shellcheck shell=bash
# The job is the agent's. Its caller is killed in mid-drain, watch sees the rest and the result.

before=$(life r1)
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/8" &
long=$!
er_start r1 restart router
wait_for 30 er_phase drain
er_kill
er_wait
assert_same "$ER_EXIT" 137 "exit of the killed caller"
er r1 watch router
assert_result "done" 0
assert_restarted r1 "$before"
assert_no_block r1
assert wait $long
