/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/lint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "probes/monitor.h"

/* What is looked at, and where the findings go. */
typedef struct Lint {
        const EdgeXml *x;
        const LintServers *servers;
        LintFindings *out;
        int r; /* the first failure: no memory */
} Lint;

/* ---- findings ---- */

static void _printf_(4, 5) found(Lint *l, LintRule rule, unsigned line, const char *fmt, ...);

static void found_as(Lint *l, LintRule rule, LintLevel level, unsigned line, char *text)
{
        LintFinding *more = text ? reallocarray(l->out->items, l->out->n + 1, sizeof(*more)) : NULL;
        if (!more) {
                free(text);
                l->r = -ENOMEM;
                return;
        }
        l->out->items = more;
        l->out->errors += level == LINT_ERROR;
        l->out->warnings += level == LINT_WARNING;
        more[l->out->n++] = (LintFinding){ .rule = rule, .level = level, .line = line, .text = text };
}

static void _printf_(5, 0)
        found_level(Lint *l, LintRule rule, LintLevel level, unsigned line, const char *fmt, va_list ap)
{
        char *text = NULL;
        if (vasprintf(&text, fmt, ap) < 0)
                text = NULL;
        found_as(l, rule, level, line, text);
}

static void found(Lint *l, LintRule rule, unsigned line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        found_level(l, rule, lint_rule(rule)->level, line, fmt, ap);
        va_end(ap);
}

/* Less than the rule's own level. */
static void _printf_(4, 5) noted(Lint *l, LintRule rule, unsigned line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        found_level(l, rule, LINT_NOTE, line, fmt, ap);
        va_end(ap);
}

int lint_unreadable(const char *text, LintFindings *ret)
{
        Lint l = { .out = ret };
        found(&l, LINT_UNREADABLE, 0, "%s", text);
        return l.r;
}

void lint_done(LintFindings *findings)
{
        for (size_t i = 0; i < findings->n; i++)
                free(findings->items[i].text);
        free(findings->items);
        *findings = (LintFindings){ 0 };
}

/* ---- what is asked often ---- */

const EdgeTargetServer *lint_server(const LintServers *servers, const char *name)
{
        for (size_t i = 0; servers && name && i < servers->n; i++)
                if (servers->items[i].name.value && strcmp(servers->items[i].name.value, name) == 0)
                        return &servers->items[i];
        return NULL;
}

static const char *ref_name(const EdgeServerRef *ref)
{
        return ref->name.value ? ref->name.value : "";
}

static bool ref_enabled(const Lint *l, const EdgeServerRef *ref)
{
        const EdgeTargetServer *server = lint_server(l->servers, ref->name.value);
        return edge_flag(ref->enabled, true) && (!server || edge_flag(server->enabled, true));
}

/* ---- the document itself ---- */

static LintRule finding_rule(const EdgeFinding *f)
{
        static const LintRule of[] = {
                [EDGE_FINDING_UNKNOWN] = LINT_XML_UNKNOWN,   [EDGE_FINDING_MISPLACED] = LINT_XML_MISPLACED,
                [EDGE_FINDING_TWICE] = LINT_XML_TWICE,       [EDGE_FINDING_MISSING] = LINT_XML_MISSING,
                [EDGE_FINDING_NUMBER] = LINT_XML_VALUE,      [EDGE_FINDING_FLAG] = LINT_XML_VALUE,
                [EDGE_FINDING_WORD] = LINT_XML_VALUE,        [EDGE_FINDING_TEXT] = LINT_XML_TEXT,
                [EDGE_FINDING_VARIABLE] = LINT_XML_VARIABLE, [EDGE_FINDING_NOT_EDGE] = LINT_XML_NOT_EDGE,
        };
        static const char in_balancer[] = "LoadBalancer/HealthMonitor";
        size_t n = strlen(f->element);

        _Static_assert(ELEMENTS(of) == EDGE_FINDING_KIND_COUNT, "every finding of the reader has a rule");
        if (f->kind == EDGE_FINDING_MISPLACED && n >= strlen(in_balancer) &&
            strcmp(f->element + n - strlen(in_balancer), in_balancer) == 0)
                return LINT_MONITOR_IN_BALANCER;
        return of[f->kind];
}

