# shellcheck shell=bash
# The table of holds belongs to nobody, so `nft flush ruleset` takes it. What is held is open then: status says so and names what
# puts it back, and that does; a restart and undrain cope.

er r1 drain router --reason "by hand"
assert_same "$ER_EXIT" 0 "exit status of drain"
in_node r1 nft flush ruleset
wait_for 15 lb_says r1 UP
er_plain r1 status router
assert_same "$ER_EXIT" 16 "exit status of status"
assert grep -qF "health port 15999 open ALTHOUGH it is held" "$ER_CALL.json"
puts_back=$(sed -n 's/.*its firewall table is not: \(systemctl .*\) puts it up$/\1/p' "$ER_CALL.json")
# shellcheck disable=SC2086
in_node r1 $puts_back
assert has_hold r1
wait_for 15 lb_says r1 DOWN
er_plain r1 status router
assert grep -qF "health port 15999 blocked by the hold" "$ER_CALL.json"

# In the middle of a restart of what is held: both tables are put back.
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/3" &
config r1 '[agent]' 'nft_owner = none'
er_start r1 restart router
wait_for 30 er_phase drain
in_node r1 nft flush ruleset
wait_for 2 er_event '.event == "warning" and (.text | test("the hold was taken away by somebody; put back"))'
assert has_hold r1
assert lb_says r1 DOWN
in_node r1 edge-roll cancel router >/dev/null
er_wait
assert_result gave-back 15
assert has_hold r1
in_node r1 nft flush ruleset
er r1 undrain router
assert_same "$ER_EXIT" 0 "exit status of undrain"
assert_no_block r1
assert not in_node r1 test -e /var/lib/edge-roll/hold-router.json
