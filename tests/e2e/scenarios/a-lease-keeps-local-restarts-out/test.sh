# shellcheck shell=bash
# A roll has the lease of a router: who restarts or drains it by hand is told to wait, by name; who only looks may; undrain may.
# When it is given back everybody may again.

need_edge_roll
dirty r1
before=$(life r1)
uuid=$(look r1 router .uuid)
assert lease_take r1 roll-1
assert_same "$LEASE" 1 "epoch"
assert_same "$(look r1 router .lease.holder)" roll-1 "holder"
assert_same "$(look r1 router .out)" false "out"

er r1 restart router
assert_result busy 14
result .reason | shows "roll-1, by uid 0 (root), since 20" || fail "it does not say who has the lease: $(result .reason)"
er r1 drain router
assert_result busy 14
er r1 restart router --now
assert_result busy 14
er r1 restart rmp
[ "$ER_EXIT" != 0 ] || fail "a restart of both went through"
er r1 restart router --dry-run
assert_result "done" 0
er r1 undrain router
assert_result not-needed 10
assert_as_it_was r1 "$before"
er_plain r1 status router
shows "leased by the roll roll-1" <"$ER_CALL.json" || fail "status does not tell of the lease: $(cat "$ER_CALL.json")"

# The same again has a new number, and the old one is void.
assert lease_take r1 roll-1
assert_same "$LEASE" 2 "epoch"
bus_refused "lease 1 of router is not in force" r1 LeaseRenew st router 1
bus_refused "leased by the roll roll-1" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$uuid" r1 "" 0
bus_refused "with a reason" r1 LeaseSteal ss router ""
bus_refused "lasts from 5 s to 10 minutes" r1 LeaseTake 'ssa(sss)a{sv}' router roll-1 0 1 ttl t 1000
bus_refused "not of router/elsewhere" r1 LeaseTake 'ssa(sss)a{sv}' router roll-1 0 1 pool s router/elsewhere
# Who may not change anything may not do that either.
! in_node r1 setpriv --reuid=nobody --regid=nogroup --clear-groups busctl call org.edgeroll.Agent1 /org/edgeroll/Agent1 \
        org.edgeroll.Agent1 LeaseSteal ss router because >"$SCENE/out" 2>&1 || fail "a stranger took the lease away"
shows "only root and members of the group" <"$SCENE/out" || fail "$(cat "$SCENE/out")"

# An agent that is idle does not leave as long as somebody counts on it, and says how the component is.
assert lease_renew r1
assert lease_give r1
bus_refused "not in force: it was given back" r1 LeaseRenew st router 2
er r1 drain router
assert_result "done" 0
# Out of traffic: only who knows that gets the lease.
bus_refused "out of traffic: held, by uid 0 (root)" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$uuid" r1 "" 0
assert lease_take r1 roll-2 accept-out b true
assert_same "$LEASE" 3 "epoch"
er r1 undrain router
assert_result "done" 0
assert bus_call r1 LeaseSteal ss router "its roll is gone"
assert_same "$(look r1 router .lease)" null "lease"
in_node r1 journalctl -q -u edge-roll-agent.service | shows "lease 3 taken away by uid 0 (root) (its roll is gone)" ||
        fail "the journal does not tell who took it away"
