# shellcheck shell=bash
# r1 and r2 do not start again. With --max-failures 1 the roll goes on behind r1 and stops at r2; both are held and named.
# takes: 60

for name in r1 r2 r3 r4 r5 r6; do config "$name" '[pool]' 'name = six'; done
standin r1 START=fails
standin r2 START=fails
before=$(lives_of r3 r4 r5 r6)
bastion_er restart router --cluster --yes --max-unavailable 2 --max-failures 1
assert_result held 16
assert has_hold r1
assert has_hold r2
assert_same "$(pool_blocks r1 r2 r3 r4 r5 r6 | two_out 2)" "" "three out at once"
# With both held nobody else may go; who was under way with the second is finished.
assert_all_untouched "$before" r4 r5 r6
# A person sees what to do about each.
bastion_plain show "$(result .roll)"
for name in r1 r2; do shows "$name.*held" <"$ER_CALL.json" || fail "what became of $name is not shown: $(cat "$ER_CALL.json")"; done
shows 'edge-roll undrain router' <"$ER_CALL.json" || fail "how to give them back is not said: $(cat "$ER_CALL.json")"
