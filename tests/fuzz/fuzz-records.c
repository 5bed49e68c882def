/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is kept in the state directory, written by this version, another one, or a disk that went bad: leases,
 * pools, holds, tickets, places, what was learned, what was served, the last configuration. */

#include "agent/checkers.h"
#include "agent/config-seen.h"
#include "agent/hold.h"
#include "agent/kept.h"
#include "agent/known.h"
#include "agent/lease.h"
#include "agent/leases.h"
#include "agent/lost.h"
#include "agent/places.h"
#include "agent/pool.h"
#include "agent/served.h"
#include "agent/standing.h"
#include "agent/state.h"
#include "agent/tickets.h"
#include "tests/fuzz/fuzz.h"

#define ROUTER "router"

static Config *config;

static void put(const char *name, const uint8_t *bytes, size_t n)
{
        (void) fuzz_file(name, bytes, n);
}

/* What was written is what is read; what could not be written has changed nothing. */

static void write_lease(Leases *leases, LeaseSlot *slot)
{
        _cleanup_(leases_freep) Leases *again = NULL;
        const Lease before = slot->lease;
        Lease lease = before;
        const LeaseAsk ask = { .holder = "a roll", .by = "a fuzzer", .ttl_usec = LEASE_TTL_DEFAULT_USEC };
        const LeaseNode node = { 0 };

        if (*slot->unreadable || lease_take(&lease, &ask, &node, time_boot()) != LEASE_OK)
                return;
        int r = leases_write(leases, slot, &lease, NULL);
        fuzz_check(slot->lease.epoch == (r < 0 ? before.epoch : lease.epoch));
        if (leases_new(&again, fuzz_dir()) < 0)
                return;
        const LeaseSlot *read = leases_slot(again, ROUTER);
        /* Out of memory, it says so. */
        fuzz_check(!read || *read->unreadable || read->lease.epoch == slot->lease.epoch);
}

static void write_hold(const Hold *hold)
{
        Hold other = *hold, read;
        bool found;

        (void) snprintf(other.reason, sizeof(other.reason), "another reason");
        int w = hold_write(fuzz_dir(), &other, NULL), r = hold_read(fuzz_dir(), ROUTER, &read, &found, NULL);
        if (r == -ENOMEM)
                return;
        fuzz_check(r == 0 && found);
        fuzz_check(strcmp(read.reason, w < 0 ? hold->reason : other.reason) == 0);
        fuzz_check(strcmp(read.by, hold->by) == 0 && read.by_hand == hold->by_hand &&
                   read.plan.n_whole == hold->plan.n_whole && read.plan.n_syn == hold->plan.n_syn &&
                   read.plan.n_from == hold->plan.n_from);
}

static void write_pool(const Pool *pool)
{
        Pool read = { 0 };

        int w = pool_write(fuzz_dir(), ROUTER, pool, NULL), r = pool_read(fuzz_dir(), ROUTER, &read, NULL);
        if (w == 0 && r == 0)
                fuzz_check(read.n_members == pool->n_members && strcmp(read.uuid, pool->uuid) == 0);
        pool_done(&read);
}

static void write_record(cJSON *record)
{
        const char *old = "{\"format\":1,\"old\":true}";
        cJSON *read = NULL;

        (void) fuzz_file("copy.json", old, strlen(old));
        int w = state_write(fuzz_dir(), "copy.json", record, NULL);
        if (state_read(fuzz_dir(), "copy.json", &read, NULL, NULL) == 0 && read) {
                if (w == 0)
                        fuzz_check(cJSON_GetArraySize(read) == cJSON_GetArraySize(record));
                else
                        fuzz_check(cJSON_IsTrue(cJSON_GetObjectItem(read, "old")));
        }
        cJSON_Delete(read);
}

static void read_leases(void)
{
        _cleanup_(leases_freep) Leases *leases = NULL;
        char text[256];
        Usec next;

        if (leases_new(&leases, fuzz_dir()) < 0)
                return;
        LeaseSlot *slot = leases_slot(leases, ROUTER);
        if (!slot)
                return;
        (void) lease_text(&slot->lease, USEC_PER_SEC, text, sizeof(text));
        (void) leases_roll_has(leases, ROUTER, "20261128T184512-router-3f2a", USEC_PER_SEC, text,
                               sizeof(text));
        (void) leases_any(leases, USEC_PER_SEC, &next);
        write_lease(leases, slot);
}

