# shellcheck shell=bash
# The agent is stopped in the middle of a job, and heal, which ends that job, dies at each call by which it changes something
# outside: what is undone and what is finished all the same ends well, nothing is lost, and the journal tells it.

KP_ONLY='heal-killed-at-any-call*'
kp_all r1 kp_of_heal notice drain ready
