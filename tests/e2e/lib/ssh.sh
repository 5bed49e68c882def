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

# runs_in NODE: the cgroup of its component.
runs_in() { in_node "$1" sh -c "cat /proc/\$(cat /run/standin/$(component_of "$1")/pid)/cgroup" | sed -n 's/^0:://p'; }
