# shellcheck shell=bash
# 50 clients that keep their connections through a load balancer that only forwards them, at 1 and at 20 requests a second, and
# each way of `persistent`, with limits in which a drain could end by itself.

LB_MODE=tcp lb_start
config r1 '[component router]' 'limit_drain = 20s'
for rate in 1 20; do
        for way in give-back wait wait-ended close; do
                persistent_run $way $rate
        done
done
# As long as a node in production has to be quiet.
printf '[component router]\nquiet_time = 5s\nlimit_drain = 60s\n' >"$(node_file r1 /etc/edge-roll/edge-roll.conf.d/70-quiet.conf)"
for rate in 1 20; do persistent_run close $rate; done
