/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From the command line to the end: what is said and logged, signals, links. */

#include "agent/cluster/coordinator-impl.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "agent/cluster/roll-join.h"

const char *coord_node_name(const Coord *c, size_t node)
{
        return node < c->nodes->n ? c->nodes->nodes[node].name : "";
}

void coord_write(Coord *c, char *text)
{
        if (text && *text && (fputs(text, c->io->out) < 0 || fflush(c->io->out) != 0))
                c->output_gone = true;
        free(text);
}

void coord_say(Coord *c, const char *node, bool warning, const char *fmt, ...)
{
        char text[600], *out = NULL;
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (!c->table) /* `resume`, before anything is shown */
                (void) fprintf(c->io->err, "edge-roll: %s\n", text);
        else if (table_say(c->table, node, text, warning, &out) == 0)
                coord_write(c, out);
}

bool coord_log(Coord *c, cJSON *event)
{
        _cleanup_(freep) char *line = NULL;
        Err err = { 0 };
        if (!c->log) {
                cJSON_Delete(event);
                return true;
        }
        int r = roll_log_append(c->log, event, &line, &err);
        if (line && c->mode.json) {
                if (fprintf(c->io->out, "%s\n", line) < 0 || fflush(c->io->out) != 0)
                        c->output_gone = true;
        }
        if (r >= 0)
                return true;
        /* What cannot be remembered is not begun; what has begun is finished all the same. */
        if (!c->log_failed) {
                c->log_failed = true;
                coord_say(c, "", true,
                          "the journal of the roll cannot be written (%s): no further node is begun",
                          err.text);
                if (c->stop_result < 0) {
                        c->stop_result = RESULT_FAILED;
                        (void) snprintf(c->stop_text, sizeof(c->stop_text),
                                        "the journal of the roll cannot be written: %.400s", err.text);
                }
                if (c->phase == COORD_ROLLING)
                        coord_roll_stop(c, "journal", "the journal cannot be written");
        }
        return false;
}

/* ---- the end ---- */

static void coord_leave(Coord *c)
{
        c->phase = COORD_OVER;
}

void coord_conclude(Coord *c)
{
        /* One that is resumed may have had nothing left to do but this. */
        bool rolled = c->seq ? c->result == RESULT_DONE || (c->record && c->result == RESULT_NOT_NEEDED)
                             : c->record && c->result == RESULT_NOT_NEEDED;
        if (rolled && c->proof && !c->rq->give_up)
                coord_prove(c);
        if (c->log) {
                coord_joins_take(c);
                cJSON *o = roll_log_event("end");
                size_t done = 0, failed = 0, all = 0;
                if (c->seq)
                        seq_counts(c->seq, &done, &failed, &all);
                cJSON_AddStringToObject(o, "result", result_name(c->result));
                cJSON_AddNumberToObject(o, "exit", result_exit_code(c->result));
                cJSON_AddStringToObject(o, "text", c->text);
                cJSON_AddStringToObject(o, "hint", c->hint);
                cJSON_AddNumberToObject(o, "elapsed", c->began ? time_sec(time_now() - c->began) : 0);
                cJSON *counts = cJSON_AddObjectToObject(o, "counts");
                cJSON_AddNumberToObject(counts, "total", (double) all);
                cJSON_AddNumberToObject(counts, "done", (double) done);
                cJSON_AddNumberToObject(counts, "failed", (double) failed);
                cJSON_AddNumberToObject(counts, "left", (double) (all - done - failed));
                (void) coord_log(c, o);
                roll_join_done(roll_log_path(c->log));
        }
        coord_summary(c);
        coord_leave(c);
}

void coord_end(Coord *c, Result result, const char *hint, const char *fmt, ...)
{
        if (c->result < 0) {
                va_list ap;
                va_start(ap, fmt);
                (void) vsnprintf(c->text, sizeof(c->text), fmt, ap);
                va_end(ap);
                (void) snprintf(c->hint, sizeof(c->hint), "%s", hint ? hint : "");
                c->result = result;
        }
        if (c->phase == COORD_GIVING || c->phase == COORD_OVER)
                return;
        if (c->tenures) {
                c->phase = COORD_GIVING;
                tenures_give(c->tenures);
        } else
                coord_conclude(c);
}

/* ---- signals ---- */

