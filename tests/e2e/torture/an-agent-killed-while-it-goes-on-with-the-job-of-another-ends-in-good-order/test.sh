# shellcheck shell=bash
# The agent dies before the gate, behind its stop, and when the router is ready; and the next one at each call by which it changes
# something outside: one of the three ends, nobody let in by mistake, nothing lost, and the journal tells it.

KP_ONLY='*goes-on-with-the-job-of-another*'
kp_all r1 kp_of_next 'notice/told-phase-begin#1 after' 'stop/bus-StopUnit#1 after' 'ready/told-phase-end#1 after'
