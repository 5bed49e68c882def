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
ssl=
if [ "$TLS" = yes ]; then
        ssl=' ssl'
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$(hostname)" -days 30 \
                -keyout "$RUN/key.pem" -out "$RUN/cert.pem" 2>/dev/null
        printf '%s\n' "ssl_certificate $RUN/cert.pem;" "ssl_certificate_key $RUN/key.pem;" >"$RUN/tls.conf"
fi
for f in /opt/apigee/"$NAME"/conf/* /opt/apigee/standin/management.conf; do
        sed -e "s/@NAME@/$NAME/g" -e "s/@MGMT_PORT@/$MGMT_PORT/g" -e "s/@RPC_PORT@/$RPC_PORT/g" -e "s/@JMX_PORT@/$JMX_PORT/g" \
                -e "s/@LISTEN_PORT@/$LISTEN_PORT/g" -e "s/@SSL@/$ssl/g" \
                "$f" >"$RUN/${f##*/}"
done
