/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The answers of Status() and Discover(), for people. */

#include "agent/render-impl.h"

#include <string.h>

#include "base/text.h"
#include "probes/json.h"

/* A point in time, as a stamp or in microseconds since 1970. */
static const char *json_time(const cJSON *object, const char *key, char *buf, size_t size)
{
        double usec = json_number(object, key, 0);
        const char *text = json_text(object, key);
        buf[0] = '\0';
        if (*text)
                (void) snprintf(buf, size, "%s", text);
        else if (usec > 0 && usec < 1e18)
                (void) time_stamp((Usec) usec, buf, size);
        return buf;
}

static int answer_parse(const char *json, cJSON **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        if (!cJSON_IsObject(o))
                return err_set(err, -EBADMSG, "the agent answered something that is no JSON object: %.80s",
                               json);
        *ret = TAKE_PTR(o);
        return 0;
}

static bool same_component(const cJSON *item, const char *key, const char *component)
{
        return !component || strcmp(json_text(item, key), component) == 0;
}

static void status_job(const cJSON *job, FILE *f)
{
        if (!cJSON_IsObject(job)) {
                (void) fputs("no job is running\n", f);
                return;
        }
        (void) fprintf(f, "job %.0f: ", json_number(job, "id", 0));
        put_clean(f, json_text(job, "kind"));
        (void) fputs(" of ", f);
        put_clean(f, json_text(job, "component"));
        if (*json_text(job, "by")) {
                (void) fputs(", asked for by ", f);
                put_clean(f, json_text(job, "by"));
        }
        if (*json_text(job, "reason")) {
                (void) fputs(" (", f);
                put_clean(f, json_text(job, "reason"));
                (void) fputc(')', f);
        }
        (void) fputs("\n  in phase ", f);
        put_clean(f, json_text(job, "phase"));
        if (json_number(job, "elapsed", -1) >= 0) {
                (void) fputs(", ", f);
                put_seconds(f, json_number(job, "elapsed", 0));
                (void) fputs(" since it began", f);
        }
        if (*json_text(job, "awaiting")) {
                (void) fputs("; awaiting: ", f);
                put_clean(f, json_text(job, "awaiting"));
        }
        (void) fputs("\n  edge-roll watch follows it, edge-roll cancel undoes it\n", f);
}

static void status_foreign(const cJSON *rules, FILE *f)
{
        const cJSON *rule;

        cJSON_ArrayForEach(rule, rules)
        {
                (void) fputs("  a rule of somebody else refuses that port: ", f);
                put_clean(f, json_text(rule, "rule"));
                (void) fputs("\n  ", f);
                put_clean(f, json_text(rule, "delete"));
                (void) fputs(" deletes it\n", f);
        }
}

/* Who has the right to take it out of traffic. */
static void put_lease(const cJSON *lease, FILE *f)
{
        if (!cJSON_IsObject(lease))
                return;
        (void) fputs("  leased by the roll ", f);
        put_clean(f, json_text(lease, "holder"));
        (void) fputs(", by ", f);
        put_clean(f, json_text(lease, "by"));
        (void) fputs(", since ", f);
        put_clean(f, json_text(lease, "since"));
        (void) fprintf(f, ", for %.0f s more unless it is renewed\n", json_number(lease, "left", 0));
}

