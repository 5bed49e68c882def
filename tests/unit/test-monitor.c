/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every row of data/monitors.txt, which reads as Apigee's documentation does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/rotation.h"
#include "probes/monitor.h"
#include "probes/probe-spec.h"
#include "tests/lib/origin.h"

#define FIELDS_MAX 6

typedef struct Row {
        unsigned line;
        char *fields[FIELDS_MAX];
        size_t n;
} Row;

static char *trim(char *s)
{
        while (*s == ' ')
                s++;
        for (char *end = s + strlen(s); end > s && strchr(" \n", end[-1]);)
                *--end = '\0';
        return s;
}

static EdgeXml *read_xml(const Row *row, const char *xml)
{
        EdgeXml *x = NULL;
        Err err = { 0 };
        if (edge_xml_read(xml, strlen(xml), &x, &err) < 0)
                fail_msg("line %u: %s", row->line, err.text);
        for (size_t i = 0; i < x->n_findings; i++)
                if (x->findings[i].kind != EDGE_FINDING_MISSING)
                        fail_msg("line %u: %s", row->line, x->findings[i].text);
        return x;
}

/* A TargetEndpoint with this LoadBalancer and HealthMonitor. */
static EdgeXml *read_endpoint(const Row *row, const char *balancer, const char *monitor)
{
        static const char on[] = "<IsEnabled>true</IsEnabled><IntervalInSec>5</IntervalInSec>";
        char xml[4096], health[2048] = "";
        bool is_on = strncmp(monitor, "{on}", 4) == 0;

        if (strcmp(monitor, "-") != 0)
                (void) snprintf(health, sizeof(health), "<HealthMonitor>%s%s</HealthMonitor>",
                                is_on ? on : "", is_on ? monitor + 4 : monitor);
        (void) snprintf(xml, sizeof(xml),
                        "<TargetEndpoint name='default'><HTTPTargetConnection><LoadBalancer>%s%s"
                        "</LoadBalancer>%s</HTTPTargetConnection></TargetEndpoint>",
                        strstr(balancer, "<Server ") ? "" : "<Server name='t'/>", balancer, health);
        return read_xml(row, xml);
}

static EdgeXml *read_server(const Row *row, const char *words)
{
        char xml[1024], host[64];
        unsigned port;
        bool tls = strstr(words, " tls") != NULL;

        if (sscanf(words, "%63[^:]:%u", host, &port) != 2)
                fail_msg("line %u: \"%s\" is no target server", row->line, words);
        (void) snprintf(
                xml, sizeof(xml),
                "<TargetServer name='t'><Host>%s</Host><Port>%u</Port><IsEnabled>%s</IsEnabled><SSLInfo>"
                "<Enabled>%s</Enabled><ClientAuthEnabled>%s</ClientAuthEnabled><IgnoreValidationErrors>%s"
                "</IgnoreValidationErrors></SSLInfo></TargetServer>",
                host, port, strstr(words, " off") ? "false" : "true", tls ? "true" : "false",
                strstr(words, " two-way") ? "true" : "false", strstr(words, " any") ? "true" : "false");
        return read_xml(row, xml);
}

static const char *note_word(ProbeNote note)
{
        switch (note) {
        case PROBE_NOTE_TWO_WAY:
                return "two-way";
        case PROBE_NOTE_TIMEOUT:
                return "timeout";
        case PROBE_NOTE_BOTH:
                return "both";
        case PROBE_NOTE_DISABLED:
                return "disabled";
        case PROBE_NOTE_PAYLOAD:
                return "payload";
        default:
                return "other";
        }
}

