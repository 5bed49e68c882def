# shellcheck shell=bash
# Nobody coordinates: twelve routers of one pool are told to restart in the same second, as configuration management does. Each waits
# for its place.
# takes: 150

more_routers_up
# shellcheck disable=SC2086
lock_with_zookeeper $TWELVE
# shellcheck disable=SC2086
before=$(lives_of $TWELVE)
regions_load_start 280
for name in $TWELVE; do restart_start "$name" --wait --reason "keystore"; done
for name in $TWELVE; do restart_done "$name"; done
regions_proof
# shellcheck disable=SC2086
assert_all_restarted "$before" $TWELVE
# shellcheck disable=SC2086
assert_same "$(blocks $TWELVE | wc -w)" 12 "times that one was out"
# shellcheck disable=SC2086
assert_same "$(pool_blocks $TWELVE | two_out 1)" "" "two of the twelve out at once"
