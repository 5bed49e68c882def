# shellcheck shell=bash
# A component that went through su lives in a session of its own: its unit says active when it is dead, or inactive when it
# serves.

need_edge_roll
unit_is() { [ "$(in_node m1 systemctl is-active "$unit")" = "$1" ]; }
node_renew m1 wrapper
unit=$(unit_of m1)
standin m1 START_AS=su
in_node m1 systemctl restart "$unit"
wait_for 20 component_ready m1
wait_for 20 through_routers
runs_in m1 | shows 'session-c.*scope$' || fail "the component is in $(runs_in m1)"

# Active, and the component elsewhere.
before=$(life m1)
er m1 restart mp
assert_result "done" 0
assert_restarted m1 "$before"
result '.warnings[]' | shows 'left for a session of its own' || fail "not told: $(result .warnings)"

# Active, and the component dead.
in_node m1 systemctl kill --signal=KILL "$(basename "$(runs_in m1)")"
wait_for 10 not component_ready m1
assert_same "$(in_node m1 systemctl is-active "$unit")" active "the unit"
er m1 restart mp
assert_result refused 11
er m1 restart mp --start
assert_result "done" 0
assert component_ready m1

# Inactive, and the component serves.
in_node m1 systemctl stop "$unit"
printf '%s\n' '[Service]' 'Type=simple' 'RemainAfterExit=no' 'ExecStop=' 'KillMode=process' >"$SCENE/drop-in"
mkdir -p "$(node_file m1 "/etc/systemd/system/$unit.d")"
cp "$SCENE/drop-in" "$(node_file m1 "/etc/systemd/system/$unit.d/lies.conf")"
in_node m1 systemctl daemon-reload
in_node m1 systemctl start "$unit"
wait_for 20 component_ready m1
wait_for 20 through_routers
rm "$(node_file m1 "/etc/systemd/system/$unit.d/lies.conf")"
in_node m1 systemctl daemon-reload
wait_for 10 unit_is inactive
before=$(life m1)
er m1 restart mp
assert_result "done" 0
assert_restarted m1 "$before"
assert_same "$(in_node m1 systemctl is-active "$unit")" active "the unit"
assert_no_block m1
