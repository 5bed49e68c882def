# shellcheck shell=bash
# Time. The one way a scenario waits is wait_for: for something to be true, with a deadline.

# A pipe on which nothing ever arrives, open at both ends.
exec 7<> <(:)

# pause SECONDS: lets others run between two looks. No process is started.
pause() { read -r -t "$1" -u 7 _ || :; }

# Monotonic milliseconds.
now_ms() {
        local up _
        read -r up _ </proc/uptime
        echo "${up/./}0"
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; fails after SECONDS. What was waited for is told on failure.
wait_for() {
        local limit=$1 end
        shift
        end=$(($(now_ms) + limit * 1000))
        until "$@" 2>/dev/null; do
                if [ "$(now_ms)" -ge $end ]; then
                        echo "waited $limit s in vain for: $*" >&2
                        return 1
                fi
                pause 0.05
        done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

not() { ! "$@"; }

same() { [ "$1" = "$2" ]; }
