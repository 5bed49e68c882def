# shellcheck shell=bash
# The real ansible-playbook, from the client's address over ssh, with the role that is installed.

# ansible_serve NODE...: an inventory of them, whose ssh servers run.
ansible_serve() {
        local name
        command -v ansible-playbook >/dev/null || fail "ansible-playbook is not installed (package ansible-core)"
        mkdir -p "$SCENE/ansible"
        : >"$SCENE/ansible/hosts"
        for name; do
                ssh_serve "$name"
                echo "$name ansible_host=$(ip4 "$name")" >>"$SCENE/ansible/hosts"
        done
}

# play NAME: a playbook from standard input.
play() { cat >"$SCENE/ansible/$1.yml"; }

# plays: playbooks of an administrator. site: a file, and a restart of the router where it has changed; settle: only sees to
# it that what runs is what is configured.
plays() {
        play site <<-PLAY
		- hosts: all
		  gather_facts: false
		  serial: "{{ at_once | default('100%') }}"
		  roles:
		    - edge_roll
		  vars:
		    edge_roll_poll: 1
		  tasks:
		    - name: The router's properties
		      ansible.builtin.copy:
		        dest: $ROUTER_PROPERTIES
		        content: "conf_load_balancing_load.balancing.driver.proxy.read.timeout={{ seconds }}\n"
		      notify: Restart edge router
	PLAY
        play settle <<-PLAY
		- hosts: all
		  gather_facts: false
		  roles:
		    - role: edge_roll
		      edge_roll_components: [router]
		      edge_roll_poll: 1
	PLAY
}

ROUTER_PROPERTIES=/opt/apigee/customer/application/router.properties

# touched NODE: somebody has changed its router's properties.
touched() { in_node "$1" sh -c "echo >>$ROUTER_PROPERTIES"; }

# playbook_start NAME ARGUMENT...: in the background; PLAY_PID is what to wait for, its output $PLAY.
playbook_start() {
        local name=$1 n
        shift
        n=$(($(cat "$SCENE/ansible/count" 2>/dev/null || echo 0) + 1))
        echo "$n" >"$SCENE/ansible/count"
        PLAY=$SCENE/ansible/$n.out
        RUN_AS="exec" in_net client env -i PATH="$PATH" HOME="$SCENE/ansible" LANG=C.UTF-8 ANSIBLE_NOCOLOR=1 \
                ANSIBLE_ROLES_PATH="$LAB/stage/usr/share/edge-roll/ansible/roles" ANSIBLE_LOCAL_TEMP="$SCENE/ansible/tmp" \
                ANSIBLE_HOST_KEY_CHECKING=False ANSIBLE_PIPELINING=True ANSIBLE_SSH_ARGS="-o ControlMaster=no -o ControlPath=none" ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 \
                timeout 150 ansible-playbook -i "$SCENE/ansible/hosts" -u root --private-key "$LAB/ssh.key" \
                --ssh-common-args "-F none -o UserKnownHostsFile=/dev/null" \
                "$@" "$SCENE/ansible/$name.yml" >"$PLAY" 2>&1 </dev/null &
        PLAY_PID=$!
}

# playbook NAME ARGUMENT...: to its end; PLAY_EXIT is its status.
playbook() {
        playbook_start "$@"
        playbook_wait
        say "ansible-playbook $*: exit $PLAY_EXIT; $(sed -n '/^PLAY RECAP/,$p' "$PLAY" | tail -n +2 | tr -s ' \n' ' ')"
}

playbook_wait() {
        PLAY_EXIT=0
        wait "$PLAY_PID" || PLAY_EXIT=$?
}

# recap NODE KEY: changed, failed, ... of the last playbook.
recap() { sed -n '/^PLAY RECAP/,$p' "$PLAY" | sed -n "s/^$1 .*[: ]$2=\([0-9]*\).*/\1/p"; }

# assert_play EXIT NODE CHANGED FAILED
assert_play() {
        [ "$PLAY_EXIT" = "$1" ] || fail "ansible-playbook: expected exit $1, seen $PLAY_EXIT:
$(tail -n 40 "$PLAY")"
        [ "$(recap "$2" changed) $(recap "$2" failed)" = "$3 $4" ] || fail "of $2: expected changed and failed $3 $4, seen
$(tail -n 40 "$PLAY")"
}
