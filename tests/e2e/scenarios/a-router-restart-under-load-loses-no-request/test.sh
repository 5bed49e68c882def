# shellcheck shell=bash
# The main promise, on a router whose unit is its owner's.

prove_restart r1
