# shellcheck shell=bash
# It says what it would do, on both kinds of node.

for node in r1 m1; do
        monit_start "$node"
        before=$(life "$node")
        er "$node" restart "$(component_name "$node")" --dry-run
        assert_same "$ER_EXIT" 0 "exit status"
        assert_as_it_was "$node" "$before"
        assert monit_says "$node" 1
done
assert not grep -q 'is DOWN' "$LAB/lb/log"
