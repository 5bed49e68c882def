# shellcheck shell=bash
# The cluster of a coordinator: two regions, each with a load balancer, three routers and two message processors, and a bastion
# that reaches all of them by ssh. Scenarios of cluster/ run in it (e2e/run --cluster); the four nodes of the others are not there.
#
#   region  load balancer  routers   message processors
#   dc-1    lb             r1 r2 r3  m1 m2
#   dc-2    lb2            r4 r5 r6  m3 m4
#
# Nodes are kept from scenario to scenario. What edge-roll and the usual helpers leave in one is taken back in place (node_tidy);
# only what was marked with `spoil` is made anew.

REGIONS="dc-1 dc-2"

routers_of() { case $1 in dc-1) echo ${DC1_ROUTERS:-r1 r2 r3} ;; dc-2) echo r4 r5 r6 ;; esac; }
mps_of() { case $1 in dc-1) echo m1 m2 ;; dc-2) echo m3 m4 ;; esac; }
lb_of() { case $1 in dc-1) echo lb ;; dc-2) echo lb2 ;; esac; }

region_of() {
        case $1 in
        r[123] | m[12]) echo dc-1 ;;
        r[456] | m[34]) echo dc-2 ;;
        *) cat "$LAB/nodes/$1/region" ;;
        esac
}

cluster_kind() { [ "${EDGE_ROLL_SCENARIOS:-}" = cluster ]; }

# What the runner and the helpers of the smaller lab look at.
if cluster_kind; then
        NODES="r1 r2 r3 r4 r5 r6 m1 m2 m3 m4"
        # What `dirty` marks is taken back in place here.
        DIRT=used
fi

# spoil NODE...: made anew before the next scenario.
spoil() {
        local name
        for name; do : >"$LAB/nodes/$name/dirty"; done
}

# ---- what all nodes have besides edge-roll: users, ssh

# Who may come from the bastion: root and ops with a key that runs the bridge and nothing else, root with one that may do anything
# (id_shell), guest, who is in no group.
LAB_USERS="ops guest"

regions_stage() {
        local stage=$LAB/stage user name
        mkdir -p "$stage"/{usr/lib/sysusers.d,etc/ssh/sshd_config.d,root/.ssh,home} "$LAB"/keys
        cat >"$stage/usr/lib/sysusers.d/edge-roll-lab.conf" <<-'USERS'
		u ops 2001 "may restart" /home/ops /bin/bash
		m ops edge-roll
		u guest 2002 "may look" /home/guest /bin/bash
	USERS
        cat >"$stage/etc/ssh/sshd_config.d/lab.conf" <<-'SSHD'
		HostKey /etc/ssh/lab_host_key
		UsePAM yes
		PasswordAuthentication no
		UseDNS no
	SSHD
        {
                echo 127.0.0.1 localhost
                for name in "${!HOST[@]}"; do echo "$(ip4 "$name") $name"; done
        } >"$stage/etc/hosts"
        for name in root shell $LAB_USERS; do ssh-keygen -q -t ed25519 -N '' -C "$name@bastion" -f "$LAB/keys/$name"; done
        {
                echo "restrict,command=\"edge-roll bridge\" $(cat "$LAB/keys/root.pub")"
                cat "$LAB/keys/shell.pub"
        } >"$stage/root/.ssh/authorized_keys"
        chmod 700 "$stage/root" "$stage/root/.ssh"
        for user in $LAB_USERS; do
                mkdir -p "$stage/home/$user/.ssh"
                echo "restrict,command=\"edge-roll bridge\" $(cat "$LAB/keys/$user.pub")" >"$stage/home/$user/.ssh/authorized_keys"
                chmod 700 "$stage/home/$user/.ssh"
                chown -R "$(user_id "$user"):$(user_id "$user")" "$stage/home/$user"
        done
}

user_id() { case $1 in ops) echo 2001 ;; guest) echo 2002 ;; *) echo 0 ;; esac; }

# host_key NODE: the same one after the node was made anew.
host_key() {
        [ -e "$LAB/keys/host-$1" ] || ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$LAB/keys/host-$1"
        echo "$LAB/keys/host-$1"
}

# ssh_put NODE: its ssh server, started with the node.
ssh_put() {
        local root=$LAB/nodes/$1/root
        rm -f "$root"/etc/ssh/ssh_host_*
        cp "$(host_key "$1")" "$root/etc/ssh/lab_host_key"
        # Without the second nobody but root may log in (pam_nologin).
        target_wants "$1" /usr/lib/systemd/system/ssh.service /usr/lib/systemd/system/systemd-user-sessions.service
        # A systemd of each user's own, started and stopped with each visit, costs more than all else of a visit.
        ln -s /dev/null "$root/etc/systemd/system/user@.service"
}

