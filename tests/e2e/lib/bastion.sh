# shellcheck shell=bash
# The bastion: a node without a component, from which edge-roll reaches the others by ssh. Root's own configuration and key, those
# of ops (in group edge-roll on every node) and of guest (in no group).

INVENTORY=/etc/edge-roll/inventory.ini

bastion_new() {
        local root=$LAB/nodes/bastion/root user home name
        node_make bastion || return
        for user in root $LAB_USERS; do
                home=$root/root
                [ "$user" = root ] || home=$root/home/$user
                mkdir -p "$home/.ssh"
                cp "$LAB/keys/$user" "$home/.ssh/id_ed25519"
                [ "$user" != root ] || cp "$LAB/keys/shell" "$home/.ssh/id_shell"
                chmod 600 "$home"/.ssh/id_*
                chmod 700 "$home/.ssh"
                chown -R "$(user_id "$user"):$(user_id "$user")" "$home/.ssh"
        done
        rm -f "$root/root/.ssh/authorized_keys"
        bastion_known_hosts >"$root/etc/ssh/ssh_known_hosts"
        mkdir -p "$root/etc/edge-roll/edge-roll.conf.d"
        mkdir -p "$root/etc/ansible"
        bastion_ansible >"$root/etc/ansible/ansible.cfg"
        bastion_inventory >"$root$INVENTORY"
        bastion_config >"$root/etc/edge-roll/edge-roll.conf.d/50-lab.conf"
        node_boot bastion
}

bastion_known_hosts() {
        local name
        for name in "${!HOST[@]}"; do
                case $name in
                r[0-9]* | m[0-9]*) echo "$name,$(ip4 "$name") $(cut -d' ' -f1,2 "$(host_key "$name").pub")" ;;
                esac
        done
}

# As people write them: a group for each region and kind, ranges, groups of groups.
bastion_inventory() {
        cat <<-'INI'
		[router_dc1]
		r[1:3]

		[router_dc2]
		r[4:6]

		[mp_dc1]
		m1
		m2

		[mp_dc2]
		m[3:4]

		[router:children]
		router_dc1
		router_dc2

		[mp:children]
		mp_dc1
		mp_dc2

		[dc1:children]
		router_dc1
		mp_dc1

		[dc2:children]
		router_dc2
		mp_dc2
	INI
}

# Ansible comes as root by the key that may do anything, edge-roll as whoever calls it.
bastion_ansible() {
        cat <<-'CFG'
		[defaults]
		remote_user = root
		private_key_file = /root/.ssh/id_shell
	CFG
}

bastion_config() {
        cat <<-CONF
		[cluster]
		inventory = $INVENTORY
		soak_low = 0s
		soak_high = 20s
		lost_limit = 20s
		connect_limit = 30s
		answer_limit = 30s
	CONF
}

