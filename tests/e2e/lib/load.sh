# shellcheck shell=bash
# Client load from the namespace `client` through the load balancer. The generator is tests/lib/load.c.

BIG_BYTES=8000000

# tool_build NAME [PART...]: tests/lib/NAME.c, with tests/lib/PART.c, becomes $LAB/bin/NAME.
tool_build() {
        local parts=("${@/#/$TOP/tests/lib/}")
        gcc -std=gnu11 -D_GNU_SOURCE -O2 -I"$TOP" -o "$LAB/bin/$1" "${parts[@]/%/.c}" -Wl,--as-needed -lsystemd
}

# All kinds a real cluster sees, small enough for two cores: to=ADDRESS:PORT is $1.
load_mixed() {
        printf '%s\n' \
                "kept:name=short,to=$1,path=/fast,n=12,every=0.06" \
                "new:name=new,to=$1,path=/fast,n=4,every=0.08" \
                "kept:name=slow,to=$1,path=/slow/2.5,n=8" \
                "download:name=download,to=$1,path=/big?rate=2000000,bytes=$BIG_BYTES,n=4" \
                "upload:name=upload,to=$1,path=/upload,bytes=300000,over=3,n=4" \
                "kept:name=idle,to=$1,path=/fast,n=10,every=4"
}

# load_start SECONDS STREAMS...: in the background; bounded in time whatever happens.
load_start() {
        local seconds=$1
        shift
        rm -f "$LAB"/load/*
        RUN_AS="exec" in_net client "$LAB/bin/load" --seconds "$seconds" --finish 70 --progress "$LAB/load/progress" \
                --failures "$LAB/load/failures" "$@" >"$LAB/load/summary" 2>"$LAB/load/errors" </dev/null &
        echo $! >"$LAB/load/pid"
        disown
        # shellcheck disable=SC2016
        wait_for 20 load_has '[.kinds[].ok] | all(. > 0)'
}

load_mixed_start() {
        local streams
        mapfile -t streams < <(load_mixed "$(ip4 lb):80")
        load_start "${1:-120}" "${streams[@]}"
}

# load_has FILTER: the jq filter is true for the numbers of this moment.
load_has() { jq -e "$1" "$LAB/load/progress" >/dev/null; }

# load_more SECONDS: goes on until every kind has had two more successes than now, so that what comes after a change is seen too.
load_more() {
        local before
        before=$(jq -c '.kinds | map_values(.ok)' "$LAB/load/progress")
        wait_for "$1" load_has "$before as \$b | .kinds | to_entries | all(.value.ok >= \$b[.key] + 2)"
}

# load_stop: nothing new is started, what is in flight ends; then the summary is there.
load_stop() {
        local pid
        read -r pid <"$LAB/load/pid"
        kill -TERM "$pid" 2>/dev/null || :
        wait_for 75 gone "$pid"
        rm -f "$LAB/load/pid"
        jq -e . "$LAB/load/summary" >/dev/null
}

# load_abandon: at the end of a scenario, whatever state it left the load in.
load_abandon() {
        local pid
        [ -e "$LAB/load/pid" ] || return 0
        read -r pid <"$LAB/load/pid"
        kill -KILL "$pid" 2>/dev/null || :
        rm -f "$LAB/load/pid"
}

# load_total FIELD: from the summary.
load_total() { jq -r ".$1" "$LAB/load/summary"; }
