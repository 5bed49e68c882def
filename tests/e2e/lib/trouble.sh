# shellcheck shell=bash
# Faults that the machine has and the agent lives through: a bus that hangs, a state directory that cannot be written, clocks that
# jump, no memory, no descriptors, no processes, the whole node frozen. In the form of fault.sh, which runs them. Each is over when
# the call is, or after some seconds.

TROUBLES="bus-hangs state-full state-read-only clock-forward clock-back suspend no-memory allocations no-files no-processes"
# The node as a whole does not answer meanwhile, to nobody: what is lost with that is no deed of edge-roll.
TROUBLES_DEAF="node-frozen"

# shim_build NAME: tests/lib/NAME.c becomes $LAB/bin/NAME.so.
shim_build() { gcc -std=gnu11 -D_GNU_SOURCE -O2 -shared -fPIC -o "$LAB/bin/$1.so" "$TOP/tests/lib/$1.c"; }

# trouble_ready NODE: once before the troubles of a node, behind fault_ready. Its state directory becomes a file system that can be
# filled, and its agent has clocks that can jump and a memory that can end.
trouble_ready() {
        local node=$1 shim
        in_node "$node" systemctl stop edge-roll-agent.service 2>/dev/null || :
        in_node "$node" mkdir -p /run/systemd/system/edge-roll-agent.service.d
        state_small "$node"
        in_node "$node" mkdir -p /run/edge-roll-lab
        for shim in skew starve halt; do
                shim_build $shim
                cp "$LAB/bin/$shim.so" "$(node_file "$node" /run/edge-roll-lab/)"
        done
        clock_jump "$node" 0 0
        printf '[Service]\nEnvironment=%s\n' "SKEW_FILE=/run/edge-roll-lab/clock HALT_FILE=/run/edge-roll-lab/halt" \
                "'LD_PRELOAD=/run/edge-roll-lab/skew.so /run/edge-roll-lab/starve.so /run/edge-roll-lab/halt.so'" \
                >"$(node_file "$node" /run/systemd/system/edge-roll-agent.service.d/trouble.conf)"
        in_node "$node" systemctl daemon-reload
}

# trouble_prepare NODE: both, for a node that has its faults beside those of another; what it asks and answers is in a folder of its
# own, $SCENE/NODE.
trouble_prepare() {
        local top=$SCENE
        mkdir "$SCENE/$1"
        SCENE=$SCENE/$1
        fault_ready "$1"
        SCENE=$top
        # One that the machine has let start by halves is held when this is over, and not after five minutes.
        config "$1" "[component $(component_name "$1")]" 'limit_ready = 40s'
        trouble_ready "$1"
}

# state_small NODE [OPTIONS]: the state directory on a small file system of its own, with what was in it. No agent may run.
state_small() {
        # shellcheck disable=SC2016
        in_node "$1" sh -c 'mkdir -p -m 711 /var/lib/edge-roll && cp -a /var/lib/edge-roll /run/edge-roll-state &&
                mount -t tmpfs -o "$1" small /var/lib/edge-roll && cp -a /run/edge-roll-state/. /var/lib/edge-roll/ &&
                rm -r /run/edge-roll-state' sh "mode=711,${2:-size=256k}"
}

# clock_jump NODE WALL BOOT: from now on the agent's clocks are so many microseconds off.
clock_jump() { echo "$2 $3" >"$(node_file "$1" /run/edge-roll-lab/clock)"; }

# agent_halt NODE TEXT: its agent stops (SIGSTOP) as soon as it has told the journal a message with this in it.
agent_halt() { echo "$2" >"$(node_file "$1" /run/edge-roll-lab/halt)"; }

# agent_halted NODE
agent_halted() { in_node "$1" grep -q '^State:[^A-Z]*T' "/proc/$(agent_pid "$1")/status"; }

# agent_on NODE: it goes on, and stops no more.
agent_on() {
        in_node "$1" rm -f /run/edge-roll-lab/halt
        in_node "$1" systemctl kill --signal=CONT edge-roll-agent.service
}

# node_cgroup NODE CONTROLLER: where the cgroup of a node is, for a controller that systemd in the node does not have.
node_cgroup() {
        case $2 in
        freeze) echo "$(cgroup_roots | head -n 1)/edge-roll-lab-$LABID/$1" ;;
        pids) echo "/sys/fs/cgroup/pids/edge-roll-lab-$LABID/$1" ;;
        esac
}

