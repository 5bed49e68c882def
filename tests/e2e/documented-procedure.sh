#!/bin/sh
# documented-procedure.sh router|message-processor SECONDS
# The published way to restart a component without an impact on traffic, command by command ("Rolling restart of routers and
# message processors without traffic impact", Apigee Edge for Private Cloud), with a shorter sleep than its 120 s.
# It is the rival this project is measured against. Prints the milliseconds since its start for each step.
set -eu
PATH=$PATH:/opt/apigee/apigee-service/bin
kind=$1 seconds=$2

start=$(date +%s%N)
step() { echo "$((($(date +%s%N) - start) / 1000000)) $*"; }

case $kind in
router) port=15999 ;;
message-processor)
        port=$(curl 0:8082/v1/servers/self -s | jq '.tags.property' | jq -r '.[] | select(.name=="http.port") | .value')
        ;;
esac
step block "$port"
iptables -A INPUT -i eth0 -p tcp --dport "$port" -j REJECT
step sleep
sleep "$seconds"
step stop
apigee-service apigee-monit stop
apigee-service "edge-$kind" stop
step start
apigee-service "edge-$kind" start
apigee-service "edge-$kind" wait_for_ready
step unblock
apigee-service apigee-monit start
iptables -F
iptables -L >/dev/null
step end
