# shellcheck shell=bash
# The main promise, on a message processor whose unit is its owner's: http.port carries the traffic and the checks.

prove_restart m1
