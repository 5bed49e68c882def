# shellcheck shell=bash
# Checks every 1.5 s and a watch of 1 s. Nobody is seen twice: refused, and what can be done is said. With check_interval the
# limits follow it; the next job knows the interval, and waits for it.

notice() { result '[.phases[]|select(.phase == "notice")|.elapsed]|add'; }

config r1 '[component router]' 'watch_max = 1s'
LB_INTER=1500ms lb_start
before=$(life r1)
er r1 restart router
assert_result no-checker 13
result .hint | shows check_interval || fail "what to do is not said: $(result .hint)"
assert_as_it_was r1 "$before"

config r1 'check_interval = 1500ms'
er r1 restart router
assert_result "done" 0
assert_restarted r1 "$before"
lb_health | shows "Server routers/r1 is DOWN" || fail "it was not marked down"
jq -en "$(notice) >= 3" >/dev/null || fail "notice took $(notice) s"
say "configured: notice $(notice) s"

# Learned: the key is taken away again.
sed -i '/check_interval/d' "$(node_file r1 /etc/edge-roll/edge-roll.conf.d/60-scenario.conf)"
er r1 drain router --for 1s
assert_result "done" 0
result '.phases[]|select(.phase == "notice")|.evidence' | shows "3/3 by $(ip4 lb) (every 1.5 s)" || fail "it was not waited for"
say "learned: watch $(result '[.phases[]|select(.phase == "watch")|.elapsed]|add') s, notice $(notice) s"
