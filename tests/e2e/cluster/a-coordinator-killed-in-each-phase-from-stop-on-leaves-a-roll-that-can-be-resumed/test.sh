# shellcheck shell=bash
# As the shorter scenario of this name, with every phase that cannot be undone any more.
# rotation: never
# takes: 280

for phase in stop start ready verify start-monit unblock return; do
        killed_in "$phase"
done
