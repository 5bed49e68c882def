# shellcheck shell=bash
# SIGKILL before and after each call by which the agent changes something outside while it restarts a message-processor under load, and at
# some of its other calls: one of the three ends, nobody let in by mistake, nothing lost, and the journal tells it.
#   POINT, SIDES, SEED, OTHERS: see lib/killpoint.sh

KP_ONLY='*any-call-of-a-message-processor*'
kp_all m1 kp_of_agent
