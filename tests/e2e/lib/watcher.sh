# shellcheck shell=bash
# watcher.sh RUN: waits on standard input for the end of all processes of a run (end of file: the last writer is gone),
# then removes what the kernel does not. Does nothing that the run has done itself.
set -u
E2E=$(cd "$(dirname "$0")/.." && pwd)
. "$E2E/lib/lab.sh"
cd /
cat >/dev/null
lab_forget "$1"
