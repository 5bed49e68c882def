# shellcheck shell=bash
# Anybody may ask about the lock, and each question has a session of its own with ZooKeeper. One person has so many at once, those who
# may change nothing leave some for those who may, and the number is in the refusal: each is tried at its limit and one beyond it.

need_edge_roll
dirty r1
for user in guest other; do in_node r1 useradd "$user"; done
in_node r1 useradd --groups edge-roll ops

# What takes connections and never says a word: whoever asks waits for it as long as he is let.
in_node r1 sh -c 'exec systemd-run -q --unit=deaf python3 -c "$0"' '
import signal, socket
s = socket.create_server(("127.0.0.1", 2199), backlog=64)
open("/run/deaf", "w").close()
signal.pause()'
wait_for 10 in_node r1 test -e /run/deaf
config r1 '[pool]' 'lock = zookeeper://127.0.0.1:2199'

asking=()
# asks USER N: so many questions at once, each with its answer in a file.
asks() {
        local i
        for ((i = 0; i < $2; i++)); do
                as r1 "$1" busctl --json=short --timeout=60 call org.edgeroll.Agent1 /org/edgeroll/Agent1 org.edgeroll.Agent1 Lock s router \
                        >"$SCENE/asked.$1.$i" 2>&1 </dev/null &
                asking+=($!)
        done
}
refused() { cat "$SCENE"/asked."$1".* | grep -c -- "$2" || :; }
# one_refused USER TEXT: one of his questions, and by now no more.
one_refused() { [ "$(refused "$1" "$2")" = 1 ]; }

asks guest 5
wait_for 10 one_refused guest '4 questions about the lock of uid [0-9]* (guest) are being answered, and one person has at most 4 at once; call again'
asks other 1
wait_for 10 one_refused other 'at most 4 questions about the lock of those who may not change anything are answered at once'
# Those who may change something still get theirs: four more are all there are, and then even root waits.
asks ops 4
held() { [ "$(wc -l < <(in_node r1 ss -Htn state established 'dport = :2199'))" -ge "$1" ]; }
wait_for 10 held 8
asks root 1
wait_for 10 one_refused root 'at most 8 questions about the lock are answered at once'
for pid in "${asking[@]}"; do wait "$pid" || :; done
for who in "guest 4" "other 0" "ops 4" "root 0"; do
        # shellcheck disable=SC2086
        set -- $who
        assert_same "$(refused "$1" place_error)" "$2" "questions of $1 that were answered, without the places"
done

# What was answered counts no more.
asking=()
asks other 1
for pid in "${asking[@]}"; do wait "$pid" || :; done
assert_same "$(refused other place_error)" 1 "a question asked again"
in_node r1 systemctl stop deaf.service
