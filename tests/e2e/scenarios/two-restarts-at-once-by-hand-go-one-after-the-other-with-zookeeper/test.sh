# shellcheck shell=bash
# Both routers are told to restart in the same moment, each on its own node. Under load, nothing is lost; never are both out.

zk_start
zk_nodes r1 r2
before1=$(life r1) before2=$(life r2)
load_mixed_start 150
er_start r1 restart router --wait=90s --reason "new keystore"
first=$ER_CALL first_pid=$ER_PID
er r2 restart router --wait=90s --reason "new keystore"
assert_result "done" 0
assert_same "$(result .protection)" zookeeper "protection of r2"
wait "$first_pid"
ER_CALL=$first ER_EXIT=0
assert_result "done" 0
assert_same "$(result .protection)" zookeeper "protection of r1"
say "$(result '.phases[] | select(.phase == "place") | "place of r1: \(.elapsed) s: \(.evidence)"')"
load_more 30
load_stop
assert_nothing_lost
assert_restarted r1 "$before1"
assert_restarted r2 "$before2"
assert_lb_saw_down_and_up r1
assert_lb_saw_down_and_up r2
# The witness: between DOWN and UP of one there is no DOWN of the other.
assert_same "$(lb_health | sed -n 's/.*Server routers\/\(r[12]\) is \(DOWN\|UP\).*/\1 \2/p' |
        awk '$2 == "DOWN" { if (++out > 1) both++ } $2 == "UP" { out-- } END { print both + 0 }')" 0 "times both were out"
wait_for 10 place_free r1
assert_same "$(place_of r1 '.place.members | length')" 2 "members that have registered"
assert_same "$(place_of r1 '.place.waiting | length')" 0 "in line"
