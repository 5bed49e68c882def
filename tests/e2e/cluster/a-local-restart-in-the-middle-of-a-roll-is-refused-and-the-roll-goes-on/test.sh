# shellcheck shell=bash
# r2 is told to restart by itself while the roll has r1 out: its agent names who has the lease. Also a drain; an undrain is always free.
# takes: 45

before=$(lives_of r1 r2 r3)
regions_load_start 120
bastion_start restart router --cluster --region dc-1 --yes --reason "the roll"
roll=$ER_CALL
wait_for 60 node_phase r1 notice
er r2 restart router
[ "$ER_EXIT" != 0 ] || fail "r2 restarted while r1 was out"
result .reason | shows -i 'lease\|roll' || fail "who has it is not named: $(result .reason)"
er r3 drain router
[ "$ER_EXIT" != 0 ] || fail "r3 was drained while r1 was out"
assert_all_untouched "$before" r2 r3
bastion_wait "$roll"
assert_result "done" 0
regions_proof
assert_all_restarted "$before" r1 r2 r3
assert_order "r1 r2 r3" r1 r2 r3
# The leases are given back: a local restart goes as it did before, if somebody says that nothing protects it.
er r2 restart router
assert_result unprotected 12
er r2 restart router --unprotected="the only one today"
assert_result "done" 0
