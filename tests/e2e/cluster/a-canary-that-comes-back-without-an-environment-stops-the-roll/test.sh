# shellcheck shell=bash
# m1 comes back without one of its two environments: held, named, and nobody else is touched.

# shellcheck disable=SC2086
before=$(lives_of $NODES)
standin m1 "ENVIRONMENTS=test"
regions_load_start 120
bastion_er restart all --cluster --yes
assert_result held 16
result .reason | shows 'm1.*prod' || fail "what is missing is not named: $(result .reason)"
# shellcheck disable=SC2086
assert_all_untouched "$before" r1 r2 r3 r4 r5 r6 m2 m3 m4
assert has_hold m1
bastion_plain status --cluster
shows 'm1.*held' <"$ER_CALL.json" || fail "status does not show the hold: $(cat "$ER_CALL.json")"
assert_never_two
