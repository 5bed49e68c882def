/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a person sees of a roll. */

#include "agent/cluster/coordinator-impl.h"

#include <string.h>

#define SHOW_USEC (20 * USEC_PER_MSEC) /* between two looks of a person */

static ViewState view_state(const Coord *c, const CoordStep *st)
{
        SeqState state = seq_state(c->seq, st->index);
        switch (state) {
        case SEQ_STEP_WAITING:
                return VIEW_WAITING;
        case SEQ_STEP_STARTED:
        case SEQ_STEP_GOING:
        case SEQ_STEP_STOPPED:
                return st->cut_since ? VIEW_CUT : st->seen ? VIEW_RUNNING : VIEW_ASKING;
        case SEQ_STEP_SOAKING:
                return VIEW_SOAKING;
        case SEQ_STEP_DONE:
                return seq_step_result(c->seq, st->index) == RESULT_DONE ? VIEW_DONE : VIEW_SKIPPED;
        case SEQ_STEP_FAILED:
                return VIEW_FAILED;
        case SEQ_STEP_LEFT:
        case SEQ_STATE_COUNT:
        case SEQ_STATE_INVALID:
                break;
        }
        return VIEW_LEFT;
}

/* The words that find the nodes again. */
static const char *view_source(const Coord *c, char *buf, size_t size)
{
        const CliCluster *cl = &c->rq->cluster;
        if (cl->inventory)
                (void) snprintf(buf, size, "--inventory %s", cl->inventory);
        else if (cl->management)
                (void) snprintf(buf, size, "--management %s", cl->management);
        else if (cl->nodes)
                buf[0] = '\0';
        else
                (void) snprintf(buf, size, "--cluster");
        return buf;
}

static Usec view_expected(const Coord *c)
{
        double left = 0;
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                const CoordStep *st = &c->steps[i];
                SeqState state = seq_state(c->seq, i);
                double took = c->plan->steps[i].took;
                if (state == SEQ_STEP_DONE || state == SEQ_STEP_FAILED || state == SEQ_STEP_LEFT)
                        continue;
                if (took <= 0)
                        return 0;
                if (state == SEQ_STEP_SOAKING)
                        took = 0;
                else if (st->since)
                        took = MAX(0, took - time_sec(time_now() - st->since));
                left += took + time_sec(c->soak_low_usec);
        }
        return time_now() + (Usec) (left * (double) USEC_PER_SEC);
}

static void view_fill(Coord *c, RollView *v, char *headline, size_t size, char *source, size_t source_size)
{
        *v = (RollView){
                .id = c->id,
                .what = "restart",
                .component = c->rq->component ? c->rq->component : "",
                .source = view_source(c, source, source_size),
                .ssh = c->config->cluster_ssh[0] ? c->config->cluster_ssh[0] : "ssh",
                .headline = "",
                .began = c->began,
                .result = "",
                .text = "",
                .hint = "",
        };
        if (!c->seq)
                return;
        v->headline = seq_why(c->seq, time_now(), c->member_names, headline, size);
        v->expected_end = view_expected(c);
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                const CoordStep *st = &c->steps[i];
                const PlanStep *ps = &c->plan->steps[i];
                const Node *node = &c->nodes->nodes[st->node];
                c->view[i] = (ViewNode){
                        .name = node->name,
                        .pool = c->plan->pools[ps->pool].name,
                        .dest = node->host ? node->host : node->name,
                        .user = node->user,
                        .port = node->port,
                        .component = ps->component,
                        .state = view_state(c, st),
                        .phase = st->phase,
                        .awaiting = st->awaiting,
                        .phase_since = st->phase_since,
                        .limit = st->limit_usec,
                        .since = st->since,
                        .ended = st->ended,
                        .result = st->result,
                        .text = st->text,
                        .hint = st->hint,
                };
        }
        v->nodes = c->view;
        v->n_nodes = c->plan->n_steps;
}

void coord_show(Coord *c)
{
        char headline[400], source[300], *out = NULL;
        RollView v;
        Usec now = time_now();
        /* What is over as soon as it has begun needs no line, and every line costs a look at every node. */
        if (c->mode.json || !c->seq || now < time_add(c->shown, SHOW_USEC))
                return;
        c->shown = now;
        view_fill(c, &v, headline, sizeof(headline), source, sizeof(source));
        if (table_update(c->table, &v, now, &out) == 0)
                coord_write(c, out);
}

void coord_summary(Coord *c)
{
        char headline[400], source[300], *out = NULL;
        RollView v;
        size_t done = 0, failed = 0, all = 0;
        view_fill(c, &v, headline, sizeof(headline), source, sizeof(source));
        if (c->seq)
                seq_counts(c->seq, &done, &failed, &all);
        v.ended = time_now();
        v.result = result_name(c->result);
        v.exit = result_exit_code(c->result);
        v.text = c->text;
        v.hint = c->hint;
        v.resumable = c->log && (done < all || coord_left_out(c, PLAN_NONE));
        /* A plan has been shown; that it is one needs no summary. */
        if (!c->seq && c->result == RESULT_DONE && !c->mode.json)
                return;
        if (table_summary(c->table, &v, time_now(), &out) < 0)
                return;
        /* A roll that never began has nothing to show but why, and with JSON everything is on one stream. */
        if (!c->seq && !c->mode.json && c->result != RESULT_DONE) {
                (void) fputs(out, c->io->err);
                free(out);
        } else
                coord_write(c, out);
}
