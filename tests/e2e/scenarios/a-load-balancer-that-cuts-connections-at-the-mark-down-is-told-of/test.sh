# shellcheck shell=bash
# HAProxy's on-marked-down shutdown-sessions resets what is in flight when a check fails. No restart behind it can be without
# loss: the job says so with numbers, and keeps it.

cuts() { jq -rs '[.[] | select(.event == "warning") | .text] | .[]' "$ER_CALL.json" | grep " cut "; }

LB_SERVER="on-marked-down shutdown-sessions" lb_start
load_start 90 "kept:name=slow,to=$(ip4 lb):80,path=/slow/2.5,n=16" "kept:name=fast,to=$(ip4 lb):80,path=/fast,n=8,every=0.1"
er r1 drain router --for 1s
assert_result "done" 0
cuts | shows "^$(ip4 lb) cut [0-9]* of [0-9]* connections that had a request in flight, [0-9.]* s after a check" ||
        fail "the cut is not told: $(result '.warnings')"
say "$(cuts)"
wait_for 10 no_block r1
load_stop
[ "$(load_total failed)" -gt 0 ] || fail "nothing was cut: this shows nothing"
say "load: $(load_total failed) requests cut by the load balancer"
jq -e ".cut > 0" <"$(node_file r1 /var/lib/edge-roll/cut-router.json)" >/dev/null || fail "it is not kept for the next job"