/* As the last field of a row has it. */
static void describe(const ProbeSpec *s, char *buf, size_t size)
{
        FILE *f = fmemopen(buf, size, "w");
        assert_non_null(f);
        (void) fprintf(f, "%s ", probe_kind_name(s->kind));
        if (s->kind == PROBE_HTTP)
                (void) fprintf(f, "%s %s://%s:%u%s%s", edge_verb_name(s->verb), s->tls ? "https" : "http",
                               s->host, s->port, *s->path == '/' ? "" : "/", s->path);
        else
                (void) fprintf(f, "%s:%u", s->host, s->port);
        (void) fprintf(f, " connect %us", (unsigned) (s->connect_usec / USEC_PER_SEC));
        if (s->kind == PROBE_HTTP) {
                (void) fprintf(f, " read %us", (unsigned) (s->read_usec / USEC_PER_SEC));
                for (size_t i = 0; i < s->headers->n; i++)
                        (void) fprintf(f, " header %s=%s", s->headers->items[i].name,
                                       s->headers->items[i].value);
                (void) fprintf(f, "%s%s%s", s->include_id ? " id" : "", s->payload ? " payload " : "",
                               s->payload ? s->payload : "");
                for (size_t i = 0; i < s->codes->n; i++)
                        (void) fprintf(f, " code %u", (unsigned) s->codes->items[i].value);
                for (size_t i = 0; i < s->expected_headers->n; i++)
                        (void) fprintf(f, " expect %s=%s", s->expected_headers->items[i].name,
                                       s->expected_headers->items[i].value);
                (void) fprintf(f, "%s%s", s->any_certificate ? " any-certificate" : "",
                               s->two_way ? " two-way" : "");
        }
        for (unsigned note = 1; note <= PROBE_NOTE_LAST; note <<= 1)
                if (s->notes & note) {
                        (void) fprintf(f, " note %s", note_word((ProbeNote) note));
                        assert_true(*probe_note_text((ProbeNote) note));
                }
        (void) fclose(f);
}

static void run_check(const Row *row)
{
        _cleanup_(edge_xml_freep) EdgeXml *server = read_server(row, row->fields[2]);
        _cleanup_(edge_xml_freep) EdgeXml *endpoint = read_endpoint(row, "", row->fields[3]);
        ProbeSpec spec;
        Err err = { 0 };
        char got[1024] = "";

        assert_int_equal(row->n, 5);
        assert_int_equal(probe_spec(&server->server, &endpoint->connection.monitor, &(ProbeDefaults){ 0 },
                                    &spec, &err),
                         0);
        describe(&spec, got, sizeof(got));
        if (strcmp(got, row->fields[4]) != 0)
                fail_msg("line %u: %s\n  is:        %s\n  should be: %s", row->line, row->fields[1], got,
                         row->fields[4]);
}

static MonitorEvent event_of(const Row *row, const char *word, long *status)
{
        *status = atol(word);
        if (*status > 0)
                return MONITOR_RESPONSE;
        switch (*word) {
        case 'f':
                return MONITOR_NO_RESPONSE;
        case '+':
                return MONITOR_CHECK_OK;
        case '-':
                return MONITOR_CHECK_FAILED;
        case 'D':
                return MONITOR_DEPLOYED;
        default:
                fail_msg("line %u: \"%s\" is no event", row->line, word);
        }
        return MONITOR_EVENT_INVALID;
}

static void run_count(const Row *row)
{
        _cleanup_(edge_xml_freep) EdgeXml *endpoint = read_endpoint(row, row->fields[2], row->fields[3]);
        MonitorRules rules = monitor_rules(&endpoint->connection);
        Monitor m = { 0 };
        char got[256] = "", *rest = NULL;

        assert_int_equal(row->n, 6);
        for (char *word = strtok_r(row->fields[4], " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
                long status;
                MonitorEvent event = event_of(row, word, &status);
                bool was_out = m.out;
                MonitorChange change = monitor_feed(&m, &rules, event, status);
                assert_int_equal(change, m.out == was_out ? MONITOR_SAME
                                         : m.out          ? MONITOR_REMOVED
                                                          : MONITOR_RETURNED);
                (void) snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u%s", *got ? " " : "",
                                (unsigned) m.failures, m.out ? "x" : "");
        }
        if (strcmp(got, row->fields[5]) != 0)
                fail_msg("line %u: %s\n  is:        %s\n  should be: %s", row->line, row->fields[1], got,
                         row->fields[5]);
}

