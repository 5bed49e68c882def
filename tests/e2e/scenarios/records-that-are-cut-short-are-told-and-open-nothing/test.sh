# shellcheck shell=bash
# takes: 60
# Every kind of record, empty, cut off in the middle, and full of zeros, as a full disk or a power cut may leave it. What was learned is
# learned again without a word; what somebody has to know is told, with the file's name; nothing is opened, refused or restarted by it.

state=/var/lib/edge-roll
agent_anew() { in_node r1 systemctl restart edge-roll-agent.service; }
told() { in_node r1 journalctl -q --no-pager -o cat -u edge-roll-agent.service | shows "$1" || fail "the journal does not say: $1"; }

# Real ones of most kinds.
er r1 restart router
assert_result "done" 0
assert lease_take r1 roll-1
assert lease_give r1
printf '{"format":1,"component":"router","address":"10.77.0.5","cut":3,"in_flight":4,"time":1795374000}' >"$(node_file r1 $state/cut-router.json)"
printf '{"format":1,"component":"router","by":"root","reason":"r","since":"1795374000000000","asked":1}' >"$SCENE/ticket-router.json"
er r1 drain router
cp "$(node_file r1 $state/hold-router.json)" "$SCENE/"
er r1 undrain router
for name in lease-router.json known-router.json last-router.json pool-router.json cut-router.json kept.conf; do
        cp "$(node_file r1 $state/$name)" "$SCENE/" || fail "there is no $name"
done

# damage NAME HOW
damage() {
        local to
        to=$(node_file r1 "$state/$1")
        case $2 in
        empty) : >"$to" ;;
        half) head -c $(($(stat -c %s "$SCENE/$1") / 2)) "$SCENE/$1" >"$to" ;;
        zeros) head -c 300 /dev/zero >"$to" ;;
        esac
}

before=$(life r1)
for how in empty half zeros; do
        for name in known-router.json last-router.json pool-router.json cut-router.json kept.conf before-router.json .job.json.tmp; do
                cp -n "$SCENE/known-router.json" "$SCENE/$name"
                damage "$name" $how
        done
        agent_anew
        er r1 status router
        assert_same "$ER_EXIT" 0 "exit status of status beside learned records that are $how"
        er r1 restart router --dry-run
        assert_same "$ER_EXIT" 0 "exit status of a dry run beside learned records that are $how"

        damage lease-router.json $how
        agent_anew
        er r1 restart router
        assert_same "$ER_EXIT" 1 "exit status where the lease is $how"
        result '.reason + .hint' | shows 'lease-router.json' || fail "the lease that is $how is not named: $(result .reason)"
        in_node r1 rm $state/lease-router.json

        damage ticket-router.json $how
        agent_anew
        er r1 status
        jq -r .notice "$ER_CALL.json" | shows 'ticket-router.json' || fail "status does not name the ticket that is $how"
        told "will not be made: .*ticket-router.json"
        in_node r1 rm $state/ticket-router.json

        er r1 drain router
        assert has_hold r1
        damage hold-router.json $how
        agent_anew
        in_node r1 systemctl reload edge-roll-hold.service && fail "a hold whose record is $how is nothing to tell"
        assert has_hold r1
        er r1 status router
        assert_same "$ER_EXIT" 16 "exit status of status where the hold is $how"
        jq -r '.components[0].error' "$ER_CALL.json" | shows 'hold-router.json' || fail "status does not name the hold that is $how"
        in_node r1 systemctl stop edge-roll-hold.service
        assert_no_block r1
        wait_for 15 lb_says r1 UP
done
assert_untouched r1 "$before"
er r1 restart router
assert_result "done" 0
