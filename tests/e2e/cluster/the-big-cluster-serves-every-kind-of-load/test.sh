# shellcheck shell=bash
# The ground on which the other scenarios of this folder stand: both regions serve, nothing is lost, nobody is seen out; the bastion
# reaches every node, as root by a key that runs the bridge and nothing else, and by one that may do anything.

regions_load_start 60
regions_proof
for name in $NODES; do
        assert_same "$(on_bastion ssh -n -o BatchMode=yes -i /root/.ssh/id_shell -o IdentitiesOnly=yes "$name" hostname)" "$name" "host name"
        said=$(on_bastion ssh -n -o BatchMode=yes "$name" hostname 2>&1 || :)
        [ "$said" != "$name" ] || fail "the key of the bridge runs any command on $name"
        assert_same "$(in_node "$name" curl -s -m 2 "http://127.0.0.1:$(case $name in r*) echo 8081 ;; *) echo 8082 ;; esac)/v1/servers/self" | jq -r .region)" \
                "$(region_of "$name")" "region of $name"
done
status=0
BASTION_USER=ops on_bastion ssh -n -o BatchMode=yes r1 || status=$?
[ $status != 255 ] || fail "ops cannot reach r1"
