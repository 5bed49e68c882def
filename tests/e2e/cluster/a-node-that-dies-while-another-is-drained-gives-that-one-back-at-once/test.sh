# shellcheck shell=bash
# r3 is drained, kept by requests, when r2 dies: r3 is given back before its stop, the roll stops, r1 stays.

before=$(lives_of r1 r3)
load_start 120 "kept:name=long,to=$(ip4 lb):80,path=/slow/15,n=6"
bastion_start restart router --cluster --limit r3,r1 --yes
wait_for 60 node_phase r1 drain
in_node r2 systemctl kill --signal=KILL edge-router.service
at=$(now_ms)
wait_for 20 no_block r1
say "given back $(($(now_ms) - at)) ms after the other had died"
bastion_wait
assert_same "$(result .result)" gave-back "result"
assert_all_untouched "$before" r1 r3
