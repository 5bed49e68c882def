/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/probe-spec.h"

#include <string.h>

#define CONNECT_USEC (10 * USEC_PER_SEC)
#define READ_USEC    (30 * USEC_PER_SEC)

static const char *const kind_names[] = {
        [PROBE_TCP] = "tcp",
        [PROBE_TLS] = "tls",
        [PROBE_HTTP] = "http",
};
_Static_assert(ELEMENTS(kind_names) == PROBE_KIND_COUNT, "every kind has a name");

const char *probe_kind_name(ProbeKind kind)
{
        return kind >= 0 && kind < PROBE_KIND_COUNT ? kind_names[kind] : "invalid";
}

ProbeKind probe_kind_from_name(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(kind_names); i++)
                if (strcmp(name, kind_names[i]) == 0)
                        return (ProbeKind) i;
        return PROBE_KIND_INVALID;
}

const char *probe_note_text(ProbeNote note)
{
        switch (note) {
        case PROBE_NOTE_TWO_WAY:
                return "Edge's HTTPMonitor does not support two-way TLS: in Edge this check fails, use a TCPMonitor";
        case PROBE_NOTE_SELF_SIGNED:
                return "the certificate is self-signed, which Edge's HTTPMonitor does not support: in Edge this check "
                       "fails unless TrustAllSSL is true";
        case PROBE_NOTE_NO_TRUST:
                return "its trust store is not here as a file, so the certificate was not verified";
        case PROBE_NOTE_NO_KEY:
                return "its key store is not here as a file, so no client certificate was shown";
        case PROBE_NOTE_VARIABLE:
                return "a flow variable stands where a value is needed; taken as not set";
        case PROBE_NOTE_PROTOCOLS:
                return "not exactly the Protocols that are listed were offered";
        case PROBE_NOTE_CIPHERS:
                return "some of the Ciphers are not known here and were left out";
        case PROBE_NOTE_TIMEOUT:
                return "a timeout is 0, and what Edge does then is not documented; the default of this check was used";
        case PROBE_NOTE_BOTH:
                return "there is a TCPMonitor and an HTTPMonitor; the HTTPMonitor was used";
        case PROBE_NOTE_DISABLED:
                return "switched off: Edge does not check this target server";
        case PROBE_NOTE_BODY_CUT:
                return "the body of the answer is long, and was not read to its end";
        case PROBE_NOTE_PAYLOAD:
                return "a Payload is not sent with GET";
        }
        return "";
}

/* A limit in seconds. Not there and 0 are the same: 0 is the default that is documented, without its meaning.
 */
static Usec limit_of(EdgeNumber number, Usec fallback_usec, unsigned *notes)
{
        int64_t seconds = edge_number(number, 0);
        if (seconds > 0)
                return (Usec) seconds * USEC_PER_SEC;
        if (number.line > 0)
                *notes |= PROBE_NOTE_TIMEOUT;
        return fallback_usec;
}

static bool is_variable(const char *value)
{
        return value && value[0] == '{';
}

static void apply_ssl(const EdgeTargetServer *server, ProbeSpec *s)
{
        const EdgeSsl *ssl = &server->ssl;

        s->ssl = ssl->line > 0 ? ssl : NULL;
        if (!s->ssl)
                return;
        s->any_certificate = edge_flag(ssl->ignore_validation_errors, false);
        s->two_way = edge_flag(ssl->client_auth, false);
        if ((ssl->enabled.line > 0 && !ssl->enabled.set) || is_variable(ssl->key_store.value) ||
            is_variable(ssl->trust_store.value) || is_variable(ssl->key_alias.value))
                s->notes |= PROBE_NOTE_VARIABLE;
}

static void apply_tcp(const EdgeTcpMonitor *m, const ProbeDefaults *d, ProbeSpec *s)
{
        s->kind = PROBE_TCP;
        s->connect_usec = limit_of(m->connect_timeout_sec, d->connect_usec, &s->notes);
        if (edge_number(m->port, 0) > 0)
                s->port = (uint16_t) m->port.value;
}

static void apply_http(const EdgeHttpMonitor *m, const ProbeDefaults *d, ProbeSpec *s)
{
        s->kind = PROBE_HTTP;
        s->connect_usec = limit_of(m->connect_timeout_sec, d->connect_usec, &s->notes);
        s->read_usec = limit_of(m->read_timeout_sec, d->read_usec, &s->notes);
        if (edge_number(m->port, 0) > 0)
                s->port = (uint16_t) m->port.value;
        s->tls = edge_flag(m->is_ssl, s->tls);
        s->any_certificate = edge_flag(m->trust_all_ssl, false) || s->any_certificate;
        s->verb = m->verb;
        s->path = m->path.value ? m->path.value : "";
        s->headers = &m->headers;
        s->include_id = edge_flag(m->include_id, false);
        s->codes = &m->success_codes;
        s->expected_headers = &m->success_headers;
        if (m->payload.value && *m->payload.value && m->verb == EDGE_GET)
                s->notes |= PROBE_NOTE_PAYLOAD;
        else
                s->payload = m->payload.value;
        if (s->tls && s->two_way)
                s->notes |= PROBE_NOTE_TWO_WAY;
}

int probe_spec(const EdgeTargetServer *server, const EdgeHealthMonitor *monitor,
               const ProbeDefaults *defaults, ProbeSpec *ret, Err *err)
{
        ProbeDefaults d = *defaults;
        if (d.connect_usec == 0)
                d.connect_usec = CONNECT_USEC;
        if (d.read_usec == 0)
                d.read_usec = READ_USEC;
        ProbeSpec s = {
                .host = server->host.value,
                .port = (uint16_t) edge_number(server->port, 0),
                .tls = edge_flag(server->ssl.enabled, false),
                .connect_usec = d.connect_usec,
                .read_usec = d.read_usec,
        };

        if (!s.host || !*s.host || s.port == 0)
                return err_set(err, -EINVAL, "Target server %.80s has no %s",
                               server->name.value ? server->name.value : "?", s.port == 0 ? "port" : "host");
        s.kind = d.kind == PROBE_TLS && s.tls ? PROBE_TLS : PROBE_TCP;
        apply_ssl(server, &s);
        if (monitor && monitor->http.line > 0)
                apply_http(&monitor->http, &d, &s);
        else if (monitor && monitor->tcp.line > 0)
                apply_tcp(&monitor->tcp, &d, &s);
        if (monitor && monitor->http.line > 0 && monitor->tcp.line > 0)
                s.notes |= PROBE_NOTE_BOTH;
        if ((monitor && monitor->line > 0 && !edge_flag(monitor->enabled, false)) ||
            !edge_flag(server->enabled, true))
                s.notes |= PROBE_NOTE_DISABLED;
        *ret = s;
        return 0;
}
