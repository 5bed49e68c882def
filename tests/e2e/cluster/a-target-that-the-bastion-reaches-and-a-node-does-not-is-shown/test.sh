# shellcheck shell=bash
# targets check --from: the same target servers asked from the bastion and from nodes; a firewall rule of one node, a node that cannot
# be reached, a process that is killed in the middle, somebody who may not.
# takes: 60

ms_start
ms_user admin word
bastion_conf '[cluster]' 'connect_limit = 5s' "management_url = $(ms_url)" 'management_user = admin' 'management_password_file = /etc/edge-roll/word'
echo word >"$(node_file bastion /etc/edge-roll/word)"
chmod 640 "$(node_file bastion /etc/edge-roll/word)"
chgrp 2001 "$(node_file bastion /etc/edge-roll/word)"
jq -n --arg lb "$(ip4 lb)" '{acme: {prod: {targetservers: {
        backend: {name: "backend", host: $lb, port: 80, isEnabled: true},
        shut: {name: "shut", host: $lb, port: 1, isEnabled: false}}}}}' >"$LAB/ms/edge.json"

check() { bastion_er targets check --org acme --env prod "$@"; }
layer() { jq -r --arg name "$1" --arg from "$2" 'select(.event == "check" and .name == $name and .from == $from) | .layer' "$ER_CALL.json"; }

# Everybody reaches it. Nothing but the bridge may be run by these keys.
check --from mp_dc1,here
assert_result "done" 0
for place in m1 m2 here; do
        assert_same "$(layer backend $place)" ok "backend from $place"
        assert_same "$(layer shut $place)" connect "shut from $place"
done

# A rule of one node, as a firewall has it: no answer at all.
in_net m1 nft -f - <<-NFT
	table inet lab_rule {
	        chain out { type filter hook output priority 0; ip daddr $(ip4 lb) tcp dport 80 drop; }
	}
NFT
check --from m1,m2,here
assert_result problems 20
assert_same "$(layer backend m1)" connect "backend from m1"
assert_same "$(layer backend m2)" ok "backend from m2"
assert_same "$(jq -c 'select(.event == "differs" and .name == "backend") | [.answers_from, .silent_from]' "$ER_CALL.json")" \
        '[["m2","here"],["m1"]]' "who differs"
check
assert_result "done" 0
bastion_plain targets check --org acme --env prod --from 'm[12],here'
shows '^backend  ok          from m2, here: ' <"$ER_CALL.json" || fail "the table: $(cat "$ER_CALL.json")"
shows '^backend  connect     from m1: ' <"$ER_CALL.json" || fail "the table: $(cat "$ER_CALL.json")"
BASTION_USER=ops check --from m1
assert_result problems 20

# The process that waits for m1's target is killed: the others are told. It runs as nobody.
checker() { in_node "$1" pgrep -u 65534 -f 'check-targets$'; }
checking() { checker "$1" >/dev/null; }
not_checking() { ! checking "$1"; }
bastion_start targets check --org acme --env prod --from m1,m2
wait_for 10 checking m1
in_node m1 kill -KILL "$(checker m1)"
bastion_wait
assert_result agent-unreachable 19
result .reason | shows 'm1 could not check: the process that checks was ended by signal 9' || fail "what is said: $(result .reason)"
assert_same "$(layer backend m2)" ok "backend from m2"
assert_same "$(layer backend m1)" unknown "backend from m1"

# At a terminal: what has come, and what is waited for.
tty_start targets check --org acme --env prod --from m1,m2,here
wait_for 20 tty_shows '5 of 6 checked from 3 places, 3 do not answer'
bastion_wait
assert_same "$ER_EXIT" 20 "exit status at a terminal"
tty_shows 'one place has an answer and another has none: backend' || fail "the end: $(cat "$ER_CALL.tty")"

# Ctrl-C: nothing of it goes on there.
bastion_start targets check --org acme --env prod --from m1
wait_for 10 checking m1
bastion_signal INT
bastion_wait
wait_for 10 not_checking m1

# A node that is away, and somebody who may only look.
node_cut m2
check --from m1,m2
assert_result agent-unreachable 19
assert_same "$(layer backend m1)" connect "backend from m1"
node_mend m2
rm "$(node_file bastion /etc/edge-roll/edge-roll.conf.d/60-scenario.conf)"
bastion_conf '[cluster]' "management_url = $(ms_url)"
ms_user
BASTION_USER=guest check --from m2
assert_result no-permission 18
result .reason | shows 'guest may not check target servers from here' || fail "what is said: $(result .reason)"

# Who had it done is in the journal of the node.
asked() { in_node "$1" journalctl -q -o json EDGE_ROLL_METHOD=CheckTargets | jq -r '"\(.MESSAGE_ID[-3:]) \(._UID) \(.EDGE_ROLL_USER) \(.EDGE_ROLL_FROM) \(.EDGE_ROLL_ANSWER)"' | sort -u; }
bastion=$(ip4 bastion)
asked m1 | shows -x "550 0 root $bastion obeyed" || fail "the journal of m1: $(asked m1)"
asked m1 | shows -x "550 2001 ops $bastion obeyed" || fail "the journal of m1: $(asked m1)"
asked m2 | shows -x "551 2002 guest $bastion org.edgeroll.Error.NoPermission" || fail "the journal of m2: $(asked m2)"
