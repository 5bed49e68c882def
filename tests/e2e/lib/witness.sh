# shellcheck shell=bash
# Who was out at the same time, as others saw it: the load balancers' logs for routers, the routers' own journals for message
# processors, and, sharper than what their checks can see, when each node's agent says that its block was in place.

# two_out MOST: reads "SECONDS out|in|start NAME" in order of time; prints each moment at which more than MOST were out. After
# start (the witness itself began anew) nobody counts as out.
two_out() {
        awk -v most="$1" '
                $2 == "start" { delete out; n = 0; next }
                $2 == "out" && !($3 in out) { out[$3] = 1; n++ }
                $2 == "in" && ($3 in out) { delete out[$3]; n-- }
                $2 == "out" && n > most {
                        names = ""
                        for (name in out) names = names " " name
                        print $1 ":" names
                }'
}

# seen_by_lb REGION: routers, from the log of the region's load balancer.
seen_by_lb() {
        sed -nE 's/^([0-9][^ ]+) .*Server routers\/([a-z0-9]+) is DOWN.*/\1 out \2/p; s/^([0-9][^ ]+) .*Server routers\/([a-z0-9]+) is UP.*/\1 in \2/p' \
                "$LAB/$(lb_of "$1")/log"
}

# seen_by_router ROUTER: message processors, from its journal of this scenario.
seen_by_router() {
        in_node "$1" journalctl -q --no-pager -o short-unix -u "$(unit_of "$1")" --since "@${SCENE_AT%.*}" |
                sed -nE '/\[WARNING\]/d
                         s/^([^ ]+) .*Server message-processors\/([a-z0-9]+) is DOWN.*/\1 out \2/p
                         s/^([^ ]+) .*Server message-processors\/([a-z0-9]+) is UP.*/\1 in \2/p
                         s/^([^ ]+) .*systemd\[1\]: (Started|Stopped) .*/\1 start/p'
}

# agent_says NODE: out from the moment its block was in place until it was gone, as its agent's journal has it.
agent_says() {
        in_node "$1" journalctl -q --no-pager -o short-unix -t edge-roll --since "@${SCENE_AT%.*}" |
                sed -nE "s/^([^ ]+) .*: block: ok: .*/\\1 out $1/p; s/^([^ ]+) .*: (unblock|undo): ok: .*/\\1 in $1/p"
}

# pool_blocks NODE...: of all of them, in order of time.
pool_blocks() {
        local name
        for name; do agent_says "$name"; done | sort -n
}

# never_two [MOST]: no witness saw more than MOST (1) of a pool out at once; else prints what they saw.
never_two() {
        local most=${1:-1} region name seen all=''
        for region in $REGIONS; do
                seen=$(seen_by_lb "$region" | two_out "$most")
                [ -z "$seen" ] || all+="the load balancer of $region: $seen"$'\n'
                for name in $(routers_of "$region"); do
                        seen=$(seen_by_router "$name" | two_out "$most")
                        [ -z "$seen" ] || all+="$name: $seen"$'\n'
                done
                # shellcheck disable=SC2046
                for seen in "$(pool_blocks $(routers_of "$region") | two_out "$most")" "$(pool_blocks $(mps_of "$region") | two_out "$most")"; do
                        [ -z "$seen" ] || all+="the agents of $region: $seen"$'\n'
                done
        done
        [ -z "$all" ] || {
                printf '%s' "$all"
                return 1
        }
}

assert_never_two() {
        local seen
        seen=$(never_two "$@") || fail "more than ${1:-1} of a pool were out at once:
$seen"
}

# outs REGION: the routers in the order in which its load balancer took them out.
outs() { seen_by_lb "$1" | awk '$2 == "out" { print $3 }' | xargs; }

# blocks NODE...: those of them that were out, in the order in which their agents blocked them.
blocks() { pool_blocks "$@" | awk '$2 == "out" { print $3 }' | xargs; }

# assert_order "NAME NAME..." NODE...: which of the nodes were out, and in which order.
assert_order() { assert_same "$(blocks "${@:2}")" "$1" "order of the nodes that went out"; }

# lives_of NODE...: changes with each start of any of their components.
lives_of() {
        local name
        for name; do echo "$name $(life "$name")"; done
}

# assert_all_restarted BEFORE NODE..., assert_all_untouched BEFORE NODE...: against what lives_of said.
assert_all_restarted() {
        local name
        for name in "${@:2}"; do
                ! grep -qxF "$name $(life "$name")" <<<"$1" || fail "the component of $name was not restarted"
        done
}

assert_all_untouched() {
        local name
        for name in "${@:2}"; do
                grep -qxF "$name $(life "$name")" <<<"$1" || fail "the component of $name was restarted"
        done
}
