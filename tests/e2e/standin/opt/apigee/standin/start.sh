# Stand-in for Apigee Edge (see settings.sh): the common first part of both components' `run`.
# Leaves the configuration files of conf/ with their @...@ filled in under $RUN and the pid file written.
. /opt/apigee/standin/settings.sh

mkdir -p "$RUN"
echo $$ >"$RUN/pid"
case $START in
fails) echo "$NAME: cannot start: the keystore is broken" >&2 && exit 1 ;;
esac
[ "$START_DELAY" = 0 ] || sleep "$START_DELAY"
/opt/apigee/standin/render "$NAME"
for f in /opt/apigee/"$NAME"/conf/* /opt/apigee/standin/management.conf; do
        sed -e "s/@NAME@/$NAME/g" -e "s/@MGMT_PORT@/$MGMT_PORT/g" -e "s/@RPC_PORT@/$RPC_PORT/g" -e "s/@JMX_PORT@/$JMX_PORT/g" \
                -e "s/@LISTEN_PORT@/$LISTEN_PORT/g" \
                "$f" >"$RUN/${f##*/}"
done
