# shellcheck shell=bash
# The active one of a pair dies while requests of its own are drained; the standby takes over the clients' address, begins to
# check and, not knowing better, to send. The job goes back to notice and waits for this one too.

HOST[vip]=100
[ -e /run/netns/lb2 ] || net_add lb2
vip_to() {
        ip -n "$2" address del "$(ip4 vip)/32" dev eth0 2>/dev/null || :
        ip -n "$1" address add "$(ip4 vip)/32" dev eth0
        ip -n client neighbour flush dev eth0
}
lb_kill() { kill -KILL "$(cat "$LAB/lb/pid")" && rm -f "$LAB/lb/pid"; }
drain_again() { er_event '.event == "phase" and .phase == "drain" and .state == "end" and .outcome == "back"'; }

LB_FALL=2 lb_start
vip_to lb lb2
load_start 60 "new:name=new,to=$(ip4 vip):80,path=/fast,n=4,every=0.1"
before=$(life r1)
# In flight all the time until the standby has come.
in_net client curl -s -m 40 -o "$SCENE/long" -w '%{http_code}' "http://$(ip4 r1):9001/slow/14" >"$SCENE/long.code" &
long=$!
er_start r1 restart router
wait_for 20 er_phase drain
lb_kill
vip_to lb2 lb
LB_DIR=$LAB/lb2 LB_NET=lb2 LB_OUT=1 lb_start
# HAProxy marks a server down at the first check after its own start; one that needs more of them sends on until then.
in_net lb2 curl -s -m 5 -o "$SCENE/sent" "http://$(ip4 r1):9001/fast"
er_wait
assert_result "done" 0
assert_restarted r1 "$before"
drain_again || fail "the drain went on although new connections came"
result '.checkers[]|select(.awaited)|.address' | shows "^$(ip4 lb2)$" || fail "the second balancer was not awaited: $(result .checkers)"
load_stop
# What the switch itself lost was lost at the first one; nothing at the second.
lost=$(awk '$4 == "clients" && ($7 != 200 || $11 != "----")' "$LAB/lb2/log")
assert_same "$lost" "" "requests lost by the second balancer"
wait "$long" || fail "the long request was cut: curl $?"
assert_same "$(cat "$SCENE/long.code")" 200 "the long request"
say "load: $(load_total failed) of $(load_total sent) requests failed at the dead balancer; notice $(result '[.phases[]|select(.phase == "notice")|.elapsed]|add') s in all"
