# shellcheck shell=bash
# Any user sees the state; only root and the group edge-roll change it.

before=$(life r1)
er_as() {
        ER_EXIT=0
        in_node r1 setpriv --reuid="$1" --regid=nogroup --init-groups edge-roll "${@:2}" >"$SCENE/out" 2>&1 || ER_EXIT=$?
}
need_edge_roll
dirty r1
in_node r1 useradd --groups edge-roll roller
er_as nobody status
assert_same "$ER_EXIT" 0 "status by a stranger"
er_as nobody restart router
assert_same "$ER_EXIT" 18 "restart by a stranger"
er_as nobody drain router
assert_same "$ER_EXIT" 18 "drain by a stranger"
assert_as_it_was r1 "$before"
er_as roller restart router --dry-run
assert_same "$ER_EXIT" 0 "dry run by a member of the group"
