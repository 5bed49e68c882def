# shellcheck shell=bash
# Kinds of fault, each in one phase of a restart, under load, with monit on watch. Every second kind, and the phases, change with
# the commit, so that many runs see all of them; EDGE_ROLL_ROTATION=N repeats a run. `make torture` has every fault in every phase.

n=${EDGE_ROLL_ROTATION:-$(git -C "$TOP" rev-list --count HEAD 2>/dev/null || echo $(($(date +%s) / 86400)))}
say "rotation $n"
read -ra kinds <<<"$FAULTS_DEATH $FAULTS_OTHER"
read -ra phases <<<"$FAULT_PHASES"
fault_ready r1
# Short requests, so that a drain takes a second; the other kinds of load are in the long form.
config r1 '[component router]' 'watch_max = 2s'
load_start 290 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=8,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08"
for i in "${!kinds[@]}"; do
        (((i + n) % 2)) && continue
        # 3 has no divisor in common with 10 phases: neighbours see phases that are far from each other.
        fault_run r1 "${kinds[i]}" "${phases[(n / 2 + 3 * i) % ${#phases[@]}]}"
done
load_more 60
load_stop
fault_done
assert_nothing_lost