static void read_pool(void)
{
        const Component *c = config_component(config, ROUTER);
        char text[PLACE_TEXT_SIZE];
        Pool pool = { 0 };
        Err err = { 0 };

        if (pool_read(fuzz_dir(), ROUTER, &pool, &err) == 0) {
                fuzz_check(pool.n_members <= POOL_MEMBERS_MAX);
                (void) pool_name(config, c, &pool, text, sizeof(text));
                (void) pool_mates(config, &pool, text, sizeof(text));
                (void) pool_from(config, &pool, text, sizeof(text));
                cJSON_Delete(pool_members(config, &pool));
                cJSON_Delete(pool_to_json(&pool));
                write_pool(&pool);
        }
        pool_done(&pool);
}

static void read_holds(void)
{
        _cleanup_(freep) Hold *holds = NULL;
        Hold hold;
        size_t n = 0;
        bool found;
        Err err = { 0 };

        if (hold_read(fuzz_dir(), ROUTER, &hold, &found, &err) == 0 && found) {
                fuzz_check(hold.plan.n_whole <= BLOCK_PORTS_MAX && hold.plan.n_syn <= BLOCK_PORTS_MAX &&
                           hold.plan.n_from <= BLOCK_FROM_MAX);
                write_hold(&hold);
        }
        fuzz_any(hold_list(fuzz_dir(), &holds, &n, &err));
}

static void read_known(void)
{
        const Component *c = config_component(config, ROUTER);
        const CheckersConfig checkers_config = { .fall = 2, .rise = 2, .watch_max_usec = 12 * USEC_PER_SEC };
        _cleanup_(checkers_freep) Checkers *checkers = NULL;
        _cleanup_(snapshot_freep) Snapshot *before = NULL;
        static ServedList served;
        KnownCut cut;
        Usec when;

        (void) known_port(config, c);
        (void) known_cut(config, c, &cut);
        before = known_before(config, c);
        if (checkers_new(&checkers, &checkers_config) == 0) {
                known_checkers(config, c, checkers);
                fuzz_check(checkers_watch_limit(checkers) <= 600 * USEC_PER_SEC);
        }
        fuzz_check(served_read(config, c, &served, &when) <= SERVED_MAX);
}

static void read_tickets(void)
{
        PlaceOptions options;
        Ticket ticket;
        Err err = { 0 };

        fuzz_any(tickets_read(fuzz_dir(), ROUTER, &ticket, &err));
        cJSON_Delete(tickets_json(fuzz_dir()));
        fuzz_any(places_read(fuzz_dir(), ROUTER, &options, &err));
}

static void read_job(void)
{
        const Component *c = config_component(config, ROUTER);
        cJSON *record = NULL;
        BlockPlan plan;
        char text[512];
        Err err = { 0 };

        int r = state_read(fuzz_dir(), "job.json", &record, NULL, &err);
        if (r == 0 && record) {
                (void) hold_plan_from_job(record, c, &plan);
                write_record(record);
        } else if (r < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        cJSON_Delete(record);
        (void) lost_text(config, text, sizeof(text));
}

/* A second look tells nothing. */
static void read_seen(void)
{
        ConfigSeen seen = { 0 };
        char text[1024];

        int r = config_seen(config, &seen, text, sizeof(text));
        fuzz_check(r < 0 || (r > 0) == (*text != '\0'));
        fuzz_check(strlen(text) < sizeof(text) && fuzz_is_ascii(text));
        if (r >= 0)
                fuzz_check(config_seen(config, &seen, text, sizeof(text)) <= 0);
        config_seen_done(&seen);
}

static void config_forget(void)
{
        config = config_free(config);
}

static void config_make(void)
{
        const char *file = "[agent]\nstate_dir = ";
        char text[256];

        (void) snprintf(text, sizeof(text), "%s%s\n", file, fuzz_dir());
        fuzz_check(config_load(&config, fuzz_file("conf", text, strlen(text)), "/nonexistent", NULL) == 0);
        (void) atexit(config_forget);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        static const char *const names[] = { "lease-router.json",  "pool-router.json",  "hold-router.json",
                                             "ticket-router.json", "place-router.json", "known-router.json",
                                             "served-router.json", "job.json",          CONFIG_SEEN };
        Fuzz f = { data, size };
        uint8_t which = fuzz_byte(&f);

        if (!config)
                config_make();
        if (which < ELEMENTS(names))
                put(names[which], f.at, f.left);
        switch (which) {
        case 0:
                read_leases();
                break;
        case 1:
                read_pool();
                break;
        case 2:
                read_holds();
                break;
        case 3:
        case 4:
                read_tickets();
                break;
        case 5:
        case 6:
                read_known();
                break;
        case 7:
                read_job();
                break;
        case 8:
                read_seen();
                break;
        default:
                break;
        }
}
