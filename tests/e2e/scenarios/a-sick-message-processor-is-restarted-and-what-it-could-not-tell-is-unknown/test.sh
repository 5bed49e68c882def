# shellcheck shell=bash
# What was unknown before cannot be lost; what is more or other than before is told; what was known before and cannot be
# read afterwards counts as lost, after a while.

config m1 '[component message-processor]' 'watch_max = 1500ms' 'check_fall = 1' 'check_rise = 1' 'loaded_wait = 1s' \
        'request_limit = 3s'

# Partially deployed: it comes back with more, and with another revision.
standin_now m1 ENVIRONMENTS=test
standin m1 'ENVIRONMENTS="test prod"' REVISION=13
er m1 restart mp
assert_result "done" 0
result '.warnings[]' | shows 'changed: .*from 12 to 13.*gained: environment acme/prod' || fail "not told: $(result .warnings)"

# It hangs and fails; its port is in the properties.
echo 'conf_message-processor-communication_local.http.port=8998' \
        >>"$(node_file m1 /opt/apigee/customer/application/message-processor.properties)"
in_node m1 find /var/lib/edge-roll -name 'known*' -delete
standin_now m1 SELF=hang RUNTIME=status-500
standin m1 SELF=good RUNTIME=good
er m1 restart mp
assert_result "done" 0
result '.phases[] | select(.phase == "preflight").evidence' | shows 'environments unknown' || fail "unknown is not told"
result '.phases[] | select(.phase == "discover").evidence' | shows 'local.http.port in the properties'

# One list goes on hanging.
standin m1 RUNTIME=hang-one
er m1 restart mp
assert_result held 16
result .reason | shows 'unknown now: .*acme/prod' || fail "the list is not named: $(result .reason)"
er m1 undrain mp
assert_no_block m1
