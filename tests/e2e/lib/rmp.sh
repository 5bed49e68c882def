# shellcheck shell=bash
# rmp1: a node that is router and message processor at once, beside the cluster. Its router reaches its own message processor by
# the node's own address, over lo, like all others; r1 and the load balancer know it, too.

RMP_UNITS="edge-router.service edge-message-processor.service"

# rmp_up: the node, up and serving. It goes with the scenario; what there is to read of it is told when the scenario fails.
rmp_up() {
        local root=$LAB/nodes/rmp1/root
        [ ! -e "$LAB/nodes/rmp1" ] || node_destroy rmp1
        trap rmp_down EXIT
        node_make rmp1
        role_put rmp1
        cp "$E2E/standin/units/edge-message-processor.service" "$root/etc/systemd/system/"
        printf 'UUID=276bc250-7dd0-46a5-a583-fd11eba7831b\n' >"$root/etc/standin/edge-message-processor"
        printf '        server rmp1 %s:8998\n' "$(ip4 rmp1)" >>"$root/etc/standin/message-processors.cfg"
        sed -n -e 's/@NAME@/edge-message-processor/g' -e 's/@UNIT@/edge-message-processor.service/g' -e '/^check/,$p' \
                "$E2E/standin/monitrc" >>"$root/etc/monit/monitrc"
        printf '[component router]\nwatch_max = 2s\n' >"$root/etc/edge-roll/edge-roll.conf.d/55-rmp.conf"
        node_boot rmp1
        dirty r1
        printf '        server rmp1 %s:8998\n' "$(ip4 rmp1)" >>"$(node_file r1 /etc/standin/message-processors.cfg)"
        in_node r1 systemctl restart edge-router.service
        node_up rmp1
        # shellcheck disable=SC2086
        in_node rmp1 systemctl start $RMP_UNITS
        wait_for 20 rmp_serves
        LB_ROUTERS="r1 r2 rmp1" lb_start
}

rmp_down() {
        local status=$?
        [ $status = 0 ] || in_node rmp1 journalctl --no-pager -q -o short-precise -n 60 -t edge-roll -u 'edge-*' >&2 || :
        lb_stop
        node_destroy rmp1
}

# Both of its components answer, and its message processor serves what r1 is asked.
rmp_serves() {
        local port
        for port in 8081 8082; do
                [ "$(in_node rmp1 curl -s -m 2 "http://127.0.0.1:$port/v1/servers/self/up")" = true ] || return 1
        done
        set -- "http://$(ip4 r1):9001/fast"
        in_net client curl -s -m 2 -w '%header{X-Served-By}\n' "$1" "$1" "$1" "$1" "$1" "$1" | shows '^rmp1$'
}

# rmp_life router|message-processor: changes with each start of the one.
rmp_life() { in_node rmp1 sh -c "cat /proc/\$(cat /run/standin/edge-$1/pid)/stat" | awk '{ print $1 "@" $22 }'; }

# rmp_monit 0|1: whether monit watches both.
rmp_monit() {
        local name all
        all=$(in_node rmp1 curl -s -m 2 'http://127.0.0.1:2812/_status?format=xml') || return
        for name in edge-router edge-message-processor; do
                grep -o "<name>$name</name>.*" <<<"$all" | sed 's|</service>.*||' |
                        shows "<monitor>$1</monitor>.*<pendingaction>0</pendingaction>" || return
        done
}

rmp_monit_start() {
        in_node rmp1 systemctl start apigee-monit.service
        wait_for 20 rmp_monit 1
}

# rmp_standin COMPONENT KEY=VALUE...: as standin, for one of the two.
rmp_standin() {
        local component=$1
        shift
        printf '%s\n' "$@" >>"$(node_file rmp1 "/etc/standin/edge-$component")"
}

# rmp_phase PHASE: the job of the message processor has begun this phase.
rmp_phase() {
        er_event ".event == \"phase\" and .phase == \"$1\" and .state == \"begin\" and .component == \"message-processor\""
}

# What must be so at the end of any job: nothing of it is left, monit watches both, both are let in.
rmp_as_before() {
        assert_no_block rmp1
        assert not in_node rmp1 sh -c 'ls /var/lib/edge-roll/job*.json'
        wait_for 10 rmp_serves
        wait_for 10 lb_says rmp1 UP
        ! in_node rmp1 systemctl --quiet is-active apigee-monit.service || wait_for 10 rmp_monit 1
}
