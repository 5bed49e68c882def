# shellcheck shell=bash
# A minute of torture/an-agent-killed-at-any-call-of-a-message-processor-restart-ends-in-good-order: those where something was once
# wrong, then others at random (the seed is printed).
# takes: 100

KP_ONLY='*any-call-of-a-message-processor*'
kp_sample m1 60
