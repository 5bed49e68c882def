/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/leases.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "agent/journal.h"
#include "agent/state.h"

#define LEASES_MAX (2 * CONFIG_COMPONENTS) /* those of components that are configured no more, too */

struct Leases {
        char *state_dir;
        LeaseSlot slots[LEASES_MAX];
        size_t n;
};

static const char *record_name(const char *component, char *buf, size_t size)
{
        (void) snprintf(buf, size, LEASE_PREFIX "%s.json", component);
        return buf;
}

int leases_write(Leases *l, LeaseSlot *slot, const Lease *lease, Err *err)
{
        char name[128];
        cJSON *o = lease_to_json(lease);
        int r = state_write(l->state_dir, record_name(slot->component, name, sizeof(name)), o, err);
        cJSON_Delete(o);
        if (r == 0)
                slot->lease = *lease;
        return r;
}

void leases_keep(Leases *l, LeaseSlot *slot, const Lease *lease)
{
        Err err = { 0 };
        if (leases_write(l, slot, lease, &err) == 0)
                return;
        journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "%s: its lease is kept in memory only: %s",
                    slot->component, err.text);
        slot->lease = *lease;
}

static void slot_load(Leases *l, LeaseSlot *slot)
{
        char name[128], reason[sizeof(slot->unreadable)];
        cJSON *o = NULL;
        bool same_boot = false, anew = false;
        Lease lease = { 0 };
        Err err = { 0 };

        record_name(slot->component, name, sizeof(name));
        int r = state_read(l->state_dir, name, &o, &same_boot, &err);
        if (r == 0 && o)
                r = lease_from_json(&lease, o, same_boot, time_boot(), &anew, &err);
        cJSON_Delete(o);
        if (r < 0) {
                (void) snprintf(
                        reason, sizeof(reason),
                        "who has the lease of %s is not known: %.300s; when no roll runs, delete that file",
                        slot->component, err.text);
                if (strcmp(slot->unreadable, reason) != 0)
                        journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "%s", reason);
                memcpy(slot->unreadable, reason, sizeof(reason));
                return;
        }
        slot->unreadable[0] = '\0';
        slot->lease = lease;
        /* In memory it has begun anew all the same; only the next agent would let it begin once more. */
        if (anew && leases_write(l, slot, &lease, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "%s", err.text);
}

LeaseSlot *leases_slot(Leases *l, const char *component)
{
        Err err = { 0 };
        for (size_t i = 0; i < l->n; i++)
                if (strcmp(l->slots[i].component, component) == 0) {
                        /* A person may have mended it meanwhile. */
                        if (*l->slots[i].unreadable)
                                slot_load(l, &l->slots[i]);
                        return &l->slots[i];
                }
        if (l->n >= LEASES_MAX)
                return NULL;
        LeaseSlot *slot = &l->slots[l->n++];
        (void) snprintf(slot->component, sizeof(slot->component), "%s", component);
        slot_load(l, slot);
        /* What was learned can be learned again. */
        if (pool_read(l->state_dir, component, &slot->pool, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "what is known of its pool is lost: %s",
                            err.text);
        return slot;
}

LeaseSlot *leases_get(Leases *l, size_t i)
{
        return i < l->n ? &l->slots[i] : NULL;
}

void leases_seen(LeaseSlot *slot, const EdgeSelf *self, uint16_t health_port)
{
        if (self && pool_self(&slot->pool, self))
                slot->pool_changed = true;
        if (health_port)
                slot->health_port = health_port;
}

bool leases_roll_has(Leases *l, const char *component, const char *roll, Usec now, char *text, size_t size)
{
        const LeaseSlot *slot = leases_slot(l, component);
        if (!slot || *slot->unreadable) {
                (void) snprintf(text, size, "%s", slot ? slot->unreadable : "too many leases are known");
                return false;
        }
        const Lease *lease = &slot->lease;
        bool same = strcmp(lease->holder, roll) == 0;
        if (lease_current(lease, now) && same) {
                (void) snprintf(text, size, "lease %" PRIu64 " of %s on %zu member%s", lease->epoch, roll,
                                slot->pool.n_members, slot->pool.n_members == 1 ? "" : "s");
                return true;
        }
        if (lease_current(lease, now))
                (void) snprintf(text, size, "lease %" PRIu64 " is another roll's, %s", lease->epoch,
                                lease->holder);
        else if (lease->held) {
                char late[32], ttl[32];
                (void) snprintf(text, size, "lease %" PRIu64 " of %s was not renewed within %s (%s late)",
                                lease->epoch, lease->holder, time_format(lease->ttl_usec, ttl, sizeof(ttl)),
                                time_format(now - lease->until_usec, late, sizeof(late)));
        } else
                (void) snprintf(text, size, "lease %" PRIu64 " of %s was given back or taken away",
                                lease->epoch, lease->holder);
        return false;
}

bool leases_any(Leases *l, Usec now, Usec *ret_next)
{
        Usec next = USEC_INFINITY;
        for (size_t i = 0; i < l->n; i++)
                if (lease_current(&l->slots[i].lease, now))
                        next = MIN(next, l->slots[i].lease.until_usec);
        *ret_next = next;
        return next != USEC_INFINITY;
}

int leases_new(Leases **ret, const char *state_dir)
{
        _cleanup_(leases_freep) Leases *l = calloc(1, sizeof(*l));
        _cleanup_(state_list_freep) char **names = NULL;
        if (!l || !(l->state_dir = strdup(state_dir)))
                return -ENOMEM;
        if (state_list(state_dir, LEASE_PREFIX, &names, NULL) == 0)
                for (size_t i = 0; names[i]; i++) {
                        char component[64];
                        size_t len = strlen(names[i]) - strlen(LEASE_PREFIX) - strlen(".json");
                        if (len >= sizeof(component))
                                continue;
                        (void) snprintf(component, sizeof(component), "%.*s", (int) len,
                                        names[i] + strlen(LEASE_PREFIX));
                        (void) leases_slot(l, component);
                }
        *ret = TAKE_PTR(l);
        return 0;
}

Leases *leases_free(Leases *l)
{
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++)
                pool_done(&l->slots[i].pool);
        free(l->state_dir);
        free(l);
        return NULL;
}
