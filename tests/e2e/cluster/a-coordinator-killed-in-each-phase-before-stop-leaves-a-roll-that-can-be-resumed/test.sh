# shellcheck shell=bash
# As the shorter scenario of this name, with every phase that can still be undone.
# rotation: never
# takes: 350

for phase in preflight watch place block notice stop-monit drain gate; do
        killed_in "$phase"
done
