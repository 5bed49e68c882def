# shellcheck shell=bash
# Whatever a caller, a name or a hook says: no shell reads it, it names no unit and no file, it is no format, and neither the
# journal nor a terminal takes it for more than text.

need_edge_roll
dirty r1
tool_build asker
cp "$LAB/bin/asker" "$(node_file r1 /usr/local/bin/asker)"
PWNED=/run/pwned
# shellcheck disable=SC2016
# The last two are cut within a character: of two bytes, and of three.
evil=("; touch $PWNED #\$(touch $PWNED)\`touch $PWNED\`" "../../..$PWNED" "-oProxyCommand=touch $PWNED" '%s%n$%u%i$PATH' --help "router.service"
        $'a\nMESSAGE=forged\nPRIORITY=0\e]0;title\a\e[2J' "x$(printf 'ä%.0s' {1..200})" "$(printf '€%.0s' {1..200})")
before=$(life r1)
er r1 doctor router
agent=$(in_node r1 systemctl show -P MainPID edge-roll-agent.service)
job=$(in_node r1 busctl --json=short call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 CurrentJob s "" | jq -r '.data[0]')

nothing_happened() {
        ! in_node r1 test -e "$PWNED" || fail "a shell has read: $1"
        assert_same "$(in_node r1 systemctl show -P MainPID edge-roll-agent.service)" "$agent" "the agent, after: $1"
}
# only_text WHAT FILE...: nothing in them that a terminal would obey.
only_text() { ! LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]' "${@:2}" >&2 || fail "control characters: $1"; }

# ---- over D-Bus: every text of every method, lists and options too

calls=()
for object in "/org/edgeroll/Agent1 org.edgeroll.Agent1" "$job org.edgeroll.Job1"; do
        read -r path interface <<<"$object"
        while read -r method signature; do
                # The others have no text.
                [[ $signature != *s* ]] || calls+=("$interface/$method@$path" "$signature")
        done < <(in_node r1 busctl --no-pager --no-legend introspect org.edgeroll.Agent1 "$path" "$interface" | awk '$2 == "method" { print substr($1, 2), $3 }')
