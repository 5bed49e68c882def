# shellcheck shell=bash
# The ground on which the other scenarios stand: without any restart nothing is lost, the witnesses agree, and a router that
# is stopped with no drain at all does lose requests, so that a loss would be seen.

load_mixed_start 60
load_more 30
load_stop
assert_nothing_lost

load_mixed_start 60
dirty r1
in_node r1 systemctl kill --signal=KILL edge-router.service
load_more 30
load_stop
[ "$(load_total failed)" -gt 0 ] || fail "a killed router lost nothing: the lab is blind"
[ "$(lb_lost | wc -l)" -gt 0 ] || fail "the load balancer's log shows no loss"
say "a router killed under load lost $(load_total failed) requests"
