#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs test programs and adds up what they say.
#   tests/run.sh [--e2e RUNNER]... PROGRAM...
# RUNNERs run afterwards, one after another. A PROGRAM is a cmocka binary, or a script whose output is TAP. Exit 77 is a skip, which fails unless
# ALLOW_SKIP=1. TEST_WRAPPER: a command that runs them, as valgrind. The last line is "N passed, M failed".
set -u

passed=0 failed=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# One a line.
e2e=
while [ "${1:-}" = --e2e ]; do
        e2e="$e2e$2
"
        shift 2
done

# Most of their time is waiting, so as many at once as there are processors, and one more.
one='log=$0/$(echo "$1" | tr / _); begin=$(date +%s)
CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "${TEST_TIMEOUT:-300}" ${TEST_WRAPPER:-} "$1" >"$log" 2>&1
echo "$? $(($(date +%s) - begin))" >"$log.status"'
printf '%s\n' "$@" | xargs -P "$(($(nproc) + 1))" -n 1 sh -c "$one" "$logs"

for program in "$@"; do
        name=$(basename "$program")
        log=$logs/$(echo "$program" | tr / _)
        read -r status took <"$log.status" || status=1 took=?
        good=$(grep -c '^ok ' "$log")
        bad=$(grep -c '^not ok ' "$log")
        # What cannot be tested in a wrapper (lib/wrapped.h); anywhere else a skip is a failure.
        [ -z "${TEST_WRAPPER:-}" ] || bad=$((bad - $(grep -c '^not ok [0-9]* # SKIP' "$log")))
        case $status in
        77)
                reason=$(tail -1 "$log")
                if [ "${ALLOW_SKIP:-0}" = 1 ]; then
                        echo "skip $name: $reason"
                else
                        bad=$((bad + 1))
                        echo "FAIL $name: skipped, and skips are not allowed here: $reason"
                fi
                ;;
        *)
                # A program that died without saying which test failed is one failure.
                if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
                        bad=1
                        [ $status -ne 124 ] || echo "FAIL $name: took longer than ${TEST_TIMEOUT:-300} s"
                fi
                if [ "$bad" -gt 0 ]; then
                        echo "FAIL $name (exit $status)"
                        tail -60 "$log" | sed 's/^/     /'
                else
                        echo "ok   $name: $good ($took s)"
                fi
                ;;
        esac
        passed=$((passed + good))
        failed=$((failed + bad))
done

# run_e2e RUNNER...: its summary is added to the numbers.
run_e2e() {
        log=$logs/e2e
        { "$@" 2>&1; echo "status $?"; } | tee "$log" | grep -v -e '^[0-9]* passed, [0-9]* failed$' -e '^status [0-9]*$'
        summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1)
        if [ -n "$summary" ]; then
                passed=$((passed + ${summary%% *}))
                rest=${summary#*, }
                failed=$((failed + ${rest%% *}))
                [ "$(tail -1 "$log")" = 'status 0' ] || [ "${rest%% *}" -gt 0 ] || failed=$((failed + 1))
        else
                echo "FAIL end-to-end: the runner died: $(tail -1 "$log")"
                failed=$((failed + 1))
        fi
}

while [ -n "$e2e" ]; do
        # shellcheck disable=SC2086
        run_e2e $(echo "$e2e" | head -n 1) </dev/null
        e2e=$(echo "$e2e" | tail -n +2)
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
