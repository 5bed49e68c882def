/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-gate.h"

#include <string.h>
#include <syslog.h>

#include "agent/budget.h"
#include "agent/journal.h"
#include "probes/json.h"

/*
 * The journal leaves out what comes too fast, and what is old makes room: nobody must be able to have it
 * leave out what others do. So of one person so many refusals are recorded; and so much does he begin, for of
 * what he begins all is. What he then does with that is recorded as refusals are.
 */
static Budget refusals = { .at_once = 50, .each_usec = 3 * USEC_PER_SEC };
static Budget followed = { .at_once = 200, .each_usec = USEC_PER_SEC };
static Budget begun = { .at_once = 200, .each_usec = USEC_PER_SEC };

/* Questions of one who may change nothing: each takes the agent's time. */
#define QUESTIONS_MAX 60
#define QUESTION_USEC (100 * USEC_PER_MSEC)

/* What the records say of a call, and what the right to it depends on. */
typedef struct Ask {
        char component[64], reason[256];
        bool has_lease;
} Ask;

/* ---- what is asked for ---- */

static int ask_options(sd_bus_message *m, Ask *ask)
{
        const char *key, *contents, *text;
        char type;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &type, &contents)) < 0)
                        return r;
                if (strcmp(key, "reason") == 0 && strcmp(contents, "s") == 0) {
                        if ((r = sd_bus_message_read(m, "v", "s", &text)) < 0)
                                return r;
                        bus_text(ask->reason, sizeof(ask->reason), text);
                } else {
                        ask->has_lease = ask->has_lease || strcmp(key, "lease") == 0;
                        if ((r = sd_bus_message_skip(m, "v")) < 0)
                                return r;
                }
                if ((r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* One argument. @text: NULL where it is none. */
static int ask_argument(sd_bus_message *m, Ask *ask, const char **text)
{
        const char *contents;
        char type, whole[64];
        int r = sd_bus_message_peek_type(m, &type, &contents);
        *text = NULL;
        if (r <= 0)
                return r;
        if (type == 's')
                r = sd_bus_message_read(m, "s", text);
        else if (type == 'a' && strcmp(contents, "{sv}") == 0)
                r = ask_options(m, ask);
        else {
                (void) snprintf(whole, sizeof(whole), "%c%s", type, type == 'a' ? contents : "");
                r = sd_bus_message_skip(m, whole);
        }
        return r < 0 ? r : 1;
}

/* The bus library has checked the types; what cannot be read is refused by the method itself. */
static void ask_read(sd_bus_message *m, const BusMethod *method, Ask *ret)
{
        const char *text;
        *ret = (Ask){ 0 };
        for (int i = 1; ask_argument(m, ret, &text) > 0; i++) {
                if (text && i == 1)
                        bus_text(ret->component, sizeof(ret->component), text);
                else if (text && i == method->reason)
                        bus_text(ret->reason, sizeof(ret->reason), text);
        }
        (void) sd_bus_message_rewind(m, true);
}

/* ---- the records ---- */

static void tell(int priority, const char *id, const Ask *ask, const char *member, const BusCaller *c,
                 const char *answer, const char *text)
{
        char uid[32];
        const JournalField fields[] = {
                { "EDGE_ROLL_METHOD", member },
                { "EDGE_ROLL_ANSWER", answer },
                { "EDGE_ROLL_REASON", ask->reason },
                { "EDGE_ROLL_UID", uid },
                { "EDGE_ROLL_USER", c->user },
                { "EDGE_ROLL_FOR", c->claimed_user },
                { "EDGE_ROLL_LOGIN", c->login },
                { "EDGE_ROLL_SESSION", c->session },
                { "EDGE_ROLL_FROM", c->from },
                { "EDGE_ROLL_FROM_SAYS", !*c->from        ? ""
                                         : c->from_proven ? "logind"
                                                          : "caller" },
        };
        JournalContext context = { .component = ask->component,
                                   .fields = fields,
                                   .n_fields = ELEMENTS(fields) };
        uid[0] = '\0';
        if (c->uid != BUS_UID_UNKNOWN)
                (void) snprintf(uid, sizeof(uid), "%u", (unsigned) c->uid);
        journal_log(priority, id, &context, "%s%s%s", ask->component, *ask->component ? ": " : "", text);
}

/* @more: how many were left out before this one. */
static bool may_tell(Budget *b, const BusCaller *c, char *more, size_t size)
{
        unsigned left_out;
        if (budget_take(b, c->who, time_now(), &left_out) > 0)
                return false;
        if (left_out)
                (void) snprintf(more, size, " (%u others were not recorded)", left_out);
        return true;
}

static void tell_refused(const Ask *ask, const char *member, const BusCaller *c, const char *name,
                         const char *why)
{
        char text[900], more[64] = "";
        bool permission = strcmp(name, BUS_ERROR_PREFIX "NoPermission") == 0;
        if (!may_tell(&refusals, c, more, sizeof(more)))
                return;
        (void) snprintf(text, sizeof(text), "%s refused to %s%s%.160s: %.400s%s", member, c->text,
                        *ask->reason ? ", who wanted it because: " : "", ask->reason, why, more);
        tell(permission ? LOG_WARNING : LOG_INFO, JOURNAL_DENIED, ask, member, c, name, text);
}

/* The others are about what somebody has begun. */
static bool begins(const BusMethod *method)
{
        return method->right == BUS_MEMBERS || method->right == BUS_WHY || method->right == BUS_HOLD;
}

static void tell_asked(const Ask *ask, const BusMethod *method, const BusCaller *c)
{
        char text[700], more[64] = "";
        if (!begins(method) && !c->root && !may_tell(&followed, c, more, sizeof(more)))
                return;
        (void) snprintf(text, sizeof(text), "%s asked for by %s%s%.256s%s", method->member, c->text,
                        *ask->reason ? ": " : "", ask->reason, more);
        tell(method->log, JOURNAL_ASKED, ask, method->member, c, "obeyed", text);
}

void bus_gate_obeyed(sd_bus_message *m, const BusCaller *caller)
{
        const BusMethod *method = caller->method;
        Ask ask;
        if (method->log == 0 || method->log >= LOG_DEBUG)
                return;
        (void) sd_bus_message_rewind(m, true);
        ask_read(m, method, &ask);
        tell_asked(&ask, method, caller);
}

void bus_gate_refused(sd_bus_message *m, const BusCaller *caller, const char *name, const char *text)
{
        const BusMethod *method = caller->method;
        Ask ask;
        if (method->log == 0)
                return;
        (void) sd_bus_message_rewind(m, true);
        ask_read(m, method, &ask);
        tell_refused(&ask, method->member, caller, name ? name : "?", text ? text : "?");
}

/* ---- who may change nothing, and asks all the time ---- */

static int stranger_check(const BusCaller *c, sd_bus_error *error)
{
        static Budget budget = { .at_once = QUESTIONS_MAX, .each_usec = QUESTION_USEC };
        unsigned left_out;
        if (budget_take(&budget, c->who, time_now(), &left_out) == 0)
                return 0;
        return bus_refuse(
                error, BUS_ERROR_PREFIX "Busy",
                "%s asks too often: %d calls at once and then %d a second are answered of one who may "
                "not change anything; call again",
                c->text, QUESTIONS_MAX, (int) (USEC_PER_SEC / QUESTION_USEC));
}

/* ---- the right ---- */

static int refuse(sd_bus_error *error, const BusCaller *c, const char *why)
{
        return bus_refuse(error, BUS_ERROR_PREFIX "NoPermission", "%s may not do that: %s", c->text, why);
}

/* Is the lease of @component the caller's, if it is in force? */
static int lease_check_one(Agent *a, const BusCaller *c, const char *component, sd_bus_error *error)
{
        const LeaseSlot *slot = leases_slot(agent_leases(a), component);
        char why[300];
        if (!slot || !lease_current(&slot->lease, time_boot()) || lease_is_of(&slot->lease, c->who))
                return 0;
        (void) snprintf(why, sizeof(why), "the lease of %s was taken by %.180s; only he and root use it",
                        slot->component, slot->lease.by);
        return refuse(error, c, why);
}

/* Those of all that goes by this name. */
static int lease_check(Agent *a, const BusCaller *c, const char *name, sd_bus_error *error)
{
        const Config *config = agent_config(a);
        const Component *parts[2] = { config_component(config, name), NULL };
        int r = 0;
        if (!parts[0] && strcmp(name, CONFIG_RMP) == 0)
                parts[0] = config_rmp(config, &parts[1]);
        for (size_t i = 0; i < ELEMENTS(parts) && parts[i] && !c->root && r >= 0; i++)
                r = lease_check_one(a, c, parts[i]->name, error);
        return r;
}

/* Those of the job that runs: what is said of it under a lease is obeyed under them, whatever name is said.
 */
static int lease_check_job(Agent *a, const BusCaller *c, sd_bus_error *error)
{
        const Config *config = agent_config(a);
        const Job *job = agent_busy(a);
        int r = 0;
        for (size_t i = 0; i < config->n_components && job && !c->root && r >= 0; i++)
                if (job_concerns(job, config->components[i].name))
                        r = lease_check_one(a, c, config->components[i].name, error);
        return r;
}

static int job_check(Agent *a, const BusCaller *c, const Ask *ask, sd_bus_error *error)
{
        const Job *job = agent_busy(a);
        const char *who = job ? job_options(job)->who : "";
        char why[400];
        if (!*who || c->root || *ask->reason || strcmp(who, c->who) == 0)
                return 0;
        (void) snprintf(
                why, sizeof(why),
                "the %s of %s was asked for by %.180s; somebody else in the group ends it only with a "
                "reason, for the records",
                job_kind(job), job_component(job)->name, job_by(job));
        return refuse(error, c, why);
}

/* What cannot be read, or does not say whose it is, is not the caller's. */
static int hold_check(Agent *a, const BusCaller *c, const Ask *ask, sd_bus_error *error)
{
        const Component *component = config_component(agent_config(a), ask->component);
        Hold hold = { .by = "?" };
        bool found = true;
        char why[400];
        if (!component || c->root || *ask->reason)
                return 0;
        const Hold *unwritten = agent_unwritten(a, component->name);
        if (unwritten)
                hold = *unwritten;
        else if (hold_read(agent_config(a)->state_dir, component->name, &hold, &found, NULL) == 0 && !found)
                return 0;
        if (*hold.who && strcmp(hold.who, c->who) == 0)
                return 0;
        (void) snprintf(
                why, sizeof(why),
                "the hold of %s was asked for by %.180s; somebody else in the group ends it only with a "
                "reason, for the records",
                component->name, hold.by);
        return refuse(error, c, why);
}

static int right_check(const BusMethod *method, Agent *a, const BusCaller *c, const Ask *ask,
                       sd_bus_error *error)
{
        if (method->right == BUS_ANYBODY)
                return 0;
        if (method->right == BUS_NOBODY)
                return refuse(error, c, "nobody may");
        if (!c->may_change)
                return refuse(error, c,
                              "only root and members of the group " BUS_GROUP
                              " may (who was made one logs in again)");
        if (method->right == BUS_WHY && !*ask->reason)
                return sd_bus_error_set(
                        error, BUS_ERROR_PREFIX "Usage",
                        "that takes away what is another's: it is done only with a reason, for "
                        "the records");
        int r = method->right == BUS_JOB    ? job_check(a, c, ask, error)
                : method->right == BUS_HOLD ? hold_check(a, c, ask, error)
                                            : 0;
        if (r >= 0 && (method->right == BUS_LEASE || ask->has_lease))
                r = lease_check(a, c, ask->component, error);
        if (r >= 0 && ask->has_lease && (method->right == BUS_LEASE || method->right == BUS_JOB))
                r = lease_check_job(a, c, error);
        return r;
}

/* By person, so root's bridge has what he has for whom it speaks. */
static int begin_check(const BusMethod *method, const BusCaller *c, sd_bus_error *error)
{
        char wait[32];
        unsigned left_out;
        Usec again = c->root || !begins(method) ? 0 : budget_take(&begun, c->who, time_now(), &left_out);
        if (again == 0)
                return 0;
        return bus_refuse(
                error, BUS_ERROR_PREFIX "Busy",
                "%s has asked for more than %u things in a row, and each is recorded: call again in %s",
                c->text, begun.at_once, time_format(again, wait, sizeof(wait)));
}

int bus_gate(const BusMethod *methods, size_t n, Agent *a, sd_bus_message *m, sd_bus_error *error)
{
        static const BusMethod nobodys = { .right = BUS_NOBODY, .log = LOG_NOTICE };
        const char *interface = sd_bus_message_get_interface(m), *member = sd_bus_message_get_member(m);
        const BusMethod *method = &nobodys;
        BusCaller caller;
        Ask ask;

        for (size_t i = 0; member && i < n; i++)
                if (strcmp(methods[i].member, member) == 0 &&
                    (!interface || strcmp(methods[i].interface, interface) == 0))
                        method = &methods[i];
        agent_touch(a);
        int r = bus_caller(agent_people(a), m, method->log > 0, &caller, error);
        caller.method = method;
        bool stranger = r >= 0 && !caller.may_change && method->right == BUS_ANYBODY;
        /* Nobody hears the answer, and nothing else comes of it. */
        if (stranger && sd_bus_message_get_expect_reply(m) == 0)
                return 1;
        ask_read(m, method, &ask);
        if (r >= 0)
                r = right_check(method, a, &caller, &ask, error);
        if (r >= 0)
                r = stranger ? stranger_check(&caller, error) : begin_check(method, &caller, error);
        (void) json_lost(); /* what was lost before is no matter of this answer */
        if (r >= 0)
                r = method->fn(a, m, &caller, error);
        if (r == BUS_LATER || method->log == 0)
                return r;
        if (r >= 0 && method->log < LOG_DEBUG)
                tell_asked(&ask, method, &caller);
        else if (r < 0)
                tell_refused(&ask, member ? member : "?", &caller,
                             error->name ? error->name : BUS_ERROR_PREFIX "Failed",
                             error->message ? error->message : strerror(-r));
        return r;
}
