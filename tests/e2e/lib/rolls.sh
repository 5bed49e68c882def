# shellcheck shell=bash
# What several scenarios of the big cluster share.

# killed_in PHASE: a roll of dc-1's routers whose coordinator is killed when r2 begins that phase, and its way on.
killed_in() {
        local phase=$1 before middle
        before=$(lives_of r1 r2 r3)
        SCENE_AT=$EPOCHREALTIME
        lbs_start
        regions_load_start 200
        bastion_start restart router --cluster --region dc-1 --yes --reason "killed in $phase"
        wait_for 90 node_phase r2 "$phase"
        bastion_signal KILL
        bastion_wait
        wait_for 120 job_over r2
        assert_no_block r2
        assert_all_untouched "$before" r3
        middle=$(lives_of r1)
        bastion_er restart router --cluster --region dc-1 --yes
        assert_same "$(result .result)" refused "a plain run beside a roll that is not over"
        result .hint | shows 'edge-roll resume.*' || fail "the way on is not named: $(result .hint)"
        result .hint | shows 'edge-roll resume .* --give-up' || fail "the way out is not named: $(result .hint)"
        bastion_er resume --yes
        assert_result "done" 0
        assert_all_untouched "$middle" r1
        assert_all_restarted "$before" r1 r2 r3
        assert_same "$(blocks r1 r3)" "r1 r3" "who was out, and how often"
        regions_proof
}

# at_end COMMAND...: when the scenario ends, however it does, with its exit status behind.
AT_END=()
at_end() {
        AT_END+=("$*")
        trap 'status=$?; for command in "${AT_END[@]}"; do $command $status; done' EXIT
}

# lock_with_zookeeper NODE...: an ensemble of three, and these nodes take their places there.
lock_with_zookeeper() {
        local name
        zk_start
        at_end zk_remove
        for name; do config "$name" '[pool]' "lock = zookeeper://$(zk_connect_string)" 'lock_session = 4s'; done
}

# zk_cut NODE...: no packet goes between the node and ZooKeeper, in neither direction, nor a message that says so. zk_mend: all of them.
zk_cut() {
        local name
        in_net zk nft -f - <<-'NFT'
		table inet lab_cut {
		        set cut { type ipv4_addr; }
		        chain in { type filter hook input priority 0; ip saddr @cut drop; }
		        chain out { type filter hook output priority 0; ip daddr @cut drop; }
		}
	NFT
        for name; do in_net zk nft add element inet lab_cut cut "{ $(ip4 "$name") }"; done
}

zk_mend() { in_net zk nft delete table inet lab_cut; }

# restarts_start NODE ARGUMENT...: `edge-roll restart router` on that node itself; its call is in CALLS[NODE].
declare -A CALLS
restart_start() {
        er_start "$1" restart "$(component_name "$1")" "${@:2}"
        echo "$ER_PID" >"$ER_CALL.pid"
        CALLS[$1]=$ER_CALL
}

# node_began NODE PHASE: its call of restart_start has begun that phase.
node_began() { grep -q "^{\"event\":\"phase\",\"phase\":\"$2\",\"state\":\"begin\"" "${CALLS[$1]}.json"; }

# in_line FIRST NODE...: all of them are told to restart. FIRST is out when this comes back, the others stand in line behind it, in
# that order. A node is known to others from when it has first stood in line, so FIRST cannot go before there is a second.
in_line() {
        local name
        for name; do
                restart_start "$name" --wait
                wait_for 30 node_began "$name" place
        done
        wait_for 30 node_began "$1" notice
}

# restart_done NODE: its call of restart_start ends with a restart.
restart_done() {
        bastion_wait "${CALLS[$1]}"
        assert_result "done" 0
}
