/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pool.h"

#include <string.h>
#include <strings.h>

#include "agent/state.h"
#include "base/addr.h"
#include "probes/json.h"

void pool_done(Pool *p)
{
        free(p->members);
        *p = (Pool){ 0 };
}

/* ---- the record ---- */

static const char *record_name(const char *component, char *buf, size_t size)
{
        (void) snprintf(buf, size, "pool-%s.json", component);
        return buf;
}

static void get_text(const cJSON *o, const char *key, char *ret, size_t size)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        (void) snprintf(ret, size, "%s", text ? text : "");
}

int pool_from_json(Pool *ret, const cJSON *record, Err *err)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(record, "members"), *v;
        const cJSON *wall = cJSON_GetObjectItemCaseSensitive(record, "time");
        Pool p = { 0 };
        int n = cJSON_GetArraySize(list);

        if (!cJSON_IsArray(list) || n > POOL_MEMBERS_MAX)
                return err_set(err, -EBADMSG, "the pool's \"members\" make no sense");
        p.members = calloc(MAX(n, 1), sizeof(*p.members));
        if (!p.members)
                return err_set(err, -ENOMEM, "out of memory");
        cJSON_ArrayForEach(v, list)
        {
                PoolMember *m = &p.members[p.n_members++];
                get_text(v, "uuid", m->uuid, sizeof(m->uuid));
                get_text(v, "name", m->name, sizeof(m->name));
                get_text(v, "address", m->address, sizeof(m->address));
                if (!*m->uuid && !*m->name) {
                        pool_done(&p);
                        return err_set(err, -EBADMSG, "a member of the pool has neither id nor name");
                }
        }
        get_text(record, "by", p.by, sizeof(p.by));
        get_text(record, "uuid", p.uuid, sizeof(p.uuid));
        get_text(record, "region", p.region, sizeof(p.region));
        get_text(record, "pod", p.pod, sizeof(p.pod));
        get_text(record, "registered", p.registered, sizeof(p.registered));
        if (cJSON_IsNumber(wall) && wall->valuedouble > 0 && wall->valuedouble < 1e11)
                p.wall_usec = (Usec) (wall->valuedouble * (double) USEC_PER_SEC);
        *ret = p;
        return 0;
}

static void add_member(cJSON *list, const char *uuid, const char *name, const char *address)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "uuid", uuid);
        cJSON_AddStringToObject(o, "name", name);
        cJSON_AddStringToObject(o, "address", address);
        json_append(list, o);
}

static void add_learned(cJSON *list, const Pool *p)
{
        for (size_t i = 0; i < p->n_members; i++)
                add_member(list, p->members[i].uuid, p->members[i].name, p->members[i].address);
}

cJSON *pool_to_json(const Pool *p)
{
        cJSON *o = json_record();
        add_learned(cJSON_AddArrayToObject(o, "members"), p);
        cJSON_AddStringToObject(o, "by", p->by);
        cJSON_AddNumberToObject(o, "time", time_sec(p->wall_usec));
        cJSON_AddStringToObject(o, "uuid", p->uuid);
        cJSON_AddStringToObject(o, "region", p->region);
        cJSON_AddStringToObject(o, "pod", p->pod);
        cJSON_AddStringToObject(o, "registered", p->registered);
        return o;
}

int pool_read(const char *state_dir, const char *component, Pool *ret, Err *err)
{
        char name[128];
        cJSON *o = NULL;
        *ret = (Pool){ 0 };
        record_name(component, name, sizeof(name));
        int r = state_read(state_dir, name, &o, NULL, err);
        if (r < 0 || !o)
                return r;
        r = pool_from_json(ret, o, err);
        cJSON_Delete(o);
        return r < 0 ? err_prefix(err, r, "%s/%s", state_dir, name) : 0;
}

int pool_write(const char *state_dir, const char *component, const Pool *p, Err *err)
{
        char name[128];
        cJSON *o = pool_to_json(p);
        int r = o ? state_write(state_dir, record_name(component, name, sizeof(name)), o, err)
                  : err_set(err, -ENOMEM, "out of memory");
        cJSON_Delete(o);
        return r;
}

/* ---- what is known ---- */

static bool take_text(char *to, size_t size, const char *text)
{
        if (!*text || strcmp(to, text) == 0)
                return false;
        (void) snprintf(to, size, "%s", text);
        return true;
}

bool pool_self(Pool *p, const EdgeSelf *self)
{
        bool uuid = take_text(p->uuid, sizeof(p->uuid), self->uuid);
        bool region = take_text(p->region, sizeof(p->region), self->region);
        bool pod = take_text(p->pod, sizeof(p->pod), self->pod);
        return uuid || region || pod;
}

bool pool_same(const Pool *p, const PoolMember *members, size_t n)
{
        if (!p->members || n != p->n_members)
                return false;
        for (size_t i = 0; i < n; i++)
                if (strcmp(members[i].uuid, p->members[i].uuid) != 0 ||
                    strcmp(members[i].name, p->members[i].name) != 0 ||
                    strcmp(members[i].address, p->members[i].address) != 0)
                        return false;
        return true;
}

