/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What Edge's management API answers: deployments, virtual hosts, references, keystores, target servers; and
 * the words of --changed. The first byte says which. */

#include "agent/edge/why.h"
#include "probes/deployments-json.h"
#include "probes/json.h"
#include "probes/store-json.h"
#include "probes/target.h"
#include "probes/vhost-json.h"
#include "tests/fuzz/fuzz.h"

static void one_deployments(const char *text, size_t len)
{
        _cleanup_(deployments_freep) Deployments *d = NULL;
        Err err = { 0 };
        if (deployments_parse(text, len, "prod", &d, &err) < 0) {
                fuzz_check(!d && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        for (size_t i = 0; i < d->n; i++) {
                const Deployment *row = &d->rows[i];
                size_t bad = 0, unknown = 0;
                fuzz_check(*row->proxy && *row->environment && *row->revision);
                for (size_t k = 0; k < row->n_servers; k++) {
                        bad += row->servers[k].stand == DEPLOYED_BAD;
                        unknown += row->servers[k].stand == DEPLOYED_UNKNOWN;
                        fuzz_check(fuzz_is_ascii(row->servers[k].uuid) &&
                                   fuzz_is_ascii(row->servers[k].error));
                }
                fuzz_check(bad == row->n_bad && unknown == row->n_unknown && bad + unknown <= row->n_servers);
                fuzz_check(row->settled || bad == 0);
        }
}

static void one_vhost(const char *text, size_t len)
{
        _cleanup_(vhost_freep) Vhost *v = NULL;
        Err err = { 0 };
        if (vhost_parse(text, len, &v, &err) < 0) {
                fuzz_check(!v && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        char name[VHOST_HOST_SIZE];
        const char *store;
        bool any = vhost_server_name(v, name);
        fuzz_check(*v->name && fuzz_is_ascii(v->name) && fuzz_is_ascii(v->tls.key_store));
        /* What goes into a URL. */
        fuzz_check(any == (*name != '\0') && fuzz_is_ascii(name) && !strpbrk(name, "/:@?# *"));
        (void) store_naming(v->tls.key_store, &store);
        fuzz_check(store >= v->tls.key_store && store <= v->tls.key_store + strlen(v->tls.key_store));
}

static void one_store(const char *text, size_t len)
{
        _cleanup_(store_freep) Store *s = NULL;
        StoreReference ref = { 0 };
        Err err = { 0 };
        if (store_parse(text, len, &s, &err) >= 0)
                fuzz_check(*s->name && s->certs && s->keys);
        else
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        if (store_reference_parse(text, len, &ref, &err) >= 0)
                fuzz_check(*ref.name && *ref.refers && fuzz_is_ascii(ref.refers));
}

/* What is sent again means the same, but for the word that was changed. */
static void one_target(const char *text, size_t len)
{
        _cleanup_(target_freep) Target *t = NULL, *again = NULL;
        _cleanup_(freep) char *sent = NULL;
        char other[300];
        Err err = { 0 };
        if (target_read(text, len, &t, &err) < 0) {
                fuzz_check(!t && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(!target_differs(&t->server, &t->server, other, sizeof(other)));
        bool good = target_check(&t->server, &err) == 0, enabled = edge_flag(t->server.enabled, true);
        fuzz_check(!good || target_name_ok(t->server.name.value));
        if (!good || target_switched(t, !enabled, &sent, &err) < 0)
                return;
        int r = target_read(sent, strlen(sent), &again, &err);
        fuzz_check(r >= 0 || r == -ENOMEM || r == -E2BIG);
        if (r < 0)
                return;
        fuzz_check(edge_flag(again->server.enabled, true) == !enabled);
        again->server.enabled = t->server.enabled;
        fuzz_check(!target_differs(&t->server, &again->server, other, sizeof(other)));
}

static void one_changed(const char *text)
{
        WhyChanged c;
        Err err = { 0 };
        if (why_changed_parse(text, &c, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        else
                fuzz_check(*c.name && *c.env && c.kind >= 0 && c.kind < WHY_KIND_COUNT);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        uint8_t which = fuzz_byte(&f);
        /* No part: a byte of 0xff is one that anybody may send. */
        _cleanup_(freep) char *text = malloc(f.left + 1);
        if (!text)
                return;
        if (f.left > 0)
                memcpy(text, f.at, f.left);
        text[f.left] = '\0';
        switch (which % 5) {
        case 0:
                one_deployments(text, f.left);
                break;
        case 1:
                one_vhost(text, f.left);
                break;
        case 2:
                one_store(text, f.left);
                break;
        case 3:
                one_target(text, f.left);
                break;
        default:
                one_changed(text);
                break;
        }
}
