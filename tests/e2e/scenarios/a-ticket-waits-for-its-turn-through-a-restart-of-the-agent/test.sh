# shellcheck shell=bash
# A request waits while another node is out: asked for twice it is one, it survives its agent, makes room for other work and
# is joined by a restart. Without ZooKeeper there is nothing to wait for.

ticket() { in_node "$1" edge-roll status --json | jq -r '.tickets[0].component // "none"'; }
in_line() { in_node r2 edge-roll status --json | jq -e '.job.phase == "place"' >/dev/null; }
no_ticket() { [ "$(ticket r2)" = none ]; }

er r2 request router --reason "no lock"
assert_same "$ER_EXIT" 12 "exit of a request without a lock"

zk_start
zk_nodes r1 r2
zk_register r2
before=$(life r2)
er r1 drain router --reason "in the way"
assert_result "done" 0
er r2 request router --reason "keystore changed"
assert_same "$ER_EXIT" 0 "exit of request"
assert_same "$(jq -r .joined "$ER_CALL.json")" false "joined"
er r2 request router --reason "and again"
assert_same "$(jq -r .joined "$ER_CALL.json")" true "joined the second time"
wait_for 20 in_line
assert place_waits r1 r2

# Its agent is killed, then restarted in good order.
in_node r2 systemctl kill -s KILL edge-roll-agent.service
wait_for 20 in_line
in_node r2 systemctl restart edge-roll-agent.service
wait_for 20 in_line
assert_same "$(ticket r2)" router "ticket"

# Other work goes first, and the ticket begins anew.
er r2 restart router --dry-run
assert_result "done" 0
wait_for 20 in_line
assert_untouched r2 "$before"

# A restart that is told later joins it.
er_start r2 restart router --reason "by hand"
wait_for 20 er_phase place
waiting=$ER_CALL waiting_pid=$ER_PID
er r1 undrain router
assert_result "done" 0
ER_CALL=$waiting ER_PID=$waiting_pid
er_wait
assert_result "done" 0
assert_restarted r2 "$before"
wait_for 10 no_ticket
wait_for 10 place_free r1

# One that is cancelled is over.
er r1 drain router --reason "in the way"
assert_result "done" 0
er r2 request router --reason "to be cancelled"
wait_for 20 in_line
er r2 cancel router --reason "no longer"
wait_for 10 no_ticket
er r1 undrain router
assert_result "done" 0

# Anybody's questions do not hold it up, and be there always one that waits for its answer: nothing answers there.
RUN_AS="exec" in_node r2 python3 -c 'import signal, socket; s = socket.create_server(("127.0.0.1", 8082)); signal.pause()' &
deaf=$!
ask() { as r2 nobody busctl call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 Discover s message-processor; }
asks() { while [ ! -e "$SCENE/enough" ]; do ask >>"$SCENE/asked" 2>&1; done; }
er r1 drain router --reason "in the way"
assert_result "done" 0
asking=()
for _ in 1 2 3; do
        asks &
        asking+=($!)
done
wait_for 10 test -s "$SCENE/asked"
er r2 request router --reason "among questions"
assert_same "$ER_EXIT" 0 "exit of request"
wait_for 20 in_line
: >"$SCENE/enough"
er r2 cancel router --reason "no longer"
wait "${asking[@]}" || :
kill "$deaf"
grep -q '"component' "$SCENE/asked" || fail "nobody was answered: $(head -c 300 "$SCENE/asked")"
wait_for 10 no_ticket
er r1 undrain router
assert_result "done" 0
