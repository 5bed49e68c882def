# shellcheck shell=bash
# The agent is killed when the message processor of restart rmp is stopped, and that takes longer to start than a block lives
# by itself. The next agent renews the router's block: the load balancer takes it out once, and nothing is lost.

rmp_up
rmp_standin message-processor START_DELAY=38
load_start 200 "kept:name=short,to=$(ip4 lb):80,path=/fast,n=6,every=0.1" "new:name=new,to=$(ip4 lb):80,path=/fast,n=2,every=0.2"
er_start rmp1 restart rmp --reason "slow start"
wait_for 60 rmp_phase start
in_node rmp1 systemctl kill --signal=KILL edge-roll-agent.service
er_wait
assert_result "done" 0
tell_phases
load_more 60
load_stop
assert_nothing_lost
assert_same "$(lb_health | grep -c 'Server routers/rmp1 is DOWN')" 1 "times the load balancer took the router out"
rmp_as_before
