# shellcheck shell=bash
# The processes that are compared are found in a unit of their own, in the wrapper unit, and in the session of a shell, where
# whatever else lies in the session does not count.

says() { result '[.needed[].needed] | join(" ")'; }

# known WHERE: not needed as it is; needed after a change of a property; told with the place.
known() {
        er r1 restart router --if-needed --dry-run
        assert_result not-needed 10
        result '.needed[].seen[]' | shows "processes in $1" || fail "not told where: $(result '.needed[].seen')"
        properties r1 "conf_load_balancing_load.balancing.driver.proxy.read.timeout=$2"
        er r1 restart router --if-needed --dry-run
        assert_result "done" 0
        assert_same "$(says)" yes "needed"
}

known /system.slice/edge-router.service 30

node_renew r1 wrapper
known '/.*edge-component.*edge.*router.service' 31

say "started by hand over ssh, beside a shell that uses a library that is gone"
in_node r1 systemctl stop "$(unit_of r1)"
in_node r1 systemctl start systemd-logind.service
ssh_serve r1
in_node r1 cp /usr/bin/tail /usr/local/bin/watcher
# The session stays as long as something runs in it.
ssh_in r1 'setsid /usr/local/bin/watcher -f /dev/null >/dev/null 2>&1 </dev/null & /opt/apigee/apigee-service/bin/apigee-service edge-router start'
wait_for 20 component_ready r1
in_node r1 rm /usr/local/bin/watcher
runs_in r1 | shows 'session-.*scope' || fail "the component does not run in the session but in $(runs_in r1)"
# Old kernels do not tell whose a port is, and no unit of the component is active: nobody knows, and that is said.
if [ -n "${EDGE_ROLL_OLD:-}" ]; then
        er r1 restart router --if-needed --dry-run
        assert_result "done" 0
        assert_same "$(says)" unknown "needed"
        result '.needed[].unseen[]' | shows 'its processes are not known' || fail "not told: $(result .needed)"
        exit 0
fi
known '/user.slice/.*session-.*scope' 32
