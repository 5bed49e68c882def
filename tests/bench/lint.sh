#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# CPU of `edge-roll lint` over 1,000 bundles, each with a TargetEndpoint, a ServiceCallout, ten other policies and a script.
#   tests/bench/lint.sh BUILD-DIRECTORY
set -eu
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 - "$folder" <<'PYTHON'
import sys, zipfile

target = """<TargetEndpoint name="default">
  <PreFlow name="PreFlow"><Request/><Response/></PreFlow>
  <HTTPTargetConnection>
    <LoadBalancer>
      <Algorithm>RoundRobin</Algorithm>
      <Server name="target%d"/><Server name="spare%d"/>
      <MaxFailures>5</MaxFailures>
    </LoadBalancer>
    <Path>/test</Path>
  </HTTPTargetConnection>
</TargetEndpoint>
"""
callout = '<ServiceCallout name="c"><HTTPTargetConnection><LoadBalancer><Server name="a"/></LoadBalancer></HTTPTargetConnection></ServiceCallout>'
policy = '<AssignMessage name="p%d"><Set><Headers>' + '<Header name="a">b</Header>' * 40 + '</Headers></Set></AssignMessage>'
for i in range(1000):
    with zipfile.ZipFile("%s/%d.zip" % (sys.argv[1], i), "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("apiproxy/proxy%d.xml" % i, "<APIProxy/>")
        bundle.writestr("apiproxy/targets/default.xml", target % (i, i))
        bundle.writestr("apiproxy/policies/call.xml", callout)
        for k in range(10):
            bundle.writestr("apiproxy/policies/policy%d.xml" % k, policy % k)
        bundle.writestr("apiproxy/resources/jsc/script.js", "var a = 1;\n" * 3000)
PYTHON
TIMEFORMAT='%U %S'
cpu=$({ time "$build/edge-roll" lint "$folder" >"$folder/said"; } 2>&1)
[ "$(tail -n 1 "$folder/said")" = "0 errors, 1000 warnings, 0 notes in 2000 documents" ] || {
        tail -n 3 "$folder/said"
        exit 1
}
echo "$cpu" | awk '{ printf "lint of 1,000 bundles: %.2f s CPU (goal 2)\n", $1 + $2; exit $1 + $2 > 2 }'
