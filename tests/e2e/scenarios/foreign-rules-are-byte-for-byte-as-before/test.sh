# shellcheck shell=bash
# Rules of iptables-nft and a table of the node's owner, loaded before: they block and allow as before, to the byte.

need_edge_roll
dirty r1
in_node r1 iptables -A INPUT -i lo -j ACCEPT
in_node r1 iptables -A INPUT -p tcp --dport 15999 -j ACCEPT
in_node r1 ip6tables -A INPUT -p tcp --dport 22 -j REJECT
in_node r1 nft -f - <<'RULES'
table inet owners {
        set friends { type ipv4_addr; elements = { 10.77.0.5, 10.77.0.9 } }
        chain in {
                type filter hook input priority -10; policy accept;
                ip saddr @friends tcp dport { 9001, 15999 } counter accept
                tcp dport 4444 drop
        }
}
RULES
before=$(rules r1)
er r1 drain router
assert_same "$ER_EXIT" 0 "exit status of drain"
assert lb_says r1 DOWN
er r1 undrain router
assert_same "$(rules r1)" "$before" "ruleset after drain and undrain"
wait_for 10 lb_says r1 UP
er r1 restart router
assert_result "done" 0
assert_same "$(rules r1)" "$before" "ruleset after a restart"
