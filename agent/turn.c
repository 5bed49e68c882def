/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/turn.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "probes/json.h"

#define NUMBER_DIGITS 10 /* ZooKeeper's, with zeros in front */

static bool part_good(const char *text, size_t len, size_t size)
{
        if (len == 0 || len >= size)
                return false;
        for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char) text[i]) && text[i] != '-' && text[i] != '.')
                        return false;
        return true;
}

bool turn_uuid_good(const char *uuid)
{
        return part_good(uuid, strlen(uuid), TURN_UUID_SIZE);
}

const char *turn_prefix(const char *uuid, const char *id, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s_%s_", uuid, id);
        return buf;
}

bool turn_parse(const char *node, TurnRun *ret)
{
        const char *first = strchr(node, '_'), *second = first ? strchr(first + 1, '_') : NULL;
        TurnRun run = { .number = 0 };

        if (!second || strlen(node) >= sizeof(run.node) || strlen(second + 1) < NUMBER_DIGITS ||
            !part_good(node, (size_t) (first - node), sizeof(run.uuid)) ||
            !part_good(first + 1, (size_t) (second - first - 1), sizeof(run.id)))
                return false;
        memcpy(run.uuid, node, (size_t) (first - node));
        memcpy(run.id, first + 1, (size_t) (second - first - 1));
        memcpy(run.node, node, strlen(node) + 1);
        /* A counter of 32 bits: behind 2147483647 come negative numbers, which still grow. */
        const char *p = second + 1;
        bool negative = *p == '-';
        for (p += negative; *p; p++) {
                if (*p < '0' || *p > '9' || run.number > INT64_C(99999999999))
                        return false;
                run.number = run.number * 10 + (*p - '0');
        }
        if (negative)
                run.number = (INT64_C(1) << 32) - run.number;
        *ret = run;
        return true;
}

const char *turn_pool(const char *pool, char *buf, size_t size)
{
        size_t used = 0;
        for (const char *p = pool; *p && used + 4 < size; p++) {
                unsigned char c = (unsigned char) *p;
                if (isalnum(c) || c == '-' || c == '_' || (c == '.' && p != pool))
                        buf[used++] = (char) c;
                else if (c == '/')
                        buf[used++] = ':';
                else
                        used += (size_t) snprintf(buf + used, size - used, "%%%02X", c);
        }
        buf[used] = '\0';
        return buf;
}

unsigned turn_size(const char *data)
{
        cJSON *o = json_object(data, JSON_MESSAGE_MAX);
        const cJSON *size = cJSON_GetObjectItemCaseSensitive(o, "size");
        unsigned n = cJSON_IsNumber(size) && size->valuedouble >= 1 && size->valuedouble <= TURN_SIZE_MAX
                             ? (unsigned) size->valuedouble
                             : 1;
        cJSON_Delete(o);
        return n;
}

static bool is_out(const TurnView *view, const char *uuid)
{
        for (size_t i = 0; i < view->n_outs; i++)
                if (strcmp(view->outs[i], uuid) == 0)
                        return true;
        return false;
}

/* Has @uuid a node in run/ with a smaller number than @number? Then this one counts for nothing more. */
static bool is_earlier(const TurnView *view, const char *uuid, int64_t number)
{
        TurnRun run;
        for (size_t i = 0; i < view->n_runs; i++)
                if (turn_parse(view->runs[i], &run) && run.number < number && strcmp(run.uuid, uuid) == 0)
                        return true;
        return false;
}

/* model: PLACE-TURN */
TurnAnswer turn_decide(const TurnView *view, const char *uuid, const char *id, Turn *ret)
{
        TurnRun own = { .number = -1 }, run;
        int64_t nearest = -1, first = INT64_MAX;
        *ret = (Turn){ .position = 1, .own_out = is_out(view, uuid) };

        for (size_t i = 0; i < view->n_runs; i++) {
                if (!turn_parse(view->runs[i], &run) || strcmp(run.uuid, uuid) != 0)
                        continue;
                if (strcmp(run.id, id) != 0)
                        (void) snprintf(ret->stale, sizeof(ret->stale), "%s", run.node);
                else if (own.number < 0 || run.number < own.number)
                        own = run; /* a second one with the same id: of a create that was tried twice */
        }
        for (size_t i = 0; i < view->n_runs; i++)
                if (turn_parse(view->runs[i], &run) && strcmp(run.uuid, uuid) == 0 &&
                    strcmp(run.id, id) == 0 && strcmp(run.node, own.node) != 0)
                        (void) snprintf(ret->stale, sizeof(ret->stale), "%s", run.node);

        for (size_t i = 0; i < view->n_outs; i++) {
                if (strcmp(view->outs[i], uuid) == 0)
                        continue;
                ret->before++;
                if (!*ret->blocker || strcmp(view->outs[i], ret->blocker) < 0) {
                        (void) snprintf(ret->blocker, sizeof(ret->blocker), "%s", view->outs[i]);
                        ret->blocker_out = true;
                }
        }
        for (size_t i = 0; i < view->n_runs; i++) {
                if (!turn_parse(view->runs[i], &run) || strcmp(run.uuid, uuid) == 0)
                        continue;
                bool out = is_out(view, run.uuid), earlier = is_earlier(view, run.uuid, run.number);
                if (!out && !earlier)
                        ret->waiting++;
                if (ret->blocker_out && strcmp(run.uuid, ret->blocker) == 0)
                        (void) snprintf(ret->blocker_node, sizeof(ret->blocker_node), "%s", run.node);
                if (own.number >= 0 && run.number > own.number)
                        continue;
                if (run.number > nearest) {
                        nearest = run.number;
                        (void) snprintf(ret->watch, sizeof(ret->watch), "%s", run.node);
                }
                /* Who waits for us to come back goes nowhere before that: we do not wait for him. */
                if (out || earlier || ret->own_out)
                        continue;
                ret->before++;
                ret->position++;
                if (!ret->blocker_out && run.number < first) {
                        first = run.number;
                        (void) snprintf(ret->blocker, sizeof(ret->blocker), "%s", run.uuid);
                        (void) snprintf(ret->blocker_node, sizeof(ret->blocker_node), "%s", run.node);
                }
        }
        ret->waiting++;
        if (view->size > 1)
                ret->watch[0] = '\0';
        if (own.number < 0)
                return TURN_ABSENT;
        (void) snprintf(ret->own, sizeof(ret->own), "%s", own.node);
        return ret->before < view->size ? TURN_GO : TURN_WAIT;
}
