# shellcheck shell=bash
# ops is in group edge-roll on every node, guest is not. guest may ask how things stand, and that is all.

before=$(lives_of r1 r2 r3)
regions_load_start 120
BASTION_USER=guest bastion_er restart router --cluster --region dc-1 --yes
assert_same "$(result .result)" no-permission "result for guest"
assert_all_untouched "$before" r1 r2 r3
BASTION_USER=guest bastion_er status --cluster
assert_same "$ER_EXIT" 0 "status for guest"
BASTION_USER=guest bastion_er nodes --cluster
assert_same "$ER_EXIT" 0 "nodes for guest"
BASTION_USER=ops bastion_er restart router --cluster --region dc-1 --yes --reason "as ops"
assert_result "done" 0
assert_all_restarted "$before" r1 r2 r3
in_node r1 journalctl -q -o cat -t edge-roll | shows 'asked by uid 2001 (ops)' || fail "the journal of r1 does not say who asked"
BASTION_USER=ops bastion_plain history
shows 'router' <"$ER_CALL.json" || fail "ops has no history: $(cat "$ER_CALL.json")"
regions_proof
