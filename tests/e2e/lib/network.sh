# shellcheck shell=bash
# The network: one namespace `fab` with a bridge, one namespace for each party with eth0 on that bridge.

declare -A HOST=([lb]=5 [lb2]=4 [zk]=6 [bastion]=7 [ms]=8 [client]=9 [r1]=11 [r2]=12 [r3]=13 [r4]=14 [r5]=15 [r6]=16 [r7]=17 [r8]=18 [r9]=19 [r10]=51 [r11]=52 [r12]=53 [m1]=21 [m2]=22 [m3]=23
        [m4]=24 [rmp1]=31)

ip4() { echo "10.77.0.${HOST[$1]}"; }
ip6() { echo "fd77::${HOST[$1]}"; }

# in_net NAME COMMAND...: in the network of a party, on this machine's own files. With RUN_AS=exec in front and & behind,
# $! is the process itself.
in_net() {
        local name=$1
        shift
        ${RUN_AS:-} nsenter --net="/run/netns/$name" -- "$@"
}

net_up() {
        ip netns add fab
        ip -n fab link set lo up
        ip -n fab link add br0 type bridge forward_delay 0
        ip -n fab link set br0 up
}

# net_add NAME: its namespace, address, link.
net_add() {
        local name=$1
        ip netns add "$name"
        in_net "$name" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra'
        ip -n fab link add "$name" type veth peer name eth0 netns "$name"
        # The same address after a renewal, or its neighbours would not find it for a while.
        ip -n "$name" link set eth0 address "02:00:0a:4d:00:${HOST[$name]}"
        ip -n fab link set "$name" master br0 up
        ip -n "$name" link set lo up
        ip -n "$name" address add "$(ip4 "$name")/24" dev eth0
        ip -n "$name" address add "$(ip6 "$name")/64" dev eth0 nodad
        ip -n "$name" link set eth0 up
}

# net_remove NAME: link first, so that no peer sees connections end in good order.
net_remove() {
        ip -n fab link delete "$1" 2>/dev/null || :
        ip netns delete "$1"
}
