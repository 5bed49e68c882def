# shellcheck shell=bash
# Whoever asked for a restart is killed, hangs up, is interrupted, or its terminal is closed, in each phase: it is done all the same,
# and no request is lost.

kp_fast r1
# Long enough for somebody to be lost in them.
standin r1 START_DELAY=0.5
for how in killed hung-up interrupted terminal; do
        phases="preflight watch notice drain stop start ready return"
        # As the node tells it when it is asked: shorter ones may be missed.
        [ "$how" != terminal ] || phases="notice drain ready"
        load_mixed_start 300
        for phase in $phases; do
                caller_lost r1 "$how" "$phase"
                wait_for 20 lb_says r1 UP
        done
        load_stop
        assert_nothing_lost
done
