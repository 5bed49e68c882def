# shellcheck shell=bash
# Every way in which the Management Server can fail: its own sentence, what to do, exit code 11, and no node is touched.
# takes: 60

ms_start
ms_user admin@example.com s3cret-good
bastion_conf '[cluster]' 'inventory =' "management_url = $(ms_url)" 'management_user = admin@example.com' \
        'management_password_file = /root/management'
printf s3cret-good >"$(node_file bastion /root/management)"
in_node bastion chmod 600 /root/management
# shellcheck disable=SC2086
before=$(lives_of $NODES)

# refused RESULT EXIT TEXT HINT: a roll is refused with these words.
refused() {
        bastion_er restart router --cluster --yes
        assert_result "$1" "$2"
        result .reason | shows -F -- "$3" || fail "the reason does not say \"$3\": $(result .reason)"
        result .hint | shows -F -- "$4" || fail "the hint does not say \"$4\": $(result .hint)"
        ! grep s3cret "$ER_CALL.json" "$ER_CALL.err" || fail "a password is shown"
}

while IFS='|' read -r mode text hint; do
        ms_mode "$mode"
        refused refused 11 "$text" "$hint"
done <<-'MODES'
	403|may not do that|system administrator
	404|there is no such API|without /v1
	500|answered 500|system.log
	503|answered 503|system.log
	redirect|answered 302|another place
	html|an HTML or XML page|a proxy or the UI
	half|stopped before its end|half an answer
	cut-json|Not JSON|a proxy or the UI
	huge|8 MiB at most|no answer of the management API
	one-region|Region dc-2|system.log
	slow|stopped before its end|half an answer
MODES
ms_mode good

# Who asks.
printf s3cret-bad >"$(node_file bastion /root/management)"
refused refused 11 'does not take user admin@example.com' 'curl -u'
in_node bastion chmod 644 /root/management
refused refused 11 'can be read or written by others' ''
in_node bastion rm /root/management
refused refused 11 '/root/management' ''

# Nobody there, and nobody answers.
kill -KILL "$(cat "$LAB/ms/pid")"
wait_for 10 gone "$(cat "$LAB/ms/pid")"
printf s3cret-good >"$(node_file bastion /root/management)"
in_node bastion chmod 600 /root/management
refused refused 11 'connection refused' 8080
ip -n fab link set ms down
refused refused 11 'no connection' firewall
ip -n fab link set ms up

# What is said on the command line is told as that.
bastion_er nodes --management "http://admin:s3cret@$(ip4 ms):8080"
assert_result usage 2
! grep s3cret "$ER_CALL.json" "$ER_CALL.err" || fail "the password is shown"
# shellcheck disable=SC2086
assert_all_untouched "$before" $NODES
