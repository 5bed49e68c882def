# shellcheck shell=bash
# The agent lives in a tight sandbox. A component that it has started has everything as if systemd alone had started it, and
# a hook has everything that a transient service of root has: capabilities, limits, namespaces, umask, signals, open files.

need_edge_roll
dirty r1

# /run/look [PROCESS]: everything that a process, otherwise each of these commands itself, has got from who has started it.
in_node r1 sh -c 'cat >/run/look' <<-'LOOK'
	p=/proc/${1:-self}
	grep -E '^(Umask|Groups|Uid|Gid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters|SigBlk|SigIgn|Cpus_allowed|Mems_allowed):' $p/status
	cat $p/limits $p/oom_score_adj
	for n in mnt net pid ipc uts user cgroup; do readlink $p/ns/$n; done
	readlink $p/root $p/cwd
	echo "files: $(ls $p/fd | wc -l)"
LOOK
# The component itself looks, first of all: what HAProxy makes of it later is its own.
in_node r1 sed -i '1a { sh /run/look; cat /proc/self/cgroup; env | sed "s/=.*//" | sort; } >/run/component-has' /opt/apigee/edge-router/bin/run
in_node r1 sh -c 'mkdir -p /etc/edge-roll/hooks.d/verify; cat >/etc/edge-roll/hooks.d/verify/10-look; chmod 755 /etc/edge-roll/hooks.d/verify/10-look' <<-'HOOK'
	#!/bin/sh
	sh /run/look >/run/hook-has
HOOK
in_node r1 systemctl restart "$(unit_of r1)"
wait_for 20 component_ready r1
wait_for 20 router_open r1
in_node r1 mv /run/component-has /run/by-systemd

before=$(life r1)
er r1 restart router --reason "who inherits what"
assert_result "done" 0
assert_restarted r1 "$before"
in_node r1 cat /run/by-systemd >"$SCENE/by-systemd"
in_node r1 cat /run/component-has >"$SCENE/by-edge-roll"
diff "$SCENE/by-systemd" "$SCENE/by-edge-roll" >&2 || fail "the router has got something of the agent"
say "the router: $(grep -E '^(CapBnd|NoNewPrivs|Seccomp_filters|Umask):' "$SCENE/by-edge-roll" | tr -s '\t\n' ' ')"
in_node r1 systemd-run --quiet --wait sh -c "sh /run/look >/run/plain-has"
in_node r1 cat /run/plain-has >"$SCENE/plain"
in_node r1 cat /run/hook-has >"$SCENE/hook"
diff "$SCENE/plain" "$SCENE/hook" >&2 || fail "a hook has got something of the agent"

# What is compared does tell the agent from those.
in_node r1 sh /run/look "$(in_node r1 systemctl show -P MainPID edge-roll-agent.service)" >"$SCENE/agent"
for what in CapBnd NoNewPrivs Seccomp_filters Umask mnt:; do
        ! grep -F "$what" "$SCENE/agent" | shows -xF "$(grep -F "$what" "$SCENE/by-edge-roll")" || fail "the agent itself is not told from the router by $what"
done
