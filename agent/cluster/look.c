/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/look.h"

#include <stdlib.h>
#include <string.h>

#include "probes/json.h"

static const char *const look_blocked_names[] = {
        [LOOK_OPEN] = "no",
        [LOOK_BLOCKED_JOB] = "job",
        [LOOK_BLOCKED_HOLD] = "hold",
        [LOOK_HOLD_MISSING] = "hold-missing",
        [LOOK_LEFTOVER] = "leftover",
        [LOOK_FOREIGN] = "foreign",
        [LOOK_BLOCKED_ODD] = "unknown",
};
_Static_assert(ELEMENTS(look_blocked_names) == LOOK_BLOCKED_COUNT, "every block has a name");

static const char *const look_lock_names[] = {
        [LOOK_LOCK_UNKNOWN] = "unknown",
        [LOOK_LOCK_NONE] = "none",
        [LOOK_LOCK_LEASE] = "lease",
        [LOOK_LOCK_ZOOKEEPER] = "zookeeper",
};
_Static_assert(ELEMENTS(look_lock_names) == LOOK_LOCK_COUNT, "every lock has a name");

const char *look_blocked_name(LookBlocked b)
{
        return b >= 0 && b < LOOK_BLOCKED_COUNT ? look_blocked_names[b] : "invalid";
}

const char *look_lock_name(LookLock l)
{
        return l >= 0 && l < LOOK_LOCK_COUNT ? look_lock_names[l] : "invalid";
}

static int look_bad(const char *key, const cJSON *value, const char *expected, Err *err)
{
        char shown[80];
        return err_set(err, -EBADMSG, "\"%s\" is %s, expected %s", key,
                       value ? json_show(value, shown, sizeof(shown)) : "missing", expected);
}

static void look_copy(char *ret, size_t size, const char *text)
{
        (void) snprintf(ret, size, "%s", text);
        for (char *p = ret; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
}

/* For people: cut to fit; anything but a string is as good as nothing. */
static int look_text(const cJSON *o, const char *key, char *ret, size_t size, Err *err)
{
        const cJSON *value;
        int r = json_get(o, key, &value, err);
        if (r < 0)
                return r;
        if (value && cJSON_IsString(value))
                look_copy(ret, size, value->valuestring);
        return 0;
}

/* To be compared with others: whole, and of characters that are the same for everybody. */
static int look_id(const cJSON *o, const char *key, char *ret, size_t size, Err *err)
{
        const cJSON *value;
        int r = json_get(o, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsString(value) || strlen(value->valuestring) >= size)
                return look_bad(key, value, "a short string", err);
        for (const char *p = value->valuestring; *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        return look_bad(key, value, "printable ASCII", err);
        (void) snprintf(ret, size, "%s", value->valuestring);
        return 0;
}

static int look_bool(const cJSON *o, const char *key, bool needed, bool *ret, bool *ret_has, Err *err)
{
        const cJSON *value;
        int r = json_get(o, key, &value, err);
        if (r < 0)
                return r;
        if ((!value && needed) || (value && !cJSON_IsBool(value)))
                return look_bad(key, value, "true or false", err);
        *ret = value && cJSON_IsTrue(value);
        if (ret_has)
                *ret_has = value != NULL;
        return 0;
}

static int look_number(const cJSON *o, const char *key, double max, double *ret, Err *err)
{
        const cJSON *value;
        int r = json_get(o, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= max))
                return look_bad(key, value, "a number in range", err);
        *ret = value->valuedouble;
        return 0;
}

/* An unsigned of 64 bits: as a string, because a JSON number cannot hold it; a small one as a number, too. */
static int look_u64(const cJSON *o, const char *key, uint64_t *ret, Err *err)
{
        const cJSON *value;
        int r = json_get(o, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (cJSON_IsString(value)) {
                const char *s = value->valuestring;
                char *end = NULL;
                errno = 0;
                unsigned long long number = strtoull(s, &end, 10);
                if (*s < '0' || *s > '9' || *end || errno != 0)
                        return look_bad(key, value, "a whole number", err);
                *ret = number;
                return 0;
        }
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble < 9007199254740992.0))
                return look_bad(key, value, "a whole number", err);
        *ret = (uint64_t) value->valuedouble;
        return 0;
}

/* @ret: NULL when it is absent. */
static int look_object(const cJSON *o, const char *key, const cJSON **ret, Err *err)
{
        int r = json_get(o, key, ret, err);
        if (r < 0)
                return r;
        if (*ret && !cJSON_IsObject(*ret))
                return look_bad(key, *ret, "an object or null", err);
        return 0;
}

