/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A TargetEndpoint, a ServiceCallout, a TargetServer, or anything else: as one check of it would be made. */

#include "probes/edge-xml.h"
#include "probes/monitor.h"
#include "probes/probe-spec.h"
#include "tests/fuzz/fuzz.h"

static void look_at_findings(const EdgeXml *x)
{
        fuzz_check(x->n_findings <= EDGE_XML_FINDINGS_MAX && (x->n_more == 0 || x->n_findings > 0));
        for (size_t i = 0; i < x->n_findings; i++) {
                const EdgeFinding *f = &x->findings[i];
                fuzz_check(f->kind >= 0 && f->kind < EDGE_FINDING_KIND_COUNT && f->line > 0);
                fuzz_check(*f->text && fuzz_is_ascii(f->text) && *f->element && fuzz_is_ascii(f->element));
        }
}

static void look_at_connection(const EdgeConnection *c)
{
        const EdgeTargetServer server = { .host = { "h", 1 }, .port = { true, 80, 1 }, .ssl = c->ssl };
        MonitorRules rules = monitor_rules(c);
        Monitor m = { 0 };
        ProbeSpec spec;

        fuzz_check(c->balancer.algorithm >= 0 && c->balancer.algorithm < EDGE_ALGORITHM_COUNT);
        fuzz_check(edge_number(c->balancer.max_failures, 0) >= 0);
        for (size_t i = 0; i < c->balancer.n_servers; i++)
                fuzz_check(c->balancer.servers[i].line > 0 &&
                           edge_number(c->balancer.servers[i].weight, 0) >= 0);
        for (unsigned i = 0; i < 8; i++)
                (void) monitor_feed(&m, &rules, (MonitorEvent) (i % MONITOR_EVENT_COUNT), 500);
        fuzz_check(m.failures >= 0 && (!m.out || rules.max_failures > 0));
        fuzz_check(probe_spec(&server, &c->monitor, &(ProbeDefaults){ 0 }, &spec, NULL) == 0);
        fuzz_check(spec.port > 0 && spec.connect_usec > 0 && spec.read_usec > 0);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        EdgeXml *x = NULL;
        Err err = { 0 };

        if (edge_xml_read((const char *) data, size, &x, &err) < 0) {
                fuzz_check(!x && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(x->root && x->line > 0 && x->kind >= 0 && x->kind < EDGE_XML_KIND_COUNT);
        look_at_findings(x);
        if (x->kind != EDGE_XML_OTHER)
                look_at_connection(&x->connection);
        if (x->kind == EDGE_XML_TARGET_SERVER && x->server.port.set)
                fuzz_check(x->server.port.value >= 1 && x->server.port.value <= 65535);
        (void) edge_xml_free(x);
}
