/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/proof.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/handshake.h"
#include "base/addr.h"
#include "base/words.h"
#include "probes/json.h"

void proof_done(Proof *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->vhosts[i].routers);
        free(p->vhosts);
        *p = (Proof){ 0 };
}

ProofVhost *proof_add(Proof *p)
{
        ProofVhost *more = realloc(p->vhosts, (p->n + 1) * sizeof(*more));
        if (!more)
                return NULL;
        p->vhosts = more;
        more[p->n] = (ProofVhost){ 0 };
        return &more[p->n++];
}

ProofRouter *proof_router(ProofVhost *v)
{
        ProofRouter *more = realloc(v->routers, (v->n + 1) * sizeof(*more));
        if (!more)
                return NULL;
        v->routers = more;
        more[v->n] = (ProofRouter){ 0 };
        return &more[v->n++];
}

/* ---- written down ---- */

void proof_vhost_json(const ProofVhost *v, cJSON *o)
{
        cJSON_AddStringToObject(o, "virtual_host", v->name);
        cJSON_AddNumberToObject(o, "port", v->port);
        cJSON_AddStringToObject(o, "server_name", v->server_name);
        cJSON_AddStringToObject(o, "expected", v->expected);
        cJSON *routers = cJSON_AddArrayToObject(o, "routers");
        for (size_t i = 0; i < v->n; i++) {
                cJSON *row = cJSON_CreateObject();
                cJSON_AddStringToObject(row, "name", v->routers[i].name);
                cJSON_AddStringToObject(row, "address", v->routers[i].address);
                cJSON_AddStringToObject(row, "before", v->routers[i].before);
                json_append(routers, row);
        }
}

static int router_read(ProofVhost *v, const cJSON *row, Err *err)
{
        ProofRouter *router = proof_router(v);
        Addr addr;
        if (!router)
                return err_set(err, -ENOMEM, "Out of memory for a proof");
        int r = json_get_text(row, "name", router->name, sizeof(router->name), err);
        if (r >= 0)
                r = json_get_text(row, "address", router->address, sizeof(router->address), err);
        if (r >= 0)
                r = json_get_text(row, "before", router->before, sizeof(router->before), err);
        return r < 0 ? r
               : addr_parse(router->address, &addr)
                       ? 0
                       : err_set(err, -EBADMSG, "\"%s\" is no address", router->address);
}

int proof_read(Proof *p, const cJSON *o, Err *err)
{
        ProofVhost *v = proof_add(p);
        const cJSON *row;
        if (!v)
                return err_set(err, -ENOMEM, "Out of memory for a proof");
        double port = json_number(o, "port", 0);
        int r = json_get_text(o, "virtual_host", v->name, sizeof(v->name), err);
        if (r >= 0)
                r = json_get_text(o, "server_name", v->server_name, sizeof(v->server_name), err);
        if (r >= 0)
                r = json_get_text(o, "expected", v->expected, sizeof(v->expected), err);
        if (r >= 0 && (port < 1 || port > UINT16_MAX))
                r = err_set(err, -EBADMSG, "%g is no port", port);
        v->port = r < 0 ? 0 : (uint16_t) port;
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(o, "routers")) if (r >= 0) r =
                router_read(v, row, err);
        return r < 0 ? r : 0;
}

/* ---- proven ---- */

typedef struct Proving {
        ProofSayFn say;
        void *userdata;
        size_t bad;
} Proving;

static void proof_say(const Proving *p, bool warning, const char *fmt, ...) _printf_(3, 4);

static void proof_say(const Proving *p, bool warning, const char *fmt, ...)
{
        char text[900];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        words_clean(text);
        p->say(p->userdata, warning, text);
}

static void router_compare(Proving *p, const ProofVhost *v, ProofRouter *router, const Handshake *now)
{
        bool good = now->known && *v->expected && strcmp(now->fingerprint, v->expected) == 0;
        bool same = now->known && strcmp(now->fingerprint, router->before) == 0;
        p->bad += !good;
        if (!now->known)
                proof_say(p, true, "virtual host %.80s: what router %s serves now is not known: %s", v->name,
                          router->name, now->text);
        else if (!good)
                proof_say(p, true,
                          "virtual host %.80s: router %s serves the certificate %.23s..., %s before, and not "
                          "%.23s...",
                          v->name, router->name, now->fingerprint, same ? "as" : "another than",
                          *v->expected ? v->expected : "(not known)");
        else if (!same)
                proof_say(p, false,
                          "virtual host %.80s: router %s serves the certificate %.23s... now, before %.23s",
                          v->name, router->name, now->fingerprint,
                          *router->before ? router->before : "it was not known");
        (void) snprintf(router->before, sizeof(router->before), "%s", now->fingerprint);
}

static size_t proof_hands(const Proof *p, Handshake *list)
{
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++)
                for (size_t k = 0; k < p->vhosts[i].n; k++, n++)
                        if (list)
                                list[n] = (Handshake){ .address = p->vhosts[i].routers[k].address,
                                                       .port = p->vhosts[i].port,
                                                       .name = *p->vhosts[i].server_name
                                                                       ? p->vhosts[i].server_name
                                                                       : NULL };
        return n;
}

int proof_check(Proof *p, ProofSayFn say, void *userdata, size_t *ret_bad, Err *err)
{
        Proving proving = { .say = say, .userdata = userdata, .bad = p->missing };
        size_t n = proof_hands(p, NULL), at = 0;
        _cleanup_(freep) Handshake *list = calloc(n + 1, sizeof(*list));
        sd_event *event = NULL;

        if (!list)
                return err_set(err, -ENOMEM, "Out of memory for %zu handshakes", n);
        int r = sd_event_new(&event);
        if (r < 0)
                return err_errno(err, r, "No event loop");
        (void) proof_hands(p, list);
        r = handshake_all(event, list, n, 0, err);
        (void) sd_event_unref(event);
        if (r < 0)
                return r;
        if (p->missing > 0)
                proof_say(&proving, true,
                          "of %zu virtual hosts it is not written down what they should serve", p->missing);
        for (size_t i = 0; i < p->n; i++)
                for (size_t k = 0; k < p->vhosts[i].n; k++)
                        router_compare(&proving, &p->vhosts[i], &p->vhosts[i].routers[k], &list[at++]);
        *ret_bad = proving.bad;
        return 0;
}
