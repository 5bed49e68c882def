/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/management.h"

#include <errno.h>
#include <string.h>

#include "agent/edge/api.h"
#include "probes/edge-json.h"

typedef struct Management {
        const ManagementOptions *o;
        sd_event *event;
        Api *api;
        char *hint;
        size_t hint_size;
        Err *err;
} Management;

static void management_done(Management *m)
{
        if (!m->o->api)
                (void) api_free(m->api);
        (void) sd_event_unref(m->event);
}

/* What there is to do belongs to the failure; that there is another way to say which nodes there are, too. */
static int management_fail(Management *m, const ApiAnswer *a)
{
        bool other = a->kind == API_SICK || a->kind == API_CUT;
        (void) snprintf(m->hint, m->hint_size, "%s%s", a->hint,
                        other ? "; --inventory or --nodes need it not" : "");
        return api_answer_err(a, m->err);
}

/* @ret: NULL when the server does not know @path and that is no matter. */
static int management_servers(Management *m, const char *path, bool may_miss, Servers **ret)
{
        _cleanup_(api_answer_done) ApiAnswer a = { 0 };
        Err why = { 0 };
        int r = api_call(m->api, &(ApiRequest){ .path = path, .max_bytes = SERVERS_JSON_MAX }, &a, m->err);
        if (r < 0)
                return r;
        *ret = NULL;
        if (may_miss && (a.status == 404 || a.status == 400))
                return 0;
        if (a.kind != API_OK)
                return management_fail(m, &a);
        r = servers_parse(a.body, a.body_len, ret, &why);
        if (r < 0) {
                ApiAnswer foreign = a;
                api_foreign(&foreign, why.text);
                return management_fail(m, &foreign);
        }
        return 0;
}

/* Names of regions. Not every version tells them: then there are none to ask. */
static int management_regions(Management *m, char ***ret)
{
        _cleanup_(api_answer_done) ApiAnswer a = { 0 };
        int r = api_call(m->api, &(ApiRequest){ .path = "/v1/regions", .max_bytes = SERVERS_JSON_MAX }, &a,
                         m->err);
        if (r < 0)
                return r;
        *ret = NULL;
        if (a.status == 0)
                return management_fail(m, &a);
        if (a.kind != API_OK || edge_list_parse(a.body, a.body_len, ret, NULL) < 0)
                return 0;
        return 0;
}

static int management_add(Management *m, Servers *all, const char *path, bool may_miss)
{
        _cleanup_(servers_freep) Servers *more = NULL;
        int r = management_servers(m, path, may_miss, &more);
        return r < 0 || !more ? r : servers_append(all, more, m->err);
}

static int management_add_region(Management *m, Servers *all, const char *region)
{
        _cleanup_(freep) char *segment = NULL, *path = NULL;
        int r = api_path(&segment, API_SEGMENTS(region), m->err);
        if (r >= 0 && asprintf(&path, "/v1/servers?region=%s", segment + strlen("/v1/")) < 0)
                r = err_set(m->err, -ENOMEM, "Out of memory for a path");
        if (r >= 0)
                r = management_add(m, all, path, true);
        return r < 0 ? err_prefix(m->err, r, "Region %.60s", region) : 0;
}

static int management_ask(Management *m, Servers **ret)
{
        _cleanup_(servers_freep) Servers *all = NULL;
        _cleanup_(edge_list_freep) char **regions = NULL;

        int r = management_servers(m, "/v1/servers?pod=gateway", false, &all);
        if (r >= 0)
                r = management_regions(m, &regions);
        if (r < 0)
                return r;
        for (size_t i = 0; regions && regions[i] && r >= 0; i++) {
                if (i == MANAGEMENT_REGIONS_MAX) {
                        (void) snprintf(m->hint, m->hint_size, "name one with --region");
                        return err_set(m->err, -E2BIG,
                                       "The Management Server cannot be asked: it lists more than %d regions",
                                       MANAGEMENT_REGIONS_MAX);
                }
                if (!m->o->region || strcmp(m->o->region, regions[i]) == 0)
                        r = management_add_region(m, all, regions[i]);
        }
        /* One that it does not list may still be asked for. */
        if (r >= 0 && m->o->region && !regions)
                r = management_add_region(m, all, m->o->region);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(all);
        return 0;
}

int management_fetch(Servers **ret, const ManagementOptions *options, char *hint, size_t size, Err *err)
{
        _cleanup_(management_done)
                Management m = { .o = options, .hint = hint, .hint_size = size, .err = err };

        *hint = '\0';
        if (options->api) {
                m.api = options->api;
                return management_ask(&m, ret);
        }
        m.event = sd_event_ref(options->event);
        int r = m.event ? 0 : sd_event_new(&m.event);
        if (r < 0)
                return err_errno(err, r, "Cannot wait for the Management Server");
        ApiOptions o = {
                .url = options->url,
                .user = options->user,
                .password_file = options->password_file,
                .ca_file = options->ca_file,
                .connect_usec = options->connect_usec,
                .total_usec = options->total_usec,
                .event = m.event,
        };
        r = api_new(&m.api, &o, hint, size, err);
        return r < 0 ? r : management_ask(&m, ret);
}
