# shellcheck shell=bash
# As Edge is mostly run: somebody logged in and called apigee-service. The component shares the session's scope with the
# shell, so that scope is never stopped; afterwards the component has a unit of its own.

need_edge_roll
node_renew m1 wrapper
ssh_serve m1
in_node m1 systemctl stop "$(unit_of m1)"
# One session for both: the start, and a shell that goes on.
RUN_AS=exec ssh_in m1 '/opt/apigee/apigee-service/bin/apigee-service edge-message-processor start; echo $$ >/run/shell; exec tail -f /dev/null' &
wait_for 20 component_ready m1
wait_for 20 through_routers
runs_in m1 | shows 'session-.*scope$' || fail "the component is in $(runs_in m1)"
witness=$(in_node m1 cat /run/shell)

er m1 restart mp --dry-run
assert_result "done" 0
result '.phases[] | select(.phase == "preflight").evidence' | shows 'session-.*which is not stopped.*edge-component@' ||
        fail "the dry run does not say it: $(result '.phases[0].evidence')"

prove_restart m1
runs_in m1 | shows 'edge-component@edge-message-processor.service$' || fail "the component is in $(runs_in m1)"
result .ran_in | shows 'session-.*scope$'
result .runs_in | shows 'edge-component@'
assert in_node m1 kill -0 "$witness"
