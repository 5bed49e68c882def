/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The same command while its roll is being run by another process of this machine: no second roll behind the
 * first one, and no refusal either. What that one writes into its journal is shown, and how it ends is how
 * this one ends. With --if-needed a change may have come too late for it, on a server that it has restarted:
 * so its end is only waited for.
 */

#include "agent/cluster/coordinator-impl.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/cluster/roll-join.h"

#define JOIN_USEC (300 * USEC_PER_MSEC) /* between two looks into the journal */

static const char *text_of(const cJSON *o, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        return text ? text : "";
}

/* Which servers they are is compared by themselves: an inventory is another one tomorrow, and has two names.
 */
static const char *const selects[] = { "reason", "nodes", "inventory",  "limit", "exclude",
                                       "region", "pod",   "management", "since" };

static bool join_same_way(const Coord *c, const RollRecord *record)
{
        cJSON *mine = coord_options_json(c->rq), *theirs = cJSON_Duplicate(record->options, true);
        for (size_t i = 0; i < ELEMENTS(selects); i++) {
                cJSON_DeleteItemFromObjectCaseSensitive(mine, selects[i]);
                cJSON_DeleteItemFromObjectCaseSensitive(theirs, selects[i]);
        }
        /* One that only restarts what needs it does so behind any. */
        if (c->rq->if_needed) {
                cJSON_DeleteItemFromObjectCaseSensitive(mine, "if_needed");
                cJSON_DeleteItemFromObjectCaseSensitive(theirs, "if_needed");
        }
        bool same = mine && theirs && strcmp(record->component, c->plan_options.component) == 0 &&
                    cJSON_Compare(mine, theirs, true);
        cJSON_Delete(mine);
        cJSON_Delete(theirs);
        return same;
}

static bool join_same_node(const cJSON *a, const cJSON *b)
{
        const char *key = *text_of(a, "uuid") && *text_of(b, "uuid") ? "uuid" : "name";
        return strcmp(text_of(a, key), text_of(b, key)) == 0 &&
               strcmp(text_of(a, "component"), text_of(b, "component")) == 0;
}

/* Is each that is selected in @a selected in @b? */
static bool join_within(const cJSON *a, const cJSON *b)
{
        const cJSON *x, *y;
        cJSON_ArrayForEach(x, a)
        {
                bool found = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(x, "selected"));
                cJSON_ArrayForEach(y, b)
                {
                        found = found || (!cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(y, "selected")) &&
                                          join_same_node(x, y));
                }
                if (!found)
                        return false;
        }
        return true;
}

static bool join_same_servers(const Coord *c, const RollRecord *record)
{
        const cJSON *first = cJSON_GetArrayItem(record->events, 0);
        cJSON *roll = coord_roll_json(c);
        const cJSON *mine = cJSON_GetObjectItemCaseSensitive(roll, "nodes"),
                    *theirs = cJSON_GetObjectItemCaseSensitive(first, "nodes"),
                    *my_only = cJSON_GetObjectItemCaseSensitive(roll, "only"),
                    *their_only = cJSON_GetObjectItemCaseSensitive(first, "only");
        bool same_only =
                my_only && their_only ? cJSON_Compare(my_only, their_only, true) : !my_only && !their_only;
        bool same = same_only && cJSON_IsArray(mine) && cJSON_IsArray(theirs) && join_within(mine, theirs) &&
                    join_within(theirs, mine);
        cJSON_Delete(roll);
        return same;
}

/* Why somebody wants it makes no difference, and is told in its journal. */
static int join_ask(Coord *c, const char *dir, const char *id, Err *err)
{
        cJSON *who = cJSON_CreateObject();
        coord_add_who(who);
        cJSON_AddStringToObject(who, "reason", c->rq->reason ? c->rq->reason : "");
        (void) snprintf(c->joined_call, sizeof(c->joined_call), "%d-%" PRIx64, (int) getpid(), time_boot());
        cJSON_AddStringToObject(who, "call", c->joined_call);
        return roll_join_ask(dir, id, who, err);
}

void coord_joins_take(Coord *c)
{
        cJSON *events = c->log ? roll_join_take(roll_log_path(c->log), &c->joins_at) : NULL, *event;
        while ((event = cJSON_DetachItemFromArray(events, 0))) {
                coord_say(c, "", false, "joined by %s on %s%s%s", text_of(event, "by"),
                          text_of(event, "host"), *text_of(event, "reason") ? ": " : "",
                          text_of(event, "reason"));
                (void) coord_log(c, event);
        }
        cJSON_Delete(events);
}

