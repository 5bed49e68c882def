# shellcheck shell=bash
# The coordinator is killed while r2 is drained, and in another roll while it starts. The agent ends its job alone; a plain run is
# refused and names both ways on; `resume` leaves alone what is done.

for phase in drain start; do killed_in "$phase"; done
