/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/lookout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/remote.h"
#include "agent/edge/check-child.h"
#include "agent/edge/check-wire.h"
#include "base/words.h"

#define CONNECT_TRIES 3 /* in a row, then a node is said to be unreachable */
#define ASK_TRIES     3 /* of one question, when the link is lost each time */
/* The process there gives up by itself. */
#define ANSWER_USEC ((CHECK_CHILD_SEC + 30) * USEC_PER_SEC)

typedef struct Lookout {
        Lookouts *all;
        size_t index;
        const Node *node;
        Remote *remote;
        RemoteCall *call;
        bool *told;    /* by server */
        size_t *asked; /* the servers of the question, by number of its line */
        size_t n_asked;
        unsigned tries; /* of this question */
        bool ended;
} Lookout;

struct Lookouts {
        sd_event *event;
        RemotePool *pool;
        LookoutHandlers h;
        void *userdata;
        char **items; /* by server; NULL: cannot be sent */
        size_t n_servers;
        Lookout *nodes;
        size_t n;
        sd_event_source *begin;
};

Lookouts *lookouts_free(Lookouts *l)
{
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                Lookout *o = &l->nodes[i];
                o->call = remote_call_cancel(o->call);
                o->remote = remote_free(o->remote);
                free(o->told);
                free(o->asked);
        }
        l->begin = sd_event_source_unref(l->begin);
        l->pool = remote_pool_free(l->pool);
        for (size_t i = 0; l->items && i < l->n_servers; i++)
                free(l->items[i]);
        free(l->items);
        free(l->nodes);
        free(l);
        return NULL;
}

/* ---- the end of one ---- */

/* @trouble, @hint: NULL: there is none; the link's own words are copied before it goes. */
static void lookout_end(Lookout *o, Result result, const char *trouble, const char *hint)
{
        char text[512], what[400];
        if (o->ended)
                return;
        o->ended = true;
        (void) snprintf(text, sizeof(text), "%s", trouble ? trouble : "");
        (void) snprintf(what, sizeof(what), "%s", hint ? hint : "");
        words_clean(text);
        words_clean(what);
        o->call = remote_call_cancel(o->call);
        o->remote = remote_free(o->remote);
        o->all->h.ended(o->index, result, text, what, o->all->userdata);
}

/* Whatever it was, but for the permission. */
static void lookout_fail(Lookout *o, const char *trouble, const char *hint)
{
        lookout_end(o, RESULT_AGENT_UNREACHABLE, *trouble ? trouble : "no reason was given", hint);
}

static void lookout_trouble(Lookout *o, RemoteTrouble kind, const char *trouble, const char *hint)
{
        if (kind == REMOTE_PERMISSION)
                lookout_end(o, RESULT_NO_PERMISSION, trouble, hint);
        else
                lookout_fail(o, trouble, hint);
}

/* One that says what makes no sense is not asked again: it would say it again. */
static void lookout_lies(Lookout *o, const char *how)
{
        char text[400], hint[100];
        (void) snprintf(text, sizeof(text), "its answers cannot be believed: %.300s", how);
        (void) snprintf(hint, sizeof(hint), "install the same release of edge-roll on %.40s", o->node->name);
        lookout_fail(o, text, hint);
}

/* ---- question and answers ---- */

static void lookout_on_answer(int r, sd_bus_message *m, const char *error, const char *text, void *userdata);

/* Everything that is not told yet, as far as it goes into one question. */
static int lookout_question(Lookout *o, char **ret, Err *err)
{
        const Lookouts *l = o->all;
        _cleanup_(freep) char **items = calloc(l->n_servers + 1, sizeof(*items));
        size_t n = 0;
        if (!items)
                return err_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; i < l->n_servers; i++)
                if (!o->told[i]) {
                        o->asked[n] = i;
                        items[n++] = l->items[i];
                }
        int r = check_ask(items, n, ret, err);
        o->n_asked = r < 0 ? 0 : (size_t) r;
        return r;
}

