# shellcheck shell=bash
# Its start limit is used up before we come, and systemd would kill a slow stop: the first is cleared, the second is told.

need_edge_roll
# tight NODE: its unit, which something wants (so that systemd does not forget it when it is stopped), has no start left.
tight() {
        local unit
        unit=$(unit_of "$1")
        dirty "$1"
        mkdir -p "$(node_file "$1" "/etc/systemd/system/$unit.d")" "$(node_file "$1" /etc/systemd/system/lab.target.d)"
        printf '%s\n' '[Unit]' 'StartLimitIntervalSec=1h' 'StartLimitBurst=2' '[Service]' 'TimeoutStopSec=20s' \
                >"$(node_file "$1" "/etc/systemd/system/$unit.d/tight.conf")"
        printf '%s\n' '[Unit]' "Wants=$unit" >"$(node_file "$1" /etc/systemd/system/lab.target.d/wants.conf)"
        in_node "$1" systemctl stop "$unit"
        in_node "$1" systemctl daemon-reload
        in_node "$1" systemctl start "$unit"
        in_node "$1" systemctl restart "$unit"
        wait_for 20 router_open "$1"
        wait_for 10 lb_says "$1" UP
}

node_renew r2 wrapper
for r in r1 r2; do
        tight $r
        before=$(life $r)
        er $r restart router
        assert_result "done" 0
        assert_restarted $r "$before"
        result '.warnings[]' | shows 'started 2 times in 1 h' || fail "the start limit is not told: $(result .warnings)"
        result '.warnings[]' | shows '20 s after.*57 s.*1 m 7 s' || fail "TimeoutStopSec is not told: $(result .warnings)"
done
# The limit was real: after our start one more is left, then none.
in_node r1 systemctl restart edge-router.service
not in_node r1 systemctl restart edge-router.service 2>/dev/null || fail "the limit does not hold"
