# shellcheck shell=bash
# The agent dies while the restarted component is not yet proven, and this takes longer than an element of the block lives:
# the next agent keeps the block, for as long as it takes, and ends in a hold.

standin m1 UP=false
config m1 '[component message-processor]' 'limit_ready = 33s' 'request_limit = 3s'
er_start m1 restart mp
wait_for 60 er_phase ready
in_node m1 systemctl kill --signal=KILL edge-roll-agent.service
refused() { ! in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast"; }
# Every attempt from now until the hold is refused.
until has_hold m1; do
        refused || fail "let in before it was proven"
        pause 0.1
done
er_wait
assert_result held 16
assert refused
er m1 undrain mp
assert_no_block m1
