# shellcheck shell=bash
# The unit of the holds is masked, the disk of the state is full, the agent is dead: what is held stays held, is shown, and
# can be ended.

in_node r1 systemctl mask --runtime edge-roll-hold.service
er r1 drain router --reason "by hand"
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold r1
result '.warnings[]' | shows edge-roll-hold || fail "no warning that the hold does not survive a reboot"
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
assert has_hold r1
assert lb_says r1 DOWN

# Its record is lost, too: the table is what counts, and is told.
in_node r1 rm /var/lib/edge-roll/hold-router.json
er r1 status router
assert_same "$ER_EXIT" 16 "exit status of status"
er r1 undrain router
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block r1
wait_for 15 lb_says r1 UP
in_node r1 systemctl unmask --runtime edge-roll-hold.service
