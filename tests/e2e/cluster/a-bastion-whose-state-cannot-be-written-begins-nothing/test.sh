# shellcheck shell=bash
# The folder of its journals is full: refused before anything. It fills up in the middle of a roll: that node ends, no other begins
# that could not be written down, and what is there can be read.

before=$(lives_of r1 r2 r3)
in_node bastion mkdir -p /var/lib/edge-roll/rolls
in_node bastion mount -t tmpfs -o size=16k,nr_inodes=20 full /var/lib/edge-roll/rolls
full() { in_node bastion dd if=/dev/zero of=/var/lib/edge-roll/rolls/filler bs=1k 2>/dev/null || :; }
full
bastion_er restart router --cluster --region dc-1 --yes
[ "$ER_EXIT" != 0 ] || fail "a roll that cannot be written down went"
jq -r '.. | strings' "$ER_CALL.json" | shows -i 'space\|/var/lib/edge-roll/rolls' || fail "not told why: $(cat "$ER_CALL.json")"
assert_all_untouched "$before" r1 r2 r3
in_node bastion rm -f /var/lib/edge-roll/rolls/filler
regions_load_start 120
bastion_start restart router --cluster --region dc-1 --yes
wait_for 60 node_phase r1 drain
full
bastion_wait
assert_all_restarted "$before" r1
assert_no_block r1
jq -r '.. | strings' "$ER_CALL.json" | shows -i 'space\|/var/lib/edge-roll/rolls' || fail "not told why: $(cat "$ER_CALL.json")"
bastion_plain history
shows router <"$ER_CALL.json" || fail "no history: $(cat "$ER_CALL.json" "$ER_CALL.err")"
regions_proof
