# shellcheck shell=bash
# scenario.sh FOLDER: runs one scenario in the cluster that is up. Exit status 0 passed, 77 skipped, else failed; standard
# error has the reason.
set -Eeuo pipefail
. "$(dirname "$0")/lab.sh"
SCENE=$LAB/scenes/$(basename "$1")
mkdir -p "$SCENE"
# Journals of the nodes go back further than this.
# shellcheck disable=SC2034
SCENE_AT=$EPOCHREALTIME
trap 'echo "FAILED: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2; trap - ERR; exit 1' ERR
. "$1/test.sh"
