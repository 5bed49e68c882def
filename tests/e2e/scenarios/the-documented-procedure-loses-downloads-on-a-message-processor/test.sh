# shellcheck shell=bash
# Why edge-roll refuses only new connections on a message processor's port. The published procedure rejects every packet to
# http.port, which carries the traffic itself: the ACKs of downloads in flight are rejected too, so these stand still
# as soon as a window's worth is sent and are cut when the component is stopped.
#
# Times are scaled, not changed in kind: the published sleep is 120 s, which is longer than a download the router would wait for
# (57 s without a byte). Here a download takes 4 s and the sleep is 9 s, more than twice as long, so that every download that was
# in flight when the port was blocked had the time to end. With the published 120 s the router's own 57 s limit cuts the
# standing downloads first (seen); the loss is the same.

streams="download:name=download,to=$(ip4 lb):80,path=/big?rate=2000000,bytes=$BIG_BYTES,n=8"
load_start 90 "$streams" "kept:name=short,to=$(ip4 lb):80,path=/fast,n=4,every=0.1"
dirty m1
monit_start m1
in_node m1 sh -s message-processor 9 <"$E2E/documented-procedure.sh" >"$SCENE/steps"
load_more 90
load_stop
say "$(jq -r '.kinds.download |
        "downloads: \(.sent) sent, \(.truncated) truncated, \(.failed) failed; longest standstill \(.stall_max_ms / 1000) s"' \
        "$LAB/load/summary")"
[ "$(jq .kinds.download.failed "$LAB/load/summary")" -gt 0 ] || fail "the procedure lost no download"
grep -q 'served by m1' "$LAB/load/failures" || fail "no lost download came from m1"