/* What a monitor lacks has rules here that say more. */
static bool said_elsewhere(const EdgeFinding *f)
{
        static const char *const parents[] = { "HealthMonitor", "TCPMonitor", "Request" };
        const char *slash = strrchr(f->element, '/');
        for (size_t i = 0; f->kind == EDGE_FINDING_MISSING && i < ELEMENTS(parents); i++)
                if (strcmp(slash ? slash + 1 : f->element, parents[i]) == 0)
                        return true;
        return false;
}

static void rule_reader(Lint *l)
{
        for (size_t i = 0; i < l->x->n_findings; i++) {
                const EdgeFinding *f = &l->x->findings[i];
                if (!said_elsewhere(f))
                        found(l, finding_rule(f), f->line, "%s: %s", f->element, f->text);
        }
        if (l->x->n_more > 0)
                found(l, LINT_XML_UNKNOWN, 0, "%zu more of what is not understood here is not listed",
                      l->x->n_more);
}

/* ---- the load balancer ---- */

typedef struct Servers {
        size_t active, fallbacks, standby, enabled;
} Servers;

static Servers servers_of(const Lint *l, const EdgeBalancer *b)
{
        Servers s = { 0 };
        for (size_t i = 0; i < b->n_servers; i++) {
                bool enabled = ref_enabled(l, &b->servers[i]),
                     fallback = edge_flag(b->servers[i].fallback, false);
                s.fallbacks += fallback;
                s.standby += enabled && fallback;
                s.enabled += enabled;
                s.active += enabled && !fallback;
        }
        return s;
}

static void rule_max_failures(Lint *l, const EdgeConnection *c)
{
        const EdgeBalancer *b = &c->balancer;
        Servers s = servers_of(l, b);
        int64_t most = edge_number(b->max_failures, 0);
        const char *monitor =
                c->monitor.line == 0 ? "there is no HealthMonitor" : "its HealthMonitor does nothing";

        if (most > 0 && !monitor_rules(c).monitored) {
                if (s.active <= 1 && s.standby == 0 && b->n_servers > 0)
                        found(l, LINT_MAX_FAILURES_ONE_SERVER, b->max_failures.line,
                              "MaxFailures is %" PRId64 " with a single server in rotation, and %s", most,
                              monitor);
                else if (b->n_servers > 0)
                        found(l, LINT_MAX_FAILURES_NO_MONITOR, b->max_failures.line,
                              "MaxFailures is %" PRId64 ", and %s", most, monitor);
        }
        if (most == 0 && monitor_rules(c).monitored)
                found(l, LINT_MONITOR_WITHOUT_MAX_FAILURES, c->monitor.line,
                      "there is a HealthMonitor, but MaxFailures is %s",
                      b->max_failures.line > 0 ? "0" : "not there, which is 0");
        if (most == 0 && b->unhealthy_line > 0)
                found(l, LINT_UNHEALTHY_UNUSED, b->unhealthy_line,
                      "ServerUnhealthyResponse without MaxFailures");
}

static void rule_fallback(Lint *l, const EdgeBalancer *b)
{
        const EdgeServerRef *first = NULL;
        for (size_t i = 0; i < b->n_servers; i++) {
                const EdgeServerRef *ref = &b->servers[i];
                if (!edge_flag(ref->fallback, false))
                        continue;
                if (first)
                        found(l, LINT_FALLBACK_TWICE, ref->fallback.line,
                              "%s is a fallback, and so is %s (line %u)", ref_name(ref), ref_name(first),
                              first->fallback.line);
                else
                        first = ref;
        }
        if (first && servers_of(l, b).fallbacks == b->n_servers)
                found(l, LINT_FALLBACK_ONLY, first->fallback.line,
                      "%s is a fallback, and there is no other server", ref_name(first));
}

static void rule_weights(Lint *l, const EdgeBalancer *b)
{
        for (size_t i = 0; i < b->n_servers; i++) {
                const EdgeServerRef *ref = &b->servers[i];
                bool fallback = edge_flag(ref->fallback, false);
                if (b->algorithm == EDGE_WEIGHTED && !ref->weight.set && !fallback)
                        found(l, LINT_WEIGHT_MISSING, ref->line, "%s has no Weight", ref_name(ref));
                if (b->algorithm != EDGE_WEIGHTED && ref->weight.line > 0)
                        found(l, LINT_WEIGHT_UNUSED, ref->weight.line,
                              "%s has a Weight, but the algorithm is %s", ref_name(ref),
                              edge_algorithm_name(b->algorithm));
        }
}