static int look_get_identity(const cJSON *o, NodeLook *l, Err *err)
{
        double number = 0;
        int r = look_id(o, "component", l->component, sizeof(l->component), err);
        if (r >= 0 && !*l->component)
                r = look_bad("component", NULL, "a name", err);
        if (r >= 0)
                r = look_text(o, "version", l->version, sizeof(l->version), err);
        if (r >= 0)
                r = look_number(o, "protocol", 1e6, &number, err);
        if (r < 0)
                return r;
        l->protocol = (unsigned) number;
        r = look_u64(o, "now", &l->now, err);
        if (r >= 0)
                r = look_id(o, "uuid", l->uuid, sizeof(l->uuid), err);
        if (r >= 0)
                r = look_id(o, "region", l->region, sizeof(l->region), err);
        if (r >= 0)
                r = look_id(o, "pod", l->pod, sizeof(l->pod), err);
        if (r >= 0)
                r = look_id(o, "pool", l->pool, sizeof(l->pool), err);
        if (r >= 0)
                r = look_id(o, "address", l->address, sizeof(l->address), err);
        number = 0;
        if (r >= 0)
                r = look_number(o, "health_port", UINT16_MAX, &number, err);
        l->health_port = (uint16_t) number;
        return r;
}

static int look_get_blocked(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *value;
        int r = json_get(o, "blocked", &value, err);
        if (r < 0)
                return r;
        if (!value || !cJSON_IsString(value))
                return look_bad("blocked", value, "a word", err);
        look_copy(l->blocked_text, sizeof(l->blocked_text), value->valuestring);
        l->blocked = LOOK_BLOCKED_ODD;
        for (int i = 0; i < LOOK_BLOCKED_COUNT; i++)
                if (strcmp(value->valuestring, look_blocked_names[i]) == 0)
                        l->blocked = (LookBlocked) i;
        return 0;
}

static int look_get_state(const cJSON *o, NodeLook *l, Err *err)
{
        int r = look_bool(o, "running", true, &l->running, NULL, err);
        if (r >= 0)
                r = look_bool(o, "up", true, &l->up, NULL, err);
        if (r >= 0)
                r = look_text(o, "up_text", l->up_text, sizeof(l->up_text), err);
        if (r >= 0)
                r = look_get_blocked(o, l, err);
        if (r >= 0)
                r = look_bool(o, "out", true, &l->out, NULL, err);
        if (r >= 0)
                r = look_text(o, "out_reason", l->out_reason, sizeof(l->out_reason), err);
        if (r >= 0)
                r = look_bool(o, "may_change", false, &l->may_change, &l->may_change_known, err);
        return r;
}

static int look_get_hold(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *hold;
        int r = look_object(o, "hold", &hold, err);
        if (r < 0 || !hold)
                return r;
        l->held = true;
        r = look_bool(hold, "by_hand", false, &l->held_by_hand, NULL, err);
        if (r >= 0)
                r = look_text(hold, "by", l->hold_by, sizeof(l->hold_by), err);
        if (r >= 0)
                r = look_text(hold, "reason", l->hold_reason, sizeof(l->hold_reason), err);
        if (r >= 0)
                r = look_text(hold, "since", l->hold_since, sizeof(l->hold_since), err);
        return r < 0 ? err_prefix(err, r, "hold") : 0;
}

static int look_get_job(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *job;
        int r = look_object(o, "job", &job, err);
        if (r < 0 || !job)
                return r;
        l->has_job = true;
        r = look_text(job, "kind", l->job_kind, sizeof(l->job_kind), err);
        if (r >= 0)
                r = look_text(job, "phase", l->job_phase, sizeof(l->job_phase), err);
        if (r >= 0)
                r = look_text(job, "by", l->job_by, sizeof(l->job_by), err);
        if (r >= 0)
                r = look_id(job, "roll", l->job_roll, sizeof(l->job_roll), err);
        if (r >= 0)
                r = look_u64(job, "step", &l->job_step, err);
        if (r >= 0)
                r = look_u64(job, "id", &l->job_number, err);
        if (r >= 0)
                r = look_bool(job, "cancellable", false, &l->job_cancellable, NULL, err);
        return r < 0 ? err_prefix(err, r, "job") : 0;
}

static int look_get_last(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *last;
        int r = look_object(o, "last", &last, err);
        if (r < 0 || !last)
                return r;
        l->has_last = true;
        r = look_text(last, "result", l->last_result, sizeof(l->last_result), err);
        if (r >= 0)
                r = look_text(last, "reason", l->last_reason, sizeof(l->last_reason), err);
        if (r >= 0)
                r = look_text(last, "time", l->last_time, sizeof(l->last_time), err);
        if (r >= 0)
                r = look_id(last, "roll", l->last_roll, sizeof(l->last_roll), err);
        if (r >= 0)
                r = look_u64(last, "step", &l->last_step, err);
        return r < 0 ? err_prefix(err, r, "last") : 0;
}

