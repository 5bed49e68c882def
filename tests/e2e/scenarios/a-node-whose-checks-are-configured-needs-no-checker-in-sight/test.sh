# shellcheck shell=bash
# The administrator says how it is checked; that is believed, waited for, and told as a warning.

LB_CHECK=none lb_start
config r1 '[component router]' 'check_interval = 500ms' 'check_fall = 3' 'limit_return = 4s'
before=$(life r1)
er r1 restart router
# Nobody is seen checking again either, and that is no "done".
assert_result not-readmitted 17
result '.warnings[]' | shows check_interval || fail "no warning that nobody was seen"
jq -es '[.[] | select(.event == "phase" and .phase == "notice" and .state == "end")][0].elapsed >= 1.5' "$ER_CALL.json" >/dev/null ||
        fail "notice took less than three configured intervals"
assert_restarted r1 "$before"
assert_no_block r1
