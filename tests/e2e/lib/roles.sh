# shellcheck shell=bash
# Roles: what a node is (router, message processor), the load balancer, and the cluster of all of them.
# The components themselves are stand-ins for Apigee Edge: standin/opt/apigee/standin/settings.sh.

component_of() {
        case $1 in
        r*) echo edge-router ;;
        m*) echo edge-message-processor ;;
        esac
}

# What edge-roll calls it.
component_name() {
        case $1 in
        r*) echo router ;;
        m*) echo message-processor ;;
        esac
}

unit_of() { cat "$LAB/nodes/$1/unit"; }

uuid_of() { echo "276bc250-7dd0-46a5-a583-fd11eba78${HOST[$1]}a"; }

# role_put NAME [unit|wrapper]: the component's files in a node that is made and not booted. unit: a unit of its own, as a
# user may have written; wrapper: none, so that edge-roll's edge-component@.service runs apigee-service.
role_put() {
        local name=$1 how=${2:-unit} root=$LAB/nodes/$1/root component unit
        component=$(component_of "$name")
        cp -a "$E2E/standin/opt/apigee" "$root/opt/apigee"
        mkdir -p "$root/etc/standin" "$root/etc/edge-roll/edge-roll.conf.d" "$root/opt/apigee/var/log/apigee-monit"
        printf 'UUID=%s\n' "$(uuid_of "$name")" >"$root/etc/standin/$component"
        printf '        server %s %s:8998\n' m1 "$(ip4 m1)" m2 "$(ip4 m2)" >"$root/etc/standin/message-processors.cfg"
        case $how in
        unit)
                unit=$component.service
                cp "$E2E/standin/units/$unit" "$root/etc/systemd/system/"
                ;;
        wrapper) unit=edge-component@$component.service ;;
        esac
        echo "$unit" >"$LAB/nodes/$name/unit"
        cp "$E2E/standin/units/apigee-monit.service" "$root/etc/systemd/system/"
        sed -e "s/@NAME@/$component/g" -e "s/@UNIT@/$unit/g" "$E2E/standin/monitrc" >"$root/etc/monit/monitrc"
        chmod 600 "$root/etc/monit/monitrc"
        cp "$E2E/edge-roll-lab.conf" "$root/etc/edge-roll/edge-roll.conf.d/50-lab.conf"
        [ -z "${EDGE_ROLL_OLD:-}" ] || cp "$E2E/edge-roll-old.conf" "$root/etc/edge-roll/edge-roll.conf.d/55-old.conf"
}

# standin NAME KEY=VALUE...: what the stand-in is from its next start on (settings.sh has the keys).
standin() {
        local name=$1
        shift
        dirty "$name"
        printf '%s\n' "$@" >>"$(node_file "$name" "/etc/standin/$(component_of "$name")")"
}

# standin_now NAME KEY=VALUE...: the same, and at once for the management port of the one that runs.
standin_now() {
        standin "$@"
        in_node "$1" /opt/apigee/standin/render "$(component_of "$1")"
}

# config NAME LINE...: configuration of edge-roll on a node, over the lab's own.
config() {
        local name=$1
        shift
        dirty "$name"
        printf '%s\n' "$@" >>"$(node_file "$name" /etc/edge-roll/edge-roll.conf.d/60-scenario.conf)"
}

# properties NAME LINE...: what the administrator has set for the component of a node, behind what is there.
properties() {
        local name=$1 file
        file=$(component_name "$name").properties
        shift
        dirty "$name"
        printf '%s\n' "$@" >>"$(node_file "$name" "/opt/apigee/customer/application/$file")"
}

# routers_retry WORDS: what both routers try on another message processor from now on (settings.sh).
routers_retry() {
        local r
        for r in r1 r2; do
                standin $r "RETRY='$1'"
                properties $r "conf_load_balancing_load.balancing.driver.nginx.server.retry=$1"
                in_node $r systemctl restart "$(unit_of $r)"
        done
        wait_for 20 through_routers
        wait_for 10 lb_says r1 UP
        wait_for 10 lb_says r2 UP
}

