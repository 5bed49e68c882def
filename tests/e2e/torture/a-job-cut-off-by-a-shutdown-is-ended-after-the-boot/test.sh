# shellcheck shell=bash
# systemctl poweroff in the middle of a restart, in phases before `stop` and behind it, with monit on watch. systemd stops the agent,
# the component and monit in whatever order; no end of a job may be made of that. After the boot the node is as it was: before `stop`
# the component is as the boot has started it, behind it it is held until it is proven; monit watches again.
#   PHASES: only these

unit=$(unit_of r1)
in_node r1 systemctl --quiet preset edge-roll-hold.service edge-roll-recover.service
# The lab's nodes have a target of their own in place of multi-user.target; monit starts with the machine, as Edge sets it up.
in_node r1 systemctl --quiet add-wants lab.target edge-roll-hold.service edge-roll-recover.service "$unit" apigee-monit.service
config r1 '[component router]' 'watch_max = 2s'
standin r1 START_DELAY=2
# A stop that takes as long as that of a JVM, and a journal that tells of the boot before.
in_node r1 mkdir -p "/etc/systemd/system/$unit.d" /var/log/journal
printf '[Service]\nExecStop=-/usr/bin/timeout 2 tail -f /dev/null\n' >"$(node_file r1 "/etc/systemd/system/$unit.d/slow.conf")"
in_node r1 systemctl daemon-reload
in_node r1 journalctl --flush
monit_start r1
settled() { in_node r1 sh -c '! test -e /var/lib/edge-roll/job.json'; }
last() { in_node r1 jq -r "$1" /var/lib/edge-roll/last-router.json; }

for phase in ${PHASES:-notice drain stop-monit stop start ready return}; do
        load_start 200 "kept:name=slow,to=$(ip4 lb):80,path=/slow/2.5,n=8"
        er_start r1 restart router --reason "shutdown in $phase"
        wait_for 60 er_phase $phase
        # A component that a shutdown stops under load loses requests, whoever asks for it: what they tell is nothing about edge-roll.
        load_abandon
        er_kill
        er_wait
        node_shutdown r1
        [ $phase = return ] || [ -e "$LAB/nodes/r1/root/var/lib/edge-roll/job.json" ] || fail "$phase: the shutdown has ended the job"
        node_boot r1
        node_up r1
        # A short phase may be over when systemd tells the agent to end.
        seen=$(in_node r1 journalctl -q --no-pager -o cat -b -1 -u edge-roll-agent.service | sed -n 's/^told to end in phase \([a-z-]*\);.*/\1/p' | tail -n 1)
        [ -n "$seen" ] || [ $phase = return ] || fail "$phase: the agent does not tell in which phase it ended"
        case $seen in
        stop | start | ready)
                in_node r1 journalctl -q -b -u edge-roll-hold.service | shows 'router is held' || fail "$phase: not held before it was proven"
                ;;
        esac
        wait_for 60 settled
        wait_for 20 component_ready r1
        say "$phase: cut off in ${seen:-none}, $(last '"\(.result): \(.reason)"')"
        assert_no_block r1
        assert not in_node r1 sh -c 'ls /var/lib/edge-roll/hold-*.json' 2>/dev/null
        wait_for 20 monit_says r1 1
        wait_for 15 lb_says r1 UP
        er r1 status router
        assert_same "$ER_EXIT" 0 "$phase: exit status of status"
done
