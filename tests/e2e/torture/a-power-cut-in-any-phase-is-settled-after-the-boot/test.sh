# shellcheck shell=bash
# The plug is pulled in each phase of a restart; what was not synced is lost. After the boot it is settled without anybody's help:
# the component serves, behind `stop` only when it was proven, monit watches it, nothing refuses, status has nothing to say. Three
# ways in which nodes come up: the component starts with the machine; monit starts it; nobody does, and no monit is there.
#   PHASES, WAYS: only these

read -ra phases <<<"${PHASES:-watch place block notice stop-monit drain gate stop start ready start-monit unblock return}"
unit=$(unit_of r1)
settled() { in_node r1 sh -c '! test -e /var/lib/edge-roll/job.json'; }
last() { in_node r1 jq -r "$1" /var/lib/edge-roll/last-router.json; }

# way NAME: what starts with the machine.
way() {
        local wants="edge-roll-hold.service edge-roll-recover.service"
        in_node r1 rm -rf /etc/systemd/system/lab.target.wants
        case $1 in
        machine) wants="$wants $unit apigee-monit.service" ;;
        monit) wants="$wants apigee-monit.service" ;;
        esac
        # shellcheck disable=SC2086
        in_node r1 systemctl --quiet add-wants lab.target $wants
        [ "$1" != nobody ] || in_node r1 systemctl stop apigee-monit.service
}

pulled() {
        local phase=$1 how=$2
        er_start r1 restart router --reason "plug pulled in $phase"
        wait_for 60 er_phase "$phase"
        power_cut r1
        er_wait
        power_on r1
        wait_for 90 settled || fail "$how, $phase: not settled"
        wait_for 20 component_ready r1 || fail "$how, $phase: the component does not run"
        wait_for 20 no_block r1 || fail "$how, $phase: the node is left blocked"
        assert not in_node r1 sh -c 'ls /var/lib/edge-roll/hold-*.json' 2>/dev/null
        [ "$how" = nobody ] || wait_for 20 monit_says r1 1 || fail "$how, $phase: monit is not as it was"
        wait_for 30 lb_says r1 UP
        er r1 status router
        assert_same "$ER_EXIT" 0 "$how, $phase: exit status of status"
        say "$how, $phase: $(last '"\(.result): \(.reason)"')"
        printf '%s\t%s\t-\t-\t0\t%s\n' "power-cut-$how" "$phase" "$(last .result)" >>"$LAB/faults"
}

config r1 '[component router]' 'watch_max = 2s'
standin r1 START_DELAY=1
in_node r1 systemctl --quiet preset edge-roll-hold.service edge-roll-recover.service
power_ready r1
bad=0
for how in ${WAYS:-machine monit nobody}; do
        component_start r1
        way "$how"
        [ "$how" = nobody ] || monit_start r1
        wait_for 20 lb_says r1 UP
        for phase in "${phases[@]}"; do
                pulled "$phase" "$how" &
                wait $! || bad=$((bad + 1))
        done
done
[ $bad = 0 ] || fail "$bad power cuts had a bad end"
