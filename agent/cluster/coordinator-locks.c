/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Before the plan: where ZooKeeper keeps the places of a pool, does it answer? One node of each such pool is
 * asked; a roll that would fail at its first node for that is better refused before. */

#include "agent/cluster/coordinator-impl.h"
#include "probes/json.h"

#include <string.h>

#define LOCK_LIMIT_USEC (15 * USEC_PER_SEC)

typedef struct CoordLock {
        Coord *c;
        RemoteCall *call;
        char component[64], pool[LOOK_TEXT], text[LOOK_TEXT];
} CoordLock;

struct CoordLocks {
        CoordLock *locks;
        PlanTrouble *troubles; /* for the plan; points into the locks */
        size_t n, pending;
        CoordFn then;
};

CoordLocks *coord_locks_free(CoordLocks *l)
{
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++)
                l->locks[i].call = remote_call_cancel(l->locks[i].call);
        free(l->locks);
        free(l->troubles);
        free(l);
        return NULL;
}

static void locks_answered(Coord *c)
{
        CoordLocks *l = c->locks;
        if (--l->pending > 0)
                return;
        c->plan_options.n_lock_troubles = 0;
        for (size_t i = 0; i < l->n; i++)
                if (*l->locks[i].text)
                        l->troubles[c->plan_options.n_lock_troubles++] =
                                (PlanTrouble){ l->locks[i].component, l->locks[i].pool, l->locks[i].text };
        c->plan_options.lock_troubles = l->troubles;
        l->then(c);
}

static void lock_on_answer(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        CoordLock *lock = userdata;
        const char *json;
        lock->call = NULL;
        if (r == -EREMOTE && strstr(error, "Unknown"))
                ; /* an older agent cannot tell */
        else if (r < 0)
                (void) snprintf(lock->text, sizeof(lock->text), "%.250s", text);
        else if (sd_bus_message_read(m, "s", &json) >= 0) {
                cJSON *o = json_object(json, JSON_MESSAGE_MAX);
                const char *trouble =
                        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "place_error"));
                (void) snprintf(lock->text, sizeof(lock->text), "%.250s", trouble ? trouble : "");
                cJSON_Delete(o);
                for (char *p = lock->text; *p; p++)
                        if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7e)
                                *p = '?';
        }
        locks_answered(lock->c);
}

static bool locks_have(const CoordLocks *l, const NodeLook *look)
{
        for (size_t i = 0; i < l->n; i++)
                if (strcmp(l->locks[i].component, look->component) == 0 &&
                    strcmp(l->locks[i].pool, look->pool) == 0)
                        return true;
        return false;
}

int coord_locks_ask(Coord *c, CoordFn then)
{
        size_t n;
        const PlanNode *nodes = fleet_nodes(c->fleet, &n);
        Err err = { 0 };

        c->locks = coord_locks_free(c->locks);
        c->plan_options.n_lock_troubles = 0;
        CoordLocks *l = c->locks = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->then = then;
        l->locks = calloc(FLEET_COMPONENTS * n + 1, sizeof(*l->locks));
        l->troubles = calloc(FLEET_COMPONENTS * n + 1, sizeof(*l->troubles));
        if (!l->locks || !l->troubles)
                return -ENOMEM;
        /* One more than are asked, so that the end does not come while they are being asked. */
        l->pending = 1;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < nodes[i].n_looks && nodes[i].contact == PLAN_REACHED; k++) {
                        const NodeLook *look = nodes[i].looks[k];
                        if (look->lock != LOOK_LOCK_ZOOKEEPER || locks_have(l, look))
                                continue;
                        CoordLock *lock = &l->locks[l->n];
                        *lock = (CoordLock){ .c = c };
                        (void) snprintf(lock->component, sizeof(lock->component), "%s", look->component);
                        (void) snprintf(lock->pool, sizeof(lock->pool), "%s", look->pool);
                        /* A link that has just gone: the next node of the pool is asked. */
                        if (remote_call(fleet_remote(c->fleet, i), &lock->call, NULL, NULL, "Lock",
                                        LOCK_LIMIT_USEC, lock_on_answer, lock, &err, "s",
                                        look->component) < 0)
                                continue;
                        l->n++;
                        l->pending++;
                }
        locks_answered(c);
        return 0;
}
