# shellcheck shell=bash
# Two load balancers check from one address with different intervals: the slower one counts.

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
LB_INTER=500ms lb_start
LB_DIR=$LAB/lb2 LB_BIND=0.0.0.0:81 LB_INTER=1s lb_start
er r1 drain router --for 1s
assert_result "done" 0
both_noticed
say "every 0.5 s and 1 s: $(result '.phases[] | select(.phase == "notice") | "notice \(.elapsed) s: \(.evidence)"')"
