# shellcheck shell=bash
# In each phase of r1 the coordinator's ssh is killed, of r2 the sshd of its session there, of r3 the bridge. The jobs are their
# agents', the coordinator comes back to them each time: the roll is done, and nothing is restarted twice.
# rotation: never
# takes: 90

# each_phase NODE COMMAND: COMMAND NODE when each phase of its next job has begun; those are in HIT.
each_phase() {
        local node=$1 phase='' last='' until=$((SECONDS + 150))
        HIT=
        while [ $SECONDS -lt $until ]; do
                phase=$(look "$node" router '.job.phase // ""') || continue
                [ -n "$phase" ] || [ -z "$last" ] || return 0
                [ "$phase" != "$last" ] || continue
                last=$phase
                "$2" "$node" && HIT+="$phase "
        done
        fail "the job of $node has not come to its end"
}

# on_node_kill NODE PATTERN: those of the coordinator's session there.
on_node_kill() {
        local pid pids
        pids=$(in_node "$1" pgrep -f -- "$2") || return
        for pid in $pids; do in_node "$1" kill -KILL "$pid" || :; done
}
sshd_kill() { on_node_kill "$1" '^sshd: root@notty'; }
bridge_kill() { on_node_kill "$1" '^edge-roll bridge'; }
ssh_killed() { [ -n "$(ssh_pids "$1")" ] && ssh_kill "$1"; }

before=$(lives_of r1 r2 r3)
regions_load_start 280
bastion_start restart router --cluster --region dc-1 --yes
for how in "r1 ssh_killed" "r2 sshd_kill" "r3 bridge_kill"; do
        # shellcheck disable=SC2086
        each_phase $how
        say "${how#* } in: $HIT"
        # Several are over before there is another one to be killed.
        [ "$(wc -w <<<"$HIT")" -ge 3 ] || fail "killed in too few phases: $HIT"
done
bastion_wait
assert_result "done" 0
regions_proof
assert_all_restarted "$before" r1 r2 r3
assert_order "r1 r2 r3" r1 r2 r3