# behind_tls NAME: both routers talk TLS to this message processor from now on, and so check its management port.
behind_tls() {
        local name=$1 r other=m2
        [ "$name" = m1 ] || other=m1
        standin "$name" TLS=yes
        properties "$name" conf_message-processor-communication_local.http.ssl=true
        in_node "$name" systemctl restart "$(unit_of "$name")"
        wait_for 20 component_ready "$name"
        for r in r1 r2; do
                dirty $r
                printf '        server %s\n' "$name $(ip4 "$name"):8998 ssl verify none check port 8082" "$other $(ip4 "$other"):8998" \
                        >"$(node_file $r /etc/standin/message-processors.cfg)"
                in_node $r systemctl restart "$(unit_of $r)"
        done
        wait_for 20 through_routers
        wait_for 10 lb_says r1 UP
        wait_for 10 lb_says r2 UP
}

component_start() { in_node "$1" systemctl start "$(unit_of "$1")"; }

component_ready() {
        local port=8081
        [ "$(component_of "$1")" = edge-router ] || port=8082
        [ "$(in_node "$1" curl -s -m 2 "http://127.0.0.1:$port/v1/servers/self/up")" = true ]
}

# router_open NAME: the port that is checked answers, which a router opens last.
router_open() { in_node "$1" curl -s -m 2 -o /dev/null http://127.0.0.1:15999/v1/servers/self/reachable; }

node_new() {
        node_make "$1" && role_put "$@" && node_boot "$1"
}

node_serve() {
        node_up "$1" && component_start "$1" && wait_for 20 component_ready "$1"
}

# node_renew NAME [unit|wrapper]: the node thrown away and made anew, with the component run the other way.
node_renew() {
        node_destroy "$1"
        node_new "$@"
        dirty "$1"
        node_serve "$1"
        wait_for 20 through_routers
        case $1 in
        r*) wait_for 10 lb_says "$1" UP ;;
        esac
}

monit_start() {
        dirty "$1"
        in_node "$1" systemctl start apigee-monit.service
        wait_for 20 monit_says "$1" 1
}

# monit_says NAME 0|1: whether monit watches the component, with nothing pending.
monit_says() {
        in_node "$1" curl -s -m 2 'http://127.0.0.1:2812/_status?format=xml' |
                grep -q "<name>$(component_of "$1")</name>.*<monitor>$2</monitor>.*<pendingaction>0</pendingaction>"
}

# lb_start: HAProxy as the load balancer, in front of r1 and r2, on port 80 of lb's address. Never tries again, so that what
# a router loses is seen by the client. Its log is $LAB/lb/log: each request, each health check that changed something.
#   LB_ROUTERS behind it (r1 r2)
#   LB_CHECK   4, 6 (address family of checks and traffic) or none; apart: checked, but sent to whatever the checks say
#   LB_INTER   between checks        LB_FALL, LB_RISE        LB_MODE   http or tcp
#   LB_SERVER  more options of the servers                   LB_BIND   address and port (an IPv4 one), default *:80
#   LB_OUT     not empty: a router is out, so nobody waits until both are up
#   LB_NET, LB_DIR: the network and the files of a second one; $LAB/lb2 is stopped before the next scenario
lb_start() {
        local check=${LB_CHECK:-4} family=4 name dir=${LB_DIR:-$LAB/lb}
        [ "$check" != 6 ] || family=6
        check="check port 15999 inter ${LB_INTER:-500ms} fall ${LB_FALL:-3} rise ${LB_RISE:-2}"
        case ${LB_CHECK:-4} in none | apart) check= ;; esac
        lb_stop
        mkdir -p "$dir"
        : >"$dir/log"
        {
                cat <<-CFG
			global
			        log stdout format iso daemon
			        maxconn 4000
			        nbthread 1
			defaults
			        mode ${LB_MODE:-http}
			        log global
			        option log-health-checks
			        timeout connect 3s
			        timeout client 1h
			        timeout server 1h
			        timeout http-keep-alive 1h
			        timeout check 2s
			        retries 0
			frontend clients
			        bind ${LB_BIND:-0.0.0.0:80}
			        ${LB_BIND:+#}bind [::]:80 v6only
			        option ${LB_MODE:-http}log
			        ${LB_MODE:+#}capture response header X-Served-By len 8
			        default_backend routers
			frontend state
			        mode http
			        no log
			        bind unix@$dir/state.sock
			        stats enable
			        stats uri /
			backend routers
			        balance roundrobin
		CFG
                [ -z "$check" ] || echo "        option httpchk GET /v1/servers/self/reachable"
                for name in ${LB_ROUTERS:-r1 r2}; do
                        if [ $family = 6 ]; then
                                echo "        server $name [$(ip6 $name)]:9001 $check ${LB_SERVER:-}"
                        else
                                echo "        server $name $(ip4 $name):9001 $check ${LB_SERVER:-}"
                        fi
                done
                [ "${LB_CHECK:-4}" != apart ] || cat <<-CFG
			backend checked
			        option httpchk GET /v1/servers/self/reachable
			        server r1 $(ip4 r1):9001 check port 15999 inter ${LB_INTER:-500ms} fall 3 rise 2
		CFG
        } >"$dir/haproxy.cfg"
        RUN_AS="exec" in_net "${LB_NET:-lb}" haproxy -db -f "$dir/haproxy.cfg" >>"$dir/log" 2>&1 </dev/null &
        echo $! >"$dir/pid"
        disown
        [ -z "${LB_OUT:-}" ] || return 0
        for name in ${LB_ROUTERS:-r1 r2}; do wait_for 10 lb_says "$name" UP || return; done
}

lb_stop() {
        local pid dir=${LB_DIR:-$LAB/lb}
        [ -e "$dir/pid" ] || return 0
        read -r pid <"$dir/pid"
        kill "$pid" 2>/dev/null || :
        wait_for 5 gone "$pid"
        rm -f "$dir/pid"
}

# lb_state NAME: UP, DOWN, "UP 1/3", "no check", ...
lb_state() {
        curl -s -m 2 --unix-socket "${LB_DIR:-$LAB/lb}/state.sock" 'http://lb/;csv' | awk -F, -v name="$1" '$1 == "routers" && $2 == name { print $18 }'
}

# was_checked ROUTER: the load balancer has checked it within a minute, and that can be seen on it.
was_checked() { in_node "$1" ss -Htna "sport = :15999" | shows "$(ip4 lb)"; }

# "no check" counts as up, as it does for the load balancer.
lb_says() {
        case $(lb_state "$1") in
        "$2") ;;
        "no check") [ "$2" = UP ] ;;
        *) return 1 ;;
        esac
}

