# shellcheck shell=bash
# restart rmp --if-needed: nothing when neither needs it; both are restarted when the message processor does.

rmp_up
router=$(rmp_life router) mp=$(rmp_life message-processor)
er rmp1 restart rmp --if-needed
assert_result not-needed 10
assert_same "$(result '[.needed[] | .component + " " + .needed] | join(", ")')" "router no, message-processor no" "needed"
assert_same "$(rmp_life router) $(rmp_life message-processor)" "$router $mp" "processes"
assert_no_block rmp1

in_node rmp1 sh -c 'echo >>/opt/apigee/customer/application/message-processor.properties'
er rmp1 restart rmp --if-needed
assert_result "done" 0
assert_same "$(result '[.needed[] | .component + " " + .needed] | join(", ")')" "router no, message-processor yes" "needed"
[ "$(rmp_life router)" != "$router" ] || fail "the router was not restarted"
[ "$(rmp_life message-processor)" != "$mp" ] || fail "the message processor was not restarted"
assert_no_block rmp1
er rmp1 restart rmp --if-needed
assert_result not-needed 10
