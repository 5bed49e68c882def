/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The verb `hold`: records to table. Apart from the records, because only this part needs the firewall. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/hold.h"
#include "agent/job.h"
#include "agent/journal.h"
#include "agent/state.h"
#include "agent/unwritten.h"

/* One line; what stands in a record must not make two of it. */
static void say(FILE *to, const char *fmt, ...) _printf_(2, 3);
static void say(FILE *to, const char *fmt, ...)
{
        char text[640];
        Err line = {};
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void) err_set(&line, -EIO, "%s", text);
        (void) fprintf(to, "%s\n", line.text);
}

static void say_hold(const Hold *hold)
{
        char stamp[32], until[48] = "until somebody ends it", ports[1024] = "";
        size_t len = 0;

        for (size_t i = 0; i < hold->plan.n_whole; i++)
                len += (size_t) snprintf(ports + len, sizeof(ports) - len, " %u", hold->plan.whole_ports[i]);
        for (size_t i = 0; i < hold->plan.n_syn; i++)
                len += (size_t) snprintf(ports + len, sizeof(ports) - len, " %u", hold->plan.syn_ports[i]);
        for (size_t i = 0; i < hold->plan.n_from_ports; i++)
                len += (size_t) snprintf(ports + len, sizeof(ports) - len, " %u (from %zu routers)",
                                         hold->plan.from_ports[i], hold->plan.n_from);
        if (hold->until_wall_usec)
                (void) snprintf(until, sizeof(until), "until %s",
                                time_stamp(hold->until_wall_usec, stamp, sizeof(stamp)));
        say(stdout, "%s is held, %s, ports%.120s: %s", hold->component, until, ports, hold->reason);
}

/* The plan that the configuration knows for a component. Return: false when it names no port. */
static bool plan_from_config(const Config *config, const char *component, Hold *ret)
{
        const Component *c = config_component(config, component);
        if (!c)
                return false;
        *ret = (Hold){ .reason = "its record cannot be read, the ports are those of the configuration" };
        (void) snprintf(ret->component, sizeof(ret->component), "%.63s", component);
        return hold_plan_from_config(c, &ret->plan);
}

/*
 * A job that a reboot has cut off behind `stop`: what comes up now is not proven, and may come up by itself
 * before the agent does. So it is held like what was held already; the agent goes on with the job, and ends
 * the hold. model: HOLD-BOOT
 */
static void hold_cut_off(const Config *config, JobPlace place)
{
        cJSON *record = NULL;
        bool same_boot = false, found = false;
        Hold hold = { .by = "edge-roll", .reason = "a reboot has cut its restart off; it is being proven" };
        Err err = {};

        if (state_read(config->state_dir, job_record_name(place), &record, &same_boot, &err) < 0 || !record)
                return; /* the agent settles, and tells, what cannot be read */
        const char *component = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, "component"));
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(record, "changes");
        bool stopped = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(changes, "stopped"));
        const char *phase = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, "phase"));
        bool left = phase && strcmp(phase, phase_name(PHASE_HOLD)) == 0; /* it was not written down */
        if (!same_boot && (stopped || left) && component &&
            hold_read(config->state_dir, component, &hold, &found, &err) == 0 && !found &&
            hold_plan_from_job(record, NULL, &hold.plan)) {
                (void) snprintf(hold.component, sizeof(hold.component), "%.63s", component);
                hold.since_wall_usec = time_wall();
                if (hold_write(config->state_dir, &hold, &err) < 0)
                        say(stderr, "%s", err.text);
        }
        cJSON_Delete(record);
}

typedef struct Records {
        Hold *holds; /* in force */
        size_t n;
        char **expired; /* names, owned by the list */
        size_t n_expired;
        bool damaged;   /* a record could not be read */
        bool unknown;   /* ... and the configuration does not know its ports either */
        bool this_boot; /* a record was written in this boot */
} Records;

static void records_done(Records *records)
{
        free(records->holds);
        free(records->expired);
}

/* @more: room for so many more holds than there are records. */
static int records_read(const Config *config, char **names, size_t more, Records *ret)
{
        size_t n_names = 0;
        while (names[n_names])
                n_names++;
        ret->holds = calloc(n_names + more + 1, sizeof(*ret->holds));
        ret->expired = calloc(n_names + 1, sizeof(*ret->expired));
        if (!ret->holds || !ret->expired)
                return -ENOMEM;

        for (char **name = names; *name; name++) {
                Hold *hold = &ret->holds[ret->n];
                char component[256];
                Err err = {};
                bool found = false;
                hold_component(*name, component, sizeof(component));
                if (hold_read(config->state_dir, component, hold, &found, &err) < 0) {
                        say(stderr, "%s", err.text);
                        ret->damaged = true;
                        if (plan_from_config(config, component, hold))
                                ret->n++;
                        else
                                ret->unknown = true;
                } else if (found && hold_left(hold, time_boot(), time_wall()) == 0) {
                        ret->expired[ret->n_expired++] = *name;
                } else if (found) {
                        ret->this_boot = ret->this_boot || hold->same_boot;
                        ret->n++;
                }
        }
        return 0;
}

