# shellcheck shell=bash
# Restarted and open, but its checkers stay away: no roll gets its lease without knowing that. A restart that was refused since does
# not make that forgotten; undrain does.

need_edge_roll
config r1 '[component router]' 'limit_return = 3s'
standin r1 START_DELAY=2
uuid=$(look r1 router .uuid)
er_start r1 restart router
wait_for 40 er_phase start
lb_stop
er_wait
assert_result not-readmitted 17
assert_same "$(look r1 router .out)" true "out"
bus_refused "out of traffic: its checkers had not let it in again" r1 LeaseTake 'ssa(sss)a{sv}' router roll-1 1 "$uuid" r1 "" 0
er r1 restart router
assert_result no-checker 13
assert_same "$(look r1 router .out)" true "out behind a restart that was refused"
assert lease_take r1 roll-1 accept-out b true
assert lease_give r1
er r1 undrain router
assert_result not-needed 10
assert_same "$(look r1 router .out)" false "out when somebody has said so"
