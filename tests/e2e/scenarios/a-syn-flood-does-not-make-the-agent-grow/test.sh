# shellcheck shell=bash
# SYN from 20,000 invented addresses on the health port and on the traffic port, while a job runs: what the agent remembers is
# bounded, that not all can be followed is told, the refusing goes on, and the job ends in good order.

tool_build flood
rss() { in_node r1 sh -c 'sed -n "s/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p" /proc/$(systemctl show -P MainPID edge-roll-agent.service)/status'; }
flood() {
        RUN_AS="exec" in_net client "$LAB/bin/flood" "$(ip4 r1)" "$1" 10.66 20000 8000 >"$SCENE/flood.$1" </dev/null &
        disown
}
flooded() { [ "$(cat "$SCENE/flood.$1" 2>/dev/null)" = 20000 ]; }

# What is answered goes nowhere.
in_node r1 ip route add blackhole 10.66.0.0/16
config r1 '[component router]' 'limit_notice = 8s'
before=$(life r1)
er_start r1 drain router --for 1s
wait_for 10 er_phase watch
first=$(rss)
# The checker has a place in the sets before the flood comes.
wait_for 5 er_event '.event == "progress" and (.text | test("seen 3/2"))'
flood 15999
er_wait
wait_for 10 flooded 15999
# Those who are refused among so many are counted in full, or not at all; either way this is an end in good order.
case $(result .result) in
"done" | gave-back) ;;
*) fail "the job ended with $(result .result): $(result .reason)" ;;
esac
result '.warnings[]' | shows "more than 1024 addresses" || fail "that not all are followed is not told: $(result .warnings)"
wait_for 10 no_block r1
say "health port: $(result .result), VmRSS $first kB before, $(rss) kB after"

# On the traffic port a flood looks like traffic that does not stop.
er_start r1 restart router
wait_for 10 er_phase watch
flood 9001
er_wait
wait_for 10 flooded 9001
case $(result .result) in
"done" | gave-back) ;;
*) fail "the job ended with $(result .result): $(result .reason)" ;;
esac
last=$(rss)
say "traffic port: $(result .result), VmRSS $last kB"
[ $((last - first)) -lt 4096 ] || fail "the agent grew from $first kB to $last kB"
assert_no_block r1
[ "$(result .result)" != gave-back ] || assert_untouched r1 "$before"
