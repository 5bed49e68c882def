# shellcheck shell=bash
# Each fault in each phase of a restart, under load: always one of the three ends, nothing lost. Those that are over in a moment are
# tried, too: what comes with them mostly meets the phase behind, or the seam between the two.
#   FAULTS, PHASES: only these; NODE: whose restart (r1; m1: a message processor's)

node=${NODE:-r1}
read -ra kinds <<<"${FAULTS:-$FAULTS_DEATH $FAULTS_OTHER}"
read -ra phases <<<"${PHASES:-$FAULT_PHASES_ALL}"
fault_ready "$node"
for kind in "${kinds[@]}"; do
        load_mixed_start 900
        for phase in "${phases[@]}"; do
                fault_run "$node" "$kind" "$phase"
        done
        load_more 60
        load_stop
        assert_nothing_lost
done
fault_done
