# shellcheck shell=bash
# One node of three is sick in each of the ways it can be for a coordinator. Each has its own words, and no node is touched.

# takes: 100

before=$(lives_of r1 r2 r3)

# refused WHAT PATTERN: the roll of dc-1's routers is refused, and what is said fits.
refused() {
        bastion_er restart router --cluster --region dc-1 --yes
        [ "$ER_EXIT" != 0 ] || fail "$1: the roll went"
        jq -r '.. | strings' "$ER_CALL.json" | cat - "$ER_CALL.err" | shows -i "$2" || fail "$1: is not told: $(cat "$ER_CALL.json" "$ER_CALL.err")"
        assert_all_untouched "$before" r1 r2 r3
        say "$1: exit $ER_EXIT: $(result '.reason // .text')"
}

spoil r2
in_node r2 mv /usr/bin/edge-roll /usr/bin/edge-roll.away
refused "no edge-roll" 'r2.*edge-roll is not there'
# As a release without the bridge answers.
printf '#!/bin/sh\necho "edge-roll: there is no verb \\"bridge\\"; edge-roll help lists them" >&2\nexit 2\n' >"$(node_file r2 /usr/bin/edge-roll)"
chmod 755 "$(node_file r2 /usr/bin/edge-roll)"
refused "an older edge-roll" 'r2.*too old'
in_node r2 mv /usr/bin/edge-roll.away /usr/bin/edge-roll
in_node r2 systemctl stop dbus.socket dbus.service
refused "no bus" 'r2.*bus'
in_node r2 systemctl start dbus.socket dbus.service
in_node r2 systemctl stop ssh.service
refused "no ssh" 'r2.*\(refused\|connect\)'
in_node r2 systemctl start ssh.service
node_cut r2
refused "no link" 'r2.*\(timed out\|No route\|not reached\|reach\)'
node_mend r2
ssh-keygen -q -t ed25519 -N '' -f "$SCENE/other"
sed "s|^r2,.*|r2,$(ip4 r2) $(cut -d' ' -f1,2 "$SCENE/other.pub")|" "$(node_file bastion /etc/ssh/ssh_known_hosts)" >"$SCENE/known"
cp "$SCENE/known" "$(node_file bastion /etc/ssh/ssh_known_hosts)"
refused "another host key" 'r2.*host key'
sed -i '/^r2,/d' "$SCENE/known"
cp "$SCENE/known" "$(node_file bastion /etc/ssh/ssh_known_hosts)"
refused "an unknown host key" 'r2.*host key'
bastion_known_hosts >"$(node_file bastion /etc/ssh/ssh_known_hosts)"
in_node r2 mv /root/.ssh/authorized_keys /root/.ssh/away
refused "no permission to log in" 'r2.*\(permission\|denied\|key\)'
in_node r2 mv /root/.ssh/away /root/.ssh/authorized_keys
wait_for 10 node_lb_says r2 UP
# What the cut link of r2 looked like to its own router is no matter here.
SCENE_AT=$EPOCHREALTIME
lbs_start
regions_load_start 60
bastion_er restart router --cluster --region dc-1 --yes
assert_result "done" 0
regions_proof
