/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/facts.h"

#include <string.h>

#include "agent/properties.h"
#include "agent/cgroup.h"

/* Edge's own limit to an answer of a message processor. Source: Apigee "Configuring Router timeout" (57 s).
 */
#define REQUEST_LIMIT_DEFAULT_USEC (57 * USEC_PER_SEC)

struct FactsCall {
        Conns *conns;
        const Config *config;
        const Component *component;
        uint16_t known_port;
        FactsFn fn;
        void *userdata;
        HttpCall *self, *up;
        Facts facts;
        Properties *properties;
        char properties_text[160]; /* which of the files could not be read, and why */
        bool self_wrong;           /* it answered, but not with what it should */
};

FactsCall *facts_cancel(FactsCall *c)
{
        if (!c)
                return NULL;
        http_cancel(c->self);
        http_cancel(c->up);
        properties_free(c->properties);
        free(c);
        return NULL;
}

static bool port_in(uint16_t port, const uint16_t *ports, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

static bool port_in_range(uint16_t port, const uint16_t *range)
{
        return port >= range[0] && port <= range[1];
}

/* Source: ip(7), ip_local_port_range; its default is 32768 to 60999. */
static void ephemeral_ports(uint16_t *range)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
        unsigned low = 32768, high = 60999;
        if (f && fscanf(f, "%u %u", &low, &high) != 2) {
                low = 32768;
                high = 60999;
        }
        range[0] = (uint16_t) MIN(low, 65535u);
        range[1] = (uint16_t) MIN(high, 65535u);
}

typedef struct Listeners {
        FactsCall *call;
        uint16_t ephemeral[2]; /* ports the kernel gives away: RMI's, another one at each start, never a
                                  service's */
        bool second;           /* the pass that collects the traffic ports */
        bool health_public;
} Listeners;

static int facts_listener(const Sock *s, void *userdata)
{
        Listeners *l = userdata;
        Facts *f = &l->call->facts;
        const Component *c = l->call->component;
        bool loopback = addr_is_loopback(&s->local);

        if (!l->second) {
                if (s->local_port != f->health_port)
                        return 0;
                f->running = true;
                l->health_public = l->health_public || !loopback;
                if (!f->cgroup_id || !loopback) {
                        f->health_inode = s->inode;
                        if (l->call->config->cgroup_ids)
                                f->cgroup_id = s->cgroup_id;
                }
                return 0;
        }
        if (loopback || !f->cgroup_id || port_in_range(s->local_port, l->ephemeral) ||
            s->cgroup_id != f->cgroup_id || s->local_port == f->health_port ||
            port_in(s->local_port, c->other_ports.ports, c->other_ports.n) ||
            (*f->shared_with && port_in(s->local_port, c->next_tier_ports.ports, c->next_tier_ports.n)) ||
            port_in(s->local_port, f->traffic_ports, f->n_traffic) || f->n_traffic >= CONNS_PORTS_MAX)
                return 0;
        f->traffic_ports[f->n_traffic++] = s->local_port;
        return 0;
}

/* Ports that the configuration gives to another component. */
static int facts_neighbour(const Sock *s, void *userdata)
{
        Listeners *l = userdata;
        Facts *f = &l->call->facts;
        const Config *config = l->call->config;

        if (s->cgroup_id != f->cgroup_id)
                return 0;
        for (size_t i = 0; i < config->n_components; i++) {
                const Component *c = &config->components[i];
                if (c != l->call->component &&
                    (port_in(s->local_port, c->other_ports.ports, c->other_ports.n) ||
                     port_in(s->local_port, c->health_port.ports, c->health_port.n)))
                        (void) snprintf(f->shared_with, sizeof(f->shared_with), "%.60s", c->name);
        }
        return 0;
}

static int facts_compare_ports(const void *a, const void *b)
{
        return (int) *(const uint16_t *) a - (int) *(const uint16_t *) b;
}