static void coord_stop(Coord *c, int signal)
{
        c->stops++;
        switch (c->phase) {
        case COORD_ROLLING:
                if (c->stops == 1) {
                        coord_say(
                                c, "", false,
                                "Stopping behind the node that is under way; Ctrl-C again leaves it to its agent.");
                        coord_roll_stop(c, "signal", "asked to stop");
                        return;
                }
                if (signal != SIGINT)
                        return;
                c->left_by = signal;
                coord_say(
                        c, "", true,
                        "Left: what is under way is finished by its agent alone. Go on with: edge-roll resume %s",
                        c->id);
                coord_roll_done(c);
                coord_leave(c);
                return;
        case COORD_GIVING:
                if (signal == SIGINT && c->stops > 1)
                        coord_leave(c); /* leases end by themselves */
                return;
        case COORD_OVER:
                return;
        case COORD_LOOKING:
        case COORD_ASKING:
        case COORD_WAITING:
        case COORD_LEASING:
                if (*c->joined)
                        coord_end(c, RESULT_INTERRUPTED, "", "roll %s goes on without this display",
                                  c->joined);
                coord_end(c, RESULT_INTERRUPTED, "", "interrupted before anything was begun");
        }
}

static int coord_on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Coord *c = userdata;
        (void) s;
        if (si->ssi_signo == SIGWINCH) {
                TableMode m = table_mode(fileno(c->io->out), false, false);
                table_size(c->table, m.width, m.rows);
                return 0;
        }
        coord_stop(c, (int) si->ssi_signo);
        return 0;
}

static int coord_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
        Coord *c = userdata;
        Usec now = time_now();
        (void) usec;
        if (c->log)
                roll_log_beat(c->log);
        coord_joins_take(c);
        if (c->phase == COORD_ROLLING)
                coord_roll_tick(c, now);
        /* A terminal that was closed is a wish to stop. */
        if (c->output_gone && c->stops == 0)
                coord_stop(c, SIGHUP);
        (void) sd_event_source_set_time(s, now + COORD_TICK_USEC);
        (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* ---- links ---- */

static void coord_on_up(size_t node, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING)
                coord_roll_up(c, node);
}

static void coord_on_down(size_t node, const char *text, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING)
                coord_roll_down(c, node, text);
}

static void coord_on_remote_signal(size_t node, sd_bus_message *m, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING || c->phase == COORD_LEASING)
                coord_roll_signal(c, node, m);
}

static int coord_on_connect(const Node *node, void *userdata)
{
        Coord *c = userdata;
        return c->io->connect(node, c->io->userdata);
}

/* ---- life ---- */

/* Agents know rolls by their full ids. One that was begun on another machine has no journal here. */
static int coord_since(Coord *c, const char *text, Err *err)
{
        _cleanup_(freep) char *dir = NULL;
        Err why = { 0 };
        int r = roll_log_dir(c->config->cluster_journal_dir, &dir, &why);
        if (r >= 0)
                r = roll_log_find(dir, text, false, c->since, &why);
        if (r == -ENOTUNIQ || (r < 0 && !roll_log_id_valid(text)))
                return err_set(err, -EINVAL, "--since: %s", why.text);
        if (r >= 0)
                return 0;
        (void) snprintf(c->since, sizeof(c->since), "%s", text);
        coord_say(c, "", true, "--since: %s; only nodes that have recorded just this id are left out",
                  why.text);
        return 0;
}

