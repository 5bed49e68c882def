# shellcheck shell=bash
# What /v1/servers/self may answer when a component is sick: each is told, none is acted on.

monit_start m1
before=$(life m1)
refused() {
        local began
        standin_now m1 SELF=good HTTP_PORT=8998 "$1"
        began=$(now_ms)
        er m1 restart mp
        say "$1: $(result .reason)"
        assert_result refused 11
        [ -n "$(result .reason)" ] || fail "$1: no reason given"
        [ $(($(now_ms) - began)) -lt 20000 ] || fail "$1: took longer than 20 s"
        assert_as_it_was m1 "$before"
}
refused SELF=hang
refused SELF=broken
refused SELF=html
refused SELF=huge
refused SELF=status-500
refused HTTP_PORT=none
refused HTTP_PORT=0
refused HTTP_PORT=70000
refused "HTTP_PORT='80 90'"
assert monit_says m1 1
