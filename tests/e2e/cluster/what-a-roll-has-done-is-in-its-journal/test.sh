# shellcheck shell=bash
# history and show, after a roll that went well and one that stopped.
# takes: 60

bastion_er restart router --cluster --region dc-1 --yes --reason "a good one"
assert_result "done" 0
good=$(result .roll)
standin r4 START=fails
bastion_er restart router --cluster --region dc-2 --yes --reason "a bad one"
assert_result held 16
bad=$(result .roll)
bastion_plain history
shows "$good.* done .*3 of 3" <"$ER_CALL.json" || fail "the good one is not in the history: $(cat "$ER_CALL.json")"
shows "$bad.* held .*1 failed" <"$ER_CALL.json" || fail "the bad one is not in the history: $(cat "$ER_CALL.json")"
bastion_plain show "$good"
shows 'a good one' <"$ER_CALL.json" || fail "show does not say why: $(cat "$ER_CALL.json")"
bastion_plain show "$bad"
shows 'r4.*held' <"$ER_CALL.json" || fail "show does not say what became of r4: $(cat "$ER_CALL.json")"
# Each line of each journal is whole.
in_node bastion sh -c 'for f in /var/lib/edge-roll/rolls/*.jsonl; do jq -e . "$f" >/dev/null || exit; done'
