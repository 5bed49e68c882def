# shellcheck shell=bash
# r3 is a pool of its own: without --allow-outage refused before anything, with it the plan says what will happen.

config r3 '[pool]' 'name = lonely'
before=$(lives_of r3)
bastion_er restart router --cluster --limit r3 --yes
assert_same "$(result .result)" refused "result"
result .hint | shows 'allow-outage' || fail "the way on is not named: $(result .hint)"
assert_all_untouched "$before" r3
bastion_plain plan restart router --cluster --limit r3 --allow-outage
shows -i 'no other\|outage' <"$ER_CALL.json" || fail "the outage is not told: $(cat "$ER_CALL.json")"
bastion_er restart router --cluster --limit r3 --yes --allow-outage
assert_result "done" 0
assert_all_restarted "$before" r3
