# shellcheck shell=bash
# restart --why: a deployment that one message processor has missed, and nothing else, is what is restarted; behind that
# nothing speaks for a restart any more. A certificate that was put into a keystore is what the routers of its region are
# restarted for, and they are asked behind it what they serve: one that does not is named, by the roll and by its resume.
# Every plan tells of target servers that do not answer and of what is wrong with a proxy; --if-needed restarts what the
# Management Server knows of beside what the nodes do.
# takes: 240

ms_start
bastion_conf '[cluster]' 'inventory =' "management_url = $(ms_url)"
deployed() { printf '{"status": "%s", "type": ["message-processor"], "uUID": "%s"}' "$1" "$(uuid_of "$2")"; }
edge_is() {
        jq -n --argjson m1 "$(deployed deployed m1)" --argjson m2 "$(deployed "$1" m2)" \
                '{acme: {prod: {servers: [$m1.uUID, $m2.uUID], targetservers: {t1: {name: "t1", host: "10.0.0.7", port: 80, isEnabled: true}},
                  deployments: [{proxy: "orders", revision: "7", state: "deployed", server: [$m1, $m2],
                                 files: {"apiproxy/targets/default.xml": ("<TargetEndpoint><HTTPTargetConnection><LoadBalancer>" +
                                         "<Server name=\"gone\"/><Server name=\"t1\"/></LoadBalancer></HTTPTargetConnection></TargetEndpoint>")}}]}}}' >"$LAB/ms/edge.json"
}

edge_is error
bastion_er why
assert_result "done" 0
result .reason | shows '0 routers and 1 message processor' || fail "what is said: $(result .reason)"

# plan_warns NAME TEXT: the plan has that condition, as a warning.
plan_warns() {
        roll_event ".event? == \"plan\" and any(.conditions[]; .name == \"$1\" and .verdict == \"warning\" and (.evidence | test(\"$2\")))" ||
                fail "the plan does not warn of $1: $2"
}
bastion_er plan restart router --cluster
assert_result "done" 0
plan_warns targets '1 of 1 target servers do not answer from here: t1 of acme/prod'
plan_warns lint 'acme/prod orders:7/apiproxy/targets/default.xml:1: there is no target server gone'
ms_mode "500 deployments"
bastion_er plan restart router --cluster
assert_result "done" 0
plan_warns management 'acme/prod: deployments: .* answered 500'
ms_mode good

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

# The certificate. Every router reads what it serves when it starts, and a restart brings what is in its file then.
name=api.example.com
certificate() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -days 30 \
                -keyout "$SCENE/$1.key" -out "$SCENE/$1.pem" 2>/dev/null
}
# give CERTIFICATE ROUTER...: it serves that one from its next start on.
give() {
        local cert=$1 router
        shift
        for router; do cat "$SCENE/$cert.pem" "$SCENE/$cert.key" >"$(node_file "$router" /etc/standin/vhost.pem)"; done
}
fingerprint() { openssl x509 -noout -fingerprint -sha256 | cut -d= -f2; }
served() { in_net bastion openssl s_client -connect "$(ip4 "$1"):9443" -servername "$name" </dev/null 2>/dev/null | fingerprint; }
# stored CERTIFICATE: what is in the keystore that the virtual host names by a reference.
stored() {
        jq --rawfile pem "$SCENE/$1.pem" --arg name "$name" '.acme.prod += {keystores: {api: {a: $pem}},
                references: {ref: {name: "ref", refers: "api", resourceType: "KeyStore"}},
                virtualhosts: {secure: {name: "secure", port: "9443", hostAliases: [$name],
                               sSLInfo: {enabled: "true", keyAlias: "a", keyStore: "ref://ref"}}}}' "$LAB/ms/edge.json" >"$LAB/ms/edge.new"
        mv "$LAB/ms/edge.new" "$LAB/ms/edge.json"
}

for cert in old new newer; do certificate $cert; done
give old r1 r2 r3
for router in r1 r2 r3; do
        standin "$router" VHOST_TLS_PORTS=9443
        in_node "$router" systemctl restart edge-router.service
done
for router in r1 r2 r3; do
        wait_for 20 component_ready "$router"
        wait_for 20 node_lb_says "$router" UP
        assert_same "$(served "$router")" "$(fingerprint <"$SCENE/old.pem")" "what $router serves at first"
done
stored old
bastion_er restart --cluster --why --yes
assert_result not-needed 10

say "what is in the keystore is another one, and every restart brings it"
stored new
give new r1 r2 r3
# shellcheck disable=SC2086
before=$(lives_of $NODES)
bastion_er restart --cluster --why --yes --expect-cert "sha256:$(fingerprint <"$SCENE/new.pem")"
assert_result "done" 0
assert_all_restarted "$before" r1 r2 r3
assert_all_untouched "$before" r4 r5 r6 m1 m2 m3 m4
for router in r1 r2 r3; do
        assert_same "$(served "$router")" "$(fingerprint <"$SCENE/new.pem")" "what $router serves behind the roll"
        roll_event ".text? // \"\" | test(\"router $(ip4 "$router") serves the certificate .* now, before\")" ||
                fail "it is not told what $router serves now and served before"
done
bastion_er restart --cluster --why --yes
assert_result not-needed 10

say "a restart of r2 does not bring it"
stored newer
give newer r1 r3
bastion_er restart --cluster --why --yes
assert_result problems 20
roll=$(result .roll)
result .reason | shows 'the certificate is not proven: 1 times' || fail "what is said: $(result .reason)"
roll_event ".text? // \"\" | test(\"router $(ip4 r2) serves the certificate .*, as before, and not\")" || fail "r2 is not named"
assert_same "$(served r1)" "$(fingerprint <"$SCENE/newer.pem")" "what r1 serves"
assert_same "$(served r2)" "$(fingerprint <"$SCENE/new.pem")" "what r2 serves"

# Nothing is left of that roll but the proof, with what its journal has: the Management Server is not asked.
# shellcheck disable=SC2086
before=$(lives_of $NODES)
ms_mode 500
bastion_er resume "$roll" --yes
assert_result problems 20
give newer r2
ms_mode good
bastion_er restart router --cluster --limit "$(ip4 r2)" --yes
assert_result "done" 0
assert_all_restarted "$before" r2
ms_mode 500
bastion_er resume "$roll" --yes
assert_result "done" 0
roll_event ".text? // \"\" | test(\"router $(ip4 r2) serves the certificate .* now, before\")" || fail "r2 is not named"

say "what a message processor has missed is no reason that its node knows"
edge_is error
# shellcheck disable=SC2086
before=$(lives_of $NODES)
ms_mode good
bastion_er restart mp --cluster --yes --if-needed
assert_result "done" 0
assert_all_restarted "$before" m2
assert_all_untouched "$before" r1 r2 r3 r4 r5 r6 m1 m3 m4
edge_is deployed
bastion_er restart mp --cluster --yes --if-needed
assert_result not-needed 10
ms_mode "500 deployments"
bastion_er restart mp --cluster --yes --if-needed
assert_result problems 20
