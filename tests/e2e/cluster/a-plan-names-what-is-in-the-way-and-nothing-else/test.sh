# shellcheck shell=bash
# The plan of a roll, from what the agents of real nodes say: order and pools; then one thing after another is put in its way, and each is
# named with what was seen, and nothing is changed.
# takes: 60

# plan FILTER ARGUMENT...: the call's plan, of which the jq filter must be true; a refused one has exit code 11.
plan() {
        local filter=$1
        shift
        bastion_er plan "$@"
        jq -es "[.[] | select(.event == \"plan\")][0] | $filter" "$ER_CALL.json" >/dev/null ||
                fail "not so: $filter: $(jq -c 'select(.event == "plan") | {refused, steps: [.steps[].node], conditions}' "$ER_CALL.json")"
}

# The conditions that refuse, in order of their names.
refuses() { echo "([.conditions[] | select(.verdict == \"refuse\" and (.overridden | not)) | .name] | unique) == $1"; }

nodes_of() { echo "[.steps[].node] == $1"; }

# shellcheck disable=SC2086
before=$(lives_of $NODES)
bastion_conf '[cluster]' 'connect_limit = 30s' 'answer_limit = 30s'

plan "(.refused | not) and $(nodes_of '["m1","m2","r1","r2","r3","m3","m4","r4","r5","r6"]') and .router_retry == \"http_599 error\" and
        ([.pools[].serving_least] == [1,2,1,2]) and .steps[0].canary" restart all --cluster
assert_same "$ER_EXIT" 0 "exit status"
plan "$(nodes_of '["r4","r5"]') and ([.pools[].members | length] == [3])" restart router --cluster --limit 'dc2,r1' --exclude 'r6,mp,r1'
plan "$(nodes_of '["r4","r5","r6"]')" restart router --cluster --region dc-2
plan "$(nodes_of '["m2"]') and .pools[0].name == \"message-processor/dc-1/gateway\"" restart mp --nodes m2
bastion_plain plan restart router --cluster --region dc-1
shows '^ *1  r1 .*canary' <"$ER_CALL.json" || fail "no canary for people: $(cat "$ER_CALL.json")"
bastion_er plan restart router --cluster --limit nobody
assert_result usage 2
bastion_er plan restart router --cluster --region dc-9
[ "$ER_EXIT" != 0 ] || fail "a region that is none"
bastion_er plan restart router --cluster --override 'degradet=typo'
assert_result usage 2
result .reason | shows degraded || fail "the names are not listed: $(result .reason)"

# Held by hand.
er r2 drain router --reason 'new disk'
assert_result "done" 0
plan ".refused and $(refuses '["held"]') and (.conditions | any(.name == \"held\" and (.evidence | contains(\"new disk\"))))" \
        restart router --cluster --region dc-1
assert_same "$ER_EXIT" 11 "exit status"
plan ".refused and $(refuses '["degraded"]')" restart router --cluster --limit r1,r3
plan "(.refused | not) and $(nodes_of '["r2"]') and .steps[0].out" restart router --cluster --limit r2 --override 'held=its disk is there'
plan "(.refused | not) and $(nodes_of '["r1","r3"]')" restart router --cluster --limit r1,r3 --max-unavailable 2
er r2 undrain router
assert_result "done" 0

# Somebody at work on a member that is not even selected.
hooks=$(node_file r3 /etc/edge-roll/hooks.d/before-block)
mkdir -p "$hooks"
in_node r3 mkfifo /run/lab-go
printf '#!/bin/sh\nexec cat /run/lab-go\n' >"$hooks/10-wait"
chmod 755 "$hooks/10-wait"
er_start r3 drain router --for 60s
drain=$ER_PID
wait_for 30 in_node r3 pgrep -x cat
plan ".refused and (.conditions | any(.name == \"busy\" and .verdict == \"refuse\" and .nodes == [\"r3\"]))" restart router --cluster --limit r1
in_node r3 sh -c 'echo go >/run/lab-go'
wait "$drain" || fail "the drain of r3 ended with $?"
rm -r "$hooks"
in_node r3 rm /run/lab-go
er r3 undrain router

# What the nodes' own configuration says of pool and lock.
config m1 '[pool]' 'lock = none'
plan ".refused and $(refuses '["lock"]')" restart mp --cluster --region dc-1
config r5 '[pool]' 'name = other'
plan ".refused and $(refuses '["last-serving","pool-names"]')" restart router --cluster --region dc-2

# As nobody in particular: everything can be seen, nothing done.
BASTION_USER=guest
plan ".refused and (.conditions | any(.name == \"permission\" and .verdict == \"refuse\")) and .pools[0].serving == 3" \
        restart router --nodes r1,r2,r3
BASTION_USER=root

# shellcheck disable=SC2086
assert_all_untouched "$before" $NODES
