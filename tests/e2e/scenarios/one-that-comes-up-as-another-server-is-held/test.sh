# shellcheck shell=bash
# Same probes, other uUID: not the server that was stopped.

standin r1 UUID=00000000-1111-2222-3333-444444444444
er r1 restart router
assert_result held 16
result '"\(.reason) \(.hint)"' | shows 00000000-1111 || fail "the result does not name the other server: $(result .reason)"
assert has_hold r1
assert lb_says r1 DOWN
