# shellcheck shell=bash
# Target servers are asked from the node: before anything is changed, and again when it was restarted and gets no traffic yet. One
# that was dead before stops nothing; one that dies during the restart makes it a hold, which names it.

target_file() { # ORG/ENV/NAME PORT
        in_node m1 sh -c "mkdir -p /etc/edge-roll/targets.d/${1%/*}; cat >/etc/edge-roll/targets.d/$1.xml" \
                <<<"<TargetServer name='${1##*/}'><Host>127.0.0.1</Host><Port>$2</Port></TargetServer>"
}
target_up() { # NAME PORT
        in_node m1 systemd-run --quiet --collect --unit="target-$1" /usr/bin/python3 -m http.server --bind 127.0.0.1 "$2"
        wait_for 10 in_node m1 curl -s -m 2 -o /dev/null "http://127.0.0.1:$2/"
}
target_down() { in_node m1 systemctl stop "target-$1"; }

config m1 '[component message-processor]' 'request_limit = 2s'
config m1 '[targets]' 'wait = 2s' 'connect_limit = 1s' 'source = auto'
setting() { in_node m1 sed -i "s/^$1 = .*/$1 = $2/" /etc/edge-roll/edge-roll.conf.d/60-scenario.conf; }
target_file acme/prod/alive 9101
target_file acme/prod/mortal 9102
target_file acme/test/dead 9109
target_file other/prod/elsewhere 9109 # an environment that it has not
target_up alive 9101
target_up mortal 9102

# Dead before, dead now: told, and done.
er m1 restart mp
assert_result "done" 0
assert er_event '.event == "targets" and .point == "before" and .checked == 3 and .answered == 2 and
        ([.silent[].target] == ["acme/test/dead"]) and .unknown == ""'
assert er_event '.event == "targets" and .point == "after" and .checked == 2 and .answered == 2'
result '.warnings[]' | shows 'acme/test/dead .connect: .*refused' || fail "the dead one was not told"
assert er_event '.event == "phase" and .phase == "verify" and .state == "end" and (.evidence | test("2 target servers answer as before"))'
assert_no_block m1

# It dies while the message processor is stopped: the node does not come back with it.
er_start m1 restart mp
wait_for 60 er_phase stop
target_down mortal
er_wait
assert_result held 16
result .reason | shows 'acme/prod/mortal .connect: .*refused' || fail "the reason does not name it: $(result .reason)"
assert not er_event '.event == "targets" and .point == "after" and ([.silent[].target] | index("acme/test/dead"))'
result .hint | shows undrain || fail "it is not said what to do: $(result .hint)"
assert has_hold m1
assert not in_net client curl -s -m 2 -o /dev/null "http://$(ip4 m1):8998/fast"

# It answers again within the time: waited for. The agent dies in between, and the next one knows what had answered.
target_up mortal 9102
er m1 undrain mp
setting wait 60s
er_start m1 restart mp
wait_for 60 er_phase stop
target_down mortal
wait_for 60 er_event '.event == "progress" and .phase == "verify" and (.text | test("acme/prod/mortal"))'
in_node m1 systemctl kill --signal=KILL edge-roll-agent.service
target_up mortal 9102
er_wait
assert_result "done" 0
assert er_event '.event == "phase" and .phase == "verify" and .state == "end" and (.evidence | test("2 target servers answer as before"))'

# Switched off.
target_down mortal
setting source off
er m1 restart mp
assert_result "done" 0
assert not er_event '.event == "targets"'
