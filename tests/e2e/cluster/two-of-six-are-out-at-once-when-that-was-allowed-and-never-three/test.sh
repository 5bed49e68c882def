# shellcheck shell=bash
# The six routers as one pool, --max-unavailable 2: two at a time, three never; without it one.
# takes: 60

for name in r1 r2 r3 r4 r5 r6; do config "$name" '[pool]' 'name = six'; done
before=$(lives_of r1 r2 r3 r4 r5 r6)
regions_load_start 200
bastion_er restart router --cluster --yes --max-unavailable 2
assert_result "done" 0
load_more 60
load_stop
assert_nothing_lost
assert_all_restarted "$before" r1 r2 r3 r4 r5 r6
assert_same "$(pool_blocks r1 r2 r3 r4 r5 r6 | two_out 2)" "" "three out at once"
[ -n "$(pool_blocks r1 r2 r3 r4 r5 r6 | two_out 1)" ] || fail "never more than one was out: --max-unavailable has no effect"
say "six nodes, two at a time, in $(result .elapsed) s"
