/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lease.h"

#include <inttypes.h>
#include <string.h>

#include "probes/json.h"

bool lease_current(const Lease *l, Usec now)
{
        return l->held && now < l->until_usec;
}

bool lease_is_of(const Lease *l, const char *who)
{
        return !*l->who || (who && strcmp(l->who, who) == 0);
}

Usec lease_left(const Lease *l, Usec now)
{
        return l->held ? time_left(l->until_usec, now) : 0;
}

bool lease_holds(const Lease *l, uint64_t epoch, Usec now)
{
        return lease_current(l, now) && epoch == l->epoch;
}

/* model: LEASE-TAKE */
LeaseAnswer lease_take(Lease *l, const LeaseAsk *ask, const LeaseNode *node, Usec now)
{
        bool mine = ask->root || lease_is_of(l, ask->who);
        bool same = l->held && mine && strcmp(l->holder, ask->holder) == 0;
        bool has = same && lease_current(l, now);
        bool own_job = node->job_holder && mine && strcmp(node->job_holder, ask->holder) == 0;

        if (ask->expires_usec && now > ask->expires_usec)
                return LEASE_EXPIRED;
        if (!same && lease_current(l, now))
                return LEASE_TAKEN;
        if (node->job_holder && !own_job && !has)
                return LEASE_BUSY;
        /* Whose time was over may have missed who went out since then. */
        if (node->out && !ask->accept_out && !own_job && !has)
                return LEASE_OUT;
        l->epoch++;
        l->held = true;
        l->ttl_usec = ask->ttl_usec;
        l->until_usec = time_add(now, ask->ttl_usec);
        if (!same)
                l->since_wall_usec = ask->now_wall_usec;
        l->has_step = false;
        l->step = 0;
        (void) snprintf(l->holder, sizeof(l->holder), "%s", ask->holder);
        (void) snprintf(l->by, sizeof(l->by), "%s", ask->by);
        (void) snprintf(l->who, sizeof(l->who), "%s", ask->who ? ask->who : "");
        return LEASE_OK;
}

/* model: LEASE-RENEW */
LeaseAnswer lease_renew(Lease *l, uint64_t epoch, Usec now)
{
        if (!lease_holds(l, epoch, now))
                return LEASE_LOST;
        l->until_usec = time_add(now, l->ttl_usec);
        return LEASE_OK;
}

/* model: LEASE-GIVE */
LeaseAnswer lease_give(Lease *l, uint64_t epoch, Usec now)
{
        if (!lease_holds(l, epoch, now))
                return LEASE_LOST;
        l->held = false;
        return LEASE_OK;
}

/* model: LEASE-STEAL */
LeaseAnswer lease_steal(Lease *l, const LeaseNode *node, Usec now)
{
        if (node->job_holder && node->job_placed)
                return LEASE_BUSY;
        if (!lease_current(l, now))
                return LEASE_LOST;
        l->held = false;
        return LEASE_OK;
}

/* model: LEASE-ORDER */
LeaseAnswer lease_order(const Lease *l, uint64_t epoch, const char *roll, uint64_t step, Usec expires,
                        Usec now)
{
        if (now > expires)
                return LEASE_EXPIRED;
        if (!lease_holds(l, epoch, now) || (roll && *roll && strcmp(roll, l->holder) != 0))
                return LEASE_LOST;
        /* Its record could not be read any more, and nobody would know who has the lease. */
        if (step > LEASE_STEP_MAX)
                return LEASE_ABSURD;
        if (l->has_step && step < l->step)
                return LEASE_STALE;
        return l->has_step && step == l->step ? LEASE_SAME : LEASE_OK;
}

void lease_obey(Lease *l, uint64_t step)
{
        l->has_step = true;
        l->step = step;
}

/* ---- the record ---- */

/* As text: a double would round it. */
static void add_usec(cJSON *o, const char *key, Usec usec)
{
        char number[32];
        (void) snprintf(number, sizeof(number), "%" PRIu64, usec);
        cJSON_AddStringToObject(o, key, number);
}

cJSON *lease_to_json(const Lease *l)
{
        cJSON *o = json_record();
        if (!o)
                return NULL;
        cJSON_AddNumberToObject(o, "epoch", (double) l->epoch);
        cJSON_AddBoolToObject(o, "held", l->held);
        cJSON_AddStringToObject(o, "holder", l->holder);
        cJSON_AddStringToObject(o, "by", l->by);
        cJSON_AddStringToObject(o, "who", l->who);
        add_usec(o, "ttl", l->ttl_usec);
        add_usec(o, "until", l->until_usec);
        add_usec(o, "since", l->since_wall_usec);
        if (l->has_step)
                cJSON_AddNumberToObject(o, "step", (double) l->step);
        return o;
}

static bool get_number(const cJSON *o, const char *key, uint64_t *ret)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > (double) LEASE_STEP_MAX)
                return false;
        *ret = (uint64_t) v->valuedouble;
        return true;
}

static bool get_usec(const cJSON *o, const char *key, Usec *ret)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        char *end = NULL;
        if (!text || *text < '0' || *text > '9')
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        return errno == 0 && !*end;
}

static bool get_text(const cJSON *o, const char *key, char *ret, size_t size)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        if (text)
                (void) snprintf(ret, size, "%s", text);
        return text;
}

int lease_from_json(Lease *ret, const cJSON *record, bool same_boot, Usec now, bool *ret_anew, Err *err)
{
        Lease l = { 0 };
        const cJSON *held = cJSON_GetObjectItemCaseSensitive(record, "held");
        const char *bad = !get_number(record, "epoch", &l.epoch)                    ? "epoch"
                          : !cJSON_IsBool(held)                                     ? "held"
                          : !get_text(record, "holder", l.holder, sizeof(l.holder)) ? "holder"
                          : !get_text(record, "by", l.by, sizeof(l.by))             ? "by"
                          : !get_usec(record, "ttl", &l.ttl_usec)                   ? "ttl"
                          : !get_usec(record, "until", &l.until_usec)               ? "until"
                          : !get_usec(record, "since", &l.since_wall_usec)          ? "since"
                                                                                    : NULL;
        l.held = cJSON_IsTrue(held);
        /* Not in records of the release before. */
        if (!get_text(record, "who", l.who, sizeof(l.who)))
                l.who[0] = '\0';
        l.has_step = cJSON_HasObjectItem(record, "step");
        if (!bad && l.has_step && !get_number(record, "step", &l.step))
                bad = "step";
        if (!bad && l.held && (l.ttl_usec > LEASE_TTL_MAX_USEC || l.epoch == 0))
                bad = l.epoch ? "ttl" : "epoch";
        if (bad)
                return err_set(err, -EBADMSG, "the lease's \"%s\" makes no sense", bad);
        *ret_anew = l.held && !same_boot;
        /* Whatever the record says, nobody was promised more than this. model: LEASE-REBOOT */
        if (l.held && (*ret_anew || l.until_usec > time_add(now, l.ttl_usec)))
                l.until_usec = time_add(now, l.ttl_usec);
        *ret = l;
        return 0;
}

const char *lease_text(const Lease *l, Usec now, char *buf, size_t size)
{
        char since[32], left[32];
        (void) snprintf(buf, size, "%s, by %s, since %s, for %s more", l->holder, l->by,
                        time_stamp(l->since_wall_usec, since, sizeof(since)),
                        time_format(lease_left(l, now), left, sizeof(left)));
        return buf;
}