static void rule_name(Lint *l, const char *name, unsigned line)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        size_t ok = strspn(name, plain);
        if (name[ok] == '\0')
                return;
        /* Everybody has these, and they work. */
        if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0')
                noted(l, LINT_NAME_FORBIDDEN, line, "the name \"%s\" has more than letters and digits in it",
                      name);
        else
                found(l, LINT_NAME_FORBIDDEN, line, "the name \"%s\" has more than letters and digits in it",
                      name);
}

static void rule_servers(Lint *l, const EdgeBalancer *b)
{
        if (b->n_servers > LINT_SERVERS_MAX)
                found(l, LINT_TOO_MANY_SERVERS, b->line, "%zu servers", b->n_servers);
        for (size_t i = 0; i < b->n_servers; i++) {
                const EdgeServerRef *ref = &b->servers[i];
                const EdgeTargetServer *server = lint_server(l->servers, ref->name.value);
                for (size_t k = 0; k < MIN(i, (size_t) LINT_SERVERS_MAX); k++)
                        if (ref->name.value && b->servers[k].name.value &&
                            strcmp(ref->name.value, b->servers[k].name.value) == 0) {
                                found(l, LINT_SERVER_TWICE, ref->line, "%s is listed in line %u already",
                                      ref_name(ref), b->servers[k].line);
                                break;
                        }
                if (ref->name.value)
                        rule_name(l, ref->name.value, ref->line);
                if (l->servers && ref->name.value && !server)
                        found(l, LINT_SERVER_UNKNOWN, ref->line,
                              "there is no target server %s in this environment", ref_name(ref));
                else if (!ref_enabled(l, ref))
                        found(l, LINT_SERVER_DISABLED, ref->line, "%s is disabled%s", ref_name(ref),
                              edge_flag(ref->enabled, true) ? " in this environment" : " here");
        }
        if (b->n_servers > 0 && servers_of(l, b).enabled == 0)
                found(l, LINT_SERVERS_ALL_DISABLED, b->line, "all of its servers are disabled");
}

/* ---- the health monitor ---- */

static void rule_port(Lint *l, const EdgeBalancer *b, const EdgeNumber *port, const char *monitor)
{
        bool known = false;
        if (!port->set || port->value == 0)
                return;
        for (size_t i = 0; i < b->n_servers; i++) {
                const EdgeTargetServer *server = lint_server(l->servers, b->servers[i].name.value);
                if (!server || !server->port.set)
                        continue;
                known = true;
                if (server->port.value != port->value)
                        found(l, LINT_MONITOR_PORT, port->line,
                              "the %s asks port %" PRId64 ", requests to %s go to %" PRId64, monitor,
                              port->value, ref_name(&b->servers[i]), server->port.value);
        }
        if (!known)
                noted(l, LINT_MONITOR_PORT, port->line,
                      "the %s asks port %" PRId64 ", whatever port its servers have", monitor, port->value);
}

static void rule_timeout(Lint *l, const EdgeNumber *timeout, unsigned line, const char *monitor,
                         const char *name)
{
        if (edge_number(*timeout, 0) == 0)
                found(l, LINT_TIMEOUT_ZERO, timeout->line > 0 ? timeout->line : line, "%s of the %s is %s",
                      name, monitor, timeout->line > 0 ? "0" : "not there, which is 0");
}

/* TLS of the server as far as it is known: its own, or that of the connection. */
static void rule_http_tls(Lint *l, const EdgeConnection *c)
{
        const EdgeHttpMonitor *m = &c->monitor.http;
        if (m->is_ssl.set && !m->is_ssl.value)
                return;
        for (size_t i = 0; i < c->balancer.n_servers + 1; i++) {
                const EdgeServerRef *ref = i > 0 ? &c->balancer.servers[i - 1] : NULL;
                const EdgeTargetServer *server = ref ? lint_server(l->servers, ref->name.value) : NULL;
                const EdgeSsl *ssl = !ref ? &c->ssl : server ? &server->ssl : NULL;
                const char *whose = !ref ? "the connection" : ref_name(ref);
                if (!ssl || !edge_flag(ssl->enabled, false))
                        continue;
                if (edge_flag(ssl->client_auth, false))
                        found(l, LINT_HTTP_MONITOR_TWO_WAY_TLS, m->line,
                              "an HTTPMonitor, and the SSLInfo of %s has "
                              "ClientAuthEnabled",
                              whose);
                if (edge_flag(ssl->ignore_validation_errors, false))
                        found(l, LINT_HTTP_MONITOR_SELF_SIGNED, m->line,
                              "an HTTPMonitor, and the SSLInfo of %s has "
                              "IgnoreValidationErrors",
                              whose);
        }
        if (edge_flag(m->trust_all_ssl, false))
                found(l, LINT_HTTP_MONITOR_SELF_SIGNED, m->trust_all_ssl.line, "TrustAllSSL");
}

