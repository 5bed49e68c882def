# shellcheck shell=bash
# A real firewalld in the node, reloaded, stopped and started in the middle of a drain, with a table that nobody owns: it takes
# nothing of ours away, and it is as it was before.

need_edge_roll
in_node r1 sh -c 'command -v firewall-cmd' >/dev/null || skip "firewalld is not installed on this machine (a package of the distribution)"
config r1 '[agent]' 'nft_owner = none'
in_node r1 systemctl unmask firewalld.service
in_node r1 systemctl start firewalld.service
in_node r1 firewall-cmd -q --add-port=9001/tcp --add-port=15999/tcp --add-port=8081/tcp
in_node r1 firewall-cmd -q --runtime-to-permanent
wait_for 10 lb_says r1 UP
before=$(rules r1)
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/6" &
long=$!
er_start r1 drain router
wait_for 30 er_phase drain
in_node r1 firewall-cmd -q --reload
in_node r1 systemctl stop firewalld.service
in_node r1 systemctl start firewalld.service
assert has_block r1
er_wait
assert_same "$ER_EXIT" 0 "exit status of drain"
assert_same "$(result '.warnings | length')" 0 "warnings"
assert wait "$long"
in_node r1 firewall-cmd -q --reload
assert has_hold r1
assert lb_says r1 DOWN
er r1 undrain router
assert_same "$(rules r1)" "$before" "ruleset of firewalld"
wait_for 10 lb_says r1 UP