static void facts_sockets(FactsCall *call)
{
        Facts *f = &call->facts;
        const Component *c = call->component;
        ConnsFilter all = { .every_port = true, .states = CONNS_LISTEN };
        Listeners l = { .call = call };
        Err err = { 0 };

        if (f->health_port == 0)
                return;
        if (conns_dump(call->conns, &all, facts_listener, &l, &err) < 0) {
                f->sockets_failed = true;
                (void) snprintf(f->traffic_from, sizeof(f->traffic_from), "%.150s", err.text);
                return;
        }
        f->loopback_only = f->running && !l.health_public;
        if (f->cgroup_id) {
                _cleanup_(freep) char *path = NULL;
                if (cgroup_path_of_id(NULL, f->cgroup_id, &path, NULL) == 0) {
                        (void) snprintf(f->cgroup, sizeof(f->cgroup), "%s", path);
                        if (!cgroup_unit(path, f->unit, sizeof(f->unit)))
                                f->unit[0] = '\0';
                }
                if (conns_dump(call->conns, &all, facts_neighbour, &l, &err) < 0)
                        f->shared_with[0] = '\0';
        }

        if (!c->traffic_ports.automatic) {
                memcpy(f->traffic_ports, c->traffic_ports.ports, c->traffic_ports.n * sizeof(uint16_t));
                f->n_traffic = c->traffic_ports.n;
                (void) snprintf(f->traffic_from, sizeof(f->traffic_from), "the configuration");
        } else if (f->block == BLOCK_SYN) {
                f->traffic_ports[f->n_traffic++] = f->health_port;
                (void) snprintf(f->traffic_from, sizeof(f->traffic_from),
                                "the health port carries the traffic");
        } else if (f->block == BLOCK_ROUTERS) {
                if (f->http_port && f->http_port != f->health_port)
                        f->traffic_ports[f->n_traffic++] = f->http_port;
                (void) snprintf(f->traffic_from, sizeof(f->traffic_from),
                                f->n_traffic ? "http.port" : "http.port is not known, or is the health port");
        } else {
                l.second = true;
                ephemeral_ports(l.ephemeral);
                if (conns_dump(call->conns, &all, facts_listener, &l, &err) < 0)
                        (void) snprintf(f->traffic_from, sizeof(f->traffic_from), "%.120s", err.text);
                else
                        (void) snprintf(
                                f->traffic_from, sizeof(f->traffic_from),
                                f->cgroup_id ? "listening sockets of the component below the ephemeral range"
                                             : "not known: this kernel does not tell whose a socket is; set "
                                               "traffic_ports");
                qsort(f->traffic_ports, f->n_traffic, sizeof(uint16_t), facts_compare_ports);
        }
}

/* http.port as the administrator set it. Source: Apigee "Configuring TLS between Router and Message
 * Processor". */
static uint16_t facts_port_from_properties(const Properties *p, char *from, size_t size)
{
        const char *v = properties_get(p, "message-processor-communication", "local.http.port");
        char *end = NULL;
        unsigned long port = v ? strtoul(v, &end, 10) : 0;
        if (port == 0 || port > 65535 || *end)
                return 0;
        (void) snprintf(from, size, "local.http.port in the properties");
        return (uint16_t) port;
}

/* The port of a component's own management, "http://127.0.0.1:8082/...". Return: 0 when the URL names none.
 */
static uint16_t facts_management_port(const Component *c)
{
        const char *host = strstr(c->self_url, "://"), *port = host ? strchr(host + 3, ':') : NULL;
        unsigned long n = port ? strtoul(port + 1, NULL, 10) : 0;
        return n > 0 && n <= 65535 ? (uint16_t) n : 0;
}