static int coord_options(Coord *c, Err *err)
{
        const CliCluster *cl = &c->rq->cluster;
        const char *spec = c->config->cluster_max_unavailable;
        PlanOptions *o = &c->plan_options;
        int r = plan_count_parse(spec, &o->max_unavailable, err);
        if (r < 0)
                return err_prefix(err, r, "max_unavailable");
        for (size_t i = 0; i < cl->n_overrides; i++)
                if ((r = plan_override_parse(cl->overrides[i], &c->overrides[i], err)) < 0)
                        return err_prefix(err, r, "--override");
        if (cl->max_unavailable > 0)
                o->max_unavailable =
                        (PlanCount){ .number = cl->max_unavailable, .percent = cl->max_unavailable_percent };
        c->soak_low_usec = cl->soak_given ? cl->soak_low_usec : c->config->cluster_soak_low_usec;
        c->soak_high_usec = cl->soak_given ? cl->soak_high_usec : c->config->cluster_soak_high_usec;
        o->component = c->rq->component;
        o->max_failures = cl->max_failures;
        o->allow_outage = cl->allow_outage;
        o->start = c->rq->start;
        o->overrides = c->overrides;
        o->n_overrides = cl->n_overrides;
        o->region = cl->region;
        o->pod = cl->pod;
        o->soak_low = time_sec(c->soak_low_usec);
        o->router_retry = c->rq->router_retry;
        if (c->io->only) {
                o->only = c->io->only;
                o->n_only = c->io->n_only;
        }
        if (c->io->needed) {
                o->needed = c->io->needed;
                o->n_needed = c->io->n_needed;
        }
        c->needed_unknown = c->needed_unknown || c->io->needed_unknown;
        if (c->io->proof)
                c->proof = c->io->proof;
        o->edge = c->io->edge;
        c->wait_until = c->rq->wait_usec ? time_add(time_now(), c->rq->wait_usec) : 0;
        o->since = c->since;
        return cl->since ? coord_since(c, cl->since, err) : 0;
}

static int coord_setup(Coord *c, Err *err)
{
        static const FleetHandlers usual = { .up = coord_on_up,
                                             .down = coord_on_down,
                                             .signal = coord_on_remote_signal };
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        FleetHandlers handlers = usual;
        int r = sd_event_default(&c->event);
        if (r < 0)
                return err_errno(err, r, "no event loop");
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if ((r = sd_event_add_signal(c->event, &c->signals[i], signals[i], coord_on_signal, c)) < 0)
                        return err_errno(err, r, "no signals");
        handlers.connect = c->io->connect ? coord_on_connect : NULL;
        if ((r = fleet_new(&c->fleet, c->event, c->config, c->nodes, &handlers, c, err)) < 0)
                return r;
        if ((r = sd_event_add_time(c->event, &c->tick, CLOCK_MONOTONIC, time_now() + COORD_TICK_USEC, 10000,
                                   coord_on_tick, c)) < 0)
                return err_errno(err, r, "no timer");
        return 0;
}

int coord_run(Coord *c)
{
        sigset_t set, before;
        Err err = { 0 };
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGWINCH);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        (void) signal(SIGPIPE, SIG_IGN);
        srandom((unsigned) (time_now() ^ (Usec) getpid()));

        c->result = c->stop_result = RESULT_INVALID;
        c->mode = table_mode(fileno(c->io->out), c->rq->json, c->rq->verbose);
        int r = table_new(&c->table, &c->mode);
        if (r >= 0 && (r = coord_options(c, &err)) < 0) {
                coord_end(c, RESULT_USAGE, "", "%s", err.text);
                r = 0;
        } else if (r >= 0 && (r = coord_setup(c, &err)) >= 0) {
                coord_look(c, false);
                while (r >= 0 && c->phase != COORD_OVER)
                        r = sd_event_run(c->event, UINT64_MAX);
        }
        if (r < 0 && c->result < 0)
                (void) fprintf(c->io->err, "edge-roll: %s\n", *err.text ? err.text : strerror(-r));

        int status = c->left_by       ? 128 + c->left_by
                     : c->result >= 0 ? result_exit_code(c->result)
                                      : result_exit_code(RESULT_FAILED);
        coord_roll_done(c);
        c->tenures = tenures_free(c->tenures);
        c->locks = coord_locks_free(c->locks);
        c->fleet = fleet_free(c->fleet);
        c->plan = plan_free(c->plan);
        c->log = roll_log_free(c->log);
        free(TAKE_PTR(c->only));
        free(TAKE_PTR(c->needed));
        proof_done(&c->kept);
        c->table = table_free(c->table);
        sd_event_source_unref(c->tick);
        sd_event_source_unref(c->again);
        sd_event_source_unref(c->input);
        for (size_t i = 0; i < ELEMENTS(c->signals); i++)
                sd_event_source_unref(c->signals[i]);
        c->event = sd_event_unref(c->event);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}

int coord_restart(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        Coord c = { .rq = rq, .config = config, .nodes = nodes, .io = io };
        (void) signal(SIGXFSZ, SIG_IGN); /* a journal that may not grow is an error, and no end */
        return coord_run(&c);
}