static void lookout_ask(Lookout *o)
{
        _cleanup_(freep) char *question = NULL;
        Err err = { 0 };
        int r = lookout_question(o, &question, &err);
        if (r == 0) {
                lookout_end(o, RESULT_DONE, NULL, NULL);
                return;
        }
        if (r > 0)
                r = remote_call(o->remote, &o->call, REMOTE_BRIDGE_PATH, REMOTE_BRIDGE_INTERFACE,
                                "CheckTargets", ANSWER_USEC, lookout_on_answer, o, &err, "s", question);
        /* A link that goes just now is told by itself. */
        if (r < 0 && r != -ENOTCONN)
                lookout_fail(o, err.text, NULL);
}

static void lookout_refused(Lookout *o, const char *error, const char *text)
{
        SshTrouble trouble;
        char old[200];
        if (!remote_error(o->remote, error, text, &trouble)) {
                lookout_fail(o, text, NULL);
                return;
        }
        if (trouble.kind == REMOTE_OTHER_VERSION) {
                const char *version = remote_version(o->remote);
                (void) snprintf(old, sizeof(old),
                                "edge-roll%s%.40s there is too old: it cannot check target servers",
                                *version ? " " : "", version);
                lookout_fail(o, old, trouble.hint);
        } else
                lookout_trouble(o, trouble.kind, trouble.text, trouble.hint);
}

static size_t lookout_owes(const Lookout *o)
{
        size_t n = 0;
        for (size_t i = 0; i < o->n_asked; i++)
                n += !o->told[o->asked[i]];
        return n;
}

static void lookout_on_answer(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Lookout *o = userdata;
        char how[200];
        size_t owed = lookout_owes(o), asked = o->n_asked;
        (void) m;
        o->call = NULL;
        o->n_asked = 0;
        if (r == -ENOTCONN) {
                /* Checked again: that changes nothing there. */
                if (++o->tries < ASK_TRIES)
                        return;
                (void) snprintf(how, sizeof(how), "the connection was lost %d times while it checked",
                                ASK_TRIES);
                lookout_fail(o, how, "look at its journal: is something there ended, or out of memory?");
        } else if (r == -EREMOTE)
                lookout_refused(o, error, text);
        else if (r < 0)
                lookout_fail(o, text, NULL);
        else if (owed > 0) {
                (void) snprintf(how, sizeof(how), "%zu of %zu checks have no answer", owed, asked);
                lookout_lies(o, how);
        } else {
                o->tries = 0;
                lookout_ask(o);
        }
}

static void lookout_on_line(Lookout *o, const char *line)
{
        Checked checked;
        size_t id;
        char how[120];
        Err err = { 0 };
        int r = check_line_read(line, strlen(line), o->n_asked, &id, &checked, &err);
        if (r == -ENOMEM) {
                lookout_fail(o, "out of memory", NULL);
                return;
        }
        if (r < 0) {
                lookout_lies(o, err.text);
                return;
        }
        size_t index = o->asked[id];
        if (o->told[index]) {
                (void) snprintf(how, sizeof(how), "a second answer about number %zu", id);
                lookout_lies(o, how);
                return;
        }
        o->told[index] = true;
        o->all->h.checked(o->index, index, &checked, o->all->userdata);
}

/* ---- the link ---- */

static void lookout_on_up(Remote *r, void *userdata)
{
        Lookout *o = userdata;
        (void) r;
        if (!o->ended && !o->call)
                lookout_ask(o);
}

static void lookout_on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool again,
                            void *userdata)
{
        Lookout *o = userdata;
        (void) r;
        if (!again)
                lookout_trouble(o, trouble, text, hint);
}

static void lookout_on_signal(Remote *r, sd_bus_message *m, void *userdata)
{
        Lookout *o = userdata;
        const char *line;
        (void) r;
        if (o->ended || !sd_bus_message_is_signal(m, REMOTE_BRIDGE_INTERFACE, "TargetChecked"))
                return;
        /* Nothing was asked, or the answer to an earlier call is late: no link has two. */
        if (!o->call || sd_bus_message_read(m, "s", &line) < 0)
                lookout_lies(o, "an answer that nobody asked for");
        else
                lookout_on_line(o, line);
}

