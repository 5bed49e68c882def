# shellcheck shell=bash
# Behind TLS the routers check port 8082, which the Management Server needs, too: it is refused from the routers only, and
# http.port stays open. Nothing is lost, neither of the routers' requests nor of the Management Server's.

behind_tls m1
monit_start m1
before=$(life m1)
# The Management Server's calls come from the client's address.
leaving_load_start "new:name=management,to=$(ip4 m1):8082,path=/v1/servers/self/up,n=2,every=0.1"

er m1 restart mp --dry-run
assert_result "done" 0
result '.phases[] | .evidence' | shows 'behind TLS (local.http.ssl in the properties)' || fail "TLS is not named"
result '.phases[] | .evidence' | shows 'health port 8082.*refused from the routers only; traffic ports 8998' || fail "ports are not named"

er_start m1 restart mp --reason "new certificate"
wait_for 60 er_phase notice
has_from() { in_node m1 nft list set inet edge_roll from4 | shows "8082 \. $(ip4 "$1")"; }
assert has_from r1
assert has_from r2
assert not has_from client
assert_same "$(in_net client curl -s -m 2 "http://$(ip4 m1):8082/v1/servers/self/up")" true "the management port from elsewhere"
# The routers have noticed, nobody else has: not one of its calls was refused.
wait_for 60 er_phase stop-monit
assert load_has '.kinds.management.failed == 0'
er_wait
assert_result "done" 0
tell_phases
load_more 60
load_stop
# While it is down its management is, too.
assert_same "$(jq '[.kinds | to_entries[] | select(.key != "management") | .value.failed] | add' "$LAB/load/summary")" 0 \
        "requests lost: $(grep -v management "$LAB/load/failures" | head -n 5)"
assert_same "$(lb_lost | wc -l)" 0 "requests the load balancer saw lost"
assert_restarted m1 "$before"
assert_no_block m1
assert monit_says m1 1
assert_routers_saw_down_and_up m1

# A hold, too, is for the routers only.
er m1 drain mp --reason "new memory"
assert_same "$ER_EXIT" 0 "exit status of drain"
assert has_hold m1
in_node m1 nft list set inet edge_roll_hold from4 | shows "8082 \\. $(ip4 r2)" || fail "r2 is not held off"
assert_same "$(in_net client curl -s -m 2 "http://$(ip4 m1):8082/v1/servers/self/up")" true "the management port from elsewhere"
assert_same "$(in_net r1 curl -s -m 2 "http://$(ip4 m1):8082/v1/servers/self/up" || :)" "" "the management port from a router"
# Also when its record is lost.
in_node m1 rm /var/lib/edge-roll/hold-message-processor.json
er m1 undrain mp
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block m1

# What cannot be read is not taken for "no TLS".
properties m1 conf_message-processor-communication_local.http.ssl=perhaps
er m1 restart mp
assert_result refused 11
result .reason | shows 'perhaps.*neither true nor false' || fail "the odd value is not named: $(result .reason)"
