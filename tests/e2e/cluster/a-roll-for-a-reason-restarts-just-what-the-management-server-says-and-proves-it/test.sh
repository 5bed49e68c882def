# shellcheck shell=bash
# restart --why: a deployment that one message processor has missed, and nothing else, is what is restarted; behind that
# nothing speaks for a restart any more.
# takes: 60

ms_start
bastion_conf '[cluster]' 'inventory =' "management_url = $(ms_url)"
deployed() { printf '{"status": "%s", "type": ["message-processor"], "uUID": "%s"}' "$1" "$(uuid_of "$2")"; }
edge_is() {
        jq -n --argjson m1 "$(deployed deployed m1)" --argjson m2 "$(deployed "$1" m2)" \
                '{acme: {prod: {servers: [$m1.uUID, $m2.uUID], targetservers: {t1: {name: "t1", host: "10.0.0.7", port: 80, isEnabled: true}},
                  deployments: [{proxy: "orders", revision: "7", state: "deployed", server: [$m1, $m2],
                                 files: {"apiproxy/orders.xml": "<APIProxy/>"}}]}}}' >"$LAB/ms/edge.json"
}

edge_is error
bastion_er why
assert_result "done" 0
result .reason | shows '0 routers and 1 message processor' || fail "what is said: $(result .reason)"

# shellcheck disable=SC2086
before=$(lives_of $NODES)
bastion_er restart --cluster --why --yes --reason "orders 7 is not everywhere"
assert_result "done" 0
others=$(for name in $NODES; do [ "$name" = m2 ] || echo "$name"; done)
# shellcheck disable=SC2086
assert_all_untouched "$before" $others
assert_all_restarted "$before" m2

edge_is deployed
bastion_er restart --cluster --why --yes
assert_result not-needed 10
bastion_er targets list --org acme --env prod
assert_result "done" 0
bastion_er restart router --cluster --why --yes --changed keystore:nothing@prod
assert_result refused 11
# shellcheck disable=SC2086
assert_all_untouched "$before" $others
