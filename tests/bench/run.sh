#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make bench: every number of the README, beside what it is measured against, in one run.
#   tests/bench/run.sh BUILD-DIRECTORY
set -u
cd "$(dirname "$0")/../.."
build=$1
echo "== block: CPU of block, read back, unblock against one nft -f plus nft delete table"
"$build/tests/bench/bench-block"
echo "== look: CPU of one look at established connections against ss -Htin"
"$build/tests/bench/bench-look"
echo "== roll: what a node costs the coordinator, and what a plan takes (simulated agents)"
"$build/tests/bench/bench-roll"
echo "== targets: 500 target servers checked at once, against curl --parallel with the same list"
"$build/tests/bench/bench-targets"
echo "== lint of 1,000 proxy bundles"
tests/bench/lint.sh "$build"
echo "== restart of one node, cold call, idle and drain cost of the agent"
tests/e2e/bench.sh
echo "== a roll over six routers, and the status of eight nodes over ssh"
tests/e2e/bench-cluster.sh
echo "== faults in the middle of a restart: back after, checks let in by mistake, longest time out (all phases: make torture)"
tests/e2e/run --only 'a-fault-of-each-kind-*'
