/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets check`: does each target server answer, now, from here or from nodes? */

#include "agent/edge/targets-check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/lookout.h"
#include "agent/cluster/nodes.h"
#include "agent/edge/targets-check-view.h"

typedef struct Checks {
        CheckTable table;
        Nodes *nodes;       /* NULL: only from here */
        const Node **asked; /* of these, by number of their point */
        size_t n_nodes;     /* the last point is this machine, where that is wanted */
        bool here;
        CheckPoint *points;
        const EdgeTargetServer **servers; /* those that can be checked */
        size_t *row_of;                   /* ... of the rows */
        size_t n;
        size_t under_way; /* points */
        Checking *checking;
        Lookouts *lookouts;
} Checks;

static void checks_done(Checks *c)
{
        c->checking = checking_free(c->checking);
        c->lookouts = lookouts_free(c->lookouts);
        for (size_t i = 0; c->points && i < c->table.n_points; i++) {
                free(c->points[i].results);
                free(c->points[i].has);
        }
        free(c->points);
        free(c->servers);
        free(c->row_of);
        free(c->asked);
        c->nodes = nodes_free(c->nodes);
}

/* ---- from where ---- */

/* "mp1,here" without "here", which is no node. @ret: to be freed. */
static int from_split(const char *from, char **ret, bool *ret_here, Err *err)
{
        _cleanup_(freep) char *nodes = calloc(1, strlen(from) + 2);
        if (!nodes)
                return err_set(err, -ENOMEM, "Out of memory");
        *ret_here = false;
        for (const char *p = from; *p;) {
                size_t len = strcspn(p, ",");
                if (len == strlen(CHECK_HERE) && strncmp(p, CHECK_HERE, len) == 0)
                        *ret_here = true;
                else if (len > 0)
                        (void) snprintf(nodes + strlen(nodes), strlen(from) + 2 - strlen(nodes), "%s%.*s",
                                        *nodes ? "," : "", (int) len, p);
                p += len + (p[len] == ',');
        }
        *ret = TAKE_PTR(nodes);
        return 0;
}

static int from_nodes(Checks *c, const char *words, Err *err)
{
        const Session *s = c->table.session;
        const char *inventory =
                s->rq->cluster.inventory ? s->rq->cluster.inventory : s->config->cluster_inventory;
        int r = nodes_new(&c->nodes, "--from", err);
        if (r >= 0 && inventory && *inventory)
                r = nodes_read_inventory(c->nodes, inventory, err);
        if (r >= 0)
                r = nodes_choose(c->nodes, "--from", words, err);
        if (r < 0)
                return r;
        c->asked = calloc(c->nodes->n + 1, sizeof(Node *));
        if (!c->asked)
                return err_set(err, -ENOMEM, "Out of memory for %zu nodes", c->nodes->n);
        for (size_t i = 0; i < c->nodes->n; i++) {
                const Node *node = &c->nodes->nodes[i];
                if (!node->selected)
                        continue;
                /* The inventory says that it is this machine. */
                if (node->local)
                        c->here = true;
                else
                        c->asked[c->n_nodes++] = node;
        }
        return 0;
}

static int checks_from(Checks *c, Err *err)
{
        const char *from = c->table.session->rq->from;
        _cleanup_(freep) char *words = NULL;
        int r = 0;

        c->here = !from;
        if (from)
                r = from_split(from, &words, &c->here, err);
        if (r >= 0 && from && (*words || !c->here))
                r = from_nodes(c, words, err);
        return r;
}

/* ---- what is checked ---- */

static void point_put(Checks *c, CheckPoint *p, size_t row, const Checked *checked)
{
        p->results[row] = *checked;
        p->has[row] = true;
        p->done++;
        p->bad += checked->layer != PROBE_OK;
        check_table_live(&c->table);
}

/* What could not even be read of a target server is so wherever it is looked at from. */
static void row_unread(Checks *c, size_t row)
{
        Checked bad = { .layer = PROBE_HERE };
        (void) snprintf(bad.text, sizeof(bad.text), "%.290s", c->table.rows->rows[row].trouble);
        for (size_t i = 0; i < c->table.n_points; i++)
                point_put(c, &c->points[i], row, &bad);
}

static int checks_prepare(Checks *c, Err *err)
{
        size_t n = c->table.rows->n, points = c->n_nodes + c->here;
        bool room = true;

        c->points = calloc(points + 1, sizeof(*c->points));
        c->servers = calloc(n + 1, sizeof(EdgeTargetServer *));
        c->row_of = calloc(n + 1, sizeof(*c->row_of));
        if (!c->points || !c->servers || !c->row_of)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", n);
        c->table.points = c->points;
        for (size_t i = 0; i < points; i++, c->table.n_points++) {
                CheckPoint *p = &c->points[i];
                p->name = i < c->n_nodes ? c->asked[i]->name : CHECK_HERE;
                p->results = calloc(n + 1, sizeof(*p->results));
                p->has = calloc(n + 1, sizeof(*p->has));
                room = room && p->results && p->has;
        }
        if (!room)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", n);
        for (size_t i = 0; i < n; i++) {
                const Target *target = c->table.rows->rows[i].target;
                if (!target) {
                        row_unread(c, i);
                        continue;
                }
                c->servers[c->n] = &target->server;
                c->row_of[c->n++] = i;
        }
        return 0;
}

/* ---- answers ---- */

static void here_on_checked(size_t index, const Checked *checked, void *userdata)
{
        Checks *c = userdata;
        point_put(c, &c->points[c->n_nodes], c->row_of[index], checked);
}

static void here_on_done(void *userdata)
{
        Checks *c = userdata;
        c->under_way--;
}

static void node_on_checked(size_t node, size_t index, const Checked *checked, void *userdata)
{
        Checks *c = userdata;
        point_put(c, &c->points[node], c->row_of[index], checked);
}

static void node_on_end(size_t node, Result result, const char *trouble, const char *hint, void *userdata)
{
        Checks *c = userdata;
        CheckPoint *p = &c->points[node];
        p->result = result;
        c->under_way--;
        if (result == RESULT_DONE)
                return;
        (void) snprintf(p->trouble, sizeof(p->trouble), "%s", trouble);
        (void) snprintf(p->hint, sizeof(p->hint), "%s", hint);
        check_table_trouble(&c->table, p);
}

static int checks_run(Checks *c, Err *err)
{
        static const LookoutHandlers handlers = { .checked = node_on_checked, .ended = node_on_end };
        const Session *s = c->table.session;
        int r = 0;

        c->under_way = c->table.n_points;
        if (c->n_nodes > 0)
                r = lookouts_start(&c->lookouts, s->event, s->config, c->asked, c->n_nodes, c->servers, c->n,
                                   &handlers, c, err);
        if (r >= 0 && c->here)
                r = checking_start(&c->checking, s->event, c->servers, c->n, c->table.org, c->table.env,
                                   s->rq->stores, here_on_checked, here_on_done, c, err);
        while (r >= 0 && c->under_way > 0) {
                r = sd_event_run(s->event, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for the target servers");
        }
        return r < 0 ? r : 0;
}

int targets_check(Session *s, const char *org, const char *env)
{
        _cleanup_(targets_rows_freep) TargetRows *rows = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(checks_done) Checks c = { .table = { .session = s, .org = org, .env = env } };
        Err err = { 0 };

        if (checking_stores(s->rq->stores, &err) < 0 || checks_from(&c, &err) < 0)
                return session_end_err(s, RESULT_USAGE, &err);
        if (targets_fetch(s->api, org, env, &rows, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!rows)
                return session_end_answer(s, &answer, NULL);
        c.table.rows = rows;
        if (checks_prepare(&c, &err) < 0 || checks_run(&c, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        return check_table_end(&c.table);
}
