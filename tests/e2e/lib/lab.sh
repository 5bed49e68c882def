# shellcheck shell=bash
# The lab: real nodes on one machine. This file is what everything sources; it holds the life of one run.
#
# A run lives in a PID and a mount namespace of its own. That is what makes it clean up after itself: when the first
# process of the run is gone, by whatever way, the kernel kills every process of the run and with the last of them go
# the mounts and the network namespaces. What the kernel does not take back (empty cgroup directories, one directory
# under /tmp) is removed by the run itself, and where the run was killed by a watcher process (lib/watcher.sh).
#
#   E2E     directory tests/e2e
#   TOP     top of the source tree
#   RUN     directory of this run on the machine (lock, name of the run)
#   LAB     tmpfs of this run, seen only inside: $LAB/nodes/NAME, $LAB/lb, $LAB/load, ...
#   LABID   name of this run, part of all names that others can see (cgroups)

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOP=$(cd "$E2E/../.." && pwd)
RUN_PREFIX=${TMPDIR:-/tmp}/edge-roll-lab.
QUEUE_PREFIX=${TMPDIR:-/tmp}/edge-roll-queue.
LAB_PACKAGES="systemd-container nftables iptables iproute2 haproxy nginx-light libnginx-mod-http-echo monit dbus jq procps curl util-linux gcc libc6-dev libzookeeper-java default-jre-headless"

. "$E2E/lib/wait.sh"
. "$E2E/lib/network.sh"
. "$E2E/lib/nodes.sh"
. "$E2E/lib/roles.sh"
. "$E2E/lib/rmp.sh"
. "$E2E/lib/load.sh"
. "$E2E/lib/persistent.sh"
. "$E2E/lib/assert.sh"
. "$E2E/lib/ssh.sh"
. "$E2E/lib/ansible.sh"
. "$E2E/lib/fault.sh"
. "$E2E/lib/killpoint.sh"
. "$E2E/lib/trouble.sh"
. "$E2E/lib/power.sh"
. "$E2E/lib/zookeeper.sh"
. "$E2E/lib/cluster.sh"
. "$E2E/lib/bastion.sh"
. "$E2E/lib/witness.sh"
. "$E2E/lib/rolls.sh"
. "$E2E/lib/lease.sh"
. "$E2E/lib/caller.sh"
. "$E2E/lib/management.sh"

say() { printf '# %s\n' "$*" >&2; }

die() {
        printf '%s: %s\n' "${0##*/}" "$*" >&2
        exit 2
}

# The directories in which a cgroup is made for each node: the cgroup2 tree, and systemd's own v1 tree where there is one.
cgroup_roots() {
        if [ -d /sys/fs/cgroup/unified ]; then
                echo /sys/fs/cgroup/unified
                [ ! -d /sys/fs/cgroup/systemd ] || echo /sys/fs/cgroup/systemd
        else
                echo /sys/fs/cgroup
        fi
}

lab_needs() {
        local missing=() c
        [ "$(id -u)" = 0 ] || die "the lab boots nodes and must run as root"
        for c in systemd-nspawn nft iptables java ip haproxy nginx monit dbus-daemon jq curl unshare nsenter gcc; do
                PATH=$PATH:/usr/sbin:/sbin command -v "$c" >/dev/null || missing+=("$c")
        done
        [ -e /usr/lib/nginx/modules/ngx_http_echo_module.so ] || missing+=(libnginx-mod-http-echo)
        [ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}; run: apt-get install -y --no-install-recommends $LAB_PACKAGES"
}

# lab_main MAIN ARGUMENT...: run the function MAIN inside a new lab. Called by each program of the lab as its last line;
# comes back here in the new namespaces through "$0".
lab_main() {
        if [ -z "${EDGE_ROLL_LAB_INSIDE:-}" ]; then
                lab_needs
                lab_enter "$@"
                return
        fi
        local main=$1
        shift
        unset EDGE_ROLL_LAB_INSIDE
        lab_open
        "$main" "$@"
}

