/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster-status.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/cluster/fleet.h"
#include "agent/cluster/status-view.h"
#include "probes/json.h"

#define AGAIN_USEC (2 * USEC_PER_SEC) /* between two rounds of --watch */

typedef struct ClusterStatus {
        const CliRequest *rq;
        const Config *config;
        const Nodes *nodes;
        const char *components[FLEET_COMPONENTS];
        size_t n_components;
        sd_event *event;
        Fleet *fleet;
        TableMode mode;
        Table *table; /* with --watch, where it can be drawn again */
        sd_event_source *again;
        Result result;
} ClusterStatus;

static int status_round(ClusterStatus *s, Err *err);

static int status_on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        ClusterStatus *s = userdata;
        Err err = { 0 };
        (void) source;
        (void) usec;
        return status_round(s, &err) < 0 ? sd_event_exit(s->event, 1) : 0;
}

/* One row for each component that a node has, or one that says why there is none. */
static size_t status_rows(ClusterStatus *s, StatusNode *rows, cJSON *keep)
{
        size_t n, n_rows = 0;
        const PlanNode *nodes = fleet_nodes(s->fleet, &n);
        for (size_t i = 0; i < n; i++) {
                const Node *node = nodes[i].node;
                StatusNode row = { .name = node->name,
                                   .dest = node->host ? node->host : "",
                                   .user = node->user,
                                   .port = node->port,
                                   .component = "",
                                   .trouble = nodes[i].trouble ? nodes[i].trouble : "",
                                   .hint = nodes[i].hint ? nodes[i].hint : "" };
                bool any = false, selected = node->selected;
                for (size_t k = 0; k < s->n_components && selected; k++) {
                        const char *json = fleet_json_of(s->fleet, i, k);
                        const NodeLook *look = fleet_look_of(s->fleet, i, k);
                        cJSON *o = json ? json_object(json, JSON_MESSAGE_MAX) : NULL;
                        if (!o || !look)
                                continue;
                        /* An agent knows both components; only what is or was there is of interest. */
                        bool there = look->running || look->held || look->has_last || *look->uuid ||
                                     s->rq->component;
                        if (!there) {
                                cJSON_Delete(o);
                                continue;
                        }
                        json_append(keep, o);
                        row.component = s->components[k];
                        row.look = o;
                        row.trouble = row.hint = "";
                        rows[n_rows++] = row;
                        any = true;
                }
                if (!any && selected) {
                        row.component = "";
                        row.look = NULL;
                        if (!*row.trouble)
                                row.trouble = "no component of Edge runs there";
                        rows[n_rows++] = row;
                }
        }
        return n_rows;
}

/* The picture of before is drawn over. */
static bool status_write(ClusterStatus *s, const char *text)
{
        _cleanup_(freep) char *drawn = NULL;
        if (s->table) {
                table_size(s->table, s->mode.width, s->mode.rows);
                if (table_show(s->table, text, &drawn) < 0)
                        return false;
        }
        return fputs(drawn ? drawn : text, stdout) >= 0 && fflush(stdout) == 0;
}

static void status_on_looked(void *userdata)
{
        ClusterStatus *s = userdata;
        _cleanup_(freep) StatusNode *rows = calloc(s->nodes->n * FLEET_COMPONENTS + 1, sizeof(*rows));
        cJSON *keep = cJSON_CreateArray();
        _cleanup_(freep) char *text = NULL;
        bool ok = false;

        if (rows && keep) {
                s->mode = table_mode(STDOUT_FILENO, s->rq->json, s->rq->verbose);
                size_t n = status_rows(s, rows, keep);
                s->result = status_view_result(rows, n);
                int r = s->mode.json ? status_view_json(rows, n, &text)
                                     : status_view_text(rows, n, &s->mode,
                                                        s->config->cluster_ssh[0] ? s->config->cluster_ssh[0]
                                                                                  : "ssh",
                                                        time_wall(), &text);
                if (r == 0)
                        ok = status_write(s, text);
        }
        cJSON_Delete(keep);
        if (!ok)
                s->result = RESULT_FAILED;
        if (!s->rq->watch || !ok) {
                (void) sd_event_exit(s->event, 0);
                return;
        }
        s->again = sd_event_source_unref(s->again);
        if (sd_event_add_time(s->event, &s->again, CLOCK_MONOTONIC, time_now() + AGAIN_USEC, 1000,
                              status_on_again, s) < 0)
                (void) sd_event_exit(s->event, 1);
}

static int status_round(ClusterStatus *s, Err *err)
{
        fleet_keep_json(s->fleet);
        return fleet_look(s->fleet, s->components, s->n_components, false, status_on_looked, s, err);
}

static int status_on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        ClusterStatus *s = userdata;
        (void) source;
        (void) si;
        return sd_event_exit(s->event, 0);
}

int cluster_status(const CliRequest *rq, const Config *config, const Nodes *nodes)
{
        static const FleetHandlers none = { 0 };
        ClusterStatus s = { .rq = rq, .config = config, .nodes = nodes, .result = RESULT_FAILED };
        sigset_t set;
        Err err = { 0 };

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        s.mode = table_mode(STDOUT_FILENO, rq->json, rq->verbose);
        if (rq->watch && s.mode.live && table_new(&s.table, &s.mode) < 0)
                return result_exit_code(RESULT_FAILED);
        s.n_components = plan_components(rq->component ? rq->component : CLI_ALL, s.components);
        int r = sd_event_default(&s.event);
        if (r < 0 || (r = sd_event_add_signal(s.event, NULL, SIGINT, status_on_signal, &s)) < 0 ||
            (r = sd_event_add_signal(s.event, NULL, SIGTERM, status_on_signal, &s)) < 0 ||
            (r = sd_event_add_signal(s.event, NULL, SIGHUP, status_on_signal, &s)) < 0)
                (void) err_errno(&err, r, "no event loop");
        else if ((r = fleet_new(&s.fleet, s.event, config, nodes, &none, NULL, &err)) >= 0 &&
                 (r = status_round(&s, &err)) >= 0)
                r = sd_event_loop(s.event);
        if (r < 0)
                (void) fprintf(stderr, "edge-roll: %s\n", err.text);
        /* The last picture stays. */
        if (s.table)
                (void) fputs("\n", stdout);
        s.table = table_free(s.table);
        s.fleet = fleet_free(s.fleet);
        sd_event_source_unref(s.again);
        sd_event_unref(s.event);
        return result_exit_code(s.result);
}
