# shellcheck shell=bash
# doctor of a message processor asks the target servers that section [targets] lists, tells those that do not answer as warnings, and what
# of the list cannot be used; a router has none.

finding() { er_event ".event == \"finding\" and .about == \"targets\" and .state == \"$1\" and (.text | test(\"$2\"))"; }
target_file() { # ORG/ENV/NAME PORT
        in_node m1 sh -c "mkdir -p /etc/edge-roll/targets.d/${1%/*}; cat >/etc/edge-roll/targets.d/$1.xml" \
                <<<"<TargetServer name='${1##*/}'><Host>127.0.0.1</Host><Port>$2</Port></TargetServer>"
}

config m1 '[component message-processor]' 'watch_max = 1500ms'
config m1 '[targets]' 'connect_limit = 1s' 'source = auto' 'folder = /etc/edge-roll/targets.d' 'names = *' 'max = 500'
setting() { in_node m1 sed -i "s|^$1 = .*|$1 = $2|" /etc/edge-roll/edge-roll.conf.d/60-scenario.conf; }

# No list: not a word of it.
er m1 doctor mp
assert_result "done" 0
assert not finding '.*' '.*'

# One answers, one does not, one is of an environment that it has not.
target_file acme/prod/alive 9101
target_file acme/test/dead 9109
target_file other/prod/elsewhere 9109
in_node m1 systemd-run --quiet --collect --unit=target-alive /usr/bin/python3 -m http.server --bind 127.0.0.1 9101
wait_for 10 in_node m1 curl -s -m 2 -o /dev/null http://127.0.0.1:9101/
before=$(life m1)
er m1 doctor mp
assert_result "done" 0
assert finding warning 'acme/test/dead .127.0.0.1:9109.: connect: .*refused'
assert finding ok '1 of 2 target servers answer this node'
assert not finding warning alive
assert not finding warning elsewhere
assert er_event '.event == "targets" and .point == "before" and .checked == 2 and .answered == 1'
assert_as_it_was m1 "$before"
er_plain m1 doctor mp
grep -q '^warning  targets .*acme/test/dead' "$ER_CALL.json" || fail "no line for a person: $(cat "$ER_CALL.json")"

# What is wrong with the list.
in_node m1 sh -c 'echo "<TargetServer name=\"odd\"><Host>h</Host></TargetServer>" >/etc/edge-roll/targets.d/acme/prod/odd.xml'
er m1 doctor mp
assert_result "done" 0
assert finding warning 'not all target servers are known: odd.xml: '
in_node m1 rm /etc/edge-roll/targets.d/acme/prod/odd.xml
setting max 1
er m1 doctor mp
assert finding warning '1 target servers are beyond the limit of 1'
setting max 500
setting names 'acme/prood/*'
er m1 doctor mp
assert finding warning 'none of the 2 target servers is one that is to be checked'
setting names '*'
setting source files
setting folder /etc/edge-roll/targets.old
er m1 doctor mp
assert_result "done" 0
assert finding warning 'not all target servers are known: /etc/edge-roll/targets.old: No such file'
setting source api
er m1 doctor mp
assert finding warning 'not all target servers are known: '
setting source off
er m1 doctor mp
assert not finding '.*' '.*'

# A router has no target servers.
config r1 '[component router]' 'watch_max = 1500ms'
er r1 doctor router
assert not finding '.*' '.*'
