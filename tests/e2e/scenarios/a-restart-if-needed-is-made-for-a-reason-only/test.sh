# shellcheck shell=bash
# restart --if-needed: what was changed since the start is a reason, what was not is none, what cannot be seen counts as one.

needed() { result "[.needed[] | .$1[]?] | join(\"; \")"; }
verdict() { result '[.needed[].needed] | join(" ")'; }

# expect_restart WHAT REASON: a dry run says WHAT, a restart is made; REASON is among what is told.
expect_restart() {
        local before list=reasons
        [ "$1" = yes ] || list=unseen
        before=$(life r1)
        er r1 restart router --if-needed --dry-run
        assert_result "done" 0
        assert_same "$(verdict)" "$1" "needed, as the dry run says"
        needed $list | shows "$2" || fail "the dry run does not tell: $2, but: $(needed $list)"
        assert_untouched r1 "$before"
        er r1 restart router --if-needed
        assert_result "done" 0
        assert_same "$(verdict)" "$1" "needed"
        needed $list | shows "$2" || fail "not told: $2, but: $(needed $list)"
        assert_restarted r1 "$before"
        assert_no_block r1
        wait_for 10 lb_says r1 UP
}

expect_none() {
        local before
        before=$(life r1)
        er r1 restart router --if-needed --dry-run
        assert_result not-needed 10
        er r1 restart router --if-needed
        assert_result not-needed 10
        assert_same "$(verdict)" no "needed"
        assert_same "$(needed reasons)$(needed unseen)" "" "reasons, or what was not seen"
        assert_as_it_was r1 "$before"
}

# configured LINE...: of the router, instead of what was configured so before.
configured() {
        printf '%s\n' '[component router]' "$@" >"$(node_file r1 /etc/edge-roll/edge-roll.conf.d/70-needed.conf)"
}

# The certificate that is served, and the one that should be.
certificate() {
        local dir
        dir=$(node_file r1 /etc/standin)
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=api.example.com -days 30 \
                -keyout "$SCENE/key.pem" -out "$SCENE/cert.pem" 2>/dev/null
        cat "$SCENE/cert.pem" "$SCENE/key.pem" >"$dir/vhost.pem.new"
        mv "$dir/vhost.pem.new" "$dir/vhost.pem"
}

certificate
standin r1 VHOST_TLS_PORTS=9443
in_node r1 systemctl restart edge-router.service
wait_for 20 component_ready r1
wait_for 10 lb_says r1 UP

expect_none

say "a property file"
properties r1 conf_load_balancing_load.balancing.driver.proxy.read.timeout=30
expect_restart yes router.properties
expect_none

say "a keystore in a directory, one that a pattern names, and the first file of each"
configured 'restart_on = /opt/apigee/customer/keystores /opt/apigee/customer/*.jks'
mkdir -p "$(node_file r1 /opt/apigee/customer/keystores)"
expect_restart yes customer/keystores
expect_none
: >"$(node_file r1 /opt/apigee/customer/keystores)/new.p12"
: >"$(node_file r1 /opt/apigee/customer)/trust.jks"
expect_restart yes trust.jks
needed reasons | shows keystores/new.p12 || fail "the file in the directory is not told"
expect_none

say "one that was taken away"
rm "$(node_file r1 /opt/apigee/customer)/trust.jks"
expect_restart unknown 'may have been taken away'
expect_none

say "a library that an update has replaced"
in_node r1 sh -c 'lib=$(ldd /usr/sbin/haproxy | sed -n "s/.*=> \(.*libcrypto[^ ]*\).*/\1/p") && cp "$lib" "$lib.new" && mv "$lib.new" "$lib"'
expect_restart yes 'libcrypto.* deleted or replaced'
expect_none

say "another certificate than is served"
configured 'restart_on =' 'certificate = api.example.com:9443=/etc/standin/vhost.pem'
expect_none
needed seen | shows 'port 9443 (api.example.com) serves the certificate of /etc/standin/vhost.pem' || fail "not told: $(needed seen)"
certificate
expect_restart yes 'port 9443 (api.example.com) serves another certificate'
expect_none
in_node r1 jq -e 'any(.ports[]; .port == 9443 and .name == "api.example.com")' /var/lib/edge-roll/served-router.json >/dev/null ||
        fail "not kept: $(in_node r1 cat /var/lib/edge-roll/served-router.json)"

say "what cannot be looked at"
configured 'certificate =' 'restart_on = /etc/standin/loop'
ln -s loop "$(node_file r1 /etc/standin/loop)"
expect_restart yes '/etc/standin/loop was changed'
expect_restart unknown '/etc/standin/loop leads to is not known'
