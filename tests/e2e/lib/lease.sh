# shellcheck shell=bash
# A coordinator's side of the bus, by hand: what it calls on one node, one call at a time.

# bus_call NODE METHOD [SIGNATURE ARGUMENT...]: the answer's values as JSON in BUS_DATA.
bus_call() {
        local node=$1 out
        shift
        out=$(in_node "$node" busctl --json=short --timeout=20 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 "$@") || return
        # A method without an answer says nothing.
        BUS_DATA=$(jq -c '.data // []' <<<"${out:-null}")
}

# bus_refused PATTERN NODE METHOD ...: the call fails, and says a sentence that matches.
bus_refused() {
        local pattern=$1 text
        shift
        ! text=$(bus_call "$@" 2>&1) || fail "$2 was obeyed"
        grep -q -- "$pattern" <<<"$text" || fail "$2: expected an error like '$pattern', seen: $text"
        say "$2: ${text#Call failed: }"
}

# look NODE COMPONENT FILTER
look() {
        bus_call "$1" Look s "$2" || return
        jq -r ".[0] | fromjson | $3" <<<"$BUS_DATA"
}

# members NODE...: as arguments of type a(sss).
members() {
        local n
        echo $#
        for n; do printf '%s %s %s\n' "$(look "$n" "$(component_name "$n")" .uuid)" "$n" "$(ip4 "$n")"; done
}

# lease_take NODE HOLDER [OPTION TYPE VALUE]...: of the node's component, with this node as the whole pool unless MEMBERS says
# otherwise. LEASE is its epoch.
lease_take() {
        local node=$1 holder=$2 all
        shift 2
        all=${MEMBERS:-$(members "$node")}
        # shellcheck disable=SC2086
        bus_call "$node" LeaseTake 'ssa(sss)a{sv}' "$(component_name "$node")" "$holder" $all $(($# / 3)) "$@" || return
        LEASE=$(jq '.[0]' <<<"$BUS_DATA")
}

lease_renew() { bus_call "$1" LeaseRenew st "$(component_name "$1")" "$LEASE"; }

lease_give() { bus_call "$1" LeaseGive st "$(component_name "$1")" "$LEASE"; }

# boot_usec [SECONDS]: the node's boot clock, which is that of the machine, in microseconds, and so much later.
boot_usec() { python3 -c "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 + int(${1:-0} * 1000000))"; }

# ordered NODE METHOD STEP ROLL [OPTION TYPE VALUE]...: a call under the lease; BUS_DATA has the job and whether it was joined.
ordered() {
        local node=$1 method=$2 step=$3 roll=$4
        shift 4
        bus_call "$node" "$method" 'sa{sv}' "$(component_name "$node")" $((4 + $# / 3)) lease t "$LEASE" step t "$step" \
                expires t "${EXPIRES:-$(boot_usec 10)}" roll s "$roll" "$@"
}

# last NODE FILTER: of the record of its last job, as Look tells it.
last() { look "$1" "$(component_name "$1")" ".last | $2"; }

# in_phase NODE PHASE: its job is there, or further.
in_phase() { [ "$(look "$1" "$(component_name "$1")" .job.phase)" = "$2" ]; }

# no_job NODE
no_job() { [ "$(look "$1" "$(component_name "$1")" .job)" = null ]; }

# lease_over NODE: nobody has it any more.
lease_over() { [ "$(look "$1" "$(component_name "$1")" .lease)" = null ]; }

# same_or_later USEC: the boot clock has come so far.
same_or_later() { [ "$(boot_usec)" -ge "$1" ]; }
