/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <systemd/sd-login.h>

#include "agent/names.h"
#include "base/words.h"
#include "probes/json.h"

/* The function itself. */
#undef bus_refuse

#define CREDS_USEC (2 * USEC_PER_SEC) /* for the bus to say who somebody is */
#define GIDS_MAX   1024
#define PEOPLE_MAX 1024 /* connections of which something is known */
#define SPOKEN_MAX 512  /* ... of root's, which have introduced somebody */

/* ---- who may ---- */

/* What the bus knows of a connection, from its socket and never from /proc; it does not change. */
typedef struct Creds {
        uid_t uid;
        pid_t pid;
        bool has_uid;
        gid_t *gids; /* NULL: not known */
        size_t n_gids;
} Creds;

typedef struct BusPerson {
        char sender[64]; /* unique name of the connection: never another one's as long as the bus lives */
        Creds creds;     /* without a uid: it had left before it was asked for */
        char user[64], from[64];
        bool believed; /* root has introduced somebody: the rights depend on it */
} BusPerson;

struct BusPeople {
        BusPerson *list[PEOPLE_MAX]; /* the oldest first */
        size_t n;
        sd_bus_slot *gone;
        sd_bus *inquiries; /* who somebody is; may be NULL */
        Names *names;
};

int bus_people_new(BusPeople **ret)
{
        _cleanup_(freep) BusPeople *people = calloc(1, sizeof(*people));
        int r = people ? names_new(&people->names, BUS_GROUP, NULL, NULL, NULL) : -ENOMEM;
        if (r >= 0)
                *ret = TAKE_PTR(people);
        return r;
}

static void person_drop(BusPeople *people, size_t i)
{
        free(people->list[i]->creds.gids);
        free(people->list[i]);
        people->n--;
        memmove(&people->list[i], &people->list[i + 1], (people->n - i) * sizeof(people->list[0]));
}

void bus_people_forget(BusPeople *people)
{
        if (!people)
                return;
        people->gone = sd_bus_slot_unref(people->gone);
        if (people->inquiries) {
                (void) sd_bus_detach_event(people->inquiries);
                people->inquiries = sd_bus_close_unref(people->inquiries);
        }
        while (people->n > 0)
                person_drop(people, people->n - 1);
}

