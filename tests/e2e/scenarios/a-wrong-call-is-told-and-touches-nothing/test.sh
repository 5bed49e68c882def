# shellcheck shell=bash
# Arguments and configuration: exit status 2 with the place of the fault.

before=$(life r1)
er r1 restart nonsense
assert_same "$ER_EXIT" 2 "unknown component"
er r1 restart router --nonsense
assert_same "$ER_EXIT" 2 "unknown option"
er r1 drain router --for soon
assert_same "$ER_EXIT" 2 "no duration"
er r1 restart
assert_same "$ER_EXIT" 2 "no component"
assert_as_it_was r1 "$before"

config r1 '[component router]' 'quiet_time = often'
er r1 restart router
assert_same "$ER_EXIT" 2 "wrong configuration"
cat "$ER_CALL.json" "$ER_CALL.err" | shows '60-scenario.conf:2' || fail "the place of the fault is not named"
assert_as_it_was r1 "$before"