/* A message processor's http.port. @from: where it comes from, or why it is not known. */
static uint16_t facts_http_port(FactsCall *call, char *from, size_t size)
{
        Facts *f = &call->facts;
        const Component *c = call->component;

        if (f->self_known && f->self.http_port) {
                (void) snprintf(from, size, "http.port of %s", c->self_url);
                return f->self.http_port;
        }
        if (call->self_wrong) {
                /* A component that lies about its port is not second-guessed. */
                (void) snprintf(from, size, "%s", f->self_text);
                return 0;
        }
        uint16_t port = facts_port_from_properties(call->properties, from, size);
        if (port)
                return port;
        if (call->known_port) {
                (void) snprintf(from, size, "the last good job (now: %.200s)",
                                f->self_known ? "no http.port" : f->self_text);
                return call->known_port;
        }
        if (f->self_known)
                (void) snprintf(from, size, "%s names no http.port", c->self_url);
        else
                (void) snprintf(from, size, "%s", f->self_text);
        return 0;
}

static void facts_health_port(FactsCall *call)
{
        Facts *f = &call->facts;
        const Component *c = call->component;
        char from[sizeof(f->health_port_from)] = "";

        if (c->kind == KIND_MP)
                f->http_port = facts_http_port(call, from, sizeof(from));
        if (!c->health_port.automatic) {
                f->health_port = c->health_port.n > 0 ? c->health_port.ports[0] : 0;
                (void) snprintf(f->health_port_from, sizeof(f->health_port_from), "the configuration");
        } else if (f->block == BLOCK_ROUTERS && f->http_port) {
                /* Source: Apigee "Configuring TLS between Router and Message Processor": then it is 8082. */
                f->health_port = facts_management_port(c);
                (void) snprintf(f->health_port_from, sizeof(f->health_port_from),
                                "that of self_url: routers check it behind TLS");
        } else {
                f->health_port = f->http_port;
                (void) snprintf(f->health_port_from, sizeof(f->health_port_from), "%s", from);
                if (f->self_known && f->self.http_port) {
                        char next_from[64];
                        uint16_t next =
                                facts_port_from_properties(call->properties, next_from, sizeof(next_from));
                        f->next_health_port = next != f->health_port ? next : 0;
                }
        }
}

BlockKind facts_block(const Component *component, bool tls)
{
        if (component->block != BLOCK_AUTO)
                return component->block;
        if (component->kind != KIND_MP)
                return BLOCK_WHOLE;
        return tls ? BLOCK_ROUTERS : BLOCK_SYN;
}

/* Where routers check depends on TLS, so what cannot be read must not be taken for "no". */
static void facts_tls(FactsCall *call)
{
        Facts *f = &call->facts;
        const Component *c = call->component;
        Err err = { 0 };

        f->tls = c->tls == TLS_YES;
        if (c->tls != TLS_AUTO || c->kind != KIND_MP)
                (void) snprintf(f->tls_from, sizeof(f->tls_from), "the configuration");
        else if (*call->properties_text || properties_mp_tls(call->properties, &f->tls, &err) < 0) {
                f->tls_unknown = true;
                (void) snprintf(f->tls_from, sizeof(f->tls_from), "%.190s",
                                *call->properties_text ? call->properties_text : err.text);
        } else
                (void) snprintf(f->tls_from, sizeof(f->tls_from),
                                f->tls ? "local.http.ssl in the properties"
                                       : "no local.http.ssl in the properties");
        f->block = facts_block(c, f->tls);
}

static void facts_limit(FactsCall *call)
{
        Facts *f = &call->facts;
        const Component *c = call->component;

        if (c->request_limit_usec) {
                f->request_limit_usec = c->request_limit_usec;
                (void) snprintf(f->request_limit_from, sizeof(f->request_limit_from), "the configuration");
                return;
        }
        Usec limit = 0, nginx = 0;
        Err err = { 0 };
        int r = c->kind == KIND_MP ? properties_mp_timeout(call->properties, &limit, &err)
                                   : properties_router_timeout(call->properties, &limit, &err);
        if (r < 0)
                (void) snprintf(call->properties_text, sizeof(call->properties_text), "%.150s", err.text);
        if (*c->nginx_dir && properties_nginx_timeout(c->nginx_dir, &nginx, &err) == PROPERTIES_UNREADABLE)
                (void) snprintf(call->properties_text, sizeof(call->properties_text), "%.150s", err.text);

        const char *odd = call->properties_text;
        (void) snprintf(f->properties_odd, sizeof(f->properties_odd), "%s", odd);
        if (limit || nginx) {
                f->request_limit_usec = MAX(limit, nginx);
                (void) snprintf(f->request_limit_from, sizeof(f->request_limit_from), "%s%s%s",
                                nginx > limit ? "proxy_read_timeout of a virtual host" : "the properties",
                                *odd ? "; " : "", odd);
                return;
        }
        f->request_limit_usec = REQUEST_LIMIT_DEFAULT_USEC;
        (void) snprintf(f->request_limit_from, sizeof(f->request_limit_from), "Edge's default%s%s",
                        *odd ? "; " : "", odd);
}

