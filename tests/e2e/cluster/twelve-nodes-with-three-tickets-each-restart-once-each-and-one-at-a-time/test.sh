# shellcheck shell=bash
# Three triggers on each of twelve routers, all in the same second: each returns at once, each router restarts once.
# takes: 150

more_routers_up
# shellcheck disable=SC2086
lock_with_zookeeper $TWELVE
# shellcheck disable=SC2086
before=$(lives_of $TWELVE)
regions_load_start 280
calls=()
for trigger in keystore property target; do
        for name in $TWELVE; do
                er_start "$name" request router --reason "$trigger"
                echo "$ER_PID" >"$ER_CALL.pid"
                calls+=("$ER_CALL")
        done
done
for call in "${calls[@]}"; do
        bastion_wait "$call"
        assert_same "$ER_EXIT" 0 "exit of a request"
done
new_life() { [ "$(life "$1")" != "$(awk -v n="$1" '$1 == n { print $2 }' <<<"$before")" ]; }
for name in $TWELVE; do
        wait_for 150 new_life "$name"
        wait_for 60 job_over "$name"
done
regions_proof
# shellcheck disable=SC2086
assert_same "$(blocks $TWELVE | wc -w)" 12 "times that one was out"
# shellcheck disable=SC2086
assert_same "$(pool_blocks $TWELVE | two_out 1)" "" "two of the twelve out at once"