# target_wants NODE UNIT...: started with the node; paths as in the node.
target_wants() {
        local root=$LAB/nodes/$1/root unit
        mkdir -p "$root/etc/systemd/system/lab.target.wants"
        for unit in "${@:2}"; do ln -sf "$unit" "$root/etc/systemd/system/lab.target.wants/"; done
}

# ---- nodes

# region_node NODE REGION MP...: made, not booted; a router of a region has its message processors behind it.
region_node() {
        local name=$1 region=$2 root=$LAB/nodes/$1/root component mp
        component=$(component_of "$name")
        node_make "$name" || return
        role_put "$name"
        ssh_put "$name"
        echo "$region" >"$LAB/nodes/$name/region"
        echo "REGION=$region" >>"$root/etc/standin/$component"
        for mp in "${@:3}"; do echo "        server $mp $(ip4 "$mp"):8998 inter 300ms"; done >"$root/etc/standin/message-processors.cfg"
        cp "$E2E/edge-roll-cluster.conf" "$root/etc/edge-roll/edge-roll.conf.d/52-cluster.conf"
        # As on a machine that starts its components by itself, and with what edge-roll's preset enables.
        target_wants "$name" "/etc/systemd/system/$(unit_of "$name")" /usr/lib/systemd/system/edge-roll-hold.service \
                /usr/lib/systemd/system/edge-roll-recover.service
        cp "$root/etc/standin/$component" "$LAB/nodes/$name/standin"
        cp "$root/etc/standin/message-processors.cfg" "$LAB/nodes/$name/mps"
        cp -a "$root/opt/apigee/customer/application" "$LAB/nodes/$name/application"
}

region_node_new() {
        local name=$1 region
        region=$(region_of "$name")
        # shellcheck disable=SC2046
        region_node "$name" "$region" $(mps_of "$region") && node_boot "$name"
}

# node_ready NODE...: up, with its component.
node_ready() {
        local name
        node_up "$@" || return
        for name; do wait_for 30 component_ready "$name" || return; done
}

