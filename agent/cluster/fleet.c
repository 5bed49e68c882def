/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/fleet.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_TRIES 3 /* in a row, then a node is said to be unreachable */

typedef struct FleetNode {
        Fleet *fleet;
        size_t index;
        Remote *remote;
        RemoteCall *calls[FLEET_COMPONENTS];
        bool asked;     /* in this round */
        bool answered;  /* ... or given up */
        bool known;     /* in an earlier one */
        size_t pending; /* answers that are awaited */
        NodeLook *look[FLEET_COMPONENTS];
        char *json[FLEET_COMPONENTS];
        NodeLook *looks[FLEET_COMPONENTS]; /* those that are there, for the plan */
        char trouble[512], hint[512];
} FleetNode;

struct Fleet {
        sd_event *event;
        const Nodes *nodes;
        RemotePool *pool;
        FleetHandlers handlers;
        void *userdata;
        FleetNode **node; /* pointers: links refer to them */
        PlanNode *plan;
        size_t n;
        char components[FLEET_COMPONENTS][64];
        size_t n_components;
        Usec limit_usec;
        bool keep_json;
        FleetFn fn; /* NULL: nobody waits */
        void *fn_userdata;
        sd_event_source *deferred;
};

static void fleet_settle(Fleet *f);

static FleetNode *fleet_node_free(FleetNode *n)
{
        if (!n)
                return NULL;
        for (size_t i = 0; i < FLEET_COMPONENTS; i++) {
                n->calls[i] = remote_call_cancel(n->calls[i]);
                n->look[i] = look_free(n->look[i]);
                free(n->json[i]);
        }
        n->remote = remote_free(n->remote);
        free(n);
        return NULL;
}

Fleet *fleet_free(Fleet *f)
{
        if (!f)
                return NULL;
        for (size_t i = 0; i < f->n; i++)
                (void) fleet_node_free(f->node[i]);
        sd_event_source_unref(f->deferred);
        f->pool = remote_pool_free(f->pool);
        free(f->node);
        free(f->plan);
        free(f);
        return NULL;
}