static int table_put(const Records *records)
{
        _cleanup_(freep) BlockPlan *plans = calloc(records->n + 1, sizeof(*plans));
        Err err = {};

        if (!plans) {
                say(stderr, "out of memory");
                return 1;
        }
        for (size_t i = 0; i < records->n; i++)
                plans[i] = records->holds[i].plan;
        int r = records->n ? block_hold_put(plans, records->n, &err) : block_hold_remove(&err);
        if (r < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        for (size_t i = 0; i < records->n; i++)
                say_hold(&records->holds[i]);
        if (records->n == 0)
                say(stdout, "nothing is held");
        return 0;
}

/* What there was of a hold, for the journal: with its record goes who wanted it, and why. */
static void tell_ended(const char *component, const Hold *hold, const char *why)
{
        JournalContext c = { .component = component };
        char stamp[32];

        if (!hold)
                journal_log(LOG_NOTICE, JOURNAL_UNHELD, &c,
                            "the hold of %s (its record cannot be read) has ended: %s", component, why);
        else
                journal_log(LOG_NOTICE, JOURNAL_UNHELD, &c,
                            "the hold of %s (by %s: %s; since %s) has ended: %s", component, hold->by,
                            hold->reason, time_stamp(hold->since_wall_usec, stamp, sizeof(stamp)), why);
}

static int names_remove(const Config *config, char **names, size_t n, const char *why)
{
        int status = 0;

        for (size_t i = 0; i < n; i++) {
                char component[256];
                bool found = false;
                Hold hold;
                Err err = {};
                hold_component(names[i], component, sizeof(component));
                int r = hold_read(config->state_dir, component, &hold, &found, &err);
                if (state_remove(config->state_dir, names[i], &err) < 0) {
                        say(stderr, "%s", err.text);
                        status = 1;
                } else {
                        say(stdout, "%s removed: %s", names[i], why);
                        tell_ended(component, r == 0 && found ? &hold : NULL, why);
                }
        }
        return status;
}

static int hold_apply(const Config *config, char **names)
{
        _cleanup_(records_done) Records records = {};

        if (records_read(config, names, 0, &records) < 0) {
                say(stderr, "out of memory");
                return 1;
        }
        /* The table may hold what a damaged record once said, and replacing it would open that. Only where
         * nothing of this boot was ever held can there be no such table. */
        if (records.unknown && (records.this_boot || records.n == 0)) {
                say(stderr, "the table is left as it is: a damaged record may stand for some of it");
                return 1;
        }
        int status = table_put(&records);
        if (status == 0)
                status = names_remove(config, records.expired, records.n_expired, "its time is over");
        return records.damaged ? 1 : status;
}

static bool records_have(const Records *records, const char *component)
{
        for (size_t i = 0; i < records->n; i++)
                if (strcmp(records->holds[i].component, component) == 0)
                        return true;
        return false;
}

bool hold_unrecorded(const Config *config, const Unwritten *unwritten)
{
        _cleanup_(state_list_freep) char **names = NULL;
        _cleanup_(records_done) Records records = {};
        bool all = true;
        _cleanup_(closep) int lock = hold_lock(config->state_dir, HOLD_LOCK_USEC);

        (void) lock;
        if (state_list(config->state_dir, HOLD_PREFIX, &names, NULL) < 0 ||
            records_read(config, names, unwritten->n, &records) < 0)
                return false;
        for (size_t i = 0; i < unwritten->n; i++)
                if (!records_have(&records, unwritten->holds[i].component))
                        records.holds[records.n++] = unwritten->holds[i];
        if (table_put(&records) != 0)
                return false;
        for (size_t i = 0; i < unwritten->n; i++) {
                bool refused = false;
                all = block_hold_read(&unwritten->holds[i].plan, &refused, NULL, NULL) == 0 && refused && all;
        }
        return all;
}

static int hold_clear(const Config *config, char **names)
{
        Err err = {};
        size_t n = 0;

        while (names[n])
                n++;
        /* Records last: as long as the table is there, something must say why. */
        if (block_hold_remove(&err) < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        /* Whom systemd has obeyed it does not tell us. */
        int status = names_remove(config, names, n,
                                  getppid() == 1 ? HOLD_UNIT " was stopped"
                                                 : "`edge-roll hold remove` was run by hand");
        /* A job that saw its record still there, and did not get the lock, may have put the table back
         * meanwhile. model: HOLD-BY-HAND */
        if (status == 0 && block_hold_remove(&err) < 0) {
                say(stderr, "%s", err.text);
                status = 1;
        }
        if (status == 0)
                say(stdout, "nothing is held");
        return status;
}

int hold_main(const Config *config, const char *what)
{
        _cleanup_(state_list_freep) char **names = NULL;
        Err err = {};
        bool apply = strcmp(what, "apply") == 0;

        if (!apply && strcmp(what, "remove") != 0) {
                say(stderr, "edge-roll hold: \"%s\" is neither apply nor remove", what);
                return 2;
        }
        _cleanup_(closep) int lock =
                hold_lock(config->state_dir, apply ? HOLD_LOCK_USEC : HOLD_LOCK_STOP_USEC);
        (void) lock;
        if (apply)
                for (int p = 0; p < JOB_PLACE_COUNT; p++)
                        hold_cut_off(config, (JobPlace) p);
        if (state_list(config->state_dir, HOLD_PREFIX, &names, &err) < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        return apply ? hold_apply(config, names) : hold_clear(config, names);
}
