# shellcheck shell=bash
# http.port was changed, and the restart makes it so; then a router swaps and loses a virtual host's port.

properties=/opt/apigee/customer/application/message-processor.properties
for r in r1 r2; do
        dirty "$r"
        echo "        server m1-moved $(ip4 m1):9998" >>"$(node_file "$r" /etc/standin/message-processors.cfg)"
        in_node "$r" systemctl restart edge-router.service
done
wait_for 20 router_open r2

config m1 '[component message-processor]' 'watch_max = 1500ms' 'check_fall = 1' 'check_rise = 1' 'request_limit = 3s'
# The properties tell: the new port is refused before anybody listens on it.
echo 'conf_message-processor-communication_local.http.port=9998' >>"$(node_file m1 $properties)"
standin m1 HTTP_PORT=9998 LISTEN_PORT=9998 START_DELAY=1
er_start m1 restart mp
wait_for 60 has_block m1
in_node m1 nft list table inet edge_roll | shows 9998 || fail "the new port is not refused"
er_wait
assert_result "done" 0
result '.warnings[]' | shows 'http.port becomes 9998' || fail "not told: $(result .warnings)"
assert in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):9998/fast"
assert_no_block m1

# Nothing tells: found when it starts, and refused from then on.
sed -i '/local.http.port/d' "$(node_file m1 $properties)"
standin m1 HTTP_PORT=8998 LISTEN_PORT=8998 UP=false
config m1 'limit_ready = 3s'
er_start m1 restart mp
wait_for 60 er_phase ready
not in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast" || fail "the new port is open, unproven"
er_wait
assert_result held 16
result '.warnings[]' | shows 'port 8998\|become 8998' || fail "not told: $(result .warnings)"
not in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast" || fail "held, and the new port is open"
er m1 undrain mp
assert in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast"

config r1 '[component router]' 'loaded_wait = 1s'
standin r1 'VHOST_PORTS="9001 9002"'
in_node r1 systemctl restart edge-router.service
wait_for 20 router_open r1
wait_for 10 lb_says r1 UP
standin r1 'VHOST_PORTS="9001 9003"'
er r1 restart router
assert_result "done" 0
result '.warnings[]' | shows '9002 gone, 9003 new' || fail "not told: $(result .warnings)"
standin r1 'VHOST_PORTS="9001"'
er r1 restart router
assert_result held 16
result .reason | shows 'port 9003' || fail "the reason does not name the port: $(result .reason)"
er r1 undrain router
assert_no_block r1
