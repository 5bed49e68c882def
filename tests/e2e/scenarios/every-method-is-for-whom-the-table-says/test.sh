# shellcheck shell=bash
# Each method of the agent, by each way to come: as root, as a member of the group, as anybody; on the node, over ssh through the
# bridge, and through sudo. A method that is not in the table below fails this scenario. What is another's stays his.
# Who asked, from where and why, obeyed or refused, is in the journal.

need_edge_roll
dirty r1
tool_build asker
cp "$LAB/bin/asker" "$(node_file r1 /usr/local/bin/asker)"
ssh_serve r1
ssh_user r1 ops edge-roll
ssh_user r1 mate edge-roll
ssh_user r1 guest
BRIDGE="sudo -n edge-roll bridge" ssh_user r1 sue
echo 'sue ALL=(root) NOPASSWD: /usr/bin/edge-roll bridge' >"$(node_file r1 /etc/sudoers.d/edge-roll)"
chmod 440 "$(node_file r1 /etc/sudoers.d/edge-roll)"
before=$(life r1)

# ---- every method, every caller

anybodys="Status Look Discover Lock CurrentJob Events Introduce"
members="Restart Drain Undrain Doctor Needed Request Cancel CancelJob LeaseTake LeaseRenew LeaseGive Go LeaseSteal LockSteal LockSize"

# There must be a job object for its methods to be seen.
er r1 doctor router
job=$(in_node r1 busctl --json=short call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 CurrentJob s "" | jq -r '.data[0]')
# introspect PATH INTERFACE TYPE: name, signature and flags of each member of that type.
introspect() { in_node r1 busctl --no-pager --no-legend introspect org.edgeroll.Agent1 "$1" "$2" | awk -v type="$3" '$2 == type { print substr($1, 2), $3, $NF }'; }
calls=()
for object in "/org/edgeroll/Agent1 org.edgeroll.Agent1" "$job org.edgeroll.Job1"; do
        read -r path interface <<<"$object"
        introspect "$path" "$interface" method >"$SCENE/methods"
        [ -s "$SCENE/methods" ] || fail "$interface has no methods to be seen"
        while read -r method signature _; do
                grep -qw -- "$method" <<<"$anybodys $members" || fail "$interface.$method is in nobody's table: who may call it?"
                calls+=("$interface/$method@$path" "${signature/#-/}")
        done <"$SCENE/methods"
        ! introspect "$path" "$interface" property | shows writable || fail "$interface has properties that can be set"
done
assert_same "${#calls[@]}" $((2 * $(wc -w <<<"$anybodys $members"))) "methods, with their signatures"

