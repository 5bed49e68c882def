# Stand-in for Apigee Edge, which cannot be had: it is sold to its users only. The shapes (paths, ports, JSON, texts)
# are those of Apigee's documentation. HAProxy plays the router's traffic side, nginx the message processor's.
# Nothing outside this folder pretends to be something it is not.
#
# This file: what a stand-in is told to be. Sourced by its programs with NAME set to edge-router or
# edge-message-processor. A test changes /etc/standin/NAME (lines KEY=VALUE, same keys) and either starts the component
# anew or runs /opt/apigee/standin/render NAME to change the answers of the one that runs.

UUID=276bc250-7dd0-46a5-a583-fd11eba786f8       # uUID in /v1/servers/self
REGION=dc-1
POD=gateway
UP=true                                         # body of /v1/servers/self/up
SELF=good               # /v1/servers/self: good, hang (accepts, never answers), broken (JSON cut), html, huge (100 MB), status-500
RUNTIME=good            # /v1/runtime: good, hang, hang-one (the list of proxies of acme/prod), status-500
HTTP_PORT=8998          # value of the tag http.port, always as a string; none: no such tag
LISTEN_PORT=8998        # where the message processor really listens
VHOST_PORTS=9001        # where the router listens
VHOST_TLS_PORTS=        # and where with TLS: the certificate of /etc/standin/vhost.pem, read at the start
ORGANIZATIONS=acme
ENVIRONMENTS="test prod"                        # loaded environments (message processor)
APIS="weather orders"
REVISION=12
START=good              # good, fails (ends at once with an error), dies (ends a moment after its start)
START_DELAY=0           # seconds until anything listens
START_AS=               # su: apigee-service starts it through su, in a PAM session of its own
STOP_DELAY=0            # seconds that apigee-service takes before it stops anything
LEAVE=at-once           # what the message processor does when it is stopped: at-once, or graceful: it answers 599 to new
                        # requests, finishes the old ones, and goes on answering 599 for LINGER seconds (Edge's own
                        # documentation does not say how long)
LINGER=4
RETRY=                  # what the router tries on another message processor: "" as HAProxy does it (refused connections),
                        # or Edge's words: http_599, http_599 error
TLS=no                  # yes: port 8998 speaks TLS (message processor)

case $NAME in
edge-router) KIND=router MGMT_PORT=8081 RPC_PORT=4527 JMX_PORT=1100 ;;
edge-message-processor) KIND=message-processor MGMT_PORT=8082 RPC_PORT=4528 JMX_PORT=1101 ;;
esac
RUN=/run/standin/$NAME
WWW=$RUN/www

[ ! -e "/etc/standin/$NAME" ] || . "/etc/standin/$NAME"
