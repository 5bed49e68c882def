# shellcheck shell=bash
# takes: 110
# Troubles of the machine, each in one phase of a restart, of a router and of a message processor side by side, under load, with monit
# on watch. Which ones, and in which phases, changes with the commit; EDGE_ROLL_ROTATION=N repeats a run. `make torture` has each of
# them in each phase.

n=${EDGE_ROLL_ROTATION:-$(git -C "$TOP" rev-list --count HEAD 2>/dev/null || echo $(($(date +%s) / 86400)))}
say "rotation $n"
read -ra kinds <<<"$TROUBLES"
read -ra phases <<<"$FAULT_PHASES"

# series NODE FIRST: three of them.
series() {
        local node=$1 i
        SCENE=$SCENE/$node
        for i in 0 1 2; do
                fault_run "$node" "${kinds[(n + $2 + 2 * i) % ${#kinds[@]}]}" "${phases[(n / 2 + $2 + 3 * i) % ${#phases[@]}]}"
        done
}

for node in r1 m1; do
        trouble_prepare "$node"
        config "$node" "[component $(component_name "$node")]" 'watch_max = 2s'
done
# Short requests, so that a drain takes a second; the other kinds of load are in the long form.
load_start 290 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=8,every=0.06" "new:name=new,to=$(ip4 lb):80,path=/fast,n=4,every=0.08"
series r1 0 &
router=$!
series m1 5 &
wait $router
wait $!
load_more 60
load_stop
assert_nothing_lost
