# shellcheck shell=bash
# A minute of torture/an-agent-killed-at-any-call-of-a-router-restart-ends-in-good-order: those where something was once
# wrong, then others at random (the seed is printed).
# takes: 100

KP_ONLY='*any-call-of-a-router*'
kp_sample r1 60
