# shellcheck shell=bash
# The passwords of the Management Server (from a file, the environment, a systemd credential) and of ZooKeeper are used where
# everything fails that can, and looked for behind each of it, as they are and as HTTP sends them: in what is written, the journal,
# files, the list of processes while the server hangs, and what a crash leaves.
# takes: 100

secret=s3cret-of-the-server wrong=s3cret-that-is-wrong zk=s3cret-of-zookeeper
user=admin@example.com
places=$SCENE/places marks=$SCENE/marks
{
        printf '%s\n' "$secret" "$wrong" "$zk"
        for word in "$secret" "$wrong"; do printf '%s' "$user:$word" | base64; done
} >"$marks"

# secret_put FILE WORD: a file on the bastion that only root reads.
secret_put() {
        printf '%s' "$2" >"$(node_file bastion "$1")"
        in_node bastion chmod 600 "$1"
}

# with FILE|ENVIRONMENT|CREDENTIAL ARGUMENT...: edge-roll with the password from there.
with() {
        local way=$1
        shift
        # shellcheck disable=SC2016
        case $way in
        file) set -- edge-roll "$@" ;;
        environment) set -- sh -c 'EDGE_ROLL_MANAGEMENT_PASSWORD=$(cat /root/other) exec edge-roll "$@"' sh "$@" ;;
        credential) set -- systemd-run -q --pipe --wait -p LoadCredential=management-password:/root/other edge-roll "$@" ;;
        esac
        in_node bastion timeout 60 "$@"
}

# from WAY WORD: the password that is found there is this one; where another place is asked first, the file has a third.
from() {
        if [ "$1" = file ]; then secret_put /root/management "$2"; else secret_put /root/other "$2" && secret_put /root/management unused; fi
}

# shown_nowhere WHAT: not in the output ($SCENE/said), nor in the journal or a file of these nodes but those that hold it.
shown_nowhere() {
        local name dir
        ! grep -aFf "$marks" "$SCENE/said" || fail "$1: a password is in the output"
        for name in bastion r1 r2; do
                in_node "$name" journalctl --no-pager -q -a -o export >"$places"
                grep -aq . "$places" || fail "$name has no journal"
                ! grep -aFf "$marks" "$places" || fail "$1: a password is in the journal of $name"
                # All that is not as it was when the node was made, and what is only in memory.
                {
                        (cd "$LAB/nodes/$name/tmp/upper" && grep -arlFf "$marks" --exclude-dir=journal .) || :
                        for dir in /run /tmp /dev/shm /var/lib/edge-roll; do
                                (cd "$(node_file "$name" "$dir")" 2>/dev/null && grep -arlFf "$marks" --exclude-dir=journal --exclude-dir=credentials .) || :
                        done
                } >"$places"
                [ "$name" != bastion ] || shows -xE './root/(management|other)' <"$places" || fail "a password is not found where it is"
                ! grep -vxE './root/(management|other)|./etc/edge-roll/zookeeper' "$places" || fail "$1: a password is in a file of $name"
        done
}

# fails WAY MODE WORD: with that password, and a server that answers so, a roll is refused; nothing is left of the password.
fails() {
        local status=0
        from "$1" "$3"
        ms_mode "$2"
        with "$1" restart router --cluster --yes --json >"$SCENE/said" 2>&1 || status=$?
        assert_same "$status" 11 "exit with the password from $1 and a server that answers $2: $(tail -1 "$SCENE/said")"
        shown_nowhere "$1, $2"
}

# hangs WAY: while the server does not answer, nobody sees the password; nor behind a crash.
hangs() {
        local pid before call
        from "$1" "$secret"
        ms_mode hang
        before=$(in_node bastion pgrep -c edge-roll || :)
        with "$1" nodes >"$SCENE/said" 2>&1 </dev/null &
        call=$!
        wait_for 20 hanging "$before"
        pid=$(in_node bastion pgrep -n -x edge-roll)
        # Of all that run there.
        in_node bastion sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null' >"$places" || :
        grep -aq 'edge-roll' "$places" || fail "nothing runs"
        ! grep -aFf "$marks" "$places" || fail "$1: a password can be seen while the server hangs"
        in_node bastion prlimit --pid "$pid" --core=unlimited
        in_node bastion kill -ABRT "$pid"
        wait "$call" || :
        shown_nowhere "$1, crashed"
}

hanging() { [ "$(in_node bastion pgrep -c edge-roll)" -gt "${1:-0}" ] && ms_asked_hangs; }