# node_tidy NODE: what a scenario did to it is undone where it is; see `spoil` for what this does not know.
node_tidy() {
        local name=$1 component
        component=$(component_of "$name")
        node_mend "$name"
        node_thaw "$name"
        # shellcheck disable=SC2016
        in_node "$name" sh -s "$component" "$(unit_of "$name")" 2>/dev/null <<-'TIDY' || return
		for unit in agent heal hold; do systemctl stop edge-roll-$unit.service; done
		systemctl reset-failed
		rm -rf /run/systemd/system/edge-roll-agent.service.d
		systemctl daemon-reload
		pkill -KILL -x edge-roll
		rm -rf /var/lib/edge-roll/* /run/edge-roll /etc/edge-roll/edge-roll.conf.d/6* /etc/edge-roll/hooks.d
		nft flush ruleset
		! systemctl -q is-active apigee-monit.service || { monit unmonitor "$1"; systemctl stop apigee-monit.service; }
		systemctl start dbus.socket dbus.service ssh.service
		true
	TIDY
        if ! cmp -s "$LAB/nodes/$name/standin" "$(node_file "$name" "/etc/standin/$component")" ||
                ! cmp -s "$LAB/nodes/$name/mps" "$(node_file "$name" /etc/standin/message-processors.cfg)" ||
                ! diff -rq "$LAB/nodes/$name/application" "$(node_file "$name" /opt/apigee/customer/application)" >/dev/null; then
                cp "$LAB/nodes/$name/standin" "$(node_file "$name" "/etc/standin/$component")"
                cp "$LAB/nodes/$name/mps" "$(node_file "$name" /etc/standin/message-processors.cfg)"
                rm -rf "$(node_file "$name" /opt/apigee/customer/application)"
                cp -a "$LAB/nodes/$name/application" "$(node_file "$name" /opt/apigee/customer/application)"
                in_node "$name" systemctl stop "$(unit_of "$name")"
        fi
        in_node "$name" systemctl start "$(unit_of "$name")"
        rm -f "$LAB/nodes/$name/used"
}

# ---- the whole

# lbs_start: one for each region. Checks are quick, so that a node is out and in again within a second.
lbs_start() {
        local region
        for region in $REGIONS; do
                LB_NET=$(lb_of "$region") LB_DIR=$LAB/$(lb_of "$region") LB_ROUTERS=$(routers_of "$region") LB_INTER=300ms lb_start || return
        done
}

# node_lb_says NODE STATE: what the load balancer of its region thinks of it.
node_lb_says() { LB_DIR=$LAB/$(lb_of "$(region_of "$1")") lb_says "$1" "$2"; }

# Every router serves, from both message processors of its region.
through_regions() {
        local region name
        for region in $REGIONS; do
                for name in $(routers_of "$region"); do
                        set -- "http://$(ip4 "$name"):9001/fast"
                        [ "$(in_net client curl -s -m 2 -w '%header{X-Served-By}\n' "$1" "$1" "$1" "$1" | grep ^m | sort -u | xargs)" = \
                                "$(mps_of "$region")" ] || return 1
                done
        done
}

regions_up() {
        local name
        net_add lb
        net_add lb2
        net_add client
        mkdir -p "$LAB/stage/srv/edge-roll-lab"
        "$LAB/bin/load" --pattern "$LAB/stage/srv/edge-roll-lab/big" "$BIG_BYTES"
        regions_stage
        for name in $NODES; do host_key "$name" >/dev/null; done
        bastion_new || return
        for name in $NODES; do region_node_new "$name" || return; done
        node_up bastion || return
        # shellcheck disable=SC2086
        node_ready $NODES || return
        wait_for 30 through_regions || return
        lbs_start
}

# regions_renew: as after regions_up, whatever the last scenario did.
regions_renew() {
        local name new='' tidy=() pid
        bastion_tidy || return
        for name in $NODES; do
                if [ -e "$LAB/nodes/$name/dirty" ] || [ ! -e "$LAB/nodes/$name/nspawn" ]; then
                        new="$new $name"
                elif [ -e "$LAB/nodes/$name/used" ]; then
                        node_tidy "$name" &
                        tidy+=($!)
                fi
        done
        for name in $new; do node_destroy "$name" && region_node_new "$name" || return; done
        for pid in "${tidy[@]}"; do wait "$pid" || return; done
        # shellcheck disable=SC2086
        node_ready $NODES || return
        wait_for 30 through_regions || return
        lbs_start
}

# regions_load_start [SECONDS] [STREAMS...]: every kind of load on both regions, small enough for two cores.
regions_load_start() {
        local seconds=${1:-120} region to streams=("${@:2}")
        for region in $REGIONS; do
                to=$(ip4 "$(lb_of "$region")"):80
                streams+=("kept:name=short-$region,to=$to,path=/fast,n=6,every=0.08"
                        "new:name=new-$region,to=$to,path=/fast,n=2,every=0.1"
                        "kept:name=slow-$region,to=$to,path=/slow/1.5,n=4"
                        "download:name=download-$region,to=$to,path=/big?rate=4000000,bytes=$BIG_BYTES,n=2")
        done
        load_start "$seconds" "${streams[@]}"
}

# regions_proof: the load ends; every one of its requests was answered, and nobody saw two out.
regions_proof() {
        load_more 60
        load_stop
        assert_nothing_lost
        assert_never_two
}

# ---- faults of nodes and links

# node_cut NODE...: its link is down: ssh, ZooKeeper, checks, traffic. node_mend takes it back.
node_cut() {
        local name
        dirty "$@"
        for name; do ip -n fab link set "$name" down; done
}

node_mend() {
        local name
        for name; do ip -n fab link set "$name" up; done
}

# node_freeze NODE: none of its processes runs; its kernel goes on. The cgroup2 of the node is the first of cgroup_roots.
node_freeze() {
        dirty "$1"
        echo 1 >"$(cgroup_roots | head -n 1)/edge-roll-lab-$LABID/$1/cgroup.freeze"
}

node_thaw() { echo 0 >"$(cgroup_roots | head -n 1)/edge-roll-lab-$LABID/$1/cgroup.freeze"; }

# node_power_cut NODE: the plug. The link goes first, or the kernel would end the connections of the dying processes in good order;
# the tables go with the network namespace.
node_power_cut() {
        dirty "$1"
        net_remove "$1"
        node_kill "$1"
}

# node_power_on NODE: the same disk; its component and edge-roll's units start by themselves.
node_power_on() {
        net_add "$1"
        node_boot "$1"
        node_up "$1"
}

# ---- more routers than the two regions have: r7 to r12, for the time of a scenario

MORE_ROUTERS="r7 r8 r9 r10 r11 r12"
TWELVE="r1 r2 r3 r4 r5 r6 $MORE_ROUTERS"

# more_routers_up: they are in dc-1, its load balancer knows all twelve, and all twelve are one pool.
more_routers_up() {
        local name
        at_end more_routers_down
        for name in $MORE_ROUTERS; do
                # shellcheck disable=SC2046
                region_node "$name" dc-1 $(mps_of dc-1) && node_boot "$name" || return
        done
        # shellcheck disable=SC2086
        node_ready $MORE_ROUTERS || return
        DC1_ROUTERS=$TWELVE
        for name in $TWELVE; do config "$name" '[pool]' 'name = twelve'; done
        LB_ROUTERS=$TWELVE LB_INTER=300ms lb_start
}

more_routers_down() {
        local name
        for name in $MORE_ROUTERS; do
                [ ! -e "$LAB/nodes/$name" ] || {
                        [ "$1" = 0 ] || in_node "$name" journalctl --no-pager -q -o short-precise -n 30 -t edge-roll >&2
                        node_destroy "$name"
                }
        done
}