static void run_retry(const Row *row)
{
        _cleanup_(edge_xml_freep) EdgeXml *endpoint = read_endpoint(row, row->fields[2], "-");
        MonitorRules rules = monitor_rules(&endpoint->connection);
        long status;

        assert_int_equal(row->n, 5);
        MonitorEvent event = event_of(row, row->fields[3], &status);
        if (monitor_retried(&rules, event, status) != (strcmp(row->fields[4], "yes") == 0))
                fail_msg("line %u: %s", row->line, row->fields[1]);
}

static void answer_on_result(Probing *p _unused_, size_t index _unused_, const ProbeResult *r, void *userdata)
{
        (void) snprintf(userdata, 32, "%s", probe_layer_name(r->layer));
}

/* "200 ImOK: YourOK; B: 2" as an answer of HTTP. */
static void answer_text(const char *field, char *buf, size_t size)
{
        const char *more = strchr(field, ' ');
        int n = snprintf(buf, size, "HTTP/1.1 %.3s X\r\nContent-Length: 0\r\n", field);
        for (; more; more = strchr(more + 1, ';'))
                n += snprintf(buf + n, size - (size_t) n, "%.*s\r\n", (int) strcspn(more + 1, ";"),
                              more + 1 + (more[1] == ' '));
        (void) snprintf(buf + n, size - (size_t) n, "\r\n");
}

/* A real answer of a real origin. */
static void run_answer(const Row *row)
{
        char monitor[1024], text[512], got[32] = "";
        _cleanup_(sd_event_unrefp) sd_event *e = NULL;
        _cleanup_(probing_freep) Probing *p = NULL;
        ProbeSpec spec;
        Err err = { 0 };

        assert_int_equal(row->n, 5);
        (void) snprintf(monitor, sizeof(monitor),
                        "{on}<HTTPMonitor><Request/><SuccessResponse>%s</SuccessResponse></HTTPMonitor>",
                        row->fields[2]);
        _cleanup_(edge_xml_freep) EdgeXml *endpoint = read_endpoint(row, "", monitor);
        assert_true(sd_event_new(&e) >= 0);
        _cleanup_(origin_freep) Origin *o = origin_new(e, ORIGIN_OPEN);
        answer_text(row->fields[3], text, sizeof(text));
        origin_on(o, "*", (OriginReply){ .text = text });
        const EdgeTargetServer server = { .host = { "127.0.0.1", 1 }, .port = { true, origin_port(o), 1 } };
        assert_int_equal(probe_spec(&server, &endpoint->connection.monitor, &(ProbeDefaults){ 0 }, &spec,
                                    &err),
                         0);
        assert_int_equal(probing_new(&p, &(ProbingOptions){ .event = e }, &err), 0);
        assert_true(probing_add(p, &spec, "", "", &err) >= 0);
        assert_int_equal(probing_run(p, answer_on_result, got, &err), 0);
        if (strcmp(got, row->fields[4]) != 0)
                fail_msg("line %u: %s\n  is:        %s\n  should be: %s", row->line, row->fields[1], got,
                         row->fields[4]);
}

/* Is @name one of the words of @list? */
static bool among(const char *list, const char *name)
{
        size_t len = strlen(name);
        for (const char *at = list; (at = strstr(at, name)); at += len)
                if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        return false;
}

static void run_share(const Row *row)
{
        static const RotationCheck down = { .layer = PROBE_CONNECT, .down = true },
                                   well = { .layer = PROBE_OK };
        _cleanup_(edge_xml_freep) EdgeXml *endpoint = read_endpoint(row, row->fields[2], "-");
        const EdgeBalancer *b = &endpoint->connection.balancer;
        _cleanup_(rotation_done) Rotation ro = { 0 };
        const RotationCheck *checks[8];
        char got[256] = "";

        assert_int_equal(row->n, 5);
        assert_in_range(b->n_servers, 1, ELEMENTS(checks));
        for (size_t i = 0; i < b->n_servers; i++)
                checks[i] = among(row->fields[3], b->servers[i].name.value) ? &down : &well;
        assert_int_equal(rotation_of(&endpoint->connection, NULL, checks, &ro), 0);
        for (size_t i = 0; i < ro.n; i++) {
                char share[16] = "?";
                if (ro.servers[i].share >= 0)
                        (void) snprintf(share, sizeof(share), "%.0f", ro.servers[i].share * 100);
                (void) snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s %s", i ? ", " : "",
                                ro.servers[i].ref->name.value, share);
        }
        (void) snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", ro.fallback ? ", fallback" : "",
                        ro.nobody ? ", nobody" : "");
        if (strcmp(got, row->fields[4]) != 0)
                fail_msg("line %u: %s\n  is:        %s\n  should be: %s", row->line, row->fields[1], got,
                         row->fields[4]);
}