BusPeople *bus_people_free(BusPeople *people)
{
        if (!people)
                return NULL;
        bus_people_forget(people);
        names_free(people->names);
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

static int people_on_gone(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        BusPeople *people = userdata;
        const char *sender = sd_bus_message_get_sender(m), *name;
        (void) error;
        /* Anybody may send such a signal to one connection; only the bus's own counts. */
        if (!sender || strcmp(sender, "org.freedesktop.DBus") != 0 || sd_bus_message_read(m, "s", &name) <= 0)
                return 0;
        for (size_t i = 0; i < people->n; i++)
                if (strcmp(people->list[i]->sender, name) == 0) {
                        person_drop(people, i);
                        break;
                }
        return 0;
}

bool bus_people_spoken_for(const BusPeople *people)
{
        for (size_t i = 0; i < people->n; i++)
                if (people->list[i]->believed)
                        return true;
        return false;
}

/*
 * One match for all of them: the bus has a limit for the matches of one connection. Who somebody is is asked
 * for on a connection of its own: who waits for an answer has all taken off the socket that is there before
 * it, and others decide how much that is.
 */
int bus_people_watch(BusPeople *people, sd_bus *bus)
{
        if (sd_bus_open_system(&people->inquiries) >= 0 &&
            sd_bus_attach_event(people->inquiries, sd_bus_get_event(bus), SD_EVENT_PRIORITY_NORMAL) < 0)
                people->inquiries = sd_bus_close_unref(people->inquiries);
        return sd_bus_add_match_async(bus, &people->gone,
                                      "type='signal',sender='org.freedesktop.DBus',"
                                      "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                                      people_on_gone, NULL, people);
}

/* Room for one more: what nothing depends on is forgotten, the oldest first. */
static bool people_room(BusPeople *people)
{
        for (size_t i = 0; people->n == PEOPLE_MAX && i < people->n; i++)
                if (!people->list[i]->believed)
                        person_drop(people, i);
        return people->n < PEOPLE_MAX;
}

int bus_introduce(BusPeople *people, sd_bus_message *m, const BusCaller *caller, const char *user,
                  const char *from)
{
        BusPerson *person = person_find(people, sd_bus_message_get_sender(m));
        size_t spoken = 0;

        for (size_t i = 0; i < people->n; i++)
                spoken += people->list[i]->believed;
        /* bus_caller() has no room or no memory for it. */
        if (!person)
                return -ENOMEM;
        if (caller->uid == 0 && !person->believed && spoken >= SPOKEN_MAX)
                return -EBUSY;
        person->believed = caller->uid == 0;
        bus_text(person->user, sizeof(person->user), user);
        bus_text(person->from, sizeof(person->from), from);
        return 0;
}

static int creds_gids(sd_bus_message *m, Creds *c)
{
        const void *gids;
        size_t size;
        int r = sd_bus_message_enter_container(m, 'v', "au");
        if (r < 0 || (r = sd_bus_message_read_array(m, 'u', &gids, &size)) < 0)
                return r;
        size = MIN(size, GIDS_MAX * sizeof(gid_t));
        free(c->gids);
        c->gids = malloc(MAX(size, sizeof(gid_t)));
        if (!c->gids)
                return -ENOMEM;
        c->n_gids = size / sizeof(gid_t);
        if (size > 0)
                memcpy(c->gids, gids, size);
        return sd_bus_message_exit_container(m);
}
_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "as the bus tells them");

static int creds_entry(sd_bus_message *m, Creds *c)
{
        const char *key;
        uint32_t number;
        int r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
                return r;
        if (strcmp(key, "UnixGroupIDs") == 0)
                return creds_gids(m, c);
        bool uid = strcmp(key, "UnixUserID") == 0, pid = strcmp(key, "ProcessID") == 0;
        if (!uid && !pid)
                return sd_bus_message_skip(m, "v");
        if ((r = sd_bus_message_read(m, "v", "u", &number)) < 0)
                return r;
        if (uid) {
                c->uid = number;
                c->has_uid = true;
        } else
                c->pid = (pid_t) number;
        return r;
}

/* Return: 0, also where there is no such connection any more (without a uid then); negative errno. */
static int creds_get(sd_bus *bus, const char *sender, Creds *c)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                               "org.freedesktop.DBus", "GetConnectionCredentials");
        if (r < 0 || (r = sd_bus_message_append(call, "s", sender)) < 0)
                return r;
        r = sd_bus_call(bus, call, CREDS_USEC, &e, &m);
        if (r < 0)
                return sd_bus_error_has_name(&e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ? 0 : r;
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0)
                if ((r = creds_entry(m, c)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        return r;
}

/*
 * The connection that has sent @m. What is known of it stays known until the bus tells that it has left,
 * which comes behind all that it has sent. NULL: nothing is known, or no room is left.
 */
static const BusPerson *person_of(BusPeople *people, sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);
        BusPerson *person = person_find(people, sender);
        sd_bus *bus = people->inquiries && sd_bus_is_ready(people->inquiries) > 0 ? people->inquiries
                                                                                  : sd_bus_message_get_bus(m);
        if (person || !sender || strlen(sender) >= sizeof(person->sender) || !people_room(people))
                return person;
        person = calloc(1, sizeof(*person));
        if (!person || creds_get(bus, sender, &person->creds) < 0) {
                if (person)
                        free(person->creds.gids);
                free(person);
                return NULL;
        }
        (void) snprintf(person->sender, sizeof(person->sender), "%s", sender);
        people->list[people->n++] = person;
        return person;
}

/*
 * Of the process that has connected; it decides nothing, it is for the records. Its number may be another's
 * by now, if it is gone and has left its connection to a child.
 */
static void caller_login(BusPeople *people, pid_t pid, BusCaller *ret)
{
        _cleanup_(freep) char *session = NULL, *host = NULL;
        char path[64], number[32] = "";
        if (pid <= 0)
                return;
        (void) snprintf(path, sizeof(path), "/proc/%d/loginuid", (int) pid);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, number, sizeof(number) - 1) > 0) {
                uid_t uid = (uid_t) strtoul(number, NULL, 10);
                /* -1: it is the child of no login. */
                if (uid != (uid_t) -1 && uid != ret->uid)
                        (void) snprintf(ret->login, sizeof(ret->login), "%s", names_user(people->names, uid));
                if (strcmp(ret->login, "?") == 0)
                        (void) snprintf(ret->login, sizeof(ret->login), "uid %u", (unsigned) uid);
        }
        if (sd_pid_get_session(pid, &session) < 0)
                return;
        bus_text(ret->session, sizeof(ret->session), session);
        if (sd_session_get_remote_host(session, &host) >= 0 && host && *host) {
                bus_text(ret->from, sizeof(ret->from), host);
                ret->from_proven = true;
        }
}

