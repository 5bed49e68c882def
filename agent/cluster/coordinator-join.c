/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The same command while its roll is being run by another process of this machine: no second roll behind the
 * first one, and no refusal either. What that one writes into its journal is shown, and how it ends is how
 * this one ends.
 */

#include "agent/cluster/coordinator-impl.h"

#include <string.h>

#define JOIN_USEC (300 * USEC_PER_MSEC) /* between two looks into the journal */

static const char *text_of(const cJSON *o, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        return text ? text : "";
}

/* Does that roll do what is asked for here? Why somebody wants it makes no difference. */
static bool join_same(const Coord *c, const RollRecord *record)
{
        const cJSON *first = cJSON_GetArrayItem(record->events, 0);
        const cJSON *their_only = cJSON_GetObjectItemCaseSensitive(first, "only");
        cJSON *only = coord_only_json(c);
        bool same_only = only && their_only ? cJSON_Compare(only, their_only, true) : !only && !their_only;
        cJSON_Delete(only);
        cJSON *mine = coord_options_json(c->rq), *theirs = cJSON_Duplicate(record->options, true);
        cJSON_DeleteItemFromObjectCaseSensitive(mine, "reason");
        cJSON_DeleteItemFromObjectCaseSensitive(theirs, "reason");
        bool same = same_only && mine && theirs &&
                    strcmp(record->component, c->plan_options.component) == 0 &&
                    cJSON_Compare(mine, theirs, true);
        cJSON_Delete(mine);
        cJSON_Delete(theirs);
        return same;
}

/* One event of it that is new here. */
static void join_show(Coord *c, const cJSON *event)
{
        const char *what = text_of(event, "event"), *state = text_of(event, "state"),
                   *node = text_of(event, "node");
        if (c->mode.json) {
                char *line = cJSON_PrintUnformatted(event), *all = NULL;
                if (line && asprintf(&all, "%s\n", line) >= 0)
                        coord_write(c, all);
                free(line);
                return;
        }
        if (strcmp(what, "node") != 0)
                return;
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(event, "result");
        if (strcmp(state, "phase") == 0)
                coord_say(c, node, false, "%s begins", text_of(event, "phase"));
        else if (strcmp(state, "end") == 0)
                coord_say(c, node, false, "%s%s%s", text_of(result, "result"),
                          *text_of(result, "reason") ? ": " : "", text_of(result, "reason"));
}

static int join_on_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        Coord *c = userdata;
        _cleanup_(freep) char *dir = NULL;
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        Err err = { 0 };
        (void) usec;
        if (c->phase != COORD_WAITING)
                return 0;
        if (roll_log_dir(c->config->cluster_journal_dir, &dir, &err) < 0 ||
            roll_log_read(dir, c->joined, &record, &err) < 0) {
                coord_end(c, RESULT_FAILED, "", "roll %s was joined, and its journal cannot be read: %s",
                          c->joined, err.text);
                return 0;
        }
        int n = cJSON_GetArraySize(record->events);
        for (; c->joined_events < n; c->joined_events++)
                join_show(c, cJSON_GetArrayItem(record->events, c->joined_events));
        if (record->ended) {
                Result result = result_from_name(record->result);
                coord_say(c, "", false, "roll %s, which was joined, has ended: %s", c->joined, record->text);
                coord_end(c, result < 0 ? RESULT_FAILED : result, record->hint, "%s", record->text);
        } else if (!record->running) {
                char hint[300];
                (void) snprintf(hint, sizeof(hint), "edge-roll resume %s\n  edge-roll resume %s --give-up",
                                c->joined, c->joined);
                coord_end(c, RESULT_REFUSED, hint,
                          "roll %s, which was joined, is not run any more and has not ended", c->joined);
        } else {
                (void) sd_event_source_set_time(s, time_now() + JOIN_USEC);
                (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        }
        return 0;
}

bool coord_joins(Coord *c)
{
        _cleanup_(freep) char *dir = NULL;
        Err err = { 0 };
        if (c->record || c->log || c->wait_until != 0 ||
            roll_log_dir(c->config->cluster_journal_dir, &dir, &err) < 0)
                return false;
        for (size_t i = 0; i < c->plan->n_pools; i++) {
                _cleanup_(roll_ids_freep) char **ids = NULL;
                if (!*c->plan->pools[i].name ||
                    roll_log_unfinished(dir, c->plan->pools[i].name, &ids, &err) < 0)
                        continue;
                for (size_t k = 0; ids && ids[k]; k++) {
                        _cleanup_(roll_record_freep) RollRecord *record = NULL;
                        if (roll_log_read(dir, ids[k], &record, &err) < 0 || !record->running ||
                            !join_same(c, record))
                                continue;
                        c->phase = COORD_WAITING;
                        (void) snprintf(c->joined, sizeof(c->joined), "%s", ids[k]);
                        coord_say(
                                c, "", false,
                                "joining roll %s, which does just this and is being run (%s): what it has "
                                "restarted already is not restarted again; --wait begins another one behind "
                                "it",
                                c->joined, record->by);
                        c->again = sd_event_source_unref(c->again);
                        if (sd_event_add_time(c->event, &c->again, CLOCK_MONOTONIC, time_now(), 1000,
                                              join_on_time, c) < 0)
                                coord_end(c, RESULT_FAILED, "", "no timer");
                        return true;
                }
        }
        return false;
}
