# shellcheck shell=bash
# Without a checker there is no proof that anybody would notice: refused, nothing touched.

LB_CHECK=none lb_start
monit_start r1
before=$(life r1)
er r1 restart router
assert_result no-checker 13
assert_as_it_was r1 "$before"
assert monit_says r1 1
