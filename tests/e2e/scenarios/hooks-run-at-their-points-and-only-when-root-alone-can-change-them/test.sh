# shellcheck shell=bash
# Commands of the administrator before the block, in verify, after the return and on hold: with what they print told, in
# services of their own, and with what their failure means.

hook() { # NODE POINT/NAME LINE...
        local path=/etc/edge-roll/hooks.d/$2
        in_node "$1" sh -c "mkdir -p ${path%/*}; cat >$path; chmod 755 $path" <<<"#!/bin/sh
$(printf '%s\n' "${@:3}")"
}
tells='echo "$EDGE_ROLL_HOOK $EDGE_ROLL_COMPONENT $EDGE_ROLL_PHASE $EDGE_ROLL_KIND <$EDGE_ROLL_RESULT> $EDGE_ROLL_REASON" >>/run/hooks'

hook r1 before-block/10-silence "$tells" 'nft list tables | grep -c edge_roll_hold' 'cat /proc/self/cgroup' 'exit 0'
hook r1 verify/20-second "$tells" 'echo second'
hook r1 verify/10-first "$tells" 'echo first'
hook r1 after-return/10-speak "$tells" 'echo no such service; exit 3'
hook r1 on-hold/10-page "$tells"
er r1 doctor router
assert er_event '.about == "hooks" and (.text | test("verify/10-first, verify/20-second"))'
er r1 restart router --reason "with hooks"
assert_result "done" 0
assert_same "$(in_node r1 cat /run/hooks)" "before-block router block restart <> with hooks
verify router verify restart <> with hooks
verify router verify restart <> with hooks
after-return router return restart <done> with hooks" "what the hooks were told"
assert_same "$(jq -rs '[.[] | select(.event == "hook" and .point == "verify") | .output] | join("")' "$ER_CALL.json")" "first
second" "order in verify"
assert er_event '.event == "hook" and .point == "before-block" and (.output | test("edge-roll-run-hook.service"))'
result '.warnings[]' | shows 'after-return/10-speak.*no such service' || fail "a failed after-return was not told"
in_node r1 journalctl -q MESSAGE_ID=6f0ad1d0b2a34b6c9a8f3de0a1c7b522 | shows 10-speak || fail "not in the journal"

# One of verify says no: held, and who is to know that is told.
hook r1 verify/30-no 'echo certificate is the old one; exit 1'
er r1 restart router
assert_result held 16
result .reason | shows 'verify/30-no.*certificate is the old one' || fail "the reason does not name the hook: $(result .reason)"
in_node r1 tail -n 1 /run/hooks | shows '^on-hold router hold restart <held> hook verify/30-no' || fail "on-hold was not told"
assert has_hold r1

# One before the block says no, or takes too long: nothing was done, and who was told before is told again.
before=$(life m1)
hook m1 before-block/10-silence "$tells" 'exec tail -f /dev/null'
hook m1 after-return/10-speak "$tells"
config m1 '[agent]' 'hook_limit = 1s'
er_start m1 restart mp
wait_for 20 er_event '.event == "progress" and (.text | test("hook before-block"))'
# Its agent dies meanwhile: the next one waits for the hook that still runs, and runs it again.
in_node m1 systemctl kill --signal=KILL edge-roll-agent.service
er_wait
assert_result refused 11
assert_same "$(in_node m1 grep -c ^before-block /run/hooks)" 2 "how often it was run"
result .reason | shows 'before-block/10-silence' || fail "the reason does not name the hook: $(result .reason)"
in_node m1 tail -n 1 /run/hooks | shows '^after-return .* undo restart <gave-back>' || fail "nobody was told that it is over"
assert_as_it_was m1 "$before"

# What others may change is not run as root.
in_node m1 chmod g+w /etc/edge-roll/hooks.d/before-block/10-silence
in_node m1 rm /run/hooks
er m1 restart mp
assert_result refused 11
result .reason | shows 'can be written by others' || fail "the reason does not say why: $(result .reason)"
assert not in_node m1 test -e /run/hooks
er m1 doctor mp
assert_result problems 20
assert_as_it_was m1 "$before"
