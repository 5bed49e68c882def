/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>

#include "probes/json.h"

#define AGENT_GROUP "edge-roll"
#define PEOPLE_MAX  512 /* connections that have introduced their caller; the oldest are forgotten first */

/* ---- who may ---- */

typedef struct BusPerson {
        char sender[64]; /* unique name of the connection: never another one's as long as the bus lives */
        char user[64], from[64];
        sd_bus_slot *gone;
        BusPeople *people;
} BusPerson;

struct BusPeople {
        BusPerson *list[PEOPLE_MAX];
        size_t n;
};

int bus_people_new(BusPeople **ret)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

static void person_drop(BusPeople *people, size_t i)
{
        sd_bus_slot_unref(people->list[i]->gone);
        free(people->list[i]);
        people->n--;
        memmove(&people->list[i], &people->list[i + 1], (people->n - i) * sizeof(people->list[0]));
}

void bus_people_forget(BusPeople *people)
{
        while (people && people->n > 0)
                person_drop(people, people->n - 1);
}

BusPeople *bus_people_free(BusPeople *people)
{
        bus_people_forget(people);
        free(people);
        return NULL;
}

static BusPerson *person_find(BusPeople *people, const char *sender)
{
        for (size_t i = 0; sender && i < people->n; i++)
                if (strcmp(people->list[i]->sender, sender) == 0)
                        return people->list[i];
        return NULL;
}

/* Only asked for when it leaves: it has owned its name since it was there. */
static int person_on_gone(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        BusPerson *person = userdata;
        BusPeople *people = person->people;
        (void) m;
        (void) error;
        for (size_t i = 0; i < people->n; i++)
                if (people->list[i] == person) {
                        person_drop(people, i);
                        break;
                }
        return 0;
}

int bus_introduce(BusPeople *people, sd_bus_message *m, const char *user, const char *from)
{
        const char *sender = sd_bus_message_get_sender(m);
        BusPerson *person = person_find(people, sender);
        char match[256];

        if (!sender || strlen(sender) >= sizeof(person->sender))
                return -EINVAL;
        if (!person) {
                if (people->n == PEOPLE_MAX)
                        person_drop(people, 0);
                person = calloc(1, sizeof(*person));
                if (!person)
                        return -ENOMEM;
                person->people = people;
                people->list[people->n++] = person;
                (void) snprintf(person->sender, sizeof(person->sender), "%s", sender);
                (void) snprintf(
                        match, sizeof(match),
                        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                        sender);
                (void) sd_bus_add_match_async(sd_bus_message_get_bus(m), &person->gone, match, person_on_gone,
                                              NULL, person);
        }
        bus_text(person->user, sizeof(person->user), user);
        bus_text(person->from, sizeof(person->from), from);
        return 0;
}

int bus_caller(BusPeople *people, sd_bus_message *m, BusCaller *ret, sd_bus_error *error)
{
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        /* The effective uid comes from the bus itself; nothing is read from /proc, where a pid may be
         * another's by now. */
        if (sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds) < 0 ||
            sd_bus_creds_get_euid(creds, &uid) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoPermission",
                                        "the bus does not tell who is calling");
        struct passwd *pw = getpwuid(uid);
        ret->uid = uid;
        size_t len = (size_t) snprintf(ret->text, sizeof(ret->text), "uid %u (%.64s)", (unsigned) uid,
                                       pw ? pw->pw_name : "?");
        bus_clean(ret->text);
        const BusPerson *person = person_find(people, sd_bus_message_get_sender(m));
        if (!person)
                return 0;
        /* Only root may speak for somebody else; where he came from is a help for people, no more. */
        if (*person->user && uid == 0)
                len += (size_t) snprintf(ret->text + len, sizeof(ret->text) - len, " for %s", person->user);
        if (*person->from)
                (void) snprintf(ret->text + len, sizeof(ret->text) - len, " from %s", person->from);
        return 0;
}

static bool in_group(uid_t uid)
{
        struct group *gr = getgrnam(AGENT_GROUP);
        if (!gr)
                return false;
        gid_t wanted = gr->gr_gid, groups[256] = { 0 };
        int n = ELEMENTS(groups);
        struct passwd *pw = getpwuid(uid);
        if (!pw)
                return false;
        int found = getgrouplist(pw->pw_name, pw->pw_gid, groups, &n);
        for (int i = 0; found >= 0 && i < n; i++)
                if (groups[i] == wanted)
                        return true;
        return false;
}

/* Changing calls: root and members of the group edge-roll. */
int bus_may_change(BusPeople *people, sd_bus_message *m, BusCaller *ret, sd_bus_error *error)
{
        int r = bus_caller(people, m, ret, error);
        if (r < 0)
                return r;
        if (ret->uid == 0 || in_group(ret->uid))
                return 0;
        return bus_refuse(error, BUS_ERROR_PREFIX "NoPermission",
                          "%s may not do that: only root and members of the group " AGENT_GROUP " may",
                          ret->text);
}

