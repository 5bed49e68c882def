# shellcheck shell=bash
# A power cut: the network gone at once, every process gone at once, tables and /run gone, and of the disk only what was synced is
# left. The state directories of edge-roll and monit lie on an ext4 of their own for that, which is shut down without its journal
# being written: what no fsync has asked for is thrown away, as the disk's own cache would be. It is mounted so that nothing is
# written by itself: commit=600, and no mercy for a rename over a file that was not synced (noauto_da_alloc).

POWER_DIRS="edge-roll monit"

# power_ready NODE: once; the node is booted anew.
power_ready() {
        local dir=$LAB/nodes/$1 d
        dirty "$1"
        node_kill "$1"
        truncate -s 32M "$dir/disk.img"
        mkfs.ext4 -q -F "$dir/disk.img"
        mkdir -p "$dir/disk"
        mount -o loop,commit=600,noauto_da_alloc "$dir/disk.img" "$dir/disk"
        for d in $POWER_DIRS; do
                mkdir -p "$dir/root/var/lib/$d"
                cp -a "$dir/root/var/lib/$d" "$dir/disk/$d"
        done
        echo 1 >"$dir/disk/synced"
        sync -f "$dir/disk"
        power_binds "$1"
        power_on "$1"
}

power_binds() {
        local dir=$LAB/nodes/$1 d
        for d in $POWER_DIRS; do mount --bind "$dir/disk/$d" "$dir/root/var/lib/$d"; done
}

# power_cut NODE
power_cut() {
        local dir=$LAB/nodes/$1 d
        # First, or the peers would see connections end in good order.
        ip -n fab link set "$1" down
        node_kill "$1"
        : >"$dir/disk/not-synced"
        # EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH. Source: fs/ext4/ext4.h.
        python3 -c '
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$dir/disk"
        for d in $POWER_DIRS; do umount "$dir/root/var/lib/$d"; done
        umount "$dir/disk"
        # The tables belong to the network namespace, and outlive the node in it.
        net_remove "$1"
        mount -o loop,commit=600,noauto_da_alloc "$dir/disk.img" "$dir/disk"
        # The disk has lost what it should, and nothing else.
        [ -s "$dir/disk/synced" ] && [ ! -e "$dir/disk/not-synced" ] || fail "that was no power cut"
        power_binds "$1"
        net_add "$1"
}

# power_on NODE
power_on() {
        node_boot "$1"
        node_up "$1"
}

# power_gone NODE: it is thrown away; its disk, if it has one, goes too.
power_gone() {
        local dir=$LAB/nodes/$1 d
        [ -d "$dir/disk" ] || return 0
        for d in $POWER_DIRS; do umount "$dir/root/var/lib/$d"; done
        umount "$dir/disk"
}
