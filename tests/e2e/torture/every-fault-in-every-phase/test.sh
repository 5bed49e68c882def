# shellcheck shell=bash
# Each fault in each phase of a router's restart, under load: always one of the three ends, nothing lost.
#   FAULTS, PHASES: only these

read -ra kinds <<<"${FAULTS:-$FAULTS_DEATH $FAULTS_OTHER}"
read -ra phases <<<"${PHASES:-$FAULT_PHASES}"
fault_ready r1
for kind in "${kinds[@]}"; do
        load_mixed_start 900
        for phase in "${phases[@]}"; do
                fault_run r1 "$kind" "$phase"
        done
        load_more 60
        load_stop
        assert_nothing_lost
done
fault_done
