# shellcheck shell=bash
# A ZooKeeper ensemble: three real servers in a network of their own, `zk`, beside the cluster. A leader is elected, servers can be
# stopped, killed and frozen one by one; their data lies in the lab's tmpfs and survives that.

declare -A ZK_CLIENT_PORT=([1]=2181 [2]=2182 [3]=2183)

# zk_connect_string: what `lock = zookeeper://...` is given. One address, so that one rule cuts a node off from all of it.
zk_connect_string() { echo "$(ip4 zk):2181,$(ip4 zk):2182,$(ip4 zk):2183"; }

# zk_start [N...]: the servers N, or without one a fresh, empty ensemble; comes back when they serve.
zk_start() {
        local n
        if [ $# = 0 ]; then
                zk_remove
                zk_make
                set -- 1 2 3
        fi
        for n; do zk_server "$n" || return; done
        for n; do wait_for 30 zk_serves "$n" || return; done
}

# zk_stop [N...]: the servers N, or all, end in good order.
zk_stop() {
        [ $# -gt 0 ] || set -- 1 2 3
        zk_signal TERM "$@"
}

# zk_kill [N...]: like pulling the plug.
zk_kill() {
        [ $# -gt 0 ] || set -- 1 2 3
        zk_signal KILL "$@"
}

# zk_freeze N... and zk_thaw N...: the machine keeps its connections and says nothing.
zk_freeze() { zk_each STOP "$@"; }
zk_thaw() { zk_each CONT "$@"; }

# zk_leader: the number of the server that leads; fails when none does.
zk_leader() {
        local n
        for n in 1 2 3; do
                [ "$(zk_mode "$n")" != leader ] || {
                        echo "$n"
                        return
                }
        done
        return 1
}

# zk_follower: the lowest number of a server that follows.
zk_follower() {
        local n
        for n in 1 2 3; do
                [ "$(zk_mode "$n")" != follower ] || {
                        echo "$n"
                        return
                }
        done
        return 1
}

# zk_remove: nothing of it is left; also where there was none.
zk_remove() {
        [ -d "$LAB/zk" ] || return 0
        zk_kill
        rm -rf "$LAB/zk"
        net_remove zk
}

# ---- how

# Sessions may be 2 to 20 ticks long: 1 to 10 s.
zk_make() {
        local n m
        net_add zk
        for n in 1 2 3; do
                mkdir -p "$LAB/zk/$n/data"
                echo "$n" >"$LAB/zk/$n/data/myid"
                {
                        printf '%s\n' tickTime=500 initLimit=20 syncLimit=10 "dataDir=$LAB/zk/$n/data" "clientPort=${ZK_CLIENT_PORT[$n]}" \
                                "clientPortAddress=$(ip4 zk)" admin.enableServer=false maxClientCnxns=0 '4lw.commands.whitelist=*'
                        for m in 1 2 3; do echo "server.$m=127.0.0.1:288$m:388$m"; done
                } >"$LAB/zk/$n/zoo.cfg"
        done
}

zk_server() {
        local dir=$LAB/zk/$1
        [ ! -e "$dir/pid" ] || zk_signal KILL "$1"
        RUN_AS=exec in_net zk java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
                -Dzookeeper.jmx.log4j.disable=true -Djava.net.preferIPv4Stack=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
                -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar \
                org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg" >>"$dir/log" 2>&1 </dev/null &
        echo $! >"$dir/pid"
        disown
}

# zk_each SIGNAL N...: sent to those that run.
zk_each() {
        local signal=$1 n pid
        shift
        for n; do
                [ -e "$LAB/zk/$n/pid" ] || continue
                read -r pid <"$LAB/zk/$n/pid"
                kill -"$signal" "$pid" 2>/dev/null || :
        done
}

# zk_signal TERM|KILL N...: and waits for their end.
zk_signal() {
        local n pid
        zk_each "$@"
        shift
        for n; do
                [ -e "$LAB/zk/$n/pid" ] || continue
                read -r pid <"$LAB/zk/$n/pid"
                wait_for 10 gone "$pid" || return
                rm -f "$LAB/zk/$n/pid"
        done
}

# zk_ask N WORD: the answer of a server to one of its four-letter words.
zk_ask() {
        # shellcheck disable=SC2016
        in_net zk timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf %s "$2" >&3 && cat <&3' "$(ip4 zk)" "${ZK_CLIENT_PORT[$1]}" "$2" 2>/dev/null
}

# leader, follower; nothing while there is no quorum.
zk_mode() { zk_ask "$1" srvr | sed -n 's/^Mode: //p'; }

zk_serves() { [ -n "$(zk_mode "$1")" ]; }

# ---- nodes that use it

# zk_nodes NODE...: their lock is the ensemble from now on. ZK_MORE: more lines for [pool].
zk_nodes() {
        local name
        for name; do
                dirty "$name"
                printf '[pool]\nlock = zookeeper://%s\nlock_session = %s\n%s\n' "$(zk_connect_string)" "${ZK_SESSION:-4s}" \
                        "${ZK_MORE:-}" >"$(node_file "$name" /etc/edge-roll/edge-roll.conf.d/60-zookeeper.conf)"
        done
}

# zk_register NODE...: each stands in line once, so that the others know it. It is refused where it stands.
zk_register() {
        local name
        for name; do
                er "$name" drain "$(component_name "$name")" --reason "registers" --unprotected "to be known"
                assert_result "done" 0
                er "$name" undrain "$(component_name "$name")"
                assert_result "done" 0
                wait_for 10 place_free "$name"
        done
}

# place_of NODE FILTER: of what `lock show` says there.
place_of() { in_node "$1" edge-roll lock show "$(component_name "$1")" --json | jq -r "$2"; }

place_free() { [ "$(place_of "$1" '.place.out | length')" = 0 ]; }

# place_waits NODE NAME: NODE sees NAME in the line.
place_waits() { place_of "$1" '.place.waiting[].name' | shows "^$2\$"; }

# place_held NODE NAME: NODE sees that NAME is out.
place_held() { place_of "$1" '.place.out[].name' | shows "^$2\$"; }
