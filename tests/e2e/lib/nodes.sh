# shellcheck shell=bash
# Nodes: a whole Debian each, booted by systemd-nspawn, with this machine's / below an overlay of its own.
# What is installed on the machine is installed on the node; what the machine has enabled is not started there.

# node_make NAME: network and root file system, ready for roles to put their files in.
node_make() {
        local name=$1 dir=$LAB/nodes/$1
        mkdir -p "$dir"/{tmp/upper,tmp/work,root}
        net_add "$name"
        mount -t overlay -o "lowerdir=$LAB/stage:/,upperdir=$dir/tmp/upper,workdir=$dir/tmp/work" "$name" "$dir/root"
        node_blank "$name" "$dir/root"
}

# Nothing of the machine's own set-up may show in the node: units, state and configuration of edge-roll, monit, what root's shell
# does at a login.
node_blank() {
        local name=$1 root=$2
        : >"$root/etc/machine-id"
        echo "$name" >"$root/etc/hostname"
        rm -rf "$root"/etc/systemd/system "$root"/etc/edge-roll "$root"/var/lib/edge-roll "$root"/var/lib/monit \
                "$root"/var/log/journal "$root"/etc/nftables.conf "$root"/opt/apigee "$root"/root/.bashrc "$root"/root/.profile \
                "$root"/root/.bash_profile
        mkdir -p "$root"/etc/systemd/system "$root"/var/lib/monit
        cat >"$root/etc/systemd/system/lab.target" <<-'UNIT'
		[Unit]
		Description=What a node of the lab runs
		Requires=basic.target dbus.service
		After=basic.target dbus.service
		AllowIsolate=yes
	UNIT
        # Same group and files as after an installation, which on a real machine the package or make install cares for.
        [ ! -d "$LAB/stage/etc/edge-roll" ] || cp -a "$LAB/stage/etc/edge-roll" "$root/etc/"
        systemd-sysusers --root="$root" 2>/dev/null || :
}

# node_boot NAME: start it; node_up waits for it, so that several boot at once.
node_boot() {
        local name=$1 dir=$LAB/nodes/$1 root cgroups=()
        for root in $(cgroup_roots); do
                mkdir -p "$root/edge-roll-lab-$LABID/$name"
                cgroups+=("$root/edge-roll-lab-$LABID/$name/cgroup.procs")
        done
        # The node gets a cgroup of its own before systemd-nspawn starts: with --keep-unit alone all nodes share one tree.
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 bash -c '
                for c in "${@:3}"; do echo 0 >"$c"; done
                exec systemd-nspawn -q -D "$2/root" --machine="$1" --register=no --keep-unit --boot \
                        --network-namespace-path="/run/netns/$1" --capability=CAP_NET_ADMIN --console=pipe \
                        --link-journal=no systemd.unit=lab.target' \
                bash "$name" "$dir" "${cgroups[@]}" </dev/null >"$dir/console.log" 2>&1 &
        echo $! >"$dir/nspawn"
        disown
}

# first_child PID: the kernel ends the list with a space and no newline.
first_child() {
        local pid='' _
        read -r pid _ 2>/dev/null <"/proc/$1/task/$1/children" || [ -n "$pid" ] || return 1
        echo "$pid"
}

node_init_pid() {
        local nspawn
        read -r nspawn <"$LAB/nodes/$1/nspawn" && first_child "$nspawn"
}

# in_node NAME COMMAND...: as root in the node.
in_node() {
        local pid
        pid=$(node_init_pid "$1") || {
                echo "node $1 is not running" >&2
                return 1
        }
        shift
        ${RUN_AS:-} nsenter -t "$pid" -m -u -i -n -p -C --wdns=/ env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

node_booted() { [ "$(in_node "$1" systemctl is-active lab.target 2>/dev/null)" = active ]; }

node_up() {
        local name
        for name; do
                wait_for 60 node_booted "$name" || {
                        tail -n 20 "$LAB/nodes/$name/console.log" >&2
                        return 1
                }
        done
}

# node_kill NAME: like pulling the plug.
node_kill() {
        local nspawn pid
        read -r nspawn <"$LAB/nodes/$1/nspawn"
        pid=$(node_init_pid "$1") && kill -KILL "$pid" 2>/dev/null
        wait_for 10 gone "$nspawn" || kill -KILL "$nspawn"
        rm -f "$LAB/nodes/$1/nspawn"
}

# node_destroy NAME: plug pulled, disk and network thrown away.
node_destroy() {
        node_kill "$1"
        power_gone "$1"
        umount -l "$LAB/nodes/$1/root"
        # Whatever is still mounted there is not gone into.
        rm -rf --one-file-system "${LAB:?}/nodes/$1"
        net_remove "$1"
}

# Path of a file of the node, to be read or written from outside.
node_file() { echo "/proc/$(node_init_pid "$1")/root$2"; }

# node_shutdown NAME: in good order, by systemd, as `systemctl poweroff` does; node_boot starts it again. No in_node may be under
# way in it: systemd stops (SIGSTOP) what is left, nsenter outside follows its child into that, and the node waits for it.
node_shutdown() {
        local nspawn
        read -r nspawn <"$LAB/nodes/$1/nspawn"
        in_node "$1" systemctl --no-block poweroff
        wait_for 60 gone "$nspawn"
        rm -f "$LAB/nodes/$1/nspawn"
        # Tables belong to the network namespace, which is not the node's own here and stays.
        in_net "$1" nft flush ruleset
}
