# shellcheck shell=bash
# The lab itself: a run that gets SIGKILL in the middle leaves no process, mount, network namespace, cgroup or file.
# The run that is killed is one inside this one.

TMPDIR=$LAB EDGE_ROLL_STAGE=$LAB/stage "$E2E/run" --only 'the-lab-serves-*' >"$SCENE/out" 2>&1 &
killed=$!
wait_for 60 grep -q 'cluster up' "$SCENE/out"
inner=("$LAB"/edge-roll-lab.*)
[ -d "${inner[0]}" ] || fail "no run to be killed"
id=${inner[0]##*.}
of_that_run() { grep -lzs "^LABID=$id" /proc/[0-9]*/environ; }
[ "$(of_that_run | wc -l)" -ge 5 ] || fail "four nodes and a load balancer were expected: $(of_that_run)"

kill -KILL $killed
gone_all() { [ ! -e "${inner[0]}" ] && [ -z "$(of_that_run)" ]; }
wait_for 10 gone_all
for root in $(cgroup_roots); do
        assert not test -e "$root/edge-roll-lab-$id"
done
assert not grep -q "$id" /proc/self/mountinfo