# bastion_tidy: nothing of the last scenario is left on it, nor a process of it.
bastion_tidy() {
        # shellcheck disable=SC2016
        in_node bastion sh -s 2>/dev/null <<-'TIDY' || return
		pkill -KILL -x edge-roll
		pkill -KILL -x ssh
		umount /var/lib/edge-roll/rolls
		rm -rf /var/lib/edge-roll/rolls /home/*/.local /etc/edge-roll/edge-roll.conf.d/6*
		rm -f /root/.ssh/known_hosts /home/*/.ssh/known_hosts /root/.ssh/config /home/*/.ssh/config
		true
	TIDY
        node_mend bastion
        node_thaw bastion
        in_net bastion nft flush ruleset
        bastion_known_hosts >"$(node_file bastion /etc/ssh/ssh_known_hosts)"
        bastion_inventory >"$(node_file bastion $INVENTORY)"
}

# bastion_conf LINE...: configuration of edge-roll on the bastion, over the lab's own.
bastion_conf() { printf '%s\n' "$@" >>"$(node_file bastion /etc/edge-roll/edge-roll.conf.d/60-scenario.conf)"; }

# on_bastion COMMAND...: as BASTION_USER (root).
on_bastion() {
        local user=${BASTION_USER:-root}
        if [ "$user" = root ]; then
                in_node bastion "$@"
        else
                in_node bastion setpriv --reuid "$user" --regid "$user" --init-groups env HOME="/home/$user" USER="$user" LOGNAME="$user" "$@"
        fi
}

# ---- calls of edge-roll on the bastion. Several may run at once: each has a name of its own, ER_CALL, for bastion_wait and the rest.

# bastion_start ARGUMENT...: in the background, with --json. Its lines are in $ER_CALL.json.
bastion_start() {
        local n
        need_edge_roll
        # shellcheck disable=SC2086
        dirty $NODES
        n=$(($(cat "$SCENE/calls" 2>/dev/null || echo 0) + 1))
        echo "$n" >"$SCENE/calls"
        ER_CALL=$SCENE/$n
        echo "${BASTION_USER:-root}@bastion: edge-roll $*" >"$ER_CALL.call"
        : >"$ER_CALL.json"
        RUN_AS="exec" on_bastion timeout "${ER_LIMIT:-280}" edge-roll "$@" --json >"$ER_CALL.json" 2>"$ER_CALL.err" </dev/null &
        ER_PID=$!
        echo "$ER_PID" >"$ER_CALL.pid"
}

# bastion_wait [CALL]: its end; the status is in ER_EXIT, and ER_CALL is it.
bastion_wait() {
        ER_CALL=${1:-$ER_CALL}
        ER_EXIT=0
        wait "$(cat "$ER_CALL.pid")" || ER_EXIT=$?
        say "$(cat "$ER_CALL.call"): exit $ER_EXIT"
}

bastion_er() {
        bastion_start "$@"
        bastion_wait
}

# bastion_plain ARGUMENT...: as a person sees it, without a terminal.
bastion_plain() {
        need_edge_roll
        # shellcheck disable=SC2086
        dirty $NODES
        ER_CALL=$SCENE/plain
        ER_EXIT=0
        echo "${BASTION_USER:-root}@bastion: edge-roll $*" >"$ER_CALL.call"
        on_bastion timeout "${ER_LIMIT:-280}" edge-roll "$@" >"$ER_CALL.json" 2>"$ER_CALL.err" </dev/null || ER_EXIT=$?
        say "$(cat "$ER_CALL.call"): exit $ER_EXIT"
}

# bastion_signal SIGNAL [CALL]: to edge-roll itself: nsenter, timeout, edge-roll.
bastion_signal() { kill "-$1" "$(first_child "$(first_child "$(cat "${2:-$ER_CALL}.pid")")")"; }

# ssh_pids NODE: the ssh of the bastion that lead there.
ssh_pids() { in_node bastion pgrep -f -x "ssh( .*)? ([^ ]*@)?$1( .*)?"; }

# ssh_kill NODE: its session ends as a link does that somebody cuts.
ssh_kill() {
        local pid
        for pid in $(ssh_pids "$1"); do in_node bastion kill -KILL "$pid"; done
}

# ssh_cut NODE...: no packet goes between the bastion and the node any more, nor any message that one could not; all else goes on.
ssh_cut() {
        local name
        in_net bastion nft -f - <<-'NFT'
		table inet lab_cut {
		        set cut { type ipv4_addr; }
		        chain in { type filter hook input priority 0; ip saddr @cut drop; }
		        chain out { type filter hook output priority 0; ip daddr @cut drop; }
		}
	NFT
        for name; do in_net bastion nft add element inet lab_cut cut "{ $(ip4 "$name") }"; done
}

ssh_mend() { in_net bastion nft delete table inet lab_cut; }

# roll_event FILTER [CALL]: it has told an event for which the jq filter is true.
roll_event() { jq -es "any(.[]; $1)" "${2:-$ER_CALL}.json" >/dev/null 2>&1; }

# node_phase NODE PHASE [CALL]: the roll has seen this node begin this phase. Asked often, of a file that grows: no jq.
node_phase() { grep -q "^{\"event\":\"phase\",\"phase\":\"$2\",\"state\":\"begin\".*\"node\":\"$1\"" "${3:-$ER_CALL}.json"; }

# ---- a person at a terminal

# tty_start ARGUMENT...: edge-roll on a terminal of its own (100 columns, 40 lines), on the bastion or TTY_NODE. What it shows is in
# $ER_CALL.tty; keys go in by tty_type.
tty_start() {
        local n
        need_edge_roll
        # shellcheck disable=SC2086
        dirty ${TTY_NODE:-$NODES}
        n=$(($(cat "$SCENE/calls" 2>/dev/null || echo 0) + 1))
        echo "$n" >"$SCENE/calls"
        ER_CALL=$SCENE/$n
        echo "${BASTION_USER:-root}@${TTY_NODE:-bastion}, terminal: edge-roll $*" >"$ER_CALL.call"
        : >"$ER_CALL.tty"
        mkfifo "$ER_CALL.keys"
        # Open at both ends, so that nobody waits for the other and no end of file arrives.
        exec {TTY_KEYS}<>"$ER_CALL.keys"
        TERM=xterm RUN_AS="exec" tty_on timeout --foreground "${ER_LIMIT:-280}" script -qfec "stty rows 40 cols 100; exec edge-roll $*" /dev/null \
                >"$ER_CALL.tty" 2>"$ER_CALL.err" <&"$TTY_KEYS" &
        ER_PID=$!
        echo "$ER_PID" >"$ER_CALL.pid"
}

tty_on() { if [ -n "${TTY_NODE:-}" ]; then in_node "$TTY_NODE" "$@"; else on_bastion "$@"; fi; }

tty_type() { printf '%b' "$1" >&"$TTY_KEYS"; }

# tty_close: the window is closed: what runs in it gets SIGHUP.
tty_close() { kill -KILL "$(first_child "$(first_child "$ER_PID")")"; }

tty_shows() { tr -d '\r' <"$ER_CALL.tty" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g' | shows "$@"; }
