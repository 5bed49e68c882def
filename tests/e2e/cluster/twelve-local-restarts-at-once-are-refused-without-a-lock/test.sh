# shellcheck shell=bash
# The same twelve know each other and have no lock: none may go.
# takes: 40

more_routers_up
# A value goes on in the next line.
mapfile -t members < <(for name in $TWELVE; do echo "  $(uuid_of "$name")"; done)
for name in $TWELVE; do config "$name" 'lock = none' 'members =' "${members[@]}"; done
# shellcheck disable=SC2086
before=$(lives_of $TWELVE)
for name in $TWELVE; do restart_start "$name"; done
for name in $TWELVE; do
        bastion_wait "${CALLS[$name]}"
        assert_result unprotected 12
done
# shellcheck disable=SC2086
assert_all_untouched "$before" $TWELVE
assert_never_two
