# shellcheck shell=bash
# A router that does not come back is held, and the unit that puts the hold up dies at each call by which it changes something outside:
# it is held and said all the same. Repaired, the same command restarts it, and the unit dies once more while it is stopped: nothing
# is left of the hold.
#   POINT, SIDES: see lib/killpoint.sh

# hold_run POINT: "apply NAME before|after" or "remove NAME before|after"; empty: only listed.
hold_run() {
        local what=${1%% *} name=${1#* } failed state
        failed=$(lost)
        standin r1 START=fails
        case $what in
        '') kp_order hold list ;;
        apply) kp_order hold "kill $name" ;;
        remove) kp_order hold pass ;;
        esac
        er r1 restart router --reason "killed at $1"
        assert_result held 16
        assert has_hold r1
        assert in_node r1 test -e /var/lib/edge-roll/hold-router.json
        state=$(in_node r1 systemctl is-active edge-roll-hold.service || :)
        assert_same "$state" active "edge-roll-hold.service, held, after $1"
        [ "$what" != remove ] || kp_order hold "kill $name"
        standin r1 START=good
        er r1 restart router
        assert_result "done" 0
        [ -z "$1" ] || kp_said | shows '^kill' || fail "$1: it never came there"
        assert_no_block r1
        assert in_node r1 test ! -e /var/lib/edge-roll/hold-router.json
        assert job_over r1
        state=$(in_node r1 systemctl is-active edge-roll-hold.service || :)
        assert_same "$state" inactive "edge-roll-hold.service after $1"
        assert_same "$(rules r1)" "$(cat "$SCENE/r1.rules")" "foreign rules after $1"
        assert monit_says r1 1
        wait_for 20 lb_says r1 UP
        assert_same "$(lost)" "$failed" "failed requests after $1"
        printf 'hold\t%s/%s\theld\t-\t0\n' "$what" "$name" >>"$LAB/points"
}

kp_ready r1 3500
if [ -n "${POINT:-}" ]; then
        mapfile -t points < <(kp_given)
else
        hold_run ''
        kp_said >"$SCENE/list"
        # Processes of one role: the first applies it, the last removes it.
        for what in apply remove; do
                pid=$(awk -F '\t' '$1 == "call" { print $3 }' "$SCENE/list" | if [ $what = apply ]; then head -n 1; else tail -n 1; fi)
                awk -F '\t' -v pid="$pid" '$3 == pid' "$SCENE/list" >"$SCENE/list.$what"
                kp_points "$SCENE/list.$what" | sed "s/^/$what /"
        done >"$SCENE/points"
        mapfile -t points <"$SCENE/points"
        say "${#points[@]} points"
        [ ${#points[@]} -ge 4 ] || fail "only ${#points[@]} points"
fi
for point in "${points[@]}"; do hold_run "$point"; done
kp_done
