# shellcheck shell=bash
# What the services of edge-roll may do, as systemd judges it, at most 2.0 each; and that the one capability beside
# CAP_NET_ADMIN is needed: for property files that only Edge's own user can read.

need_edge_roll
dirty r1

# ---- exposure, of the units as they are installed here

for unit in agent heal hold recover; do
        exposure=$(in_node r1 systemd-analyze security --no-pager "edge-roll-$unit.service" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
        [ -n "$exposure" ] || fail "systemd does not judge edge-roll-$unit.service"
        say "edge-roll-$unit.service: exposure $exposure"
        awk -v seen="$exposure" 'BEGIN { exit seen > 2.0 }' || fail "edge-roll-$unit.service is exposed: $exposure, more than 2.0"
done

# ---- the agent as it runs

er r1 discover router
status() { in_node r1 sh -c "cat /proc/$1/status" | sed -n "s/^$2:[[:space:]]*//p"; }
agent=$(in_node r1 systemctl show -P MainPID edge-roll-agent.service)
# CAP_NET_ADMIN is 12, CAP_DAC_READ_SEARCH 2.
for set in CapPrm CapEff CapBnd; do assert_same "$(status "$agent" $set)" 0000000000001004 "$set of the agent"; done
assert_same "$(status "$agent" NoNewPrivs) $(status "$agent" Seccomp) $(status "$agent" Umask)" "1 2 0077" "NoNewPrivs, Seccomp and Umask of the agent"

# ---- a file that Edge's user alone can read

properties=/opt/apigee/customer/application/router.properties
in_node r1 useradd --system edgeuser
in_node r1 sh -c "echo conf_load_balancing_load.balancing.driver.proxy.read.timeout=33 >>$properties; chown -R edgeuser ${properties%/*}; chmod 700 ${properties%/*}; chmod 600 $properties"
limit() { er r1 discover router && jq -r '"\(.request_limit) \(.request_limit_from)"' "$ER_CALL.json"; }
assert_same "$(limit)" "33 the properties" "longest request"
in_node r1 mkdir -p /run/systemd/system/edge-roll-agent.service.d
in_node r1 sh -c "printf '[Service]\nCapabilityBoundingSet=\nCapabilityBoundingSet=CAP_NET_ADMIN\n' >/run/systemd/system/edge-roll-agent.service.d/less.conf"
in_node r1 systemctl daemon-reload
in_node r1 systemctl restart edge-roll-agent.service
without=$(limit)
say "without CAP_DAC_READ_SEARCH: a request lasts at most $without"
[ "${without%% *}" != 33 ] || fail "CAP_DAC_READ_SEARCH is not needed"
in_node r1 rm -r /run/systemd/system/edge-roll-agent.service.d
in_node r1 systemctl daemon-reload
in_node r1 systemctl restart edge-roll-agent.service
