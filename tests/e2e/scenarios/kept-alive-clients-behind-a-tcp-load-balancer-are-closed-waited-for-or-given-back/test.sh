# shellcheck shell=bash
# A load balancer that only forwards connections keeps those of clients who keep theirs: mark-down does not move them.
# The three ways of `persistent`, with clients of 1 and of 20 requests a second at once; `make torture` has them one by one.

LB_MODE=tcp lb_start
config r1 '[component router]' 'limit_drain = 4s' 'watch_max = 2s'
for way in give-back wait wait-ended close; do
        persistent_run $way 1 20
done
