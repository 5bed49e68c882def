# shellcheck shell=bash
# The plug is pulled behind `stop`, and once more before it; what was not synced is lost. What the package's preset has enabled ends
# both jobs after the boot; until it is proven nobody is let in, though the component comes up by itself. Where it does not, and no
# monit is there to start it, it is started.

unit=$(unit_of r1)
settled() { in_node r1 sh -c '! test -e /var/lib/edge-roll/job.json'; }
recovered() { [ "$(in_node r1 systemctl show -P SubState edge-roll-recover.service)" = "$1" ]; }

in_node r1 systemctl --quiet preset edge-roll-hold.service edge-roll-recover.service
assert_same "$(in_node r1 systemctl is-enabled edge-roll-hold.service edge-roll-recover.service | xargs)" "enabled enabled" preset
# The lab's nodes have a target of their own in place of multi-user.target.
in_node r1 systemctl --quiet add-wants lab.target edge-roll-hold.service edge-roll-recover.service "$unit"
power_ready r1
wait_for 20 component_ready r1
monit_start r1
wait_for 10 lb_says r1 UP

er_start r1 restart router --reason "plug pulled in drain"
wait_for 30 er_phase drain
power_cut r1
power_on r1
wait_for 30 settled
wait_for 20 component_ready r1
assert_no_block r1
wait_for 20 monit_says r1 1
wait_for 10 recovered exited
wait_for 15 lb_says r1 UP

standin r1 START_DELAY=2
er_start r1 restart router --reason "plug pulled in start"
wait_for 30 er_phase start
power_cut r1
power_on r1
in_node r1 journalctl -q -b -u edge-roll-hold.service | shows 'router is held' || fail "not held before it was proven"
wait_for 60 settled
assert component_ready r1
assert_no_block r1
wait_for 20 monit_says r1 1
wait_for 10 recovered exited
in_node r1 systemctl status edge-roll-recover.service | shows 'ready' || fail "systemctl status does not show how it ended"
er r1 status router
assert_same "$ER_EXIT" 0 "exit status of status"
wait_for 15 lb_says r1 UP

in_node r1 rm "/etc/systemd/system/lab.target.wants/$unit"
in_node r1 systemctl stop apigee-monit.service
er_start r1 restart router --reason "plug pulled in watch"
wait_for 30 er_phase watch
power_cut r1
power_on r1
wait_for 60 settled
wait_for 20 component_ready r1
assert_no_block r1
wait_for 15 lb_says r1 UP
