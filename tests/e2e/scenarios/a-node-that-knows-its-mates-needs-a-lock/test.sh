# shellcheck shell=bash
# A roll has named the members of the pool once; from then on this node knows that it has mates. A restart by hand is refused as long as
# no lock covers them, or goes on with the reason that somebody gives. A roll that leaves one out is refused by name.

need_edge_roll
dirty r1
wait_for 10 was_checked r1
before=$(life r1)
er r1 restart router --now
assert_result refused 11
MEMBERS=$(members r1 r2)
assert lease_take r1 roll-1
assert lease_give r1
assert_same "$(look r1 router '[.members[].name] | join(" ")')" "r1 r2" "members"
look r1 router .members_from | shows "a roll by uid 0 (root) at 20" || fail "members from: $(look r1 router .members_from)"

er r1 restart router
assert_result unprotected 12
result .reason | shows "knows others of its pool (r2), and no lock covers them" || fail "reason: $(result .reason)"
assert_as_it_was r1 "$before"
er r1 drain router
assert_result unprotected 12
er r1 doctor router
assert er_event '.event == "finding" and .about == "lock" and .state == "problem" and (.text | test("r2"))'
er r1 restart router --unprotected="r2 is up, seen by hand"
assert_result "done" 0
result .lock_text | shows "unprotected, as told (r2 is up, seen by hand)" || fail "what is said of it: $(result .lock_text)"
assert_same "$(result .protection)" unprotected "protection"

MEMBERS=$(members r1)
bus_refused "are not in the list: r2 (known from: a roll by uid 0" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$(look r1 router .uuid)" r1 "" 0
bus_refused "not in the list: this node itself" r1 LeaseTake 'ssa(sss)a{sv}' router roll-2 1 "$(look r2 router .uuid)" r2 "" 0
# More than it knows is a pool that has grown.
MEMBERS=$(members r1 r2)
MEMBERS="3 ${MEMBERS#2} 276bc250-0000-0000-0000-000000000009 r9 10.77.0.99"
assert lease_take r1 roll-2
assert lease_give r1
assert_same "$(look r1 router '.members | length')" 3 "members"
# One that is gone for good is left out by who says so.
MEMBERS=$(members r1)
assert lease_take r1 roll-3 members-force b true
before=$(life r1)
assert ordered r1 Restart 1 roll-3
wait_for 60 no_job r1
assert_same "$(last r1 '"\(.result) \(.protection)"')" "done lease" "a job of a roll needs no word of anybody"
assert_restarted r1 "$before"
