# shellcheck shell=bash
# The rule of the documented procedure was left behind on the node. It is named with the command that deletes it, and where it
# is what refuses every check the job is refused; where an earlier rule lets the load balancer in, it is only told.

dirty r1
before=$(life r1)
interface=$(in_node r1 ip -o -4 addr show | awk -v address="$(ip4 r1)/" 'index($4, address) == 1 { print $2 }')
deletes="iptables -D INPUT -i $interface -p tcp --dport 15999 -j REJECT"
in_node r1 iptables -A INPUT -i "$interface" -p tcp --dport 15999 -j REJECT
wait_for 15 lb_says r1 DOWN
er r1 restart router
assert_result refused 11
result .reason | shows "a firewall rule of somebody else refuses all checks of port 15999: ip filter INPUT handle" || fail "$(result .reason)"
assert_same "$(result .hint)" "delete that rule: $deletes" "hint"
assert_as_it_was r1 "$before"
er_plain r1 status router
assert grep -qF "  $deletes deletes it" "$ER_CALL.json"

# A dry run names it, too; and a job goes on where the rule is not what refuses.
in_node r1 iptables -I INPUT -s "$(ip4 lb)" -p tcp --dport 15999 -j ACCEPT
wait_for 15 lb_says r1 UP
er r1 restart router --dry-run
result '.warnings[]' | shows -F "\`$deletes\` deletes it" || fail "not named by a dry run"
er_start r1 restart router
wait_for 30 er_phase notice
in_node r1 edge-roll cancel router >/dev/null
er_wait
assert_result gave-back 15
result '.warnings[]' | shows -F "\`$deletes\` deletes it" || fail "not named"
# shellcheck disable=SC2086
in_node r1 $deletes
er_plain r1 status router
assert not grep -qF "$deletes" "$ER_CALL.json"
