# shellcheck shell=bash
# As the shorter scenario of this name, with every phase.
# rotation: never

for phase in preflight watch place block notice stop-monit drain gate stop start ready verify start-monit unblock return; do
        killed_in "$phase"
done
