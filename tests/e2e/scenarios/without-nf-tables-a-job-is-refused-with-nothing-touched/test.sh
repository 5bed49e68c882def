# shellcheck shell=bash
# A kernel without nf_tables: jobs and dry runs are refused in one sentence, status goes on answering, and nothing was touched.

dirty r1
tool_build without-netfilter
cp "$LAB/bin/without-netfilter" "$(node_file r1 /usr/bin/without-netfilter)"
in_node r1 mkdir -p /etc/systemd/system/edge-roll-agent.service.d
printf '%s\n' '[Service]' 'ExecStart=' 'ExecStart=/usr/bin/without-netfilter /usr/bin/edge-roll agent' \
        >"$(node_file r1 /etc/systemd/system/edge-roll-agent.service.d/without.conf)"
in_node r1 systemctl daemon-reload
monit_start r1
before=$(life r1)
for call in "restart router" "drain router" "restart router --dry-run"; do
        # shellcheck disable=SC2086
        er r1 $call
        assert_result refused 11
        result .reason | shows 'this kernel has no netfilter netlink; load the module nfnetlink' || fail "$(result .reason)"
        result .hint | shows 'nf_tables in the kernel' || fail "$(result .hint)"
done
assert_as_it_was r1 "$before"
assert monit_says r1 1
assert lb_says r1 UP
er r1 status router
assert_same "$ER_EXIT" 0 "exit status of status"