/* One event of it that is new here. */
static void join_show(Coord *c, const cJSON *event)
{
        const char *what = text_of(event, "event"), *state = text_of(event, "state"),
                   *node = text_of(event, "node");
        if (strcmp(what, "join") == 0 && strcmp(text_of(event, "call"), c->joined_call) == 0)
                c->joined_noted = true;
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

/* Behind a roll that was only waited for, or that has ended before it could be joined. */
static void join_look_again(Coord *c, const char *why)
{
        coord_say(c, "", false, "%s", why);
        c->joined[0] = '\0';
        c->joined_events = 0;
        coord_look_later(c, 0);
}

static void join_ended(Coord *c, const RollRecord *record)
{
        char why[300];
        if (c->rq->if_needed) {
                (void) snprintf(why, sizeof(why),
                                "roll %s has ended (%s): looking at what needs a restart still", c->joined,
                                record->result);
                join_look_again(c, why);
                return;
        }
        if (!c->joined_noted) {
                (void) snprintf(why, sizeof(why), "roll %s had ended before it could be joined", c->joined);
                join_look_again(c, why);
                return;
        }
        Result result = result_from_name(record->result);
        coord_say(c, "", false, "roll %s, which was joined, has ended: %s", c->joined, record->text);
        coord_end(c, result < 0 ? RESULT_FAILED : result, record->hint, "%s", record->text);
}

/* Its process is there, has the lock, and shows no sign of life: by then its leases are over, too. */
static bool join_silent(Coord *c, const RollRecord *record)
{
        Usec now = time_now(), most = c->io->silent_usec ? c->io->silent_usec : TENURE_TTL_USEC;
        char hint[400], since[32];
        if (record->touched != c->joined_touched || c->joined_seen == 0) {
                c->joined_touched = record->touched;
                c->joined_seen = now;
        }
        if (now < time_add(c->joined_seen, most))
                return false;
        (void) snprintf(
                hint, sizeof(hint),
                "look at process %.0f on %.64s: when it was stopped, kill -CONT lets it go on; when it "
                "has ended, edge-roll resume %s",
                record->pid, *record->host ? record->host : "an unknown host", c->joined);
        coord_end(
                c, RESULT_BUSY, hint,
                "roll %s, which was %s, stands still: process %.0f (%.100s) runs it and has written nothing "
                "for %s",
                c->joined, c->rq->if_needed ? "waited for" : "joined", record->pid, record->by,
                time_format(now - c->joined_seen, since, sizeof(since)));
        return true;
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
                join_ended(c, record);
        } else if (!record->running) {
                char hint[300];
                (void) snprintf(hint, sizeof(hint), "edge-roll resume %s\n  edge-roll resume %s --give-up",
                                c->joined, c->joined);
                coord_end(c, RESULT_REFUSED, hint,
                          "roll %s, which was joined, is not run any more and has not ended", c->joined);
        } else if (!join_silent(c, record)) {
                (void) sd_event_source_set_time(s, time_now() + JOIN_USEC);
                (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        }
        return 0;
}

static bool join_begin(Coord *c, const char *dir, const RollRecord *record, const char *id)
{
        Err err = { 0 };
        if (c->rq->if_needed)
                coord_say(c, "", false,
                          "roll %s is being run (%s); what it has restarted may have changed since: this one "
                          "waits for its end, and looks then what still needs it",
                          id, record->by);
        else if (join_ask(c, dir, id, &err) < 0) {
                coord_say(c, "", true, "roll %s does just this, and cannot be joined: %s", id, err.text);
                return false;
        } else
                coord_say(
                        c, "", false,
                        "joining roll %s, which does just this and is being run (%s): what it has restarted "
                        "already is not restarted again; --wait begins another one behind it",
                        id, record->by);
        c->phase = COORD_WAITING;
        (void) snprintf(c->joined, sizeof(c->joined), "%s", id);
        c->joined_seen = 0;
        c->again = sd_event_source_unref(c->again);
        if (sd_event_add_time(c->event, &c->again, CLOCK_MONOTONIC, time_now(), 1000, join_on_time, c) < 0)
                coord_end(c, RESULT_FAILED, "", "no timer");
        return true;
}

/* Return: the rolls of @pool that have not ended; NULL: none, or not to be read. */
static char **join_candidates(const char *dir, const char *pool)
{
        char **ids;
        Err err = { 0 };
        return *pool && roll_log_unfinished(dir, pool, &ids, &err) >= 0 ? ids : NULL;
}

bool coord_joins(Coord *c)
{
        _cleanup_(freep) char *dir = NULL;
        Err err = { 0 };
        if (c->record || c->log || c->wait_until != 0 ||
            roll_log_dir(c->config->cluster_journal_dir, &dir, &err) < 0)
                return false;
        for (size_t i = 0; i < c->plan->n_pools; i++) {
                _cleanup_(roll_ids_freep) char **ids = join_candidates(dir, c->plan->pools[i].name);
                for (size_t k = 0; ids && ids[k]; k++) {
                        _cleanup_(roll_record_freep) RollRecord *record = NULL;
                        if (roll_log_read(dir, ids[k], &record, &err) >= 0 && record->running &&
                            join_same_way(c, record) && (c->rq->if_needed || join_same_servers(c, record)))
                                return join_begin(c, dir, record, ids[k]);
                }
        }
        return false;
}
