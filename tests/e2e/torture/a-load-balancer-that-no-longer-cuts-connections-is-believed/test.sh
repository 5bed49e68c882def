# shellcheck shell=bash
# An earlier job has seen this load balancer cut what was in flight. The next one says so before it touches anything; and when
# the load balancer has been taught, it is forgotten.

cuts() { jq -rs '[.[] | select(.event == "warning") | .text] | .[]' "$ER_CALL.json" | grep " cut "; }

lb_start
printf '{"format": 1, "address": "%s", "cut": 8, "in_flight": 8, "time": %s}\n' "$(ip4 lb)" "$(date +%s)" \
        >"$(node_file r1 /var/lib/edge-roll/cut-router.json)"
load_start 90 "kept:name=slow,to=$(ip4 lb):80,path=/slow/2.5,n=16"
er r1 drain router --for 1s
assert_result "done" 0
cuts | shows "^$(ip4 lb) cut .* at its mark-down on .*: if it still does" || fail "what was learned is not told: $(cuts)"
assert_same "$(cuts | wc -l)" 1 "warnings of a cut"
wait_for 10 no_block r1
load_stop
assert_nothing_lost
in_node r1 test ! -e /var/lib/edge-roll/cut-router.json || fail "what is no longer so was not forgotten"
