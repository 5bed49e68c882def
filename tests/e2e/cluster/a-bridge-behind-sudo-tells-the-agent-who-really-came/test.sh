# shellcheck shell=bash
# guest, in no group, may run the bridge as root on the nodes, and nothing else: who asked is told with both names.
# takes: 40

for name in r1 r2 r3; do
        dirty "$name"
        spoil "$name"
        echo 'guest ALL=(root) NOPASSWD: /usr/bin/edge-roll bridge' >"$(node_file "$name" /etc/sudoers.d/edge-roll)"
        chmod 440 "$(node_file "$name" /etc/sudoers.d/edge-roll)"
        sed -i 's/command="[^"]*"/command="sudo -n edge-roll bridge"/' "$(node_file "$name" /home/guest/.ssh/authorized_keys)"
done
before=$(lives_of r1 r2 r3)
regions_load_start 120
BASTION_USER=guest bastion_er restart router --cluster --region dc-1 --yes
assert_result "done" 0
regions_proof
assert_all_restarted "$before" r1 r2 r3
in_node r1 journalctl -q -o cat -t edge-roll | grep 'restart begins' | shows 'guest' || fail "the journal of r1 does not say who asked"
