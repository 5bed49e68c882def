# shellcheck shell=bash
# One router is drained by hand and so has the place. The other is refused at once, told by whom and why; with --wait it shows
# where it stands, and gets in when the first is given back. Nobody else of the pool serving is a refusal, too.

zk_start
zk_nodes r1 r2
before=$(life r2)

# Alone in ZooKeeper: nobody is known who would carry the load.
er r1 drain router --reason "alone"
assert_result refused 11
result .reason | shows 'nobody else of the pool serves: no other node of the pool .* has registered' || fail "$(result .reason)"
place_free r1 || fail "a refused job keeps its place"

zk_register r2
er r1 drain router --reason "disk is changed"
assert_result "done" 0
assert_same "$(place_of r2 '.place.out[0].name')" r1 "who is out"
er r2 restart router
assert_result busy 14
result .reason | shows 'behind r1 (out, nobody at work) since .*disk is changed' || fail "$(result .reason)"
result .hint | shows 'wait with --wait' || fail "no word of --wait: $(result .hint)"
assert_as_it_was r2 "$before"
# A person reads it, too.
er_plain r2 lock show router
assert_same "$ER_EXIT" 0 "exit of lock show"
shows 'r1 (.*, nobody is at work, since .*disk is changed' <"$ER_CALL.json" || fail "$(cat "$ER_CALL.json")"

er r2 restart router --wait=2s
assert_result busy 14
er_start r2 restart router --wait
wait_for 20 er_event '.event == "progress" and .phase == "place" and (.text | test("^1st of 1, behind r1"))'
waiting=$ER_CALL waiting_pid=$ER_PID
er r1 undrain router
assert_result "done" 0
ER_CALL=$waiting ER_PID=$waiting_pid
er_wait
assert_result "done" 0
assert_restarted r2 "$before"
wait_for 10 place_free r2

# The last one that serves is not taken out, and its place is given back.
in_node r2 systemctl stop edge-router.service
er r1 restart router
assert_result refused 11
result .reason | shows 'nobody else of the pool serves: r2: refused' || fail "$(result .reason)"
er r1 restart router --unprotected "an outage is announced"
assert_result "done" 0
wait_for 10 place_free r1
in_node r2 systemctl start edge-router.service
wait_for 20 component_ready r2

# A node that is gone keeps its place until a person says so.
er r1 drain router --reason "to be lost"
assert_result "done" 0
er r2 lock steal router r1
assert_same "$ER_EXIT" 2 "exit of a steal without a reason"
er r2 lock steal router r3 --reason "no such node"
assert_same "$ER_EXIT" 10 "exit of a steal from nobody"
er r2 lock steal router r1 --reason "r1 is scrapped"
assert_same "$ER_EXIT" 0 "exit of a steal"
assert place_free r2
in_node r2 journalctl -q -o cat MESSAGE_ID=6f0ad1d0b2a34b6c9a8f3de0a1c7b531 | shows 'the place of r1 .*r1 is scrapped' ||
        fail "the journal does not tell of the steal"
er r2 lock size router 2 --reason "more routers now"
assert_same "$ER_EXIT" 0 "exit of lock size"
assert_same "$(place_of r1 .place.size)" 2 "size"
