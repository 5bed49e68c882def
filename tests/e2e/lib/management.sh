# shellcheck shell=bash
# Edge's Management Server, played by standin/management.py in a network of its own, `ms`, beside the cluster.

ms_url() { echo "${MS_SCHEME:-http}://$(ip4 ms):8080"; }

# ms_start [tls]: it serves, and lists every node of the cluster as the documentation shows it, with rows of databases among them; with
# tls behind a certificate for its address, which $LAB/ms/ca.pem vouches for. Ends with the scenario.
ms_start() {
        ms_remove
        trap ms_remove EXIT
        net_add ms
        mkdir -p "$LAB/ms"
        ms_rows >"$LAB/ms/servers.json"
        MS_SCHEME=http
        [ "${1:-}" != tls ] || { MS_SCHEME=https && ms_certificate; } || return
        RUN_AS="exec" in_net ms /usr/bin/python3 "$E2E/standin/management.py" "$LAB/ms" "$(ip4 ms)" 8080 >"$LAB/ms/out" 2>&1 </dev/null &
        echo $! >"$LAB/ms/pid"
        disown
        wait_for 10 in_net ms curl -sk -o /dev/null -m 2 "$(ms_url)/"
}

ms_certificate() {
        local dir=$LAB/ms
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=management" \
                -addext "subjectAltName=IP:$(ip4 ms)" -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null || return
        cat "$dir/ca.pem" "$dir/key.pem" >"$dir/tls.pem"
}

# ms_mode WORD: how it answers from now on (management.py has the words; a number is a status).
ms_mode() { echo "$1" >"$LAB/ms/mode"; }

# ms_user USER PASSWORD: who may ask; without them everybody.
ms_user() { if [ $# = 2 ]; then echo "$1:$2" >"$LAB/ms/user"; else rm -f "$LAB/ms/user"; fi; }

# ms_edit FILTER: its rows are changed by jq.
ms_edit() {
        jq "$1" "$LAB/ms/servers.json" >"$LAB/ms/servers.new" && mv "$LAB/ms/servers.new" "$LAB/ms/servers.json"
}

# ms_asked: what it was asked, and how it answered.
ms_asked() { cat "$LAB/ms/log" 2>/dev/null || :; }

ms_remove() {
        local pid
        [ -d "$LAB/ms" ] || return 0
        if read -r pid <"$LAB/ms/pid"; then
                kill -KILL "$pid" 2>/dev/null || :
                wait_for 10 gone "$pid"
        fi
        rm -rf "$LAB/ms"
        net_remove ms
}

# Host names are localhost, as on many installations; the second row of each region has no names and no tags at all.
ms_rows() {
        local name region
        {
                for name in $NODES; do
                        jq -n --arg ip "$(ip4 "$name")" --arg region "$(region_of "$name")" --arg uuid "$(uuid_of "$name")" --arg type "$(component_name "$name")" \
                                '{externalHostName: "localhost", externalIP: $ip, internalHostName: "localhost", internalIP: $ip, isUp: true, pod: "gateway",
                                  reachable: true, region: $region, tags: {property: [{name: "jmx.rmi.port", value: "1101"}]}, type: [$type], uUID: $uuid}'
                done
                for region in $REGIONS; do
                        jq -n --arg region "$region" \
                                '{internalIP: "10.77.0.99", isUp: true, pod: "gateway", reachable: true, region: $region, tags: {property: []},
                                  type: ["dc-datastore", "management-server", "kms-datastore"], uUID: "13cee956-d3a7-4577-8f0f-\($region)"}'
                done
        } | jq -s .
}
