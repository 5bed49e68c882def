# shellcheck shell=bash
# The control run of all that claim that never two were out: without edge-roll two of a pool are out, and every witness says so.

dirty r1 r3 m3 m4
regions_load_start 60
in_node r1 systemctl stop edge-router.service
in_node r3 systemctl stop edge-router.service
in_node m3 systemctl stop edge-message-processor.service
in_node m4 systemctl stop edge-message-processor.service
wait_for 10 node_lb_says r1 DOWN
wait_for 10 node_lb_says r3 DOWN
mps_down() { seen_by_router "$1" | two_out 1 | shows .; }
for r in r4 r5 r6; do wait_for 10 mps_down $r; done
for name in r1 r3; do in_node $name systemctl start edge-router.service; done
for name in m3 m4; do in_node $name systemctl start edge-message-processor.service; done
wait_for 20 node_lb_says r1 UP
wait_for 20 node_lb_says r3 UP
load_stop
if seen=$(never_two); then fail "nobody saw that two were out: the lab is blind"; fi
say "$seen"
shows '^the load balancer of dc-1: .* r[13] r[13]$' <<<"$seen" || fail "the load balancer did not see two routers out"
for r in r4 r5 r6; do shows "^$r: .* m[34] m[34]$" <<<"$seen" || fail "$r did not see two message processors out"; done
! shows '^r[123]:\|of dc-2' <<<"$seen" || fail "somebody saw what was not so"
[ "$(lb_lost | wc -l)" -gt 0 ] || fail "no request was lost with both message processors of a region stopped"

# And one after another is not two.
lbs_start
wait_for 10 through_regions
SCENE_AT=$EPOCHREALTIME
for name in r1 r3; do
        in_node $name systemctl stop edge-router.service
        wait_for 10 node_lb_says $name DOWN
        in_node $name systemctl start edge-router.service
        wait_for 20 node_lb_says $name UP
done
assert_never_two
assert_same "$(outs dc-1)" "r1 r3" "order"
