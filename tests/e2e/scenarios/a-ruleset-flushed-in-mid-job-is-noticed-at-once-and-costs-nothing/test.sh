# shellcheck shell=bash
# `nft flush ruleset` in the middle of a drain. Where the kernel has no table owners the block is taken away with everything
# else: it comes back at once, is told, and the load balancer must notice again. Where it has, nothing happens to it.

# refusing NODE: the health port is in the set of those refused.
refusing() { in_node "$1" nft list set inet edge_roll whole 2>/dev/null | shows 'elements = .*15999'; }

# tracked NODE: how many connections conntrack knows there; 0 where it is not even loaded.
tracked() { in_node "$1" sh -c 'cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0'; }

tracks() { [ "$(tracked "$1")" -gt 0 ]; }

# The ways of old kernels, and no conntrack.
config r1 '[agent]' 'nft_owner = none' 'cgroup_ids = off' '[component router]' 'traffic_ports = 9001'
before=$(life r1)
load_mixed_start 60
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/6" &
er_start r1 restart router
wait_for 30 er_phase drain
# What others do in their own tables is no lapse: many small changes, and one with more objects than a socket can hold.
in_node r1 nft 'add table inet owners; add set inet owners s { type ipv4_addr; }'
# shellcheck disable=SC2016
in_node r1 sh -c 'for i in $(seq 50); do nft add element inet owners s "{ 10.0.0.$i }"; done'
# shellcheck disable=SC2016
in_node r1 sh -c 'for i in $(seq 20000); do echo "add element inet owners s { 10.1.$((i / 250)).$((i % 250)) }"; done | nft -f -'
in_node r1 nft delete table inet owners
assert not er_event '.event == "warning"'
began=$(now_ms)
in_node r1 nft flush ruleset
wait_for 2 refusing r1
say "back within $(($(now_ms) - began)) ms, of which nft and this shell take most"
wait_for 2 er_event '.event == "warning" and (.text | test("the block was gone .*deleted by nft, process [0-9]+"))'
wait_for 2 er_event '.event == "phase" and .phase == "drain" and .outcome == "lapsed"'
wait_for 20 er_phase stop
assert er_event '.event == "phase" and .phase == "notice" and .state == "end" and .outcome == "ok"'
# The table needs no conntrack, and does not bring it in either.
assert_same "$(tracked r1)" 0 "connections tracked on r1"
er_wait
assert_result "done" 0
assert_restarted r1 "$before"
assert_no_block r1

# The same with an owned table, by the reload of nftables.service, which flushes too.
wait_for 10 lb_says r2 UP
dirty r2
before=$(life r2)
printf '%s\n' 'flush ruleset' 'table inet owners { chain in { type filter hook input priority 0; policy accept; ct state invalid counter; }; }' \
        >"$(node_file r2 /etc/nftables.conf)"
in_node r2 systemctl start nftables.service
# With a rule that asks for it there is conntrack, and it is seen.
wait_for 5 tracks r2
in_net client curl -s -o /dev/null "http://$(ip4 r2):9001/slow/3" &
er_start r2 restart router
wait_for 30 er_phase drain
in_node r2 systemctl reload nftables.service
er_wait
assert_result "done" 0
if result '.phases[] | select(.phase == "block") | .evidence' | shows 'owner: none'; then
        say "this kernel has no table owners"
else
        assert_same "$(result '.warnings | length')" 0 "warnings"
fi
assert_restarted r2 "$before"
load_more 30
load_stop
assert_nothing_lost
