# shellcheck shell=bash
# The leader is killed while r1 is out and r2 waits; another one takes over, r2 gets its turn.

lock_with_zookeeper r1 r2 r3
regions_load_start 120
in_line r1 r2
zk_kill "$(zk_leader)"
restart_done r1
restart_done r2
regions_proof
assert_order "r1 r2" r1 r2 r3
