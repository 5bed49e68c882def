# shellcheck shell=bash
# Each thing that matters is a line with what was seen; nothing is blocked, restarted or left behind.

finding() { er_event ".event == \"finding\" and .state == \"$1\" and .about == \"$2\" and (.text | test(\"$3\"))"; }

config r1 '[component router]' 'watch_max = 1500ms'
# Edge's files are its own: the agent may read them all the same.
properties=/opt/apigee/customer/application/router.properties
in_node r1 sh -c "chown nobody $properties && chmod 600 $properties"
for node in r1 m1; do
        before=$(life "$node")
        er "$node" doctor
        assert_result "done" 0
        assert finding ok component "$(unit_of "$node") is active"
        assert finding ok checkers "every (0.5|1.0) s"
        assert finding ok proof "refused 3 times"
        assert finding ok ports "traffic ports"
        assert finding ok limits "the properties.; a restart ends within"
        assert finding ok firewall "nf_tables works"
        assert finding ok state "can be written"
        assert finding warning lock "unprotected"
        assert_same "$(result '.findings | length > 8')" true "findings in the result"
        assert_as_it_was "$node" "$before"
done
assert not grep -q 'is DOWN' "$LAB/lb/log"
assert finding ok loaded "environments"
# A program sees each component's own file of the last job: doctor leaves none.
assert not in_node m1 sh -c 'ls /var/lib/edge-roll | grep -E "^(last-|job)"'

# What is in the way is a problem with something to do, and the exit code says so.
er m1 drain mp --reason "by hand"
config m1 '[pool]' 'members = m2'
in_node m1 sh -c 'echo conf_http_HTTPTransport.io.timeout.millis=soon >>/opt/apigee/customer/application/message-processor.properties'
er m1 doctor mp
assert_result problems 20
assert finding problem hold "by hand"
assert finding problem lock "others of its pool"
assert finding warning limits soon
assert has_hold m1
er_plain m1 doctor mp
assert_same "$ER_EXIT" 20 "exit status for a person"
grep -q '^problem  hold ' "$ER_CALL.json" || fail "no line for a person: $(cat "$ER_CALL.json")"

# Nobody checks: that is what stands between this node and a restart.
LB_CHECK=none lb_start
config r2 '[component router]' 'watch_max = 1s'
# ... unless its unit is taken that right: then they are told, and Edge's default is used.
in_node r2 sh -c "chown nobody $properties && chmod 600 $properties
        mkdir -p /run/systemd/system/edge-roll-agent.service.d
        printf '[Service]\\nCapabilityBoundingSet=\\nCapabilityBoundingSet=CAP_NET_ADMIN\\n' >/run/systemd/system/edge-roll-agent.service.d/x.conf
        systemctl daemon-reload; systemctl stop edge-roll-agent"
er r2 doctor router
assert_result problems 20
assert finding warning permissions CAP_DAC_READ_SEARCH
assert finding warning limits "Permission denied"
assert finding ok limits "57 s .Edge's default"
assert finding problem checkers "nobody was seen"
