# shellcheck shell=bash
# kill -9 of the agent while a request is waited for: the block stays, and the job ends within its bound in one of three ways.

before=$(life r1)
job_over() { ! in_node r1 test -e /var/lib/edge-roll/job.json; }
in_net client curl -s -o /dev/null "http://$(ip4 r1):9001/slow/8" &
long=$!
er_start r1 restart router
wait_for 30 er_phase drain
assert has_block r1
in_node r1 systemctl kill --signal=KILL edge-roll-agent.service
# As long as the request runs the component may not stop, and the block may go only together with the job (node given back).
until gone "$long"; do
        has_block r1 || job_over || fail "the block went while the job goes on"
        pause 0.05
done
assert wait $long
er_wait
wait_for 90 job_over
if has_hold r1; then
        er r1 status router
        assert grep -qi held "$ER_CALL.json"
        say "held"
elif [ "$(life r1)" = "$before" ]; then
        assert_no_block r1
        say "as it was"
else
        assert_no_block r1
        assert component_ready r1
        say "restarted and serving"
fi
