# shellcheck shell=bash
# All three servers stop while r1 is out and r2 waits. r1 finishes; r2 does not begin, nor does r3, who is told why. With the servers
# back r2 goes on.

lock_with_zookeeper r1 r2 r3
before=$(lives_of r1 r2 r3)
regions_load_start 200
in_line r1 r2
zk_stop
er r3 restart router
[ "$ER_EXIT" != 0 ] || fail "r3 went out without its lock"
result .reason | shows -i zookeeper || fail "r3 is not told why: $(result .reason)"
restarted_r1() { [ "$(life r1)" != "$(awk '$1 == "r1" { print $2 }' <<<"$before")" ]; }
wait_for 60 restarted_r1
assert_all_untouched "$before" r2 r3
assert node_lb_says r2 UP
zk_start 1 2 3
restart_done r1
restart_done r2
regions_proof
assert_order "r1 r2" r1 r2 r3
