/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A roll of a process that is gone is taken up again. */

#include "agent/cluster/coordinator-impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/cluster/roll-join.h"
#include "agent/render.h"

static int coord_reopen(Coord *c, const char *dir, Err *err)
{
        char said[256] = "";
        int r = roll_log_open(&c->log, dir, c->id, c->rq->give_up, said, sizeof(said), err);
        if (r < 0)
                return r;
        if (*said)
                (void) fprintf(c->io->err, "edge-roll: %s\n", said);
        /* Who had the lock until now may have gone on: steps are told apart by numbers that it has used. */
        RollRecord *now = NULL;
        if ((r = roll_log_read(dir, c->id, &now, err)) < 0)
                return r;
        c->step = now->last_step;
        bool done = now->ended && strcmp(now->result, result_name(RESULT_DONE)) == 0;
        (void) roll_record_free(now);
        if (done)
                return err_set(err, -EALREADY, "roll %s has just been done by another process", c->id);
        /* Who had joined the one before was told that it is gone. */
        roll_join_done(roll_log_path(c->log));
        cJSON *o = roll_log_event("resume");
        cJSON_AddStringToObject(o, "text", c->rq->give_up ? "to give it up" : "");
        coord_add_who(o);
        return coord_log(c, o) ? 0 : err_set(err, -EIO, "the journal of roll %s cannot be written", c->id);
}

static int resume_refused(const CoordIo *io, const CliRequest *rq, Result result, const char *text)
{
        _cleanup_(freep) char *json = NULL;
        if (rq->json && render_result_json(NULL, verb_name(rq->verb), result_name(result),
                                           result_exit_code(result), text, "edge-roll history", &json) == 0)
                (void) fprintf(io->out, "%s\n", json);
        else
                (void) fprintf(io->err, "edge-roll: %s\n", text);
        return result_exit_code(result);
}

int coord_resume(const CliRequest *rq, const Config *config, const CoordIo *io)
{
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        _cleanup_(freep) char *dir = NULL;
        CliRequest as = *rq;
        char id[ROLL_ID_SIZE];
        Err err = { 0 };

        (void) signal(SIGXFSZ, SIG_IGN);
        int r = roll_log_dir(config->cluster_journal_dir, &dir, &err);
        /* The last one that has not ended; else the last one, which may have ended with something left to do.
         */
        if (r < 0 ||
            ((r = roll_log_find(dir, rq->roll, true, id, &err)) < 0 &&
             (r != -ENOENT || (r = roll_log_find(dir, rq->roll, false, id, &err)) < 0)) ||
            (r = roll_log_read(dir, id, &record, &err)) < 0)
                return resume_refused(io, rq,
                                      r != -ENOENT && r != -ENOTUNIQ ? RESULT_REFUSED
                                      : rq->roll                     ? RESULT_USAGE
                                                                     : RESULT_NOT_NEEDED,
                                      err.text);
        if (record->damaged > 0 && !rq->give_up)
                return resume_refused(io, rq, RESULT_REFUSED, record->trouble);
        if (record->ended && strcmp(record->result, "done") == 0)
                return resume_refused(io, rq, RESULT_NOT_NEEDED,
                                      "that roll is done: nothing is left to go on with");
        coord_options_from_json(record->options, &as);
        as.component = record->component;
        /* What is said now counts, too. */
        for (size_t i = 0; i < rq->cluster.n_overrides && as.cluster.n_overrides < CLI_OVERRIDES_MAX; i++)
                as.cluster.overrides[as.cluster.n_overrides++] = rq->cluster.overrides[i];
        if (coord_nodes_from_record(&nodes, record, &err) < 0)
                return resume_refused(io, rq, RESULT_REFUSED, err.text);
        Coord c = { .rq = &as, .config = config, .nodes = nodes, .io = io, .record = record };
        (void) snprintf(c.id, sizeof(c.id), "%s", id);
        if ((r = coord_lists_from_record(&c, record, &err)) < 0 ||
            (r = coord_proof_from_record(&c, record, &err)) < 0 || (r = coord_reopen(&c, dir, &err)) < 0) {
                c.log = roll_log_free(c.log);
                free(c.only);
                free(c.needed);
                proof_done(&c.kept);
                return resume_refused(io, rq,
                                      r == -EBUSY      ? RESULT_BUSY
                                      : r == -EALREADY ? RESULT_NOT_NEEDED
                                                       : RESULT_REFUSED,
                                      err.text);
        }
        c.plan_options.holder = c.plan_options.roll = c.id;
        return coord_run(&c);
}
