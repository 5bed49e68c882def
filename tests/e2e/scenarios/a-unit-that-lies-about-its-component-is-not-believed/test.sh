# shellcheck shell=bash
# A component that went through su lives in a session of its own: its unit says active when it is dead, or inactive when it
# serves.

need_edge_roll
unit_is() { [ "$(in_node r1 systemctl is-active "$unit")" = "$1" ]; }
node_renew r1 wrapper
unit=$(unit_of r1)
standin r1 START_AS=su
in_node r1 systemctl restart "$unit"
wait_for 20 router_open r1
wait_for 10 lb_says r1 UP
runs_in r1 | shows 'session-c.*scope$' || fail "the component is in $(runs_in r1)"

# Active, and the component elsewhere.
before=$(life r1)
er r1 restart router
assert_result "done" 0
assert_restarted r1 "$before"
result '.warnings[]' | shows 'left for a session of its own' || fail "not told: $(result .warnings)"

# Active, and the component dead.
in_node r1 systemctl kill --signal=KILL "$(basename "$(runs_in r1)")"
wait_for 10 not component_ready r1
assert_same "$(in_node r1 systemctl is-active "$unit")" active "the unit"
er r1 restart router
assert_result refused 11
er r1 restart router --start
assert_result "done" 0
assert component_ready r1

# Inactive, and the component serves.
in_node r1 systemctl stop "$unit"
printf '%s\n' '[Service]' 'Type=simple' 'RemainAfterExit=no' 'ExecStop=' 'KillMode=process' >"$SCENE/drop-in"
mkdir -p "$(node_file r1 "/etc/systemd/system/$unit.d")"
cp "$SCENE/drop-in" "$(node_file r1 "/etc/systemd/system/$unit.d/lies.conf")"
in_node r1 systemctl daemon-reload
in_node r1 systemctl start "$unit"
wait_for 20 router_open r1
wait_for 10 lb_says r1 UP
rm "$(node_file r1 "/etc/systemd/system/$unit.d/lies.conf")"
in_node r1 systemctl daemon-reload
wait_for 10 unit_is inactive
before=$(life r1)
er r1 restart router
assert_result "done" 0
assert_restarted r1 "$before"
assert_same "$(in_node r1 systemctl is-active "$unit")" active "the unit"
assert_no_block r1