# answers_are WHAT REFUSED: of the calls in $SCENE/answers these were refused for lack of permission, and no others.
answers_are() {
        local refused
        refused=$(sed -n 's/ org.edgeroll.Error.NoPermission$//p' "$SCENE/answers" | sort | tr '\n' ' ')
        [ "$(wc -l <"$SCENE/answers")" = $((${#calls[@]} / 2)) ] || fail "$1: not every call was answered: $(cat "$SCENE/answers")"
        assert_same "$refused" "$(tr ' ' '\n' <<<"$2" | sed '/^$/d' | sort | tr '\n' ' ')" "refused to $1"
        say "$1: refused ${2:-nothing}"
}

locally() { as r1 "$1" asker system -- "${calls[@]}" >"$SCENE/answers"; }
# The bridge answers for itself who the caller is; that nobody else may is test-bridge's.
over_ssh() {
        # shellcheck disable=SC2046
        in_net client "$LAB/bin/asker" peer $(ssh_argv r1 "$1") -- "${calls[@]}" >"$SCENE/answers"
        sed -i 's/^Introduce org.edgeroll.Error.NotForwarded$/Introduce ok/' "$SCENE/answers"
}
locally root
answers_are "root" ""
locally ops
answers_are "a member of the group" ""
locally guest
answers_are "anybody" "$members"
over_ssh ops
answers_are "a member of the group, over ssh" ""
over_ssh guest
answers_are "anybody, over ssh" "$members"
over_ssh sue
answers_are "who may run the bridge as root, over ssh" ""
# What the others cannot come by: the properties are read-only, and the object manager is not there.
! as r1 ops busctl set-property org.edgeroll.Agent1 "$job" org.edgeroll.Job1 Phase s verify 2>"$SCENE/set" || fail "a property was set"
! as r1 guest busctl call org.edgeroll.Agent1 / org.freedesktop.DBus.ObjectManager GetManagedObjects >/dev/null 2>&1 || fail "there is an object manager"
# The name itself is root's.
! as r1 ops busctl call org.freedesktop.DBus / org.freedesktop.DBus RequestName su org.edgeroll.Agent1 0 2>"$SCENE/name" || fail "ops got the name"

# ---- what is another's

by() { in_node r1 setpriv --reuid="$1" --regid=nogroup --init-groups busctl --json=short --timeout=20 call org.edgeroll.Agent1 /org/edgeroll/Agent1 \
        org.edgeroll.Agent1 "${@:2}"; }
# denied PATTERN USER METHOD ...
denied() {
        local pattern=$1 text
        shift
        ! text=$(by "$@" 2>&1) || fail "$2 by $1 was obeyed"
        grep -q -- "$pattern" <<<"$text" || fail "$2 by $1: expected '$pattern', seen: $text"
}
# shellcheck disable=SC2046
LEASE=$(by ops LeaseTake 'ssa(sss)a{sv}' router roll-1 $(members r1) 1 ttl t 300000000 | jq '.data[0]')
denied 'the lease of router was taken by uid [0-9]* (ops)' mate LeaseRenew st router "$LEASE"
denied 'the lease of router was taken by uid [0-9]* (ops)' mate LeaseGive st router "$LEASE"
denied 'the lease of router was taken by uid [0-9]* (ops)' mate Go 'sa{sv}' router 3 lease t "$LEASE" step t 1 expires t "$(boot_usec 10)"
denied 'the lease of router was taken by uid [0-9]* (ops)' mate Restart 'sa{sv}' router 4 lease t "$LEASE" step t 1 expires t "$(boot_usec 10)" roll s roll-1
# Its name is told to everybody: it makes nobody the same roll.
# shellcheck disable=SC2046
denied 'is leased by the roll roll-1' mate LeaseTake 'ssa(sss)a{sv}' router roll-1 $(members r1) 0
denied 'only with a reason' mate LeaseSteal ss router ""
assert by ops LeaseRenew st router "$LEASE"
assert by root LeaseRenew st router "$LEASE"
# An order about a job is obeyed under the lease of what the job is about, whatever name it comes with.
assert by ops Restart 'sa{sv}' router 5 lease t "$LEASE" step t 1 expires t "$(boot_usec 10)" roll s roll-1 await-go b true
wait_for 30 in_phase r1 place
for name in "" router; do
        denied 'the lease of router was taken by uid [0-9]* (ops)' mate CancelJob 'ssa{sv}' "$name" "why not" 3 lease t "$LEASE" step t 18446744073709551615 \
                expires t "$(boot_usec 10)"
done
# Nor is there a step of his own after which nothing would be obeyed or read any more.
for method in "CancelJob ssa{sv} router reason 3" "Go sa{sv} router 3" "Restart sa{sv} router 3"; do
        # shellcheck disable=SC2086
        denied 'steps have numbers up to 9007199254740992' ops $method lease t "$LEASE" step t 18446744073709551615 expires t "$(boot_usec 10)"
done
assert by ops CancelJob 'ssa{sv}' "" "enough of it" 3 lease t "$LEASE" step t 2 expires t "$(boot_usec 10)"
wait_for 30 no_job r1
assert_same "$(in_node r1 jq .step /var/lib/edge-roll/lease-router.json)" 2 "the step in the record of the lease"
assert by mate LeaseSteal ss router "ops is ill"
denied 'not in force' ops LeaseRenew st router "$LEASE"

# A hook keeps the job where it can be cancelled, however long the calls take.
in_node r1 sh -c 'mkdir -p /etc/edge-roll/hooks.d/before-block; cat >/etc/edge-roll/hooks.d/before-block/10-wait; chmod 755 /etc/edge-roll/hooks.d/before-block/10-wait' <<-'HOOK'
	#!/bin/sh
	: >/run/hook-waits
	exec tail -f /dev/null
HOOK
RUN_AS="exec" in_node r1 setpriv --reuid=ops --regid=nogroup --init-groups edge-roll restart router --unprotected="a test" --reason "new keystore" >"$SCENE/restart" 2>&1 &
caller=$!
wait_for 30 in_node r1 test -e /run/hook-waits
denied 'was asked for by uid [0-9]* (ops)' mate Cancel ss router ""
assert by mate Cancel ss router "the wrong node"
wait "$caller" || :
grep -q 'the wrong node' "$SCENE/restart" || fail "ops is not told who ended it, and why: $(cat "$SCENE/restart")"
assert_as_it_was r1 "$before"

# A hold is his who asked for it.
in_node r1 rm -r /etc/edge-roll/hooks.d/before-block
RUN_AS="exec" in_node r1 setpriv --reuid=ops --regid=nogroup --init-groups edge-roll drain router --unprotected="a test" --reason "a new disk" >"$SCENE/drain" 2>&1 ||
        fail "ops does not drain: $(cat "$SCENE/drain")"
denied 'the hold of router was asked for by uid [0-9]* (ops)' mate Undrain 'sa{sv}' router 0
! RUN_AS="exec" in_node r1 setpriv --reuid=mate --regid=nogroup --init-groups edge-roll undrain router >"$SCENE/undrain" 2>&1 || fail "mate ends the hold of ops"
grep -q 'only with a reason' "$SCENE/undrain" || fail "mate is not told what is missing: $(cat "$SCENE/undrain")"
RUN_AS="exec" in_node r1 setpriv --reuid=mate --regid=nogroup --init-groups edge-roll undrain router --reason "the disk is in" >"$SCENE/undrain" 2>&1 ||
        fail "mate does not end the hold of ops with a reason: $(cat "$SCENE/undrain")"
assert not in_node r1 test -e /var/lib/edge-roll/hold-router.json

# ---- the journal

# entry ID FILTER: the last entry with this message id for which the jq filter is true.
entry() { in_node r1 journalctl -q -o json "MESSAGE_ID=$1" | jq -c "select($2)" | tail -n 1; }
ASKED=6f0ad1d0b2a34b6c9a8f3de0a1c7b550
DENIED=6f0ad1d0b2a34b6c9a8f3de0a1c7b551
tells() {
        local seen
        seen=$(entry "$1" "$2")
        [ -n "$seen" ] || fail "the journal has no entry with $2: $(in_node r1 journalctl -q -o json "MESSAGE_ID=$1" | tail -n 3)"
        say "$(jq -r .MESSAGE <<<"$seen")"
}
ops=$(in_node r1 id -u ops)
client=$(ip4 client)
tells "$ASKED" ".EDGE_ROLL_METHOD == \"Restart\" and .EDGE_ROLL_UID == \"$ops\" and .EDGE_ROLL_USER == \"ops\" and .EDGE_ROLL_REASON == \"new keystore\"
        and .EDGE_ROLL_COMPONENT == \"router\" and .EDGE_ROLL_ANSWER == \"obeyed\""
tells "$ASKED" '.EDGE_ROLL_METHOD == "Cancel" and .EDGE_ROLL_USER == "mate" and .EDGE_ROLL_REASON == "the wrong node"'
tells "$ASKED" '.EDGE_ROLL_METHOD == "LeaseSteal" and .EDGE_ROLL_USER == "mate" and .EDGE_ROLL_REASON == "ops is ill"'
tells "$ASKED" '.EDGE_ROLL_METHOD == "Undrain" and .EDGE_ROLL_USER == "mate" and .EDGE_ROLL_REASON == "the disk is in"'
tells "$DENIED" '.EDGE_ROLL_METHOD == "Cancel" and .EDGE_ROLL_USER == "mate" and .EDGE_ROLL_ANSWER == "org.edgeroll.Error.NoPermission" and .PRIORITY == "4"'
tells "$DENIED" '.EDGE_ROLL_METHOD == "Restart" and .EDGE_ROLL_USER == "guest"'
# Who comes over ssh comes from there by logind's word, not by his own; under sudo it is told for whom.
tells "$DENIED" ".EDGE_ROLL_USER == \"guest\" and .EDGE_ROLL_FROM == \"$client\" and .EDGE_ROLL_FROM_SAYS == \"logind\" and .EDGE_ROLL_SESSION != null"
tells "$DENIED" ".EDGE_ROLL_UID == \"0\" and .EDGE_ROLL_USER == \"root\" and .EDGE_ROLL_FOR == \"sue\" and .EDGE_ROLL_FROM == \"$client\""
in_node r1 journalctl --update-catalog
in_node r1 journalctl -q -x "MESSAGE_ID=$DENIED" | shows 'man:edge-roll(1)' || fail "the catalog has no text for a refusal"
# One user cannot have the journal leave out what others do: some of his refusals are counted only.
for _ in 1 2 3; do locally guest; done
denials=$(in_node r1 journalctl -q -o json "MESSAGE_ID=$DENIED" | jq -s 'map(select(.EDGE_ROLL_USER == "guest")) | length')
{ [ "$denials" -ge 50 ] && [ "$denials" -lt 60 ]; } || fail "of 75 refusals of guest $denials were recorded"
denied 'only with a reason' mate LeaseSteal ss router ""
tells "$DENIED" '.EDGE_ROLL_METHOD == "LeaseSteal" and .EDGE_ROLL_USER == "mate"'
# ... nor one of those who come through sudo, all of them as uid 0.
for _ in 1 2 3 4 5; do over_ssh sue; done
denied 'not in force' root LeaseRenew st router 4711
tells "$DENIED" '.EDGE_ROLL_METHOD == "LeaseRenew" and .EDGE_ROLL_USER == "root" and .EDGE_ROLL_COMPONENT == "router" and .EDGE_ROLL_FOR == null'
# What is answered later is recorded then, as it was answered. Nobody listens where these places are said to be kept.
assert by ops Needed 'sa{sv}' router 0
tells "$ASKED" '.EDGE_ROLL_METHOD == "Needed" and .EDGE_ROLL_USER == "ops" and .EDGE_ROLL_COMPONENT == "router"'
config r1 '[pool]' 'lock = zookeeper://127.0.0.1:9'
denied 'ZooKeeper' ops LockSteal sss router somebody "ops wants it"
tells "$DENIED" '.EDGE_ROLL_METHOD == "LockSteal" and .EDGE_ROLL_USER == "ops" and .EDGE_ROLL_COMPONENT == "router" and .EDGE_ROLL_REASON == "ops wants it"'
seen=$(entry "$ASKED" '.EDGE_ROLL_METHOD == "LockSteal"')
[ -z "$seen" ] || fail "a call that was refused is recorded as obeyed: $seen"
# Whoever has left by the time his call is read is refused, and that is recorded, too.
in_node r1 systemctl kill --signal=STOP edge-roll-agent.service
! as r1 ops busctl --timeout=1 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 LeaseSteal ss router "and away" || fail "a frozen agent has answered"
in_node r1 systemctl kill --signal=CONT edge-roll-agent.service
of_nobody() { [ -n "$(entry "$DENIED" '.EDGE_ROLL_METHOD == "LeaseSteal" and .EDGE_ROLL_REASON == "and away" and .EDGE_ROLL_UID == null')" ]; }
wait_for 5 of_nobody
