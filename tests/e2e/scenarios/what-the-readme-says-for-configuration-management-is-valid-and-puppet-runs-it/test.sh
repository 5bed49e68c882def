# shellcheck shell=bash
# Each example of the README is what its tool takes; Puppet's is applied: changed, nothing to do, noop.

# example LANGUAGE: the code block of the README in that language.
example() {
        awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' "$TOP/README.md" >"$SCENE/$2"
        [ -s "$SCENE/$2" ] || fail "the README has no example in $1"
}

say "Ansible"
example yaml site.yml
mkdir -p "$SCENE/home"
env HOME="$SCENE/home" ANSIBLE_ROLES_PATH="$LAB/stage/usr/share/edge-roll/ansible/roles" \
        ansible-playbook -i localhost, --syntax-check "$SCENE/site.yml" >"$SCENE/out" 2>&1 || fail "$(cat "$SCENE/out")"
for handler in $(grep -o 'notify: .*' "$SCENE/site.yml" | sed 's/notify: //; s/# or: /,/' | tr ', ' '\n_' | grep .); do
        grep -q "^- name: $(tr _ ' ' <<<"$handler" | xargs)\$" "$LAB/stage/usr/share/edge-roll/ansible/roles/edge_roll/handlers/main.yml" ||
                fail "the role has no handler \"$handler\""
done

say "Chef"
example ruby recipe.rb
ruby -c "$SCENE/recipe.rb" >"$SCENE/out" 2>&1 || fail "$(cat "$SCENE/out")"

say "Salt"
example yaml+jinja state.sls
python3 - "$SCENE/state.sls" >"$SCENE/out" 2>&1 <<'PYTHON' || fail "$(cat "$SCENE/out")"
import sys, jinja2, yaml
state = yaml.safe_load(jinja2.Template(open(sys.argv[1]).read(), undefined=jinja2.StrictUndefined).render())
(name, body), = state.items()
assert name == "restart edge router", name
keys = {k for item in body["cmd.run"] for k in item}
assert keys == {"name", "onlyif", "success_retcodes", "timeout", "require"}, keys
PYTHON

say "Puppet"
example puppet router.pp
# apply EXIT [OPTION...]: 0 nothing to do, 2 changes.
apply() {
        local status=0
        in_node r1 puppet apply --detailed-exitcodes --color=false "${@:2}" /root/router.pp >"$SCENE/puppet.out" 2>&1 || status=$?
        assert_same "$status" "$1" "exit of puppet apply ${*:2}: $(cat "$SCENE/puppet.out")"
}
dirty r1
{
        echo "file { '/opt/apigee/customer/application/router.properties': content => \"# Puppet\n\" }"
        cat "$SCENE/router.pp"
} >"$(node_file r1 /root/router.pp)"
in_node r1 puppet parser validate /root/router.pp >"$SCENE/out" 2>&1 || fail "$(cat "$SCENE/out")"
before=$(life r1)
# What it would change does not count as changed yet, and edge-roll sees none.
apply 0 --noop
assert_untouched r1 "$before"
apply 2
grep -q 'restart edge router\]/returns: executed successfully' "$SCENE/puppet.out" || fail "$(cat "$SCENE/puppet.out")"
assert_restarted r1 "$before"
before=$(life r1)
apply 0
assert_untouched r1 "$before"
in_node r1 sh -c 'echo >>/opt/apigee/customer/application/message-processor.properties; touch /opt/apigee/customer/application/router.properties'
apply 0 --noop
grep -q "restart edge router\]/returns: current_value 'notrun', should be .* (noop)" "$SCENE/puppet.out" || fail "$(cat "$SCENE/puppet.out")"
assert_untouched r1 "$before"
apply 2
assert_restarted r1 "$before"
assert_no_block r1
