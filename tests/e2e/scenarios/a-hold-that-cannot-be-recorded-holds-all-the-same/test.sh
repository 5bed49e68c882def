# shellcheck shell=bash
# takes: 60
# The state directory becomes full, or read-only, behind `stop`, and the component does not come up as it should: it is held without a
# record, which is told, and recorded as soon as that can be done: also when another job has come between, when the agent was killed,
# and before another component is drained. So it is where a record that nobody can read is found on a full disk.

recorded() { in_node r1 test -s /var/lib/edge-roll/hold-router.json; }
hold_unit() { [ "$(in_node r1 systemctl is-active edge-roll-hold.service || :)" = "$1" ]; }
no_record() { in_node r1 test ! -e /var/lib/edge-roll/job.json; }

dirty r1
in_node r1 systemctl stop edge-roll-agent.service
state_small r1
monit_start r1
config r1 '[component router]' 'limit_ready = 4s'
standin r1 UP=false
for kind in state-read-only state-full; do
        er_start r1 restart router --reason "$kind behind stop"
        wait_for 60 er_phase stop
        trouble_inject r1 $kind
        # What is unlinked makes no room, as where others fill it at once.
        [ $kind = state-read-only ] || in_node r1 ln /var/lib/edge-roll/job.json /var/lib/edge-roll/pinned
        er_wait
        assert_result held 16
        result '.warnings[]' | shows 'cannot be recorded' || fail "$kind: nobody was told that the hold has no record"
        assert has_hold r1
        assert not recorded
        assert hold_unit inactive
        er r1 doctor router
        # An agent that begins on a mount that is read-only has its own view of it, which stays so.
        [ $kind = state-read-only ] || in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
        assert has_hold r1
        er r1 status router
        assert_same "$ER_EXIT" 16 "exit status of status"
        assert has_hold r1
        trouble_mend r1 $kind
        in_node r1 rm -f /var/lib/edge-roll/pinned
        wait_for 10 recorded
        wait_for 10 no_record
        wait_for 10 hold_unit active
        assert has_hold r1
        standin_now r1 UP=true
        er r1 undrain router
        assert_same "$ER_EXIT" 0 "exit status of undrain"
        assert_no_block r1
        wait_for 15 monit_says r1 1
        wait_for 15 lb_says r1 UP
        standin r1 UP=false
done

standin r1 UP=true
in_node r1 mkdir -p /run/systemd/system/edge-roll-agent.service.d
printf '[Service]\nRestartSec=2s\n' >"$(node_file r1 /run/systemd/system/edge-roll-agent.service.d/slow.conf)"
in_node r1 systemctl daemon-reload
er_start r1 restart router --reason "unreadable, on a full disk"
wait_for 30 er_phase notice
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
: >"$(node_file r1 /var/lib/edge-roll/job.json)"
trouble_inject r1 state-full
wait_for 20 has_hold r1
er_wait
wait_for 10 no_record
assert has_hold r1
assert not recorded
trouble_mend r1 state-full
er r1 status router
assert_same "$ER_EXIT" 16 "exit status of status"
er r1 undrain router
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block r1

# Whose record was taken away is refused all the same, and its table is not made anew without it.
rmp_refused() { in_node rmp1 nft list table inet edge_roll_hold | shows "$1"; }
rmp_up
in_node rmp1 systemctl stop edge-roll-agent.service
state_small rmp1
config rmp1 '[component router]' 'limit_ready = 4s'
rmp_standin router UP=false
er_start rmp1 restart router
wait_for 60 er_phase stop
trouble_inject rmp1 state-read-only
er_wait
assert_result held 16
er rmp1 doctor router
trouble_mend rmp1 state-read-only
er rmp1 drain message-processor
assert_same "$ER_EXIT" 0 "exit status of drain"
assert rmp_refused 15999
assert rmp_refused 8998
wait_for 10 in_node rmp1 test -s /var/lib/edge-roll/hold-router.json
in_node rmp1 rm /var/lib/edge-roll/hold-router.json
er rmp1 undrain message-processor
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert rmp_refused 15999
assert not rmp_refused 8998
assert in_node rmp1 test -s /var/lib/edge-roll/hold-router.json
assert_same "$(in_node rmp1 systemctl is-active edge-roll-hold.service)" active "edge-roll-hold.service"