static int lookout_open(void *userdata)
{
        const Lookout *o = userdata;
        return o->all->h.connect(o->node, o->all->userdata);
}

static int lookout_connect(Lookout *o, Err *err)
{
        static const RemoteHandlers handlers = { .up = lookout_on_up,
                                                 .down = lookout_on_down,
                                                 .signal = lookout_on_signal };
        const Node *node = o->node;
        RemoteDest dest = { .host = node->host,
                            .user = node->user,
                            .key = node->key,
                            .port = node->port,
                            .bridge = node->bridge };
        if (o->all->h.connect) {
                dest.open = lookout_open;
                dest.open_userdata = o;
        }
        return remote_new(&o->remote, o->all->pool, node->name, &dest, &handlers, o, err);
}

static int lookouts_on_begin(sd_event_source *s, void *userdata)
{
        Lookouts *l = userdata;
        (void) s;
        for (size_t i = 0; i < l->n; i++) {
                Err err = { 0 };
                if (lookout_connect(&l->nodes[i], &err) < 0)
                        lookout_fail(&l->nodes[i], err.text, NULL);
        }
        return 0;
}

/* ---- all ---- */

static int lookouts_items(Lookouts *l, const EdgeTargetServer *const *servers, Err *err)
{
        for (size_t i = 0; i < l->n_servers; i++) {
                Checked bad = { .layer = PROBE_HERE };
                Err why = { 0 };
                int r = check_item(servers[i], &l->items[i], &why);
                if (r == -ENOMEM)
                        return err_set(err, r, "%s", why.text);
                if (r >= 0)
                        continue;
                (void) snprintf(bad.text, sizeof(bad.text), "%.290s", why.text);
                for (size_t k = 0; k < l->n; k++) {
                        l->nodes[k].told[i] = true;
                        l->h.checked(k, i, &bad, l->userdata);
                }
        }
        return 0;
}

int lookouts_start(Lookouts **ret, sd_event *event, const Config *config, const Node *const *nodes,
                   size_t n_nodes, const EdgeTargetServer *const *servers, size_t n,
                   const LookoutHandlers *handlers, void *userdata, Err *err)
{
        _cleanup_(lookouts_freep) Lookouts *l = calloc(1, sizeof(*l));
        RemoteOptions options;

        if (!l)
                return err_set(err, -ENOMEM, "Out of memory for %zu nodes", n_nodes);
        *l = (Lookouts){ .event = event, .h = *handlers, .userdata = userdata, .n_servers = n };
        l->items = calloc(n + 1, sizeof(*l->items));
        l->nodes = calloc(n_nodes + 1, sizeof(*l->nodes));
        if (!l->items || !l->nodes)
                return err_set(err, -ENOMEM, "Out of memory for %zu nodes", n_nodes);
        for (; l->n < n_nodes; l->n++) {
                Lookout *o = &l->nodes[l->n];
                *o = (Lookout){ .all = l, .index = l->n, .node = nodes[l->n] };
                o->told = calloc(n + 1, sizeof(*o->told));
                o->asked = calloc(n + 1, sizeof(*o->asked));
                if (!o->told || !o->asked) {
                        l->n++;
                        return err_set(err, -ENOMEM, "Out of memory for %zu nodes", n_nodes);
                }
        }
        remote_options(config, &options);
        options.tries = CONNECT_TRIES;
        int r = remote_pool_new(&l->pool, event, &options, err);
        if (r >= 0)
                r = lookouts_items(l, servers, err);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &l->begin, lookouts_on_begin, l);
        if (r < 0)
                return err_errno(err, r, "Cannot ask nodes");
        *ret = TAKE_PTR(l);
        return 0;
}
