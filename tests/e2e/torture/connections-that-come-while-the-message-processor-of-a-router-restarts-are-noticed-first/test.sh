# shellcheck shell=bash
# restart rmp: while the message processor restarts, somebody sends to the router again that is out. Its job is not disturbed, and
# the router goes back to notice before it is stopped.

rmp_up
rmp_standin message-processor START_DELAY=1
router=$(rmp_life router)
er_start rmp1 restart rmp
wait_for 60 rmp_phase stop
in_net client curl -s -m 5 -o "$SCENE/sent" "http://$(ip4 rmp1):9001/fast" || :
er_wait
assert_result "done" 0
er_event '.event == "phase" and .phase == "partner" and .state == "end" and .outcome == "lapsed" and (.evidence | test("new connections came meanwhile, from '"$(ip4 client)"'"))' ||
        fail "the router was stopped although new connections had come"
assert_same "$(jq -c 'select(.phase == "notice" and .state == "begin")' "$ER_CALL.json" | wc -l)" 3 "phases notice, of both"
[ "$(rmp_life router)" != "$router" ] || fail "the router was not restarted"
