# shellcheck shell=bash
# Two load balancers check from one address, as behind NAT: taken for one that checks twice as often, `fall` refusals would be
# over before either has marked the node down. A monitor that looks in once is no checker.

# noticed_at, down_at DIR: when the job called it noticed, and when this one had marked r1 down; microseconds.
noticed_at() { in_node r1 journalctl -q -o short-unix -t edge-roll | sed -n 's/^\([0-9]*\)\.\([0-9]*\) .*notice: ok:.*/\1\2/p' | tail -n 1; }
down_at() { date -d "$(sed -n 's/^\([^ ]*\) .*Server routers\/r1 is DOWN.*/\1/p' "$1/log" | tail -n 1)" +%s%6N; }

both_noticed() {
        local dir noticed
        noticed=$(noticed_at)
        for dir in "$LAB/lb" "$LAB/lb2"; do
                [ "$(down_at "$dir")" -le "$noticed" ] || fail "$dir had not marked r1 down when it was called noticed"
        done
}

config r1 '[component router]' 'watch_max = 5s'
LB_INTER=1s lb_start
LB_DIR=$LAB/lb2 LB_BIND=0.0.0.0:81 LB_INTER=1s lb_start
er_start r1 drain router --for 1s
wait_for 10 er_phase watch
in_net client curl -s -m 2 -o "$SCENE/visit" "http://$(ip4 r1):15999/v1/servers/self/reachable"
er_wait
assert_result "done" 0
both_noticed
result '.checkers[]|select(.awaited)|.checkers' | shows '^2$' || fail "two behind one address are not seen: $(result .checkers)"
result '.checkers[]|select(.awaited|not)|.address' | shows "^$(ip4 client)$" || fail "the visitor is not listed"
say "two, every 1 s each: $(result '.phases[] | select(.phase == "notice") | "notice \(.elapsed) s: \(.evidence)"')"
