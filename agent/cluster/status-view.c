/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/status-view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/put.h"
#include "base/text.h"
#include "probes/json.h"

/* How a node stands, the worst first: that order is also the one of the counts. */
typedef enum Standing {
        STANDING_HELD,
        STANDING_UNREACHABLE,
        STANDING_UNKNOWN, /* it answered, and did not say */
        STANDING_BLOCKED, /* by something that is neither a job nor a hold */
        STANDING_DOWN,
        STANDING_NOT_UP,
        STANDING_OUT, /* for another reason */
        STANDING_JOB,
        STANDING_SERVING,
        STANDING_COUNT,
} Standing;

static const struct {
        const char *name, *key; /* for people, for programs */
        Colour colour;
} standings[] = {
        [STANDING_HELD] = { "HELD", "held", COLOUR_BAD },
        [STANDING_UNREACHABLE] = { "unreachable", "unreachable", COLOUR_BAD },
        [STANDING_UNKNOWN] = { "not known", "unknown", COLOUR_BAD },
        [STANDING_BLOCKED] = { "blocked", "blocked", COLOUR_BAD },
        [STANDING_DOWN] = { "not running", "down", COLOUR_BAD },
        [STANDING_NOT_UP] = { "not up", "not-up", COLOUR_BAD },
        [STANDING_OUT] = { "out", "out", COLOUR_WARN },
        [STANDING_JOB] = { "in a job", "job", COLOUR_STRONG },
        [STANDING_SERVING] = { "serving", "serving", COLOUR_GOOD },
};
_Static_assert(ELEMENTS(standings) == STANDING_COUNT, "every standing has a name");

static Standing standing(const StatusNode *n)
{
        const char *blocked = json_text(n->look, "blocked");
        if (!n->look)
                return STANDING_UNREACHABLE;
        if (strncmp(blocked, "hold", strlen("hold")) == 0 ||
            cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(n->look, "hold")))
                return STANDING_HELD;
        if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(n->look, "job")))
                return STANDING_JOB;
        if (*blocked && strcmp(blocked, "no") != 0 && strcmp(blocked, "job") != 0)
                return STANDING_BLOCKED;
        if (!cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(n->look, "running")))
                return STANDING_UNKNOWN;
        if (!json_true(n->look, "running"))
                return STANDING_DOWN;
        if (!json_true(n->look, "up"))
                return STANDING_NOT_UP;
        return json_true(n->look, "out") ? STANDING_OUT : STANDING_SERVING;
}

Result status_view_result(const StatusNode *nodes, size_t n)
{
        Result result = RESULT_DONE;
        for (size_t i = 0; i < n; i++) {
                Standing s = standing(&nodes[i]);
                if (s == STANDING_HELD)
                        return RESULT_HELD;
                if (s == STANDING_UNREACHABLE || s == STANDING_UNKNOWN)
                        result = RESULT_AGENT_UNREACHABLE;
        }
        return result;
}

/* Words. */

static void put_part(FILE *f, const char *before, const char *text)
{
        if (*text) {
                (void) fputs(before, f);
                put_clean(f, text);
        }
}

/* How long before @wall a stamp is; "" when it is none. */
static const char *ago(const char *stamp, Usec wall, char *buf, size_t size)
{
        struct tm tm = { 0 };
        char since[32];
        buf[0] = '\0';
        if (sscanf(stamp, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                   &tm.tm_min, &tm.tm_sec) != 6)
                return buf;
        tm.tm_year -= 1900;
        tm.tm_mon--;
        time_t then = timegm(&tm), now = (time_t) (wall / USEC_PER_SEC);
        /* The clocks of two machines differ. */
        Usec age = now > then ? (Usec) (now - then) * USEC_PER_SEC : 0;
        if (age < 48 * 3600 * USEC_PER_SEC)
                (void) snprintf(buf, size, "%s ago", time_format(age, since, sizeof(since)));
        else
                (void) snprintf(buf, size, "%" PRIu64 " days ago", age / (24 * 3600 * USEC_PER_SEC));
        return buf;
}

static const char *last_text(const StatusNode *n, Usec wall, char *buf, size_t size)
{
        const cJSON *last = cJSON_GetObjectItemCaseSensitive(n->look, "last");
        char when[48];
        buf[0] = '\0';
        if (*json_text(last, "result"))
                (void) snprintf(buf, size, "%.20s%s%s", json_text(last, "result"),
                                *ago(json_text(last, "time"), wall, when, sizeof(when)) ? ", " : "", when);
        return buf;
}