static void caller_text(BusCaller *c)
{
        const char *behind = *c->claimed_user ? c->claimed_user : c->login;
        (void) snprintf(c->text, sizeof(c->text), "uid %u (%.48s)%s%.48s%s%.48s", (unsigned) c->uid, c->user,
                        *behind ? " for " : "", behind, *c->from ? " from " : "", c->from);
}

int bus_caller(BusPeople *people, sd_bus_message *m, bool whole, BusCaller *ret, sd_bus_error *error)
{
        const BusPerson *person = person_of(people, m);
        *ret = (BusCaller){ .uid = BUS_UID_UNKNOWN, .who = "?", .text = "somebody who has left the bus" };
        if (!person || !person->creds.has_uid)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoPermission",
                                        "the bus does not tell who is calling");
        const Creds *creds = &person->creds;
        ret->uid = creds->uid;
        bus_text(ret->user, sizeof(ret->user), names_user(people->names, creds->uid));
        ret->may_change =
                creds->uid == 0 || names_member(people->names, creds->uid, creds->gids, creds->n_gids);
        if (whole)
                caller_login(people, creds->pid, ret);
        /* Only root may speak for somebody else. */
        if (person->believed && strcmp(person->user, ret->user) != 0)
                (void) snprintf(ret->claimed_user, sizeof(ret->claimed_user), "%s", person->user);
        if (!ret->from_proven)
                (void) snprintf(ret->from, sizeof(ret->from), "%s", person->from);
        ret->root = creds->uid == 0 && !*ret->claimed_user;
        (void) snprintf(ret->who, sizeof(ret->who), "%u%s%s", (unsigned) creds->uid,
                        *ret->claimed_user ? " " : "", ret->claimed_user);
        caller_text(ret);
        return 0;
}

/* ---- arguments ---- */

static void _printf_(3, 0) refusal_text(char *buf, size_t size, const char *fmt, va_list ap)
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
        words_clean(text);
}

void bus_text(char *buf, size_t size, const char *text)
{
        (void) snprintf(buf, size, "%s", text);
        bus_clean(buf);
}

_Static_assert(sizeof(((Shares *) NULL)->one[0].who) == sizeof(((BusCaller *) NULL)->who),
               "two people must not become one");

int bus_share(Shares *s, const char *what, const BusCaller *caller, size_t *ret_share, sd_bus_error *error)
{
        switch (shares_take(s, caller->who, caller->root, !caller->may_change, ret_share)) {
        case SHARES_OK:
                return 0;
        case SHARES_PERSON:
                return bus_refuse(
                        error, BUS_ERROR_PREFIX "Busy",
                        "%u %s of %s are being answered, and one person has at most %u at once; call "
                        "again when one is answered",
                        s->limits.person, what, caller->text, s->limits.person);
        case SHARES_STRANGERS:
                return bus_refuse(error, BUS_ERROR_PREFIX "Busy",
                                  "at most %u %s of those who may not change anything are answered at once, "
                                  "and so many are; call again",
                                  s->limits.strangers, what);
        case SHARES_ALL:
        case SHARES_ANSWER_COUNT:
        case SHARES_ANSWER_INVALID:
                break;
        }
        return bus_refuse(error, BUS_ERROR_PREFIX "Busy",
                          "at most %u %s are answered at once, and so many are; call again", s->limits.all,
                          what);
}

static Shares questions = { .limits = { .all = SHARES_MAX, .strangers = SHARES_MAX / 2, .person = 16 } };

int bus_ask(const Agent *a, const BusCaller *caller, size_t *ret_ask, sd_bus_error *error)
{
        if (agent_crowded(a))
                return bus_refuse(error, BUS_ERROR_PREFIX "Busy",
                                  "too many questions are being answered; call again");
        return bus_share(&questions, "questions", caller, ret_ask, error);
}

void bus_ask_end(size_t ask)
{
        shares_give(&questions, ask);
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
