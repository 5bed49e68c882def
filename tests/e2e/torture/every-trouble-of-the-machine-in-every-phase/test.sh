# shellcheck shell=bash
# Each trouble that a machine has (lib/trouble.sh) in each phase of a restart, of a router and of a message processor side by side,
# under load: always one of the three ends, nothing lost.
#   FAULTS, PHASES, FAULT_NODES: only these

read -ra kinds <<<"${FAULTS:-$TROUBLES $TROUBLES_DEAF}"
read -ra phases <<<"${PHASES:-$FAULT_PHASES}"
read -ra nodes <<<"${FAULT_NODES:-r1 m1}"

# One node's faults of one kind; what they ask and answer is in a folder of its own. Those that fail are counted, and go on.
series() {
        local node=$1 kind=$2 phase bad=0
        SCENE=$SCENE/$node
        for phase in "${phases[@]}"; do
                # Not behind a ||, which would make the shell pass over what fails within.
                fault_run "$node" "$kind" "$phase" &
                wait $! || bad=$((bad + 1))
        done
        return $bad
}

for node in "${nodes[@]}"; do trouble_prepare "$node"; done
bad=0
for kind in "${kinds[@]}"; do
        load_mixed_start 1500
        pids=()
        for node in "${nodes[@]}"; do
                series "$node" "$kind" &
                pids+=($!)
                # Who is deaf is asked by the others, too.
                case " $TROUBLES_DEAF " in
                *" $kind "*) wait $! || : ;;
                esac
        done
        for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + $?)); done
        load_more 60
        load_stop
        case " $TROUBLES_DEAF " in
        *" $kind "*) ;;
        *) assert_nothing_lost ;;
        esac
done
[ $bad = 0 ] || fail "$bad faults had a bad end"
