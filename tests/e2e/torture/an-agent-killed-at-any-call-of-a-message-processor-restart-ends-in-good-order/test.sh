# shellcheck shell=bash
# SIGKILL before and after each call by which the agent changes something outside while it restarts a message-processor under load, and at
# some of its other calls: one of the three ends, nobody let in by mistake, nothing lost, and the journal tells it.
#   POINT, SEED, OTHERS: see kp_all
# takes: 3600

KP_ONLY='*any-call-of-a-message-processor*'
kp_all m1
