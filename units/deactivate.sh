#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Before `make uninstall` deletes files on a running system: no job, hold or table is left behind.
#   deactivate.sh EDGE-ROLL
set -eu
program=$1
[ -d /run/systemd/system ] || exit 0
[ -x "$program" ] || exit 0
# A job before `stop` is undone; one that cannot be undone any more has to finish first.
if "$program" status --json 2>/dev/null | grep -q '"job":{'; then
        "$program" cancel >/dev/null 2>&1 || true
        if ! timeout 600 "$program" watch; then
                if "$program" status --json 2>/dev/null | grep -q '"job":{'; then
                        echo 'a job still runs: nothing was removed; try again when it is over (edge-roll watch)' >&2
                        exit 1
                fi
                echo 'a job has ended as shown above; going on with the removal' >&2
        fi
fi
systemctl stop edge-roll-agent.service edge-roll-heal.service 2>/dev/null || true
systemctl disable --now edge-roll-recover.service edge-roll-hold.service 2>/dev/null || true
"$program" hold remove || true
# The word in ZooKeeper that this node is out would outlive all of this, and others of its pool would wait for ever. An
# agent gives it back, because nothing is held any more.
places() { ls /var/lib/edge-roll/place-*.json 2>/dev/null; }
if [ -n "$(places)" ]; then
        "$program" status >/dev/null 2>&1 || true
        tries=0
        while [ -n "$(places)" ] && [ $tries -lt 60 ]; do
                tries=$((tries + 1))
                sleep 0.25
        done
        [ -z "$(places)" ] || echo "this node still has a place in ZooKeeper ($(places)): on another node of the pool, take it away with edge-roll lock steal" >&2
        systemctl stop edge-roll-agent.service edge-roll-heal.service 2>/dev/null || true
fi
rm -rf /var/lib/edge-roll
