# shellcheck shell=bash
# As Edge comes: no unit of its own. edge-component@ calls apigee-service; the daemon outlives the oneshot's start.

need_edge_roll
node_renew r1 wrapper
prove_restart r1