done
[ ${#calls[@]} -ge 36 ] || fail "not all methods are seen: ${calls[*]}"
# refused TEXT ENVIRONMENT CALL...: all of them, by the agent itself.
refused() {
        local text=$1
        in_node r1 env ASKER_TEXT="$text" "$2" asker system -- "${@:3}" >"$SCENE/answers" || fail "not every call was answered for: $text: $(cat "$SCENE/answers")"
        only_text "the answers to $text" "$SCENE/answers"
        assert_same "$(wc -l <"$SCENE/answers")" $((($# - 2) / 2)) "lines of answers to $text"
        # To say who somebody is asks for nothing.
        ! sed '/^Introduce ok$/d' "$SCENE/answers" | grep -vE '^[A-Za-z]+ org\.edgeroll\.Error\.' >&2 || fail "was not refused by the agent itself: $text"
        nothing_happened "D-Bus, $text"
}
# Needed has no options so far, and passes over them.
of_router=()
for ((i = 0; i < ${#calls[@]}; i += 2)); do
        [[ ${calls[i + 1]} != s*'a{sv}' || ${calls[i]} = */Needed@* ]] || of_router+=("${calls[@]:i:2}")
done
for text in "${evil[@]}"; do
        refused "$text" IT=all "${calls[@]}"
        refused "$text" ASKER_FIRST=router "${of_router[@]}"
done
[ ${#of_router[@]} -ge 14 ] || fail "not all methods with options are seen: ${of_router[*]}"
assert_untouched r1 "$before"
say "D-Bus: $((${#evil[@]} * (${#calls[@]} + ${#of_router[@]}) / 2)) calls, all refused"

# ---- on the command line

in_node r1 sh -c 'cat >/run/each' <<-'EACH'
	# Each TEXT as the last argument of each of these; "STATUS ARGUMENTS TEXT-NUMBER" for each.
	n=0
	for text; do
	        n=$((n + 1))
	        while read -r arguments; do
	                status=0
	                timeout 20 edge-roll $arguments "$text" </dev/null >/run/each.out 2>/run/each.err || status=$?
	                cat /run/each.out /run/each.err >>/run/each.said
	                echo "$status $n $arguments" >&3
	        done <<-'ARGUMENTS'
			status
			restart
			drain router --for
			lock show
			show
			resume
			nodes --nodes
			nodes --management
		ARGUMENTS
	done 3>/run/each.exits
EACH
in_node r1 sh /run/each "${evil[@]}"
in_node r1 cat /run/each.exits >"$SCENE/exits"
in_node r1 cat /run/each.said >"$SCENE/said"
assert_same "$(wc -l <"$SCENE/exits")" $((${#evil[@]} * 8)) "calls on the command line"
only_text "the command line" "$SCENE/said"
# The fifth is --help: that is what it is there.
! awk '($1 == 0 && $2 != 5) || $1 > 21' "$SCENE/exits" | grep . >&2 || fail "on the command line, obeyed or not understood"
nothing_happened "the command line"

# Latin-1 cannot go over D-Bus: that is told, and as JSON too.
for text in router "router --json"; do
        # shellcheck disable=SC2086
        er_plain r1 restart $text --reason $'gr\xf6\xdfer'
        assert_same "$ER_EXIT" 2 "a reason that is no UTF-8"
        cat "$ER_CALL.json" "$ER_CALL.err" | shows 'gr??er is not UTF-8' || fail "not told: $(cat "$ER_CALL.err")"
done
assert_same "$(result .exit)" 2 "the result as JSON"
assert_untouched r1 "$before"

# ---- why, and what a hook says, through a whole job: record, journal, status, history

in_node r1 sh -c 'mkdir -p /etc/edge-roll/hooks.d/verify; cat >/etc/edge-roll/hooks.d/verify/10-look; chmod 755 /etc/edge-roll/hooks.d/verify/10-look' <<-'HOOK'
	#!/bin/sh
	printf '%s' "$EDGE_ROLL_REASON" >/run/reason
	printf 'bad \033]0;title\007 %%s%%n $(touch /run/pwned)\n'
HOOK
er r1 restart router --reason $'; touch /run/pwned $(touch /run/pwned) `touch /run/pwned` %s%n $PATH\n\e]0;title\aMESSAGE=forged'
assert_result "done" 0
assert_restarted r1 "$before"
# shellcheck disable=SC2016
assert_same "$(in_node r1 cat /run/reason)" '; touch /run/pwned $(touch /run/pwned) `touch /run/pwned` %s%n $PATH??]0;title?MESSAGE=forged' "the reason, as a hook has it"
nothing_happened "a reason"
in_node r1 journalctl -q -t edge-roll -o json >"$SCENE/journal"
! jq -c 'to_entries[] | select(.key | test("^(MESSAGE|EDGE_ROLL_.*)$")) | select((.value | type) != "string" or (.value | test("[\u0001-\u001f\u007f]")))' "$SCENE/journal" | grep . >&2 ||
        fail "the journal has more than text"
! jq -r .MESSAGE "$SCENE/journal" | shows -x forged || fail "an entry was forged"
# shellcheck disable=SC2016
jq -r .MESSAGE "$SCENE/journal" | shows -F 'bad ?]0;title? %s%n $(touch /run/pwned)' || fail "what the hook has said is not in the journal"
for args in status history "lock show router" config "watch router"; do
        # shellcheck disable=SC2086
        er_plain r1 $args
        only_text "edge-roll $args" "$ER_CALL.json" "$ER_CALL.err"
done
er_plain r1 status --json
only_text "edge-roll status --json" "$ER_CALL.json"