static void facts_finish(FactsCall *call)
{
        if (call->self || call->up)
                return;
        facts_tls(call);
        facts_health_port(call);
        facts_sockets(call);
        facts_limit(call);
        FactsFn fn = call->fn;
        void *userdata = call->userdata;
        Facts facts = call->facts;
        facts_cancel(call);
        fn(&facts, userdata);
}

static void facts_on_self(const HttpResult *r, void *userdata)
{
        FactsCall *call = userdata;
        Facts *f = &call->facts;
        const char *url = call->component->self_url;
        Err err = { 0 };

        call->self = NULL;
        if (r->outcome == HTTP_ANSWER && r->status == 200) {
                if (edge_self_parse(r->body, r->body_len, &f->self, &err) == 0)
                        f->self_known = true;
                else {
                        call->self_wrong = true;
                        (void) snprintf(f->self_text, sizeof(f->self_text), "%s: %.240s", url, err.text);
                }
        } else if (r->outcome == HTTP_ANSWER) {
                /* One that fails is sick and may be restarted, if its port is known otherwise. */
                call->self_wrong = r->status < 500;
                (void) snprintf(f->self_text, sizeof(f->self_text), "%s: status %ld instead of 200", url,
                                r->status);
        } else {
                call->self_wrong = r->outcome == HTTP_TOO_LARGE || r->outcome == HTTP_PROTOCOL;
                (void) snprintf(f->self_text, sizeof(f->self_text), "%.310s", r->text);
        }
        facts_finish(call);
}

static void facts_on_up(const HttpResult *r, void *userdata)
{
        FactsCall *call = userdata;
        Facts *f = &call->facts;

        call->up = NULL;
        f->up_known = r->outcome == HTTP_ANSWER;
        f->up = f->up_known && r->status == 200 && edge_up_is_true(r->body, r->body_len);
        if (!f->up)
                (void) snprintf(f->up_text, sizeof(f->up_text), "%.310s", r->text);
        facts_finish(call);
}