# The request is there, and has no answer: a connection is established.
ms_asked_hangs() { in_net ms ss -Htn state established '( sport = :8080 )' | shows .; }

bastion_conf '[cluster]' 'inventory =' "management_user = $user" 'management_password_file = /root/management'
ms_start
ms_user "$user" "$secret"
bastion_conf "management_url = $(ms_url)"
# shellcheck disable=SC2086
before=$(lives_of $NODES)

# It is taken, from each place; this is the proof that the rest is about a password that is used.
for way in file environment credential; do
        ms_mode good
        from "$way" "$secret"
        with "$way" nodes >"$SCENE/said" 2>&1 || fail "with the password from $way: $(cat "$SCENE/said")"
        shown_nowhere "$way, taken"
        fails "$way" good "$wrong"
        ms_asked | shows ' 401' || fail "the wrong password was not refused"
        for mode in 403 500 redirect html cut half; do fails "$way" "$mode" "$secret"; done
        hangs "$way"
done

# TLS: a certificate that nobody vouches for, one that is right at a port that has no TLS, and nobody there.
fails_url() {
        local status=0
        from "$1" "$secret"
        with "$1" nodes --management "$2" >"$SCENE/said" 2>&1 || status=$?
        [ "$status" != 0 ] || fail "$3: it works"
        shown_nowhere "$1, $3"
}
ms_mode good
for way in file environment credential; do fails_url "$way" "https://$(ip4 ms):8080" "TLS to a port without it"; done
ms_start tls
ms_user "$user" "$secret"
for way in file environment credential; do
        fails_url "$way" "$(ms_url)" "a certificate that is not trusted"
        fails_url "$way" "http://$(ip4 ms):8080" "no TLS to a port that wants it"
done
! ms_asked | shows '/v1' || fail "a request has come to a server that is not trusted: $(ms_asked)"
kill -KILL "$(cat "$LAB/ms/pid")"
wait_for 10 gone "$(cat "$LAB/ms/pid")"
for way in file environment credential; do fails_url "$way" "$(ms_url)" "nobody there"; done
# shellcheck disable=SC2086
assert_all_untouched "$before" $NODES

# ZooKeeper: the pool belongs to the password of r1; r2 has another one, then one that others can read, then none where it should be.
at_end ms_remove
lock_with_zookeeper r1 r2
for name in r1 r2; do
        config "$name" 'name = two' 'lock_auth_file = /etc/edge-roll/zookeeper'
        printf 'edge:%s' "$zk" >"$(node_file "$name" /etc/edge-roll/zookeeper)"
        in_node "$name" chmod 600 /etc/edge-roll/zookeeper
done
# zk_fails NODE WHAT TEXT: a restart there is refused with these words.
zk_fails() {
        restart_start "$1"
        bastion_wait "${CALLS[$1]}"
        [ "$ER_EXIT" != 0 ] || fail "$2: it is restarted"
        result .reason | shows -F -- "$3" || fail "$2: the reason does not say \"$3\": $(result .reason)"
        cat "$ER_CALL.json" "$ER_CALL.err" >"$SCENE/said"
        shown_nowhere "$2"
}
zk_fails r1 "alone in the pool" "nobody else of the pool serves"
printf 'edge:%s' "$wrong" >"$(node_file r2 /etc/edge-roll/zookeeper)"
zk_fails r2 "another password for ZooKeeper" "somebody else's user:password"
in_node r2 chmod 644 /etc/edge-roll/zookeeper
zk_fails r2 "a file that others read" "can be read or written by others"
in_node r2 rm /etc/edge-roll/zookeeper
zk_fails r2 "no file" /etc/edge-roll/zookeeper
# The agent that has read one leaves none behind when it crashes.
pid=$(in_node r1 systemctl show -P MainPID edge-roll-agent)
[ "$pid" != 0 ] || fail "the agent has left"
in_node r1 sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null' >"$places" || :
! grep -aFf "$marks" "$places" || fail "a password can be seen on r1"
in_node r1 prlimit --pid "$pid" --core=unlimited
in_node r1 kill -ABRT "$pid"
wait_for 10 not in_node r1 kill -0 "$pid" 2>/dev/null
: >"$SCENE/said"
shown_nowhere "the agent has crashed"
in_node r1 journalctl -q -u edge-roll-agent >"$places"
shows 'code=.*ABRT' <"$places" || fail "the agent has not crashed"
! shows 'core-dump' <"$places" || fail "it has left a core dump"