int pool_learn(Pool *p, const PoolMember *members, size_t n, const char *by, Usec wall_usec)
{
        if (n > POOL_MEMBERS_MAX)
                return -E2BIG;
        PoolMember *copy = calloc(MAX(n, (size_t) 1), sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        if (n > 0)
                memcpy(copy, members, n * sizeof(*copy));
        free(p->members);
        p->members = copy;
        p->n_members = n;
        (void) snprintf(p->by, sizeof(p->by), "%s", by);
        p->wall_usec = wall_usec;
        return 0;
}

const char *pool_name(const Config *config, const Component *component, const Pool *p, char *buf, size_t size)
{
        if (strcmp(config->pool_name, "auto") != 0)
                (void) snprintf(buf, size, "%s/%s", component->name, config->pool_name);
        else if (*p->region || *p->pod)
                (void) snprintf(buf, size, "%s/%s/%s", component->name, p->region, p->pod);
        else
                buf[0] = '\0';
        return buf;
}

/* As people write them: the id, the name (its first label is enough), or an address. */
static bool member_is(const PoolMember *m, const char *word)
{
        size_t label = strcspn(m->name, ".");
        return strcasecmp(m->uuid, word) == 0 || strcasecmp(m->name, word) == 0 ||
               strcmp(m->address, word) == 0 ||
               (label > 0 && strlen(word) == label && strncasecmp(m->name, word, label) == 0);
}

static bool same_member(const PoolMember *a, const PoolMember *b)
{
        return *a->uuid && *b->uuid ? strcasecmp(a->uuid, b->uuid) == 0 : strcasecmp(a->name, b->name) == 0;
}

static bool is_self(const Pool *p, const char *uuid)
{
        return *p->uuid && strcasecmp(p->uuid, uuid) == 0;
}

static bool list_has_word(const PoolMember *members, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (member_is(&members[i], word))
                        return true;
        return false;
}

static bool list_has(const PoolMember *members, size_t n, const PoolMember *m)
{
        for (size_t i = 0; i < n; i++)
                if (same_member(&members[i], m))
                        return true;
        return false;
}

/* A list of names for people, as long as there is room. */
typedef struct Names {
        char *buf;
        size_t size, len, n, left_out;
} Names;

static void names_add(Names *l, const char *name)
{
        l->n++;
        if (l->left_out > 0 || l->len + strlen(name) + 24 > l->size)
                l->left_out++;
        else
                l->len += (size_t) snprintf(l->buf + l->len, l->size - l->len, "%s%s", l->len ? ", " : "",
                                            name);
}

static void names_end(Names *l)
{
        if (l->left_out > 0)
                (void) snprintf(l->buf + l->len, l->size - l->len, " and %zu more", l->left_out);
}

bool pool_differs(const Config *config, const Pool *p, const PoolMember *members, size_t n, char *text,
                  size_t size)
{
        Names missing = { .buf = text, .size = size };
        text[0] = '\0';
        if (*p->uuid && !list_has_word(members, n, p->uuid)) {
                char self[96];
                (void) snprintf(self, sizeof(self), "this node itself (%s)", p->uuid);
                names_add(&missing, self);
        }
        for (size_t i = 0; i < p->n_members; i++) {
                const PoolMember *m = &p->members[i];
                if (!list_has(members, n, m) && !is_self(p, m->uuid))
                        names_add(&missing, *m->name ? m->name : m->uuid);
        }
        for (char **w = config->pool_members; w && *w; w++)
                if (!list_has_word(members, n, *w) && !list_has_word(p->members, p->n_members, *w))
                        names_add(&missing, *w);
        names_end(&missing);
        return missing.n > 0;
}

size_t pool_mates(const Config *config, const Pool *p, char *text, size_t size)
{
        Names mates = { .buf = text, .size = size };
        text[0] = '\0';
        for (size_t i = 0; i < p->n_members; i++) {
                const PoolMember *m = &p->members[i];
                if (!is_self(p, m->uuid))
                        names_add(&mates, *m->name ? m->name : m->uuid);
        }
        for (char **w = config->pool_members; w && *w; w++)
                if (!list_has_word(p->members, p->n_members, *w) && !is_self(p, *w))
                        names_add(&mates, *w);
        names_end(&mates);
        if (mates.n > 0 || !*p->registered)
                return mates.n;
        (void) snprintf(text, size, "%s", p->registered);
        return 1;
}

const char *pool_from(const Config *config, const Pool *p, char *buf, size_t size)
{
        bool configured = config->pool_members && *config->pool_members;
        char stamp[32];
        size_t len = 0;
        buf[0] = '\0';
        if (configured)
                len = (size_t) snprintf(buf, size, "configuration");
        if (p->n_members > 0 && len < size)
                (void) snprintf(buf + len, size - len, "%sa roll by %s at %s", configured ? " and " : "",
                                p->by, time_stamp(p->wall_usec, stamp, sizeof(stamp)));
        return buf;
}

cJSON *pool_members(const Config *config, const Pool *p)
{
        cJSON *list = cJSON_CreateArray();
        Addr addr;
        add_learned(list, p);
        for (char **w = config->pool_members; w && *w; w++)
                if (!list_has_word(p->members, p->n_members, *w))
                        add_member(list, "", *w, addr_parse(*w, &addr) ? *w : "");
        return list;
}