static void put_job(const cJSON *job, FILE *f)
{
        put_clean(f, *json_text(job, "kind") ? json_text(job, "kind") : "a job");
        put_part(f, ", in ", json_text(job, "phase"));
        if (json_number(job, "elapsed", -1) >= 0) {
                (void) fputc(' ', f);
                put_seconds(f, json_number(job, "elapsed", 0));
        }
        put_part(f, ": ", json_text(job, "awaiting"));
        put_part(f, ", for roll ", json_text(job, "roll"));
}

static void put_hold(const StatusNode *n, FILE *f)
{
        const cJSON *hold = cJSON_GetObjectItemCaseSensitive(n->look, "hold");
        put_part(f, "", *json_text(hold, "reason") ? json_text(hold, "reason") : "no reason given");
        put_part(f, "; by ", json_text(hold, "by"));
        put_part(f, ", since ", json_text(hold, "since"));
        put_part(f, ", until ", json_text(hold, "until"));
        if (strcmp(json_text(n->look, "blocked"), "hold-missing") == 0)
                (void) fputs("; OPEN although it is held", f);
}

/* What there is to say, in the words of the agent. */
static void put_detail(const StatusNode *n, Standing s, FILE *f)
{
        const cJSON *last = cJSON_GetObjectItemCaseSensitive(n->look, "last");
        const cJSON *lease = cJSON_GetObjectItemCaseSensitive(n->look, "lease");
        const char *blocked = json_text(n->look, "blocked"), *separator = "; ";
        switch (s) {
        case STANDING_HELD:
                put_hold(n, f);
                break;
        case STANDING_UNREACHABLE:
                put_clean(f, *n->trouble ? n->trouble : "no answer");
                break;
        case STANDING_UNKNOWN:
                (void) fputs("its agent does not say whether it runs", f);
                break;
        case STANDING_JOB:
                put_job(cJSON_GetObjectItemCaseSensitive(n->look, "job"), f);
                break;
        case STANDING_BLOCKED:
                (void) fputs(strcmp(blocked, "leftover") == 0  ? "refused by a table that an agent has left"
                             : strcmp(blocked, "foreign") == 0 ? "refused by a rule of somebody else"
                                                               : "not known whether it is blocked",
                             f);
                break;
        case STANDING_NOT_UP:
                put_clean(f, json_text(n->look, "up_text"));
                break;
        case STANDING_OUT:
                put_clean(f, json_text(n->look, "out_reason"));
                break;
        case STANDING_DOWN:
        case STANDING_SERVING:
        case STANDING_COUNT:
                separator = "";
                break;
        }
        if (*json_text(n->look, "error")) {
                put_part(f, separator, json_text(n->look, "error"));
                separator = "; ";
        }
        if (cJSON_IsObject(lease)) {
                put_part(f, separator, "leased by ");
                put_clean(f, *json_text(lease, "holder") ? json_text(lease, "holder") : "somebody");
                (void) fprintf(f, " (%.0f s left)", json_number(lease, "left", 0));
                separator = "; ";
        }
        /* A job that ended badly and left no hold is still the news. */
        if (s >= STANDING_BLOCKED && s != STANDING_JOB && *json_text(last, "reason") &&
            strcmp(json_text(last, "result"), result_name(RESULT_DONE)) != 0) {
                put_part(f, separator, json_text(last, "result"));
                put_part(f, ": ", json_text(last, "reason"));
        }
}

/* The table. */

typedef enum StatusColumn {
        STATUS_NODE,
        STATUS_COMPONENT,
        STATUS_POOL,
        STATUS_STATE,
        STATUS_LAST,
        STATUS_COLUMNS
} StatusColumn;

static const char *cell(const StatusNode *n, StatusColumn column, Usec wall, char *buf, size_t size)
{
        switch (column) {
        case STATUS_NODE:
                return n->name;
        case STATUS_COMPONENT:
                return n->component;
        case STATUS_POOL:
                return json_text(n->look, "pool");
        case STATUS_STATE:
                return standings[standing(n)].name;
        case STATUS_LAST:
                return last_text(n, wall, buf, size);
        case STATUS_COLUMNS:
                break;
        }
        return "";
}