int fleet_new(Fleet **ret, sd_event *event, const Config *config, const Nodes *nodes,
              const FleetHandlers *handlers, void *userdata, Err *err)
{
        _cleanup_(fleet_freep) Fleet *f = calloc(1, sizeof(*f));
        RemoteOptions options;
        if (!f)
                return err_set(err, -ENOMEM, "out of memory");
        f->event = event;
        f->nodes = nodes;
        f->handlers = *handlers;
        f->userdata = userdata;
        f->limit_usec = config->cluster_answer_usec;
        remote_options(config, &options);
        options.tries = CONNECT_TRIES;
        int r = remote_pool_new(&f->pool, event, &options, err);
        if (r < 0 || (r = fleet_grow(f, err)) < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

/* ---- what a node says ---- */

static void node_trouble(FleetNode *n, PlanContact contact, const char *text, const char *hint)
{
        PlanNode *p = &n->fleet->plan[n->index];
        (void) snprintf(n->trouble, sizeof(n->trouble), "%s", text);
        (void) snprintf(n->hint, sizeof(n->hint), "%s", hint ? hint : "");
        p->contact = contact;
        p->trouble = n->trouble;
        p->hint = n->hint;
        p->n_looks = 0;
}

static void node_answered(FleetNode *n)
{
        Fleet *f = n->fleet;
        PlanNode *p = &f->plan[n->index];
        if (n->answered)
                return;
        n->answered = n->known = true;
        if (p->contact == PLAN_REACHED) {
                p->n_looks = 0;
                for (size_t i = 0; i < f->n_components; i++) {
                        if (!n->look[i])
                                continue;
                        n->looks[p->n_looks++] = n->look[i];
                }
                p->looks = n->looks;
        }
        fleet_settle(f);
}

static PlanContact contact_of(RemoteTrouble trouble)
{
        return trouble == REMOTE_OTHER_VERSION ? PLAN_OTHER_VERSION
               : trouble == REMOTE_PERMISSION  ? PLAN_NO_PERMISSION
                                               : PLAN_UNREACHABLE;
}

static void node_on_look(int r, sd_bus_message *m, const char *error, const char *text, void *userdata,
                         size_t component)
{
        FleetNode *n = userdata;
        const char *json;
        Err err = { 0 };

        n->calls[component] = NULL;
        n->pending--;
        if (n->answered)
                return;
        SshTrouble trouble;
        if (r == -EREMOTE && strcmp(error, REMOTE_ERROR "NoSuchComponent") == 0)
                ; /* it has none: an answer */
        else if (r == -EREMOTE && remote_error(n->remote, error, text, &trouble))
                node_trouble(n, contact_of(trouble.kind), trouble.text, trouble.hint);
        else if (r < 0)
                node_trouble(n, PLAN_UNREACHABLE, text, NULL);
        else if (sd_bus_message_read(m, "s", &json) < 0 ||
                 look_parse(json, strlen(json), &n->look[component], &err) < 0)
                node_trouble(n, PLAN_OTHER_VERSION, *err.text ? err.text : "its answer is not understood",
                             "install the same release of edge-roll there");
        else {
                for (size_t i = 0; i < n->fleet->n && n->look[component]->n_members > 0; i++) {
                        const NodeLook *other = n->fleet->node[i]->look[component];
                        if (i != n->index && other && look_share_members(n->look[component], other))
                                break;
                }
                n->look[component]->heard = time_boot();
                if (n->fleet->keep_json)
                        n->json[component] = strdup(json);
        }
        if (n->pending == 0)
                node_answered(n);
}

static void node_on_look_0(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        node_on_look(r, m, error, text, userdata, 0);
}

static void node_on_look_1(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        node_on_look(r, m, error, text, userdata, 1);
}

static void node_ask(FleetNode *n)
{
        static const RemoteReplyFn fns[FLEET_COMPONENTS] = { node_on_look_0, node_on_look_1 };
        Fleet *f = n->fleet;
        Err err = { 0 };

        n->asked = true;
        f->plan[n->index].contact = PLAN_REACHED;
        for (size_t i = 0; i < FLEET_COMPONENTS; i++) {
                n->calls[i] = remote_call_cancel(n->calls[i]);
                n->look[i] = look_free(n->look[i]);
                free(TAKE_PTR(n->json[i]));
        }
        n->pending = 0;
        for (size_t i = 0; i < f->n_components; i++) {
                if (remote_call(n->remote, &n->calls[i], NULL, NULL, "Look", f->limit_usec, fns[i], n, &err,
                                "s", f->components[i]) < 0) {
                        node_trouble(n, PLAN_UNREACHABLE, err.text, NULL);
                        continue;
                }
                n->pending++;
        }
        if (n->pending == 0)
                node_answered(n);
}

static void node_on_up(Remote *r, void *userdata)
{
        FleetNode *n = userdata;
        (void) r;
        if (n->fleet->fn && !n->asked && !n->answered)
                node_ask(n);
        if (n->fleet->handlers.up)
                n->fleet->handlers.up(n->index, n->fleet->userdata);
}

static void node_on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool again,
                         void *userdata)
{
        FleetNode *n = userdata;
        (void) r;
        if (n->fleet->fn && !n->answered && !again) {
                node_trouble(n, contact_of(trouble), text, hint);
                node_answered(n);
        }
        if (n->fleet->handlers.down)
                n->fleet->handlers.down(n->index, text, n->fleet->userdata);
}

static void node_on_signal(Remote *r, sd_bus_message *m, void *userdata)
{
        FleetNode *n = userdata;
        (void) r;
        if (n->fleet->handlers.signal)
                n->fleet->handlers.signal(n->index, m, n->fleet->userdata);
}

static int node_open(void *userdata)
{
        const FleetNode *n = userdata;
        return n->fleet->handlers.connect(&n->fleet->nodes->nodes[n->index], n->fleet->userdata);
}

static int node_connect(FleetNode *n, Err *err)
{
        static const RemoteHandlers handlers = { .up = node_on_up,
                                                 .down = node_on_down,
                                                 .signal = node_on_signal };
        Fleet *f = n->fleet;
        const Node *node = &f->nodes->nodes[n->index];
        RemoteDest dest = { .host = node->host,
                            .user = node->user,
                            .key = node->key,
                            .port = node->port,
                            .bridge = node->bridge };
        if (f->handlers.connect) {
                dest.open = node_open;
                dest.open_userdata = n;
        }
        return remote_new(&n->remote, f->pool, node->name, &dest, &handlers, n, err);
}

int fleet_grow(Fleet *f, Err *err)
{
        size_t n = f->nodes->n;
        FleetNode **node = realloc(f->node, (n + 1) * sizeof(*node));
        if (node)
                f->node = node;
        PlanNode *plan = realloc(f->plan, (n + 1) * sizeof(*plan));
        if (plan)
                f->plan = plan;
        if (!node || !plan)
                return err_set(err, -ENOMEM, "out of memory");
        for (; f->n < n; f->n++) {
                f->node[f->n] = calloc(1, sizeof(FleetNode));
                if (!f->node[f->n])
                        return err_set(err, -ENOMEM, "out of memory");
                *f->node[f->n] = (FleetNode){ .fleet = f, .index = f->n };
                f->plan[f->n] = (PlanNode){ .contact = PLAN_UNREACHABLE };
        }
        /* The list may have moved. */
        for (size_t i = 0; i < n; i++)
                f->plan[i].node = &f->nodes->nodes[i];
        return 0;
}

/* ---- a round ---- */

static int fleet_on_settled(sd_event_source *s, void *userdata)
{
        Fleet *f = userdata;
        (void) s;
        FleetFn fn = f->fn;
        if (!fn || fleet_waiting(f, NULL) > 0)
                return 0;
        f->fn = NULL;
        fn(f->fn_userdata);
        return 0;
}

/* The caller is told from the loop, never from within its own call. */
static void fleet_settle(Fleet *f)
{
        if (!f->fn || fleet_waiting(f, NULL) > 0)
                return;
        if (!f->deferred && sd_event_add_defer(f->event, &f->deferred, fleet_on_settled, f) < 0)
                return;
        (void) sd_event_source_set_enabled(f->deferred, SD_EVENT_ONESHOT);
}

int fleet_look(Fleet *f, const char *const *components, size_t n, bool only_new, FleetFn fn, void *userdata,
               Err *err)
{
        for (size_t i = 0; components && i < n && i < FLEET_COMPONENTS; i++) {
                (void) snprintf(f->components[i], sizeof(f->components[i]), "%s", components[i]);
                f->n_components = i + 1;
        }
        f->fn = fn;
        f->fn_userdata = userdata;
        for (size_t i = 0; i < f->n; i++) {
                FleetNode *node = f->node[i];
                if (only_new && node->known)
                        continue;
                node->asked = node->answered = false;
        }
        for (size_t i = 0; i < f->n; i++) {
                FleetNode *node = f->node[i];
                if (node->answered)
                        continue;
                if (!node->remote && node_connect(node, err) < 0) {
                        node_trouble(node, PLAN_UNREACHABLE, err->text, NULL);
                        node_answered(node);
                } else if (remote_state(node->remote) == REMOTE_UP)
                        node_ask(node);
                else
                        remote_retry(node->remote);
        }
        fleet_settle(f);
        return 0;
}

const PlanNode *fleet_nodes(const Fleet *f, size_t *ret_n)
{
        *ret_n = f->n;
        return f->plan;
}

const NodeLook *fleet_look_of(const Fleet *f, size_t node, size_t component)
{
        return f->node[node]->look[component];
}

void fleet_keep_json(Fleet *f)
{
        f->keep_json = true;
}

const char *fleet_json_of(const Fleet *f, size_t node, size_t component)
{
        return f->node[node]->json[component];
}

Remote *fleet_remote(const Fleet *f, size_t node)
{
        return f->node[node]->remote;
}

size_t fleet_waiting(const Fleet *f, const char **ret_name)
{
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++)
                if (!f->node[i]->answered) {
                        if (ret_name && n == 0)
                                *ret_name = f->nodes->nodes[i].name;
                        n++;
                }
        return n;
}
