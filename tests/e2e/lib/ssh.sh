# shellcheck shell=bash
# Real ssh into a node, as a person comes: a session of systemd-logind, its scope, PAM.

# ssh_serve NODE: its ssh server runs, and lets the client's root in.
ssh_serve() {
        local name=$1 home
        dirty "$name"
        home=$(node_file "$name" /root)
        [ -e "$LAB/ssh.key" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh.key"
        mkdir -p "$home/.ssh" "$(node_file "$name" /run/sshd)"
        chmod 700 "$home" "$home/.ssh"
        cp "$LAB/ssh.key.pub" "$home/.ssh/authorized_keys"
        in_node "$name" ssh-keygen -q -A
        in_node "$name" systemctl start ssh.service
        wait_for 10 ssh_in "$name" true
}

# ssh_in NODE COMMAND...: from the client's address.
ssh_in() {
        local name=$1
        shift
        in_net client ssh -q -n -F none -i "$LAB/ssh.key" -o BatchMode=yes -o StrictHostKeyChecking=no \
                -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 "root@$(ip4 "$name")" "$@"
}

# ssh_user NODE USER [GROUP]: a user there, who comes by ssh with the key of ssh_serve, for the bridge and nothing else.
ssh_user() {
        local name=$1 user=$2 home=/home/$2
        in_node "$name" useradd --create-home --home-dir "$home" --shell /bin/sh ${3:+--groups "$3"} "$user" 2>/dev/null
        in_node "$name" install -d -m 700 -o "$user" "$home/.ssh"
        echo "restrict,command=\"${BRIDGE:-edge-roll bridge}\" $(cat "$LAB/ssh.key.pub")" >"$(node_file "$name" "$home/.ssh/authorized_keys")"
        # Without the second nobody but root may log in (pam_nologin).
        in_node "$name" systemctl start systemd-user-sessions.service
}

# ssh_argv NODE USER: what leads to that user's bridge, as one line, from the client's address.
ssh_argv() {
        echo "ssh -q -F none -i $LAB/ssh.key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 $2@$(ip4 "$1")"
}

# as NODE USER COMMAND...: as that user in the node, with the groups of a login.
as() { in_node "$1" setpriv --reuid="$2" --regid=nogroup --init-groups "${@:3}"; }

# runs_in NODE: the cgroup of its component.
runs_in() { in_node "$1" sh -c "cat /proc/\$(cat /run/standin/$(component_of "$1")/pid)/cgroup" | sed -n 's/^0:://p'; }