/* Is there more than one? What is not known is none. For columns that are not about time. */
static bool differ(const StatusNode *nodes, size_t n, StatusColumn column)
{
        const char *first = "";
        char text[96];
        for (size_t i = 0; i < n; i++) {
                const char *value = cell(&nodes[i], column, 0, text, sizeof(text));
                if (*first && *value && strcmp(first, value) != 0)
                        return true;
                if (!*first)
                        first = value;
        }
        return false;
}

/* Columns: 0 where all would say the same, or nothing. */
static void widths_fit(const StatusNode *nodes, size_t n, const TableMode *mode, Usec wall,
                       size_t widths[STATUS_COLUMNS])
{
        static const size_t most[STATUS_COLUMNS] = { 40, 20, 40, 12, 30 };
        unsigned width = mode->live ? (mode->width ? mode->width : PUT_WIDTH_DEFAULT) : 0;
        for (int c = 0; c < STATUS_COLUMNS; c++) {
                char text[96];
                size_t widest = 0;
                for (size_t i = 0; i < n; i++) {
                        const char *value = cell(&nodes[i], (StatusColumn) c, wall, text, sizeof(text));
                        widest = MAX(widest, MIN(put_columns(value), most[c]));
                }
                widths[c] = MAX(widest, (size_t) 4);
                if ((c == STATUS_COMPONENT && !differ(nodes, n, STATUS_COMPONENT)) ||
                    (c == STATUS_POOL && (!differ(nodes, n, STATUS_POOL) || (width && width < 100))) ||
                    (c == STATUS_LAST && (widest == 0 || (width && width < 60))))
                        widths[c] = 0;
        }
        if (widths[STATUS_COMPONENT])
                widths[STATUS_COMPONENT] = MAX(widths[STATUS_COMPONENT], strlen("COMPONENT"));
        widths[STATUS_STATE] = MAX(widths[STATUS_STATE], strlen("STATE"));
}

/* @line, made of plain text, cut to the terminal; @colour for the @len bytes from @at. */
static void put_line(const TableMode *mode, const char *line, size_t at, size_t len, Colour colour, FILE *f)
{
        unsigned width = mode->width ? mode->width : PUT_WIDTH_DEFAULT;
        _cleanup_(freep) char *copy = strdup(line);
        if (!copy)
                return;
        if (mode->live)
                put_cut(copy, width - 1);
        size_t n = strlen(copy);
        while (n > 0 && copy[n - 1] == ' ')
                copy[--n] = '\0';
        at = MIN(at, n);
        len = MIN(len, n - at);
        (void) fprintf(f, "%.*s", (int) at, copy);
        put_colour(f, mode->colour && len > 0, colour);
        (void) fprintf(f, "%.*s", (int) len, copy + at);
        put_plain(f, mode->colour && len > 0);
        (void) fprintf(f, "%s\n", copy + at + len);
}

static int put_row(const StatusNode *n, const TableMode *mode, const size_t widths[STATUS_COLUMNS], Usec wall,
                   FILE *f)
{
        static const char *const heads[STATUS_COLUMNS] = { "NODE", "COMPONENT", "POOL", "STATE", "LAST" };
        _cleanup_(freep) char *line = NULL;
        size_t size, at = 0, len = 0;
        char text[96];
        FILE *m = text_open(&line, &size);
        if (!m)
                return -ENOMEM;
        for (int c = 0; c < STATUS_COLUMNS; c++) {
                if (widths[c] == 0)
                        continue;
                const char *value = n ? cell(n, (StatusColumn) c, wall, text, sizeof(text)) : heads[c];
                (void) fflush(m);
                if (c == STATUS_STATE && n) {
                        at = size;
                        len = strlen(value);
                }
                put_field(m, value, widths[c]);
                (void) fputs("  ", m);
        }
        if (n)
                put_detail(n, standing(n), m);
        if (text_close(m, &line) < 0)
                return -ENOMEM;
        put_line(mode, line, n ? at : 0, n ? len : strlen(line),
                 n ? standings[standing(n)].colour : COLOUR_DIM, f);
        return 0;
}