/* One component; true when it is held. */
static bool status_component(const cJSON *c, FILE *f)
{
        const cJSON *hold = cJSON_GetObjectItemCaseSensitive(c, "hold");
        const cJSON *running = cJSON_GetObjectItemCaseSensitive(c, "running");
        const char *blocked = json_text(c, "blocked"), *unit = json_text(c, "unit");
        double port = json_number(c, "health_port", 0);
        bool held = strncmp(blocked, "hold", strlen("hold")) == 0 || cJSON_IsObject(hold);
        bool open = held && strcmp(blocked, "hold-missing") == 0;
        char when[64];

        put_clean(f, json_text(c, "name"));
        (void) fputs(held ? ": HELD, " : ": ", f);
        (void) fputs(cJSON_IsTrue(running)    ? "running"
                     : cJSON_IsFalse(running) ? "not running"
                                              : "not known whether it runs",
                     f);
        if (*unit) {
                (void) fputs(" in ", f);
                put_clean(f, unit);
        }
        if (port > 0)
                (void) fprintf(f, ", health port %.0f", port);
        if (*blocked) {
                (void) fputs(port > 0 ? " " : ", ", f);
                (void) fputs(strcmp(blocked, "no") == 0        ? "open"
                             : strcmp(blocked, "hold") == 0    ? "blocked by the hold"
                             : strcmp(blocked, "job") == 0     ? "in the hands of the job"
                             : strcmp(blocked, "unknown") == 0 ? "not known whether it is blocked"
                             : strcmp(blocked, "leftover") == 0
                                     ? "REFUSED by the table inet edge_roll, which no job uses"
                                     : "open ALTHOUGH it is held",
                             f);
        }
        if (*json_text(c, "monit")) {
                (void) fputs(", monit: ", f);
                put_clean(f, json_text(c, "monit"));
        }
        if (json_count(c, "refused") > 0)
                (void) fprintf(f, ", %" PRIu64 " refused", json_count(c, "refused"));
        (void) fputc('\n', f);
        put_lease(cJSON_GetObjectItemCaseSensitive(c, "lease"), f);
        if (*json_text(c, "error")) {
                (void) fputs("  ", f);
                put_clean(f, json_text(c, "error"));
                (void) fputc('\n', f);
        }
        if (open)
                (void) fputs("  its record is there, its firewall table is not: systemctl reload-or-restart "
                             "edge-roll-hold puts it up\n",
                             f);
        if (strcmp(blocked, "leftover") == 0)
                (void) fputs(
                        "  an agent that was killed has left it, the next job replaces it; nft delete table "
                        "inet edge_roll opens now\n",
                        f);
        status_foreign(cJSON_GetObjectItemCaseSensitive(c, "foreign_rules"), f);
        if (!held)
                return false;
        if (cJSON_IsObject(hold)) {
                (void) fputs("  held", f);
                if (*json_time(hold, "since", when, sizeof(when))) {
                        (void) fputs(" since ", f);
                        put_clean(f, when);
                }
                if (*json_time(hold, "until", when, sizeof(when))) {
                        (void) fputs(" until ", f);
                        put_clean(f, when);
                }
                if (*json_text(hold, "by")) {
                        (void) fputs(" by ", f);
                        put_clean(f, json_text(hold, "by"));
                }
                (void) fputs(": ", f);
                put_clean(f, *json_text(hold, "reason") ? json_text(hold, "reason") : "no reason given");
                (void) fputc('\n', f);
        }
        (void) fputs("  edge-roll undrain ", f);
        put_clean(f, json_text(c, "name"));
        (void) fputs(" lets traffic in again\n", f);
        return true;
}

static void status_last(const cJSON *last, FILE *f)
{
        char when[64];
        (void) fputs("last: ", f);
        put_clean(f, json_text(last, "component"));
        if (*json_text(last, "kind")) {
                (void) fputc(' ', f);
                put_clean(f, json_text(last, "kind"));
        }
        (void) fputc(' ', f);
        put_clean(f, json_text(last, "result"));
        if (json_number(last, "elapsed", -1) >= 0) {
                (void) fputs(", ", f);
                put_seconds(f, json_number(last, "elapsed", 0));
        }
        if (*json_time(last, "time", when, sizeof(when))) {
                (void) fputs(", ", f);
                put_clean(f, when);
        }
        if (*json_text(last, "reason")) {
                (void) fputs(": ", f);
                put_clean(f, json_text(last, "reason"));
        }
        (void) fputc('\n', f);
        if (*json_text(last, "hint") && strcmp(json_text(last, "result"), "done") != 0) {
                (void) fputs("  what to do: ", f);
                put_clean(f, json_text(last, "hint"));
                (void) fputc('\n', f);
        }
}

int render_status(const char *json, const char *component, char **ret, bool *ret_held, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return err_errno(err, -ENOMEM, "display");

        const cJSON *item, *agent = cJSON_GetObjectItemCaseSensitive(o, "agent");
        const cJSON *table = cJSON_GetObjectItemCaseSensitive(o, "table");
        bool held = false;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "components"))
        {
                if (same_component(item, "name", component))
                        held = status_component(item, f) || held;
        }
        /* A hold table without a record is a block all the same. */
        if (!component && !held && json_true(table, "hold")) {
                held = true;
                (void) fputs(
                        "HELD: the firewall has the table edge_roll_hold, but no component is known to be "
                        "held\n  systemctl stop edge-roll-hold removes it\n",
                        f);
        }
        item = cJSON_GetObjectItemCaseSensitive(o, "job");
        if (!cJSON_IsObject(item) || same_component(item, "component", component))
                status_job(item, f);
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "tickets"))
        {
                if (same_component(item, "component", component))
                        render_ticket(item, f);
        }
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "last"))
        {
                if (same_component(item, "component", component))
                        status_last(item, f);
        }
        if (*json_text(o, "notice")) {
                (void) fputs("notice: ", f);
                put_clean(f, json_text(o, "notice"));
                (void) fputc('\n', f);
        }
        (void) fputs("agent: version ", f);
        put_clean(f, json_text(agent, "version"));
        (void) fprintf(f, ", process %.0f\n", json_number(agent, "pid", 0));
        if (text_close(f, &out) < 0) {
                free(out);
                return err_errno(err, -ENOMEM, "display");
        }
        *ret = out;
        *ret_held = held;
        return 0;
}

