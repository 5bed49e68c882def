# shellcheck shell=bash
# An agent that is killed, and a node that loses power: the next agent knows the same lease, and tells how the component is. As long
# as somebody has it no agent leaves.

need_edge_roll
config r1 '[agent]' 'idle_exit = 1s'
# What the bus carries, as its monitor writes it down.
pulses_begin() {
        PULSES=$SCENE/pulses.$1
        in_node r1 busctl monitor --json=short --match="type='signal',member='Pulse'" >"$PULSES" 2>/dev/null </dev/null &
}
# pulse FILTER: one was told for which that is true.
pulse() { jq -es "any(.[] | select(.member == \"Pulse\") | .payload.data[1] | fromjson; $1)" "$PULSES" >/dev/null 2>&1; }
agent_runs() { in_node r1 systemctl -q is-active edge-roll-agent.service; }

assert lease_take r1 roll-1 ttl t 120000000
pulses_begin 1
wait_for 10 pulse '.up and .running and .blocked == "no" and (.out | not) and .leased and .epoch == 1 and .left > 100'
pid=$(agent_pid r1)
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
wait_for 10 agent_runs
until=$(boot_usec 3)
wait_for 5 same_or_later "$until"
assert agent_runs
[ "$(agent_pid r1)" != "$pid" ] || fail "the agent was not killed"
assert_same "$(look r1 router '"\(.lease.epoch) \(.lease.holder)"')" "1 roll-1" "the lease of the next agent"
er r1 restart router
assert_result busy 14
assert lease_renew r1

# What changes is told at once, and not only every five seconds.
pulses_begin 2
wait_for 10 pulse .up
standin_now r1 UP=false
wait_for 3 pulse '(.up | not) and .running and (.text | test("not up"))'
standin_now r1 UP=true
in_node r1 systemctl stop "$(unit_of r1)"
wait_for 3 pulse '(.running | not) and .out'
in_node r1 systemctl start "$(unit_of r1)"
wait_for 20 component_ready r1

# The plug is pulled: nobody knows for how long, so it gets its whole time once more, once.
node_kill r1
in_net r1 nft flush ruleset
node_boot r1
node_up r1
in_node r1 systemctl start "$(unit_of r1)"
wait_for 20 component_ready r1
assert_same "$(look r1 router '"\(.lease.epoch) \(.lease.holder) \(.lease.left > 110)"')" "1 roll-1 true" "the lease behind a reboot"
left=$(look r1 router .lease.left)
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
wait_for 10 agent_runs
assert_same "$(look r1 router ".lease.left <= $left")" true "the lease does not begin anew with each agent"

assert lease_give r1
wait_for 10 not agent_runs
assert lease_take r1 roll-2
assert_same "$LEASE" 2 "the number goes on"
