# shellcheck shell=bash
# Ports listen, /v1/servers/self/up says false: never let in.

standin r1 UP=false
config r1 '[component router]' 'limit_ready = 8s'
er r1 restart router
assert_result held 16
assert has_hold r1
assert lb_says r1 DOWN
