# shellcheck shell=bash
# Router and message processor of one node are in pools of their own: whoever restarts both has both leases, and one that somebody
# else has is enough to be refused.

need_edge_roll
rmp_up
# take COMPONENT HOLDER: its lease, with this node as the whole pool; EPOCH is its number.
take() {
        bus_call rmp1 LeaseTake 'ssa(sss)a{sv}' "$1" "$2" 1 "$(look rmp1 "$1" .uuid)" rmp1 "" 1 ttl t 120000000 || return
        EPOCH=$(jq '.[0]' <<<"$BUS_DATA")
}
# restart_both STEP LEASE OF-THE-PARTNER: the arguments of the call.
restart_both() {
        BOTH=(Restart 'sa{sv}' rmp 5 lease t "$2" lease-partner t "$3" step t "$1" expires t "$(boot_usec 10)" roll s roll-1)
}
assert_same "$(look rmp1 router .partner) $(look rmp1 mp .partner)" "message-processor router" "partners"

assert take message-processor roll-2
er rmp1 restart rmp
assert_result busy 14
result .reason | shows "message-processor is leased by the roll roll-2" || fail "reason: $(result .reason)"
assert take router roll-1
router=$EPOCH
bus_refused "needs lease-partner, step and expires" rmp1 Restart 'sa{sv}' rmp 4 lease t "$router" step t 1 expires t "$(boot_usec 10)" roll s roll-1
restart_both 1 "$router" 1
bus_refused "lease 1 of message-processor is that of another roll, roll-2" rmp1 "${BOTH[@]}"
assert bus_call rmp1 LeaseSteal ss message-processor "it is needed for both"
assert take message-processor roll-1
restart_both 1 "$router" "$EPOCH"
assert bus_call rmp1 "${BOTH[@]}"
wait_for 120 no_job rmp1
assert_same "$(last rmp1 '"\(.kind) \(.result) \(.roll) \(.step) \(.protection) \(.partner.result) \(.partner.protection)"')" \
        "restart-rmp done roll-1 1 lease done lease" "how it ended"
# The message processor's own record says it, too.
assert_same "$(look rmp1 mp '.last | "\(.result) \(.roll) \(.step)"')" "done roll-1 1" "how its message processor ended"

# The router is out when the lease of the message processor ends: that one is not taken out any more, and the router is given back.
in_net client curl -s -o /dev/null "http://$(ip4 rmp1):9001/slow/8" &
long=$!
restart_both 2 "$router" "$EPOCH"
assert bus_call rmp1 "${BOTH[@]}"
wait_for 60 in_phase rmp1 drain
assert bus_call rmp1 LeaseGive st message-processor "$EPOCH"
wait_for 90 no_job rmp1
wait $long || fail "the request in flight was lost"
assert_same "$(last rmp1 .result)" refused "how it ended without the other lease"
last rmp1 .reason | shows "message-processor: .*its coordinator is gone: lease $EPOCH of roll-1 was given back" || fail "reason: $(last rmp1 .reason)"
assert_no_block rmp1
