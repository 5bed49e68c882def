# shellcheck shell=bash
# A real firewalld in the node, reloaded in the middle of a drain.

need_edge_roll
in_node r1 sh -c 'command -v firewall-cmd' >/dev/null || skip "firewalld is not installed on this machine (a package of the distribution)"
dirty r1
in_node r1 systemctl unmask firewalld.service
in_node r1 systemctl start firewalld.service
in_node r1 firewall-cmd -q --add-port=9001/tcp --add-port=15999/tcp --add-port=8081/tcp
wait_for 10 lb_says r1 UP
before=$(rules r1)
er r1 drain router
assert_same "$ER_EXIT" 0 "exit status of drain"
assert lb_says r1 DOWN
in_node r1 firewall-cmd -q --runtime-to-permanent
in_node r1 firewall-cmd -q --reload
assert has_hold r1
assert lb_says r1 DOWN
er r1 undrain router
assert_same "$(rules r1)" "$before" "ruleset of firewalld"
wait_for 10 lb_says r1 UP
