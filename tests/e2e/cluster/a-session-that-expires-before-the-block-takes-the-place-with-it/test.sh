# shellcheck shell=bash
# r1 is frozen while it waits for its place behind r2, for longer than its session lives. r3, behind it, goes; r1 wakes up, sees that
# its place is gone, and does not go out on the strength of it.

lock_with_zookeeper r1 r2 r3
regions_load_start 200
standin r2 START_DELAY=6
in_line r2 r1 r3
in_node r1 systemctl kill --signal=STOP edge-roll-agent.service
restart_done r2
wait_for 60 node_began r3 notice
in_node r1 systemctl kill --signal=CONT edge-roll-agent.service
restart_done r3
bastion_wait "${CALLS[r1]}"
regions_proof
