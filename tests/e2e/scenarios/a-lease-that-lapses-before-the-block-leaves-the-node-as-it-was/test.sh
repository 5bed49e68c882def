# shellcheck shell=bash
# The coordinator is gone: nobody renews its lease. A job that has not taken the node out yet ends by itself, wherever it is:
# while it watches, while it waits for its word, while a hook runs between the place and the block, and before the stop of the graceful way.

need_edge_roll
hook() { # NODE LINE
        in_node "$1" sh -c 'mkdir -p /etc/edge-roll/hooks.d/before-block; cat >/etc/edge-roll/hooks.d/before-block/10-wait
                chmod 755 /etc/edge-roll/hooks.d/before-block/10-wait' <<<"#!/bin/sh
$2"
}
ended_as() { # NODE RESULT LIFE
        wait_for 40 no_job "$1"
        assert_same "$(last "$1" .result)" "$2" "result"
        last "$1" .reason | shows "its coordinator is gone: lease [0-9]* of roll-1 was not renewed within [58]\(\.00\)\? s" || fail "reason: $(last "$1" .reason)"
        last "$1" .hint | shows "edge-roll resume roll-1" || fail "hint: $(last "$1" .hint)"
        assert_as_it_was "$1" "$3"
        assert_same "$(look "$1" "$(component_name "$1")" .out)" false "out"
}

# Nobody checks, so the watch lasts longer than the lease.
config r1 '[component router]' 'watch_max = 25s'
lb_stop
before=$(life r1)
assert lease_take r1 roll-1 ttl t 5000000
assert ordered r1 Restart 1 roll-1
wait_for 10 in_phase r1 watch
ended_as r1 refused "$before"

# It waits for a word that nobody says any more; its agent dies on top of that, and the next one does not wait either.
lb_start
wait_for 20 lb_says r2 UP
before=$(life r2)
assert lease_take r2 roll-1 ttl t 8000000
assert ordered r2 Restart 1 roll-1 await-go b true
wait_for 10 in_phase r2 place
ended_as r2 refused "$before"
assert lease_take r2 roll-1 ttl t 8000000
assert ordered r2 Restart 1 roll-1 await-go b true
wait_for 10 in_phase r2 place
in_node r2 systemctl kill --signal=STOP edge-roll-agent.service
late=$(boot_usec 8)
wait_for 10 same_or_later "$late"
in_node r2 systemctl kill --signal=KILL edge-roll-agent.service
ended_as r2 refused "$before"

# It has the place, and a hook takes its time.
config r2 '[agent]' 'hook_limit = 20s'
before=$(life r2)
in_node r2 mkfifo /run/never
hook r2 'touch /run/hook; until test -e /run/go; do timeout 0.2 cat /run/never; done 3<>/run/never; exit 0'
assert lease_take r2 roll-1 ttl t 8000000
assert ordered r2 Restart 1 roll-1
wait_for 20 in_node r2 test -e /run/hook
assert in_phase r2 block
wait_for 12 lease_over r2
# Nobody else gets it all the same: the job has the right to go out.
bus_refused "a restart of router runs" r2 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$(look r2 router .uuid)" r2 "" 1 accept-out b true
in_node r2 touch /run/go
ended_as r2 gave-back "$before"

# The graceful way of a message processor refuses nothing before its stop, which is what is looked at there.
config m1 '[agent]' 'hook_limit = 20s'
in_node m1 mkfifo /run/never
hook m1 'touch /run/hook; until test -e /run/go; do timeout 0.2 cat /run/never; done 3<>/run/never; exit 0'
before=$(life m1)
assert lease_take m1 roll-1 ttl t 8000000
assert ordered m1 Restart 1 roll-1 mp-leave s graceful
wait_for 20 in_node m1 test -e /run/hook
assert_same "$(look m1 message-processor .job.kind)" restart-graceful "kind"
wait_for 12 lease_over m1
in_node m1 touch /run/go
ended_as m1 gave-back "$before"
