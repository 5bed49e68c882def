# shellcheck shell=bash
# As Ctrl-C once: SIGTERM and SIGHUP to the command, and the window closed over it.

no_rolls() { ! in_node bastion pgrep -f "^edge-roll restart"; }

for how in TERM HUP window; do
        before=$(lives_of r1 r2 r3)
        SCENE_AT=$EPOCHREALTIME
        lbs_start
        regions_load_start 120
        if [ $how = window ]; then
                tty_start restart router --cluster --region dc-1 --yes
        else
                bastion_start restart router --cluster --region dc-1 --yes
        fi
        wait_for 60 node_lb_says r1 DOWN
        if [ $how = window ]; then
                tty_close
                wait_for 60 job_over r1
                ER_EXIT=1
        else
                bastion_signal $how
                bastion_wait
        fi
        [ "$ER_EXIT" != 0 ] || fail "a roll that got SIG$how exits 0"
        assert_all_restarted "$before" r1
        assert_all_untouched "$before" r2 r3
        assert_no_block r1
        wait_for 30 no_rolls
        bastion_er resume --give-up --yes
        regions_proof
done