# Outside: makes the namespaces, waits for the end of what is in them, removes what they do not.
lab_enter() {
        local inside status=0
        export RUN LABID
        RUN=$(mktemp -d "${RUN_PREFIX}XXXXXX")
        LABID=${RUN##*.}
        mkdir "$RUN/lab"
        # The lock says "this run lives" to --clean; every process of the run inherits it.
        exec 9>"$RUN/lock"
        flock -n 9 || die "cannot lock $RUN/lock"
        # The pipe's only writers are the processes of the run: its end is the end of them all.
        exec 8> >(exec 9>&- 8>&-; setsid bash "$E2E/lib/watcher.sh" "$RUN" <&0 >/dev/null 2>&1 &)
        shift
        # If this process is killed so is unshare, and with unshare the first process of the namespace, and with that all.
        EDGE_ROLL_LAB_INSIDE=1 setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
                bash "$0" "$@" <&0 &
        inside=$!
        echo "$inside" >"$RUN/unshare"
        trap 'kill -KILL $inside' INT TERM HUP
        wait "$inside" || status=$?
        # After a signal, for the end itself.
        wait "$inside" 2>/dev/null
        trap '' INT TERM HUP
        lab_forget "$RUN"
        return $status
}

lab_open() {
        export LAB=$RUN/lab
        # Seen in here only, and gone with the last process: this run's files, names of networks, systemd-nspawn's own.
        mkdir -p /run/netns /run/systemd/nspawn
        mount -t tmpfs -o mode=0755 edge-roll-lab "$LAB"
        mount -t tmpfs -o mode=0755 edge-roll-lab /run/netns
        mount -t tmpfs -o mode=0755 edge-roll-lab /run/systemd/nspawn
        mkdir -p "$LAB"/{nodes,lb,load,bin,stage}
        net_up
}

# lab_forget RUN: what is left on the machine of a run whose processes are gone or going.
lab_forget() {
        cgroups_remove "${1##*.}"
        rm -rf "$1"
}

# cgroups_remove LABID: the cgroups of a run whose processes are gone or going.
cgroups_remove() {
        local root
        for root in $(cgroup_roots) /sys/fs/cgroup/pids; do
                wait_for 10 cgroup_remove "$root/edge-roll-lab-$1"
        done
}

# A cgroup can go as soon as its last process has been buried.
cgroup_remove() {
        [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} +
        [ ! -d "$1" ]
}

# Removes what dead runs left: a run is dead when nobody holds its lock.
lab_clean() {
        local run root d
        for run in "$RUN_PREFIX"*; do
                [ -d "$run" ] || continue
                if flock -n "$run/lock" true; then
                        lab_forget "$run"
                        echo "removed $run"
                else
                        echo "$run is in use"
                fi
        done
        for run in "$QUEUE_PREFIX"*; do
                [ ! -d "$run" ] || ! flock -n "$run/.lock" true || rm -rf "$run"
        done
        for root in $(cgroup_roots); do
                for d in "$root"/edge-roll-lab-*; do
                        [ ! -d "$d" ] || [ -d "$RUN_PREFIX${d##*-}" ] || cgroups_remove "${d##*-}"
                done
        done
}

# lab_shell NODE: a shell in a node of a lab that is still there (run --keep), from another terminal.
lab_shell() {
        local run pid
        for run in "$RUN_PREFIX"*; do
                [ -e "$run/unshare" ] || continue
                read -r pid <"$run/unshare"
                pid=$(first_child "$pid") || continue
                # shellcheck disable=SC2016
                nsenter -t "$pid" -m -p env LAB="$run/lab" LABID="${run##*.}" RUN="$run" bash -c \
                        '. "$0/lib/lab.sh"; in_node "$1" bash -i' "$E2E" "$1"
                return
        done
        die "no lab is running"
}