int render_components(const char *json, char (*ret)[64], int max)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        const cJSON *c;
        int n = 0;
        cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(o, "components"))
        {
                if (n < max && *json_text(c, "name"))
                        (void) snprintf(ret[n++], 64, "%s", json_text(c, "name"));
        }
        return n;
}

bool render_running(const char *json)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        return json_true(o, "running");
}

int render_last(const char *json, const char *component, Usec since_wall_usec, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        const cJSON *item, *found = NULL;
        char since[64] = "", when[64], newest[64] = "";
        if (since_wall_usec)
                (void) time_stamp(since_wall_usec, since, sizeof(since));
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "last"))
        {
                /* Stamps are in UTC and of one form, so that their order is that of their text. */
                (void) json_time(item, "time", when, sizeof(when));
                if (!same_component(item, "component", component) || strcmp(when, since) < 0 ||
                    strcmp(when, newest) < 0)
                        continue;
                found = item;
                (void) snprintf(newest, sizeof(newest), "%s", when);
        }
        if (!found) {
                *ret = NULL;
                return 0;
        }
        _cleanup_(json_closep) cJSON *e = cJSON_Duplicate(found, true);
        if (!e)
                return err_errno(err, -ENOMEM, "display");
        cJSON_DeleteItemFromObjectCaseSensitive(e, "event");
        if (!cJSON_AddStringToObject(e, "event", "result"))
                return err_errno(err, -ENOMEM, "display");
        if (!cJSON_HasObjectItem(e, "exit") && !cJSON_AddNumberToObject(e, "exit", render_result_exit(found)))
                return err_errno(err, -ENOMEM, "display");
        *ret = cJSON_PrintUnformatted(e);
        return *ret ? 0 : err_errno(err, -ENOMEM, "display");
}

static void fact_value(const cJSON *item, FILE *f)
{
        const cJSON *part;
        bool first = true;
        if (cJSON_IsString(item))
                put_clean(f, *item->valuestring ? item->valuestring : "-");
        else if (cJSON_IsBool(item))
                (void) fputs(cJSON_IsTrue(item) ? "yes" : "no", f);
        else if (cJSON_IsNumber(item))
                (void) fprintf(f, "%.15g", item->valuedouble);
        else if (cJSON_IsArray(item)) {
                cJSON_ArrayForEach(part, item)
                {
                        (void) fputs(first ? "" : " ", f);
                        fact_value(part, f);
                        first = false;
                }
                if (first)
                        (void) fputs("none", f);
        } else if (cJSON_IsObject(item)) {
                cJSON_ArrayForEach(part, item)
                {
                        (void) fputs(first ? "" : ", ", f);
                        put_clean(f, part->string);
                        (void) fputc('=', f);
                        fact_value(part, f);
                        first = false;
                }
        } else
                (void) fputs("not known", f);
}

static bool is_from_key(const cJSON *object, const char *key)
{
        char stem[64];
        size_t len = strlen(key);
        if (len <= 5 || len >= sizeof(stem) || strcmp(key + len - 5, "_from") != 0)
                return false;
        (void) snprintf(stem, sizeof(stem), "%.*s", (int) (len - 5), key);
        return cJSON_GetObjectItemCaseSensitive(object, stem) != NULL;
}

int render_facts(const char *json, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return err_errno(err, -ENOMEM, "display");

        const cJSON *item;
        int widest = 0;
        cJSON_ArrayForEach(item, o) if (!is_from_key(o, item->string)) widest =
                MAX(widest, (int) strlen(item->string));
        widest = MIN(widest, 24);
        cJSON_ArrayForEach(item, o)
        {
                char from[64];
                if (is_from_key(o, item->string))
                        continue;
                (void) snprintf(from, sizeof(from), "%.50s_from", item->string);
                char name[128];
                (void) snprintf(name, sizeof(name), "%s", item->string);
                for (char *p = name; *p; p++)
                        if (*p == '_')
                                *p = ' ';
                put_clean(f, name);
                (void) fprintf(f, "%*s  ", MAX(0, widest - (int) strlen(name)), "");
                fact_value(item, f);
                if (*json_text(o, from)) {
                        (void) fputs("  (from ", f);
                        put_clean(f, json_text(o, from));
                        (void) fputc(')', f);
                }
                (void) fputc('\n', f);
        }
        if (text_close(f, &out) < 0) {
                free(out);
                return err_errno(err, -ENOMEM, "display");
        }
        *ret = out;
        return 0;
}