static void put_counts(const StatusNode *nodes, size_t n, FILE *f)
{
        size_t of[STANDING_COUNT] = { 0 };
        const char *separator = ": ";
        for (size_t i = 0; i < n; i++)
                of[standing(&nodes[i])]++;
        (void) fprintf(f, "%zu %s%s", n, differ(nodes, n, STATUS_COMPONENT) ? "component" : "node",
                       n == 1 ? "" : "s");
        for (int s = STANDING_COUNT - 1; s >= 0; s--)
                if (of[s] > 0) {
                        (void) fprintf(f, "%s%zu %s", separator, of[s], standings[s].name);
                        separator = ", ";
                }
        (void) fputc('\n', f);
}

/* What to do, for those that need it. */
static void put_hint(const StatusNode *n, const char *ssh, FILE *f)
{
        char dest[512];
        const char *blocked = json_text(n->look, "blocked");
        (void) view_dest(n->user, *n->dest ? n->dest : n->name, n->port, dest, sizeof(dest));
        Standing s = standing(n);
        if (s == STANDING_HELD && strcmp(blocked, "hold-missing") == 0) {
                put_part(f, "  ", ssh);
                (void) fputc(' ', f);
                put_dest(f, dest);
                (void) fputs(" systemctl reload-or-restart edge-roll-hold puts the hold up again\n", f);
        }
        if (s == STANDING_HELD) {
                put_part(f, "  ", ssh);
                (void) fputc(' ', f);
                put_dest(f, dest);
                put_part(f, " edge-roll undrain ",
                         *json_text(n->look, "component") ? json_text(n->look, "component") : n->component);
                (void) fputs(" lets traffic in again\n", f);
        }
        if (s == STANDING_BLOCKED) {
                put_part(f, "  ", ssh);
                (void) fputc(' ', f);
                put_dest(f, dest);
                (void) fputs(" edge-roll status says more\n", f);
        }
        if (s == STANDING_UNREACHABLE && *n->hint) {
                put_part(f, "  ", n->name);
                put_part(f, ": ", n->hint);
                (void) fputc('\n', f);
        }
}

int status_view_text(const StatusNode *nodes, size_t n, const TableMode *mode, const char *ssh, Usec wall,
                     char **ret)
{
        size_t widths[STATUS_COLUMNS], size = 0;
        char *out = NULL;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        widths_fit(nodes, n, mode, wall, widths);
        int r = put_row(NULL, mode, widths, wall, f);
        for (size_t i = 0; i < n && r == 0; i++)
                r = put_row(&nodes[i], mode, widths, wall, f);
        put_counts(nodes, n, f);
        for (size_t i = 0; i < n; i++)
                put_hint(&nodes[i], ssh, f);
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

/* JSON. */

static bool add_text(cJSON *o, const char *key, const char *text)
{
        return !*text || cJSON_AddStringToObject(o, key, text);
}

static cJSON *node_json(const StatusNode *n)
{
        cJSON *o = cJSON_CreateObject();
        if (o && cJSON_AddStringToObject(o, "node", n->name) && add_text(o, "component", n->component) &&
            cJSON_AddStringToObject(o, "state", standings[standing(n)].key) &&
            add_text(o, "trouble", n->trouble) && add_text(o, "hint", n->hint)) {
                cJSON *look = n->look ? cJSON_Duplicate(n->look, true) : cJSON_CreateNull();
                if (look && cJSON_AddItemToObject(o, "look", look))
                        return o;
                cJSON_Delete(look);
        }
        cJSON_Delete(o);
        return NULL;
}

int status_view_json(const StatusNode *nodes, size_t n, char **ret)
{
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        size_t of[STANDING_COUNT] = { 0 };
        Result result = status_view_result(nodes, n);
        cJSON *list = o ? cJSON_AddArrayToObject(o, "nodes") : NULL;
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                cJSON *node = node_json(&nodes[i]);
                if (!node || !cJSON_AddItemToArray(list, node)) {
                        cJSON_Delete(node);
                        return -ENOMEM;
                }
                of[standing(&nodes[i])]++;
        }
        cJSON *counts = cJSON_AddObjectToObject(o, "counts");
        for (int s = 0; s < STANDING_COUNT; s++)
                if (!cJSON_AddNumberToObject(counts, standings[s].key, (double) of[s]))
                        return -ENOMEM;
        if (!cJSON_AddStringToObject(o, "result", result_name(result)) ||
            !cJSON_AddNumberToObject(o, "exit", result_exit_code(result)))
                return -ENOMEM;
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
        if (!text || asprintf(ret, "%s\n", text) < 0)
                return -ENOMEM;
        return 0;
}