# Both routers serve, from both message processors.
through_routers() {
        local name
        for name in r1 r2; do
                set -- "http://$(ip4 $name):9001/fast"
                [ "$(in_net client curl -s -m 2 -w '%header{X-Served-By}\n' "$1" "$1" "$1" "$1" | grep ^m | sort -u | xargs)" = "m1 m2" ] || return 1
        done
}

# dirty NAME...: after this scenario the node is thrown away and made anew (in the big cluster: cleaned up in place).
dirty() {
        local name
        for name; do : >"$LAB/nodes/$name/${DIRT:-dirty}"; done
}

# cluster_renew: what the last scenario has touched is made new; then all serve.
cluster_renew() {
        local name names=''
        for name in $NODES; do
                [ ! -e "$LAB/nodes/$name/dirty" ] || names="$names $name"
        done
        for name in $names; do node_destroy "$name" && node_new "$name" || return; done
        for name in $names; do node_serve "$name" || return; done
        wait_for 20 through_routers || return
        LB_DIR=$LAB/lb2 lb_stop
        zk_remove
        lb_start
}

NODES="r1 r2 m1 m2"

# cluster_up: two routers, two message processors, load balancer, client; all serving.
cluster_up() {
        local name
        net_add lb
        net_add client
        mkdir -p "$LAB/stage/srv/edge-roll-lab"
        "$LAB/bin/load" --pattern "$LAB/stage/srv/edge-roll-lab/big" "$BIG_BYTES"
        for name in $NODES; do node_new "$name" || return; done
        for name in $NODES; do node_serve "$name" || return; done
        lb_start || return
        wait_for 20 through_routers
}

# stage: what is installed on every node besides the machine's own files: edge-roll, as `make install` puts it.
stage() {
        if [ -n "${EDGE_ROLL_STAGE:-}" ]; then
                cp -a "$EDGE_ROLL_STAGE/." "$LAB/stage/"
        elif [ -e "$TOP/Makefile" ]; then
                make -s -C "$TOP" install DESTDIR="$LAB/stage" prefix=/usr >"$LAB/make.log" 2>&1 || {
                        cat "$LAB/make.log" >&2
                        return 1
                }
        fi
}