static int look_get_lease(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *lease;
        int r = look_object(o, "lease", &lease, err);
        if (r < 0 || !lease)
                return r;
        l->leased = true;
        r = look_u64(lease, "epoch", &l->lease_epoch, err);
        if (r >= 0)
                r = look_id(lease, "holder", l->lease_holder, sizeof(l->lease_holder), err);
        if (r >= 0)
                r = look_text(lease, "by", l->lease_by, sizeof(l->lease_by), err);
        if (r >= 0)
                r = look_number(lease, "left", 1e9, &l->lease_left, err);
        return r < 0 ? err_prefix(err, r, "lease") : 0;
}

static int look_get_members(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *members, *member;
        int r = json_get(o, "members", &members, err);
        if (r < 0 || !members)
                return r;
        if (!cJSON_IsArray(members))
                return look_bad("members", members, "an array", err);
        int n = cJSON_GetArraySize(members);
        if (n > LOOK_MEMBERS_MAX)
                return err_set(err, -E2BIG, "A pool of %d members, at most %d are read", n, LOOK_MEMBERS_MAX);
        l->members = calloc((size_t) n + 1, sizeof(LookMember));
        l->members_refs = calloc(1, sizeof(*l->members_refs));
        if (l->members_refs)
                *l->members_refs = 1;
        if (!l->members || !l->members_refs)
                return err_set(err, -ENOMEM, "Out of memory for the members of a pool");
        cJSON_ArrayForEach(member, members)
        {
                LookMember *m = &l->members[l->n_members];
                if (!cJSON_IsObject(member))
                        return look_bad("members", member, "objects with uuid, name and address", err);
                r = look_id(member, "uuid", m->uuid, sizeof(m->uuid), err);
                if (r >= 0)
                        r = look_id(member, "name", m->name, sizeof(m->name), err);
                if (r >= 0)
                        r = look_id(member, "address", m->address, sizeof(m->address), err);
                if (r < 0)
                        return err_prefix(err, r, "members");
                if (*m->uuid || *m->name || *m->address)
                        l->n_members++;
        }
        return look_text(o, "members_from", l->members_from, sizeof(l->members_from), err);
}

static int look_get_rest(const cJSON *o, NodeLook *l, Err *err)
{
        const cJSON *value;
        char word[32] = "";
        int r = look_text(o, "lock", word, sizeof(word), err);
        for (int i = LOOK_LOCK_NONE; i < LOOK_LOCK_COUNT; i++)
                if (strcmp(word, look_lock_names[i]) == 0)
                        l->lock = (LookLock) i;
        if (r >= 0)
                r = look_text(o, "lock_text", l->lock_text, sizeof(l->lock_text), err);
        if (r >= 0)
                r = json_get(o, "router_retry", &value, err);
        if (r < 0)
                return r;
        l->retry_known = value && cJSON_IsString(value);
        r = look_text(o, "router_retry", l->router_retry, sizeof(l->router_retry), err);
        if (r >= 0)
                r = look_number(o, "request_limit", 1e9, &l->request_limit, err);
        if (r >= 0)
                r = look_number(o, "took", 1e9, &l->took, err);
        if (r >= 0)
                r = look_id(o, "partner", l->partner, sizeof(l->partner), err);
        return r;
}

int look_parse(const char *json, size_t len, NodeLook **ret, Err *err)
{
        static int (*const parts[])(const cJSON *, NodeLook *, Err *) = {
                look_get_identity, look_get_state, look_get_hold,    look_get_job,
                look_get_last,     look_get_lease, look_get_members, look_get_rest,
        };
        _cleanup_(json_closep) cJSON *o = NULL;
        _cleanup_(look_freep) NodeLook *l = calloc(1, sizeof(*l));
        if (!l)
                return err_set(err, -ENOMEM, "Out of memory for what a node says");

        int r = json_open(json, len, LOOK_MAX, &o, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(o))
                return look_bad("look", o, "an object", err);
        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                r = parts[i](o, l, err);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

static void look_drop_members(NodeLook *look)
{
        if (look->members_refs && --*look->members_refs > 0)
                return;
        free(look->members);
        free(look->members_refs);
}

NodeLook *look_free(NodeLook *look)
{
        if (look)
                look_drop_members(look);
        free(look);
        return NULL;
}

bool look_share_members(NodeLook *look, const NodeLook *other)
{
        if (!look->members_refs || !other->members_refs || look->n_members != other->n_members)
                return false;
        if (look->members == other->members)
                return true;
        /* Both were cleared before they were filled: what follows a text is the same, too. */
        if (memcmp(look->members, other->members, look->n_members * sizeof(LookMember)) != 0)
                return false;
        look_drop_members(look);
        look->members = other->members;
        look->members_refs = other->members_refs;
        ++*look->members_refs;
        return true;
}

bool look_serves(const NodeLook *look)
{
        /* With a job it is open until `out` says otherwise: the table that watches its checkers refuses
         * nobody. */
        return look->running && look->up && !look->out && !look->held &&
               (look->blocked == LOOK_OPEN || look->blocked == LOOK_BLOCKED_JOB ||
                look->blocked == LOOK_HOLD_MISSING);
}