node_freeze() { echo 1 >"$(node_cgroup "$1" freeze)/cgroup.freeze"; }
node_thaw() { echo 0 >"$(node_cgroup "$1" freeze)/cgroup.freeze"; }

bus_pid() { in_node "$1" systemctl show -P MainPID dbus.service; }

# trouble_inject NODE KIND
trouble_inject() {
        local node=$1 n pid
        case $2 in
        bus-hangs) in_node "$node" kill -STOP "$(bus_pid "$node")" ;;
        state-full) in_node "$node" sh -c 'cat /dev/zero >/var/lib/edge-roll/filler' 2>/dev/null || : ;;
        state-read-only) in_node "$node" mount -o remount,ro /var/lib/edge-roll ;;
        clock-forward) clock_jump "$node" 90000000000 0 ;;
        clock-back) clock_jump "$node" -90000000000 0 ;;
        suspend) clock_jump "$node" 3600000000 3600000000 ;;
        no-memory)
                pid=$(agent_pid "$node")
                n=$(in_node "$node" sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
                in_node "$node" prlimit --pid "$pid" --as=$((n * 1024)):
                ;;
        # Some hundred allocations are a moment in the life of a phase; another one each time.
        allocations) in_node "$node" kill --queue $((RANDOM % 400 * 1000 + 1 + RANDOM % 8)) --signal RTMIN "$(agent_pid "$node")" ;;
        no-files)
                pid=$(agent_pid "$node")
                n=$(in_node "$node" sh -c "ls /proc/$pid/fd | sort -n | tail -n 1")
                in_node "$node" prlimit --pid "$pid" --nofile=$((n + 1)):
                ;;
        no-processes) pids_limit "$node" ;;
        node-frozen) node_freeze "$node" ;;
        *) fail "no fault $2" ;;
        esac
}

# trouble_seconds KIND: how long at most.
trouble_seconds() {
        case $1 in
        bus-hangs) echo "${BUS_HANGS:-12}" ;;
        # Longer than an element of the block lives.
        node-frozen) echo "${NODE_FROZEN:-40}" ;;
        no-processes) echo 12 ;;
        *) echo 45 ;;
        esac
}

# trouble_pass NODE KIND: it lasts; then it is over.
trouble_pass() {
        local end
        end=$(($(now_ms) + $(trouble_seconds "$2") * 1000))
        until gone "$ER_PID" || [ "$(now_ms)" -ge $end ]; do pause 0.1; done
        trouble_mend "$@"
}

trouble_mend() {
        local node=$1 pid
        case $2 in
        bus-hangs) in_node "$node" kill -CONT "$(bus_pid "$node")" ;;
        state-full) in_node "$node" rm -f /var/lib/edge-roll/filler ;;
        state-read-only) in_node "$node" mount -o remount,rw /var/lib/edge-roll ;;
        clock-* | suspend) clock_jump "$node" 0 0 ;;
        no-memory | no-files)
                pid=$(agent_pid "$node")
                # The next agent, if there was one, has limits of its own. The hard ones were left alone.
                [ "$pid" = 0 ] || in_node "$node" prlimit --pid "$pid" --as=unlimited: --nofile=1024: || :
                ;;
        no-processes) pids_free "$node" ;;
        node-frozen) node_thaw "$node" ;;
        esac
}

# pids_limit NODE: whatever runs in it goes on, and cannot have one process or thread more.
pids_limit() {
        local group pid own
        group=$(node_cgroup "$1" pids)
        mkdir -p "$group"
        for own in $(cgroup_roots | head -n 1); do
                find "$own/edge-roll-lab-$LABID/$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un | while read -r pid; do
                        echo "$pid" >"$group/cgroup.procs" 2>/dev/null || :
                done
        done
        cat "$group/pids.current" >"$group/pids.max"
}

pids_free() {
        local group pid
        group=$(node_cgroup "$1" pids)
        echo max >"$group/pids.max"
        while [ -s "$group/cgroup.procs" ]; do
                read -r pid <"$group/cgroup.procs" || break
                echo "$pid" >/sys/fs/cgroup/pids/cgroup.procs 2>/dev/null || :
        done
        rmdir "$group" 2>/dev/null || :
}
