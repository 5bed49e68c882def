#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# After `make install` on a running system: makes the new files known. Nothing is started; the first call of
# edge-roll starts the agent through the bus. An agent of an older version that is running goes on with the
# new program: its job, if there is one, is taken over.
set -u
systemd-sysusers || true
systemd-tmpfiles --create /usr/lib/tmpfiles.d/edge-roll.conf 2>/dev/null || systemd-tmpfiles --create || true
journalctl --update-catalog || true
if [ ! -d /run/systemd/system ]; then
        echo 'systemd does not run here: installed, not activated'
        exit 0
fi
systemctl daemon-reload
systemctl --quiet enable edge-roll-hold.service edge-roll-recover.service
systemctl try-restart edge-roll-agent.service
# The bus notices new files by itself where it watches its folders; asking costs nothing.
busctl --quiet call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig || true