static void rule_monitor(Lint *l, const EdgeConnection *c)
{
        const EdgeHealthMonitor *m = &c->monitor;
        if (m->line == 0)
                return;
        if (!edge_flag(m->enabled, false)) {
                found(l, LINT_MONITOR_DISABLED, m->enabled.line > 0 ? m->enabled.line : m->line,
                      "IsEnabled is %s", m->enabled.line > 0 ? "not true" : "not there, which is false");
                return;
        }
        if (edge_number(m->interval_sec, 0) == 0)
                found(l, LINT_INTERVAL_ZERO, m->interval_sec.line > 0 ? m->interval_sec.line : m->line,
                      "IntervalInSec is %s", m->interval_sec.line > 0 ? "0" : "not there, which is 0");
        if (m->tcp.line == 0 && m->http.line == 0)
                found(l, LINT_MONITOR_EMPTY, m->line, "neither TCPMonitor nor HTTPMonitor");
        if (m->tcp.line > 0) {
                rule_port(l, &c->balancer, &m->tcp.port, "TCPMonitor");
                rule_timeout(l, &m->tcp.connect_timeout_sec, m->tcp.line, "TCPMonitor",
                             "ConnectTimeoutInSec");
        }
        if (m->http.line > 0) {
                rule_port(l, &c->balancer, &m->http.port, "HTTPMonitor");
                rule_timeout(l, &m->http.connect_timeout_sec, m->http.line, "HTTPMonitor",
                             "ConnectTimeoutInSec");
                rule_timeout(l, &m->http.read_timeout_sec, m->http.line, "HTTPMonitor",
                             "SocketReadTimeoutInSec");
                rule_http_tls(l, c);
        }
}

/* ---- keystores ---- */

static void rule_store(Lint *l, const EdgeText *store, const char *element)
{
        if (store->value && *store->value && strncmp(store->value, "ref://", 6) != 0 &&
            !strchr(store->value, '{'))
                found(l, LINT_STORE_DIRECT, store->line, "%s names %s directly", element, store->value);
}

static void rule_stores(Lint *l, const EdgeSsl *ssl)
{
        rule_store(l, &ssl->key_store, "KeyStore");
        rule_store(l, &ssl->trust_store, "TrustStore");
}

/* ---- all of it ---- */

static void lint_connection(Lint *l, const EdgeConnection *c)
{
        const EdgeBalancer *b = &c->balancer;

        rule_stores(l, &c->ssl);
        if (b->line == 0) {
                if (c->path.line > 0)
                        found(l, LINT_PATH_UNUSED, c->path.line, "there is a Path, but no LoadBalancer");
                return;
        }
        if (b->n_servers == 0)
                found(l, LINT_BALANCER_EMPTY, b->line, "there is no Server in it");
        rule_max_failures(l, c);
        rule_fallback(l, b);
        rule_weights(l, b);
        rule_servers(l, b);
        rule_monitor(l, c);
}

static int by_line(const void *a, const void *b)
{
        const LintFinding *x = a, *y = b;
        return x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (int) x->rule - (int) y->rule;
}

int lint_document(const EdgeXml *x, const LintServers *servers, LintFindings *ret)
{
        Lint l = { .x = x, .servers = servers, .out = ret };
        size_t before = ret->n;

        if (x->kind == EDGE_XML_OTHER)
                return 0;
        rule_reader(&l);
        if (x->connection.line > 0)
                lint_connection(&l, &x->connection);
        if (x->kind == EDGE_XML_TARGET_SERVER) {
                if (x->server.name.value)
                        rule_name(&l, x->server.name.value, x->server.name.line);
                rule_stores(&l, &x->server.ssl);
        }
        if (ret->n > before + 1)
                qsort(ret->items + before, ret->n - before, sizeof(*ret->items), by_line);
        return l.r;
}
