# shellcheck shell=bash
# With a hold in place: make uninstall takes away table, units, files, and the word in ZooKeeper that the node is out.

need_edge_roll
[ -e "$TOP/Makefile" ] || fail "no Makefile"
zk_start
zk_nodes r1 r2
zk_register r2
er r1 drain router
assert has_hold r1
assert place_held r2 r1
mkdir -p "$(node_file r1 /root/edge-roll)"
tar -C "$TOP" --exclude=./.git --exclude=./build -cf - . | tar -C "$(node_file r1 /root/edge-roll)" -xf -
in_node r1 make -s -C /root/edge-roll uninstall prefix=/usr
assert_no_block r1
assert place_free r2
assert_same "$(in_node r1 systemctl list-units --all --plain --no-legend 'edge-roll*' | wc -l)" 0 "units known"
left=$(cd "$LAB/stage" && find . -type f -o -type l | sed 's/^\.//' | grep -v '^/srv/edge-roll-lab/\|^/etc/edge-roll/' | while read -r f; do
        [ ! -e "$(node_file r1 "$f")" ] || echo "$f"
done)
assert_same "$left" "" "files left"
wait_for 10 lb_says r1 UP
