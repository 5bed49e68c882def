# shellcheck shell=bash
# Whoever has asked for a restart on a node is lost in the middle of it.

# caller_lost NODE HOW PHASE: its restart is done all the same. HOW: killed, hung-up, interrupted, or terminal: the window it runs in is
# closed.
caller_lost() {
        local node=$1 how=$2 phase=$3 before
        before=$(life "$node")
        if [ "$how" = terminal ]; then
                TTY_NODE=$node tty_start restart "$(component_name "$node")"
                wait_for 60 in_phase "$node" "$phase"
        else
                er_start "$node" restart "$(component_name "$node")" --reason "$how in $phase"
                wait_for 60 er_phase "$phase"
        fi
        case $how in
        killed) lose er_signal KILL ;;
        hung-up) lose er_signal HUP ;;
        interrupted) lose er_signal INT ;;
        terminal) lose tty_close ;;
        *) fail "a caller cannot be $how" ;;
        esac
        er_wait
        [ "$ER_EXIT" -ge 128 ] || [ -z "$LOST" ] || [ "$how" = terminal ] || fail "$how in $phase: its caller has ended with $ER_EXIT"
        wait_for 120 job_over "$node"
        assert_same "$(last "$node" .result)" "done" "$how in $phase: how the job ended"
        assert_restarted "$node" "$before"
        assert_no_block "$node"
}

# lose COMMAND...: LOST is empty where the caller was quicker, and has its answer already.
lose() {
        LOST=yes
        "$@" 2>/dev/null || LOST=
        [ -n "$LOST" ] || say "its caller has its answer already"
}
