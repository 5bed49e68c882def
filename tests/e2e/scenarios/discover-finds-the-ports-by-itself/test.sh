# shellcheck shell=bash
# 15999 on a router; http.port of /v1/servers/self on a message processor, even where it is another one.

er r1 discover router
assert_same "$ER_EXIT" 0 "exit status"
for port in 15999 9001; do
        jq -e "[.. | numbers] | index($port)" "$ER_CALL.json" >/dev/null || fail "discover router does not name $port"
done
er m1 discover mp
assert_same "$ER_EXIT" 0 "exit status"
jq -e '[.. | numbers] | index(8998)' "$ER_CALL.json" >/dev/null || fail "discover mp does not name 8998"