/* ---- arguments ---- */

static void refusal_text(char *buf, size_t size, const char *fmt, va_list ap)
{
        (void) vsnprintf(buf, size, fmt, ap);
        bus_clean(buf);
}

int bus_refuse(sd_bus_error *error, const char *name, const char *fmt, ...)
{
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        refusal_text(text, sizeof(text), fmt, ap);
        va_end(ap);
        return sd_bus_error_set(error, name, text);
}

int bus_reply_refusal(sd_bus_message *m, const char *name, const char *fmt, ...)
{
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        refusal_text(text, sizeof(text), fmt, ap);
        va_end(ap);
        sd_bus_error error = { .name = name, .message = text };
        return sd_bus_reply_method_error(m, &error);
}

int bus_error(sd_bus_error *error, int r, const Err *err)
{
        const char *name = r == -EBUSY ? BUS_ERROR_PREFIX "Busy" : BUS_ERROR_PREFIX "Failed";
        return sd_bus_error_set(error, name, err->text);
}

/*
 * Text of others goes to the journal, the terminal and into files: no control characters, bounded. And no
 * character of more than one byte: it is cut again wherever it is told, perhaps within one, and D-Bus takes
 * no half ones: the whole answer would be lost over it.
 */
void bus_clean(char *text)
{
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
}

void bus_text(char *buf, size_t size, const char *text)
{
        (void) snprintf(buf, size, "%s", text);
        bus_clean(buf);
}

bool bus_crowded(const Agent *a, sd_bus_error *error)
{
        bool crowded = agent_crowded(a);
        if (crowded)
                (void) sd_bus_error_set(error, BUS_ERROR_PREFIX "Busy",
                                        "too many questions are being answered; call again");
        return crowded;
}

const Component *bus_component(const Agent *a, const char *name, sd_bus_error *error)
{
        const Component *c = config_component(agent_config(a), name);
        if (!c)
                (void) bus_refuse(error, BUS_ERROR_PREFIX "NoSuchComponent",
                                  "no component \"%.60s\" is configured", name);
        return c;
}

/* ---- answers ---- */

void bus_job_path(const Job *job, char *buf, size_t size)
{
        (void) snprintf(buf, size, AGENT_JOB_PATH "/%" PRIu64, job_id(job));
}

int bus_reply_json(sd_bus_message *m, cJSON *o)
{
        _cleanup_(freep) char *text = o ? cJSON_PrintUnformatted(o) : NULL;
        cJSON_Delete(o);
        if (json_lost() || !text)
                return bus_reply_refusal(m, BUS_ERROR_PREFIX "Failed", "out of memory");
        /* What components and records say, too. There are no control characters in JSON. */
        bus_clean(text);
        return sd_bus_reply_method_return(m, "s", text);
}

cJSON *bus_job(const Job *job)
{
        if (!job)
                return cJSON_CreateNull();
        const Job *within = job_within(job);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "id", (double) job_id(job));
        cJSON_AddStringToObject(o, "component", job_component(job)->name);
        cJSON_AddStringToObject(o, "kind", job_kind(job));
        cJSON_AddStringToObject(o, "phase", job_phase(job));
        cJSON_AddStringToObject(o, "awaiting", job_awaiting(job));
        cJSON_AddNumberToObject(o, "elapsed", time_sec(job_elapsed(job)));
        cJSON_AddStringToObject(o, "by", job_by(job));
        cJSON_AddStringToObject(o, "reason", job_reason(job));
        const JobOptions *options = job_options(job);
        if (*options->roll) {
                cJSON_AddStringToObject(o, "roll", options->roll);
                cJSON_AddNumberToObject(o, "step", (double) options->step);
        }
        cJSON_AddBoolToObject(o, "cancellable", job_can_cancel(job));
        cJSON_AddBoolToObject(o, "awaiting_go", job_awaits_go(job));
        if (within)
                json_put(o, "partner", bus_job(within));
        return o;
}

cJSON *bus_hold(const Hold *hold)
{
        char stamp[32];
        cJSON *h = cJSON_CreateObject();
        cJSON_AddStringToObject(h, "by", hold->by);
        cJSON_AddStringToObject(h, "reason", hold->reason);
        cJSON_AddBoolToObject(h, "by_hand", hold->by_hand);
        cJSON_AddStringToObject(h, "since", time_stamp(hold->since_wall_usec, stamp, sizeof(stamp)));
        if (hold->until_wall_usec)
                cJSON_AddStringToObject(h, "until", time_stamp(hold->until_wall_usec, stamp, sizeof(stamp)));
        else
                cJSON_AddNullToObject(h, "until");
        return h;
}
