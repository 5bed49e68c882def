# shellcheck shell=bash
# Two regions under every kind of load: a region after the other, message processors first, one of a pool at a time.
# Not one request is lost, every component is a new one, and nobody ever saw two of a pool out.
# rotation: always

# shellcheck disable=SC2086
before=$(lives_of $NODES)
regions_load_start 280
bastion_er restart all --cluster --yes --reason "new keystore"
assert_result "done" 0
regions_proof
# shellcheck disable=SC2086
assert_all_restarted "$before" $NODES
for name in $NODES; do
        assert_no_block "$name"
        assert_same "$(rules "$name")" "" "ruleset of $name"
        assert_same "$(blocks "$name")" "$name" "times that $name was out"
done
# shellcheck disable=SC2086
assert_order "m1 m2 r1 r2 r3 m3 m4 r4 r5 r6" $NODES
assert_same "$(outs dc-1)" "r1 r2 r3" "what the load balancer of dc-1 took out"
say "$(result '"ten nodes in \(.elapsed) s"')"
