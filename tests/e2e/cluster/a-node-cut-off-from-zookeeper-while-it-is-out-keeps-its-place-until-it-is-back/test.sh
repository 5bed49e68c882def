# shellcheck shell=bash
# No packet goes between r1 and ZooKeeper from its drain on; its session expires there. r1 finishes, and r2 may not go before that is
# known: who is out stays written down.

lock_with_zookeeper r1 r2 r3
regions_load_start 200
standin r1 START_DELAY=8
in_line r1 r2
wait_for 30 node_began r1 drain
zk_cut r1
wait_for 60 router_open r1
assert node_lb_says r2 UP
zk_mend
restart_done r1
restart_done r2
regions_proof
assert_order "r1 r2" r1 r2 r3
