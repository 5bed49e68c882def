# shellcheck shell=bash
# ZooKeeper says nothing for longer than a session, between the place and the block (a hook runs meanwhile): the place may have been
# taken away unseen. The job gives back, and refuses nothing.

zk_start
zk_nodes r1 r2
zk_register r2
config r1 '[agent]' 'hook_limit = 30s'
in_node r1 mkfifo /run/never
in_node r1 sh -c 'mkdir -p /etc/edge-roll/hooks.d/before-block; cat >/etc/edge-roll/hooks.d/before-block/10-wait
        chmod 755 /etc/edge-roll/hooks.d/before-block/10-wait' <<'HOOK'
#!/bin/sh
touch /run/hook; until test -e /run/go; do timeout 0.2 cat /run/never; done 3<>/run/never; exit 0
HOOK
before=$(life r1)
er_start r1 restart router --wait=30s
wait_for 40 in_node r1 test -e /run/hook
zk_freeze 1 2 3
silent=$(boot_usec 12) # a session is 4 s here
wait_for 20 same_or_later "$silent"
in_node r1 touch /run/go
er_wait
zk_thaw 1 2 3
assert_result gave-back 15
result .reason | shows "ZooKeeper has not been heard of for longer than a session" || fail "reason: $(result .reason)"
assert_as_it_was r1 "$before"
wait_for 30 place_free r1