int facts_gather(Http *http, Conns *conns, const Config *config, const Component *component,
                 uint16_t known_port, FactsFn fn, void *userdata, FactsCall **ret, Err *err)
{
        _cleanup_(facts_cancelp) FactsCall *c = calloc(1, sizeof(*c));
        if (!c)
                return err_set(err, -ENOMEM, "out of memory");
        c->conns = conns;
        c->config = config;
        c->component = component;
        c->known_port = known_port;
        c->fn = fn;
        c->userdata = userdata;
        int r = properties_new(&c->properties, err);
        if (r < 0)
                return r;
        for (char **file = component->properties; file && *file; file++) {
                Err why = { 0 };
                if (properties_read(c->properties, *file, &why) == PROPERTIES_UNREADABLE)
                        (void) snprintf(c->properties_text, sizeof(c->properties_text), "%.150s", why.text);
        }

        HttpRequest self = { .url = component->self_url, .total_usec = 3 * USEC_PER_SEC };
        r = http_start(http, &self, facts_on_self, c, &c->self, err);
        if (r < 0)
                return r;
        HttpRequest up = { .url = component->up_url, .total_usec = 3 * USEC_PER_SEC, .max_body_bytes = 4096 };
        r = http_start(http, &up, facts_on_up, c, &c->up, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

typedef struct Owner {
        uint16_t port;
        uint64_t cgroup_id;
} Owner;

static int facts_owner(const Sock *s, void *userdata)
{
        Owner *o = userdata;
        if (s->local_port == o->port && (!o->cgroup_id || !addr_is_loopback(&s->local)))
                o->cgroup_id = s->cgroup_id;
        return 0;
}

bool facts_runs_in(const Config *config, Conns *conns, uint16_t port, char *ret, size_t size)
{
        ConnsFilter all = { .every_port = true, .states = CONNS_LISTEN };
        Owner o = { .port = port };
        _cleanup_(freep) char *path = NULL;

        ret[0] = '\0';
        if (!config->cgroup_ids || conns_dump(conns, &all, facts_owner, &o, NULL) < 0 || !o.cgroup_id ||
            cgroup_path_of_id(NULL, o.cgroup_id, &path, NULL) < 0)
                return false;
        (void) snprintf(ret, size, "%s", path);
        return true;
}

typedef struct Count {
        const uint16_t *ports;
        size_t n;
        bool seen[CONNS_PORTS_MAX];
        uint64_t inode_sum;
} Count;

static int facts_count(const Sock *s, void *userdata)
{
        Count *c = userdata;
        for (size_t i = 0; i < c->n; i++)
                if (c->ports[i] == s->local_port) {
                        c->seen[i] = true;
                        c->inode_sum += s->inode;
                }
        return 0;
}

int facts_listening(Conns *conns, const uint16_t *ports, size_t n, uint64_t *ret_inode_sum, Err *err)
{
        ConnsFilter all = { .every_port = true, .states = CONNS_LISTEN };
        Count c = { .ports = ports, .n = MIN(n, (size_t) CONNS_PORTS_MAX) };
        int listening = 0;

        int r = conns_dump(conns, &all, facts_count, &c, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < c.n; i++)
                listening += c.seen[i];
        if (ret_inode_sum)
                *ret_inode_sum = c.inode_sum;
        return listening;
}

/* The health port alone, as the component is refused. */
static BlockPlan health_plan(const Component *component, uint16_t port)
{
        BlockPlan plan = { 0 };
        if (facts_block(component, false) == BLOCK_WHOLE)
                plan.whole_ports[plan.n_whole++] = port;
        else
                plan.syn_ports[plan.n_syn++] = port;
        return plan;
}

bool facts_refused_from(const Component *component, const char *table, BlockPlan *ret_plan)
{
        BlockPlan plan = { 0 };
        uint16_t port = component->health_port.automatic ? facts_management_port(component)
                                                         : component->health_port.ports[0];
        if (port == 0 || (component->block != BLOCK_AUTO && component->block != BLOCK_ROUTERS) ||
            block_refused_from(table, port, plan.from, &plan.n_from, NULL) < 0 || plan.n_from == 0)
                return false;
        plan.from_ports[plan.n_from_ports++] = port;
        *ret_plan = plan;
        return true;
}

bool facts_held(const Component *component, uint16_t port, BlockPlan *ret_plan)
{
        bool refused = false;
        if (facts_refused_from(component, BLOCK_HOLD_TABLE, ret_plan))
                return true;
        *ret_plan = health_plan(component, port);
        return port > 0 && block_hold_read(ret_plan, &refused, NULL, NULL) == 0 && refused;
}

bool facts_left_over(const Component *component, uint16_t port)
{
        _cleanup_(block_freep) Block *b = NULL;
        BlockPlan plan;
        BlockState state;
        bool from = facts_refused_from(component, BLOCK_TABLE, &plan);
        if (!from)
                plan = health_plan(component, port);
        return (from || port > 0) && block_new(&b, -1, BLOCK_OWNER_NONE, NULL) == 0 &&
               block_adopt(b, &plan, NULL) == 0 && block_read(b, &state, NULL) == 0 && state.refusing;
}
