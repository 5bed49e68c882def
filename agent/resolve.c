/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/resolve.h"

#include <string.h>

#include "probes/lookup.h"

typedef struct Name {
        Resolve *resolve;
        Lookup *lookup; /* NULL: a number, or over */
        Addr addrs[LOOKUP_ADDRS_MAX];
        size_t n;
} Name;

struct Resolve {
        LockSpec spec;
        ResolveFn fn;
        void *userdata;
        Name names[LOCK_SERVERS_MAX];
        size_t running;
        sd_event_source *done;
};

Resolve *resolve_cancel(Resolve *r)
{
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->spec.n; i++)
                (void) lookup_cancel(r->names[i].lookup);
        sd_event_source_unref(r->done);
        free(r);
        return NULL;
}

static void add_server(char *buf, size_t size, const char *host, uint16_t port)
{
        char one[ADDR_TEXT_SIZE + 8];
        size_t used = strlen(buf), len;

        len = (size_t) snprintf(one, sizeof(one), "%s:%u", host, port);
        for (const char *p = buf; (p = strstr(p, one)); p += len)
                if ((p == buf || p[-1] == ',') && (p[len] == '\0' || p[len] == ','))
                        return;
        if (used + len + 2 <= size)
                (void) snprintf(buf + used, size - used, "%s%s", used ? "," : "", one);
}

static void resolve_finish(Resolve *r)
{
        char servers[RESOLVE_SIZE] = "", missing[1024] = "", text[ADDR_TEXT_SIZE];
        size_t used = 0;

        for (size_t i = 0; i < r->spec.n; i++) {
                const Name *name = &r->names[i];
                const LockServer *s = &r->spec.servers[i];
                if (s->number) {
                        add_server(servers, sizeof(servers), s->host, s->port);
                        continue;
                }
                for (size_t k = 0; k < name->n; k++)
                        add_server(servers, sizeof(servers), addr_format(&name->addrs[k], text, sizeof(text)),
                                   s->port);
                if (name->n == 0 && used < sizeof(missing))
                        used += (size_t) snprintf(missing + used, sizeof(missing) - used, "%s%s",
                                                  used ? ", " : "", s->host);
        }
        ResolveFn fn = r->fn;
        void *userdata = r->userdata;
        (void) resolve_cancel(r);
        fn(servers, missing, userdata);
}

static int resolve_on_done(sd_event_source *s, void *userdata)
{
        (void) s;
        resolve_finish(userdata);
        return 0;
}

/* A name that cannot be looked up is one without address; nothing else fails over it. */
static void name_on_lookup(const Addr *addrs, size_t n, const char *why, void *userdata)
{
        Name *name = userdata;
        (void) why;
        name->lookup = NULL;
        memcpy(name->addrs, addrs, n * sizeof(*addrs));
        name->n = n;
        if (--name->resolve->running == 0)
                resolve_finish(name->resolve);
}

int resolve_start(Resolve **ret, sd_event *event, const LockSpec *spec, ResolveFn fn, void *userdata,
                  Err *err)
{
        Resolve *r = calloc(1, sizeof(*r));
        int k = 0;
        if (!r)
                return err_set(err, -ENOMEM, "out of memory");
        r->spec = *spec;
        r->fn = fn;
        r->userdata = userdata;
        for (size_t i = 0; i < spec->n && k >= 0; i++) {
                Name *name = &r->names[i];
                *name = (Name){ .resolve = r };
                if (spec->servers[i].number)
                        continue;
                k = lookup_start(&name->lookup, event, spec->servers[i].host, RESOLVE_LIMIT_USEC,
                                 name_on_lookup, name, err);
                if (k >= 0)
                        r->running++;
        }
        if (k >= 0 && r->running == 0 && (k = sd_event_add_defer(event, &r->done, resolve_on_done, r)) < 0)
                (void) err_errno(err, k, "names cannot be looked up");
        if (k < 0) {
                (void) resolve_cancel(r);
                return k;
        }
        *ret = r;
        return 0;
}