static void run_row(const Row *row)
{
        static const struct {
                const char *name;
                void (*run)(const Row *row);
        } kinds[] = { { "check", run_check },
                      { "count", run_count },
                      { "retry", run_retry },
                      { "answer", run_answer },
                      { "share", run_share } };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (strcmp(kinds[i].name, row->fields[0]) == 0) {
                        kinds[i].run(row);
                        return;
                }
        fail_msg("line %u: \"%s\" is no kind of row", row->line, row->fields[0]);
}

/* Tests run in the top directory; a build elsewhere names it. */
static void test_every_row(void **state _unused_)
{
        const char *top = getenv("EDGE_ROLL_SRCDIR");
        char path[512], text[4096];
        unsigned line = 0, rows = 0;

        (void) snprintf(path, sizeof(path), "%s/tests/unit/data/monitors.txt", top ? top : ".");
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                fail_msg("%s cannot be read", path);
        while (fgets(text, sizeof(text), f)) {
                Row row = { .line = ++line };
                if (text[0] == '#' || !*trim(text))
                        continue;
                for (char *at = text; at && row.n < FIELDS_MAX; row.n++) {
                        char *field = strsep(&at, "|");
                        row.fields[row.n] = trim(field);
                }
                run_row(&row);
                rows++;
        }
        assert_true(rows > 80);
}

static void test_what_cannot_be_checked(void **state _unused_)
{
        EdgeTargetServer server = { .name = { "t", 1 }, .host = { "h", 1 } };
        ProbeSpec spec;
        Err err = { 0 };

        assert_int_equal(probe_spec(&server, NULL, &(ProbeDefaults){ 0 }, &spec, &err), -EINVAL);
        assert_string_equal(err.text, "Target server t has no port");
        server.port = (EdgeNumber){ true, 80, 1 };
        server.host.value = "";
        assert_int_equal(probe_spec(&server, NULL, &(ProbeDefaults){ 0 }, &spec, &err), -EINVAL);
        assert_string_equal(err.text, "Target server t has no host");
}

/* Without a monitor the depth is the caller's; TLS only where the server speaks it. */
static void test_defaults(void **state _unused_)
{
        EdgeTargetServer server = { .host = { "h", 1 }, .port = { true, 443, 1 } };
        ProbeDefaults d = { .kind = PROBE_TLS, .connect_usec = USEC_PER_SEC, .read_usec = 2 * USEC_PER_SEC };
        ProbeSpec spec;
        Err err = { 0 };

        assert_int_equal(probe_spec(&server, NULL, &d, &spec, &err), 0);
        assert_int_equal(spec.kind, PROBE_TCP);
        assert_int_equal(spec.connect_usec, USEC_PER_SEC);
        assert_int_equal(spec.read_usec, 2 * USEC_PER_SEC);
        server.ssl = (EdgeSsl){ .line = 1, .enabled = { true, true, 1 } };
        assert_int_equal(probe_spec(&server, NULL, &d, &spec, &err), 0);
        assert_int_equal(spec.kind, PROBE_TLS);
        d.kind = PROBE_TCP;
        assert_int_equal(probe_spec(&server, NULL, &d, &spec, &err), 0);
        assert_int_equal(spec.kind, PROBE_TCP);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_row),
                cmocka_unit_test(test_what_cannot_be_checked),
                cmocka_unit_test(test_defaults),
        };
        return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
