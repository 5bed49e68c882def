# shellcheck shell=bash
# The Management Server as the source of nodes: every region, filtered here; rows in all the shapes that were seen; a row of a server
# long gone is a node that does not answer, and keeps its place in the pool.
# takes: 90

ms_start
ms_user admin@example.com 's3cret with blank'
bastion_conf '[cluster]' 'inventory =' "management_url = $(ms_url)/" 'management_user = admin@example.com' \
        'management_password_file = /root/management'
printf 's3cret with blank\n' >"$(node_file bastion /root/management)"
in_node bastion chmod 600 /root/management

# found FILTER: of the events of the last call.
found() { jq -r "select(.event == \"found\") | $1" "$ER_CALL.json"; }

# ---- as documented

bastion_er nodes --cluster
assert_result "done" 0
assert_same "$(found .name | sort -V | xargs)" "$(for name in $NODES; do ip4 "$name"; done | sort -V | xargs)" "nodes"
for name in $NODES; do
        assert_same "$(found "select(.host == \"$(ip4 "$name")\") | .components[] | [.component, .pool, .uuid, .state] | join(\" \")")" \
                "$(component_name "$name") $(component_name "$name")/$(region_of "$name")/gateway $(uuid_of "$name") serving" "$name"
done
! grep -r s3cret "$ER_CALL.json" "$ER_CALL.err" || fail "the password is shown"
ms_asked | shows '/v1/servers?region=dc-2 200' || fail "dc-2 was not asked"

bastion_plain nodes --cluster --region dc-2
assert_same "$ER_EXIT" 0 "exit status"
shows 'router/dc-2/gateway .* serving' <"$ER_CALL.json" || fail "no router of dc-2 is shown: $(cat "$ER_CALL.json")"
shows '^5 more that are not selected' <"$ER_CALL.json" || fail "the others are not told: $(cat "$ER_CALL.json")"

# A server is known by its id, too.
bastion_er plan restart router --cluster --limit "$(uuid_of r4)"
jq -es 'any(.[]; .event == "plan" and (.refused | not) and (.steps | map(.node)) == ["'"$(ip4 r4)"'"])' "$ER_CALL.json" >/dev/null ||
        fail "not planned by its id: $(cat "$ER_CALL.json")"
bastion_er plan restart all --cluster
jq -es 'any(.[]; .event == "plan" and (.refused | not) and (.steps | length) == 10 and
        (.conditions | any(.name == "datastore" and .verdict == "ok")) and (.conditions | any(.name == "identity" and .verdict == "ok")))' \
        "$ER_CALL.json" >/dev/null || fail "the plan: $(cat "$ER_CALL.json")"

# ---- a server that filters nothing, one that knows no regions, and one behind TLS

for mode in all no-regions; do
        ms_mode $mode
        bastion_er nodes --cluster
        assert_result "done" 0
        assert_same "$(found .name | wc -l)" 10 "nodes in mode $mode"
done
ms_start tls
bastion_er nodes --management "$(ms_url)"
assert_result refused 11
result .hint | shows management_ca || fail "the hint: $(result .hint)"
cp "$LAB/ms/ca.pem" "$(node_file bastion /root/management-ca.pem)"
bastion_conf 'management_ca = /root/management-ca.pem'
EDGE_ROLL_MANAGEMENT_PASSWORD=unused bastion_er nodes --management "$(ms_url)"
assert_result "done" 0

# ---- odd rows: types as a word, no names, no tags, no pod; a row that is nonsense; a server that is gone

ms_start
ms_edit 'map(if .uUID == "'"$(uuid_of r1)"'" then .type = "router" | del(.externalIP, .externalHostName, .internalHostName, .tags)
             elif .uUID == "'"$(uuid_of m1)"'" then .type += ["qpid-server"] | .tags = null | .isUp = null | .internalIP = "127.0.0.1"
             elif .uUID == "'"$(uuid_of r4)"'" then .pod = "gateway-2" | del(.reachable) else . end) +
         ["nonsense", {uUID: "gone", type: ["router"], region: "dc-1", pod: "gateway", internalIP: "10.77.0.77", isUp: false, reachable: false}]'
bastion_er nodes --cluster
assert_result agent-unreachable 19
assert_same "$(found 'select(.components == []) | .name')" 10.77.0.77 "who does not answer"
assert_same "$(found 'select(.components != []) | .name' | wc -l)" 10 "who does"
jq -es 'any(.[]; .event == "warning" and (.text | contains("left out")))' "$ER_CALL.json" >/dev/null || fail "the nonsense is not told"

before=$(lives_of r1 r2 r3)
bastion_er restart router --cluster --region dc-1 --yes
[ "$ER_EXIT" != 0 ] || fail "a roll of a pool with a node that is gone"
assert_all_untouched "$before" r1 r2 r3
jq -es 'any(.[]; .event == "plan" and .refused and (.pools[0].members | length) == 4 and
        (.conditions | any(.name == "unreachable" and .verdict == "refuse" and .nodes == ["10.77.0.77"])))' "$ER_CALL.json" >/dev/null ||
        fail "the plan: $(cat "$ER_CALL.json")"
# Leaving it out of the selection does not make the pool smaller.
bastion_er plan restart router --cluster --region dc-1 --exclude 10.77.0.77
jq -es 'any(.[]; .event == "plan" and .refused and (.conditions | any(.name == "degraded" and .verdict == "refuse")))' "$ER_CALL.json" >/dev/null ||
        fail "the plan without it: $(cat "$ER_CALL.json")"
bastion_er plan restart router --cluster --region dc-1 --exclude 10.77.0.77 --override "degraded=10.77.0.77 was scrapped"
jq -es 'any(.[]; .event == "plan" and (.refused | not) and (.steps | length) == 3)' "$ER_CALL.json" >/dev/null ||
        fail "the plan with the reason: $(cat "$ER_CALL.json")"
