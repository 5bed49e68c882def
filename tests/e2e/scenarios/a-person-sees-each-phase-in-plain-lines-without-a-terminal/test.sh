# shellcheck shell=bash
# What goes into a log file: every phase in order, no control characters.

er_plain r1 restart router
assert_same "$ER_EXIT" 0 "exit status"
last=0
for phase in preflight watch place block notice drain stop start ready unblock return; do
        at=$(grep -n -m1 "^$phase " "$ER_CALL.json" | cut -d: -f1)
        [ -n "$at" ] || fail "phase $phase is not shown"
        [ "$at" -ge "$last" ] || fail "phase $phase is shown before an earlier one"
        last=$at
done
assert not grep -q "$(printf '\033')" "$ER_CALL.json"
