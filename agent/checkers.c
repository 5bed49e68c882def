/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/checkers.h"

#include <string.h>

#include "agent/pace.h"

#define WINDOW_MIN_USEC (USEC_PER_SEC / 2)
#define WINDOW_MAX_USEC (10 * USEC_PER_SEC)
#define WATCH_MAX_USEC  (600 * USEC_PER_SEC) /* also for somebody who is known to come more seldom */
#define PACE_SURE       3                    /* arrivals while watching that tell the pace */

typedef enum Stage { STAGE_NONE, STAGE_WATCH, STAGE_BLOCK, STAGE_RETURN } Stage;

typedef struct Source {
        Addr addr;
        Usec interval_usec; /* of the slowest behind the address, as seen or learned; 0: not known */
        unsigned lanes;     /* how many are behind the address */
        bool irregular;     /* the interval is the longest that may be */
        bool learned;       /* from an earlier job */
        bool connects;      /* it also opens connections on the traffic ports */
        bool awaited, dropped;
        uint64_t base;          /* counter when the stage began */
        uint64_t count;         /* since then */
        Usec first, last;       /* when count first and last grew, in this stage; 0: never */
        uint64_t mark_count[2]; /* count at the last two whole intervals, the older first (mixed ports) */
        Usec mark_time[2];      /* 0: no such mark yet */
        uint64_t watch_count;   /* as seen while watching */
        Pace pace;              /* from the watch on */
} Source;

struct Checkers {
        CheckersConfig config;
        Stage stage;
        Usec began;
        Source sources[CHECKERS_MAX];
        size_t n;
        uint64_t conn_total, conn_watch_base;
        Usec conn_last;     /* when the total last grew, or the stage began */
        Usec conn_gap_usec; /* mean gap between new connections while watching; 0: none came */
        uint64_t conn_watched;
        Usec watch_began;
        Addr only[CHECKERS_MAX]; /* who may be awaited; with has_only */
        size_t n_only;
        bool has_only;
};

int checkers_new(Checkers **ret, const CheckersConfig *config)
{
        Checkers *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->config = *config;
        if (c->config.fall == 0)
                c->config.fall = 1;
        if (c->config.rise == 0)
                c->config.rise = 1;
        *ret = c;
        return 0;
}

Checkers *checkers_free(Checkers *c)
{
        free(c);
        return NULL;
}

static Source *checkers_find(Checkers *c, const Addr *addr)
{
        for (size_t i = 0; i < c->n; i++)
                if (addr_equal(&c->sources[i].addr, addr))
                        return &c->sources[i];
        return NULL;
}

/* When all places are taken, one who comes again takes that of one who came once. */
static Source *checkers_place(Checkers *c, bool again)
{
        if (c->n < CHECKERS_MAX)
                return &c->sources[c->n++];
        for (size_t i = 0; again && i < c->n; i++) {
                const Source *s = &c->sources[i];
                if (!s->awaited && !s->learned && s->count < 2 && s->watch_count < 2)
                        return &c->sources[i];
        }
        return NULL;
}

static Source *checkers_source(Checkers *c, const Addr *addr, bool again)
{
        Source *s = checkers_find(c, addr);
        if (s)
                return s;
        s = checkers_place(c, again);
        if (s)
                *s = (Source){ .addr = *addr, .lanes = 1 };
        return s;
}

void checkers_learned(Checkers *c, const Addr *addr, Usec interval_usec, unsigned lanes)
{
        Source *s = checkers_source(c, addr, true);
        if (!s)
                return;
        s->learned = true;
        s->interval_usec = interval_usec;
        s->lanes = MIN(MAX(lanes, 1u), (unsigned) PACE_LANES_MAX);
}

void checkers_only(Checkers *c, const Addr *addrs, size_t n)
{
        c->has_only = true;
        c->n_only = MIN(n, (size_t) CHECKERS_MAX);
        memcpy(c->only, addrs, c->n_only * sizeof(*addrs));
}

static bool source_counts(const Checkers *c, const Source *s)
{
        for (size_t i = 0; c->has_only && i < c->n_only; i++)
                if (addr_equal(&c->only[i], &s->addr))
                        return true;
        return !c->has_only;
}

static void checkers_begin(Checkers *c, Stage stage, Usec now, const BlockSource *sources, size_t n)
{
        c->stage = stage;
        c->began = now;
        c->conn_last = now;
        for (size_t i = 0; i < c->n; i++) {
                Source *s = &c->sources[i];
                s->base = s->count = 0;
                s->first = s->last = 0;
                s->mark_time[0] = s->mark_time[1] = 0;
                /* Whoever stopped coming before the restart is awaited behind it only if he comes again. */
                if (stage != STAGE_RETURN)
                        s->dropped = false;
        }
        for (size_t i = 0; i < n; i++) {
                Source *s = checkers_source(c, &sources[i].addr, false);
                if (s)
                        s->base = sources[i].packets;
        }
}

void checkers_watch_begin(Checkers *c, Usec now, const BlockSource *checks, size_t n)
{
        checkers_begin(c, STAGE_WATCH, now, checks, n);
        c->watch_began = now;
        c->conn_watch_base = c->conn_total;
        c->conn_watched = 0;
        for (size_t i = 0; i < c->n; i++) {
                c->sources[i].watch_count = 0;
                pace_clear(&c->sources[i].pace);
        }
}

static Usec source_interval(const Checkers *c, const Source *s)
{
        return c->config.interval_usec ? c->config.interval_usec : s->interval_usec;
}

/* Known from an earlier job, and so seldom that the watch may see it once at most. */
static bool source_is_slow(const Checkers *c, const Source *s)
{
        return s->learned && 2 * source_interval(c, s) > c->config.watch_max_usec;
}

void checkers_block_begin(Checkers *c, Usec now, const BlockSource *refused, size_t n)
{
        if (c->stage == STAGE_WATCH && c->conn_watched > 0)
                c->conn_gap_usec = (now - c->watch_began) / c->conn_watched;
        checkers_begin(c, STAGE_BLOCK, now, refused, n);
        /* One that comes so seldom that the watch may have missed it is waited for, until it should have
         * come. */
        for (size_t i = 0; i < c->n; i++)
                if (source_is_slow(c, &c->sources[i]) && source_counts(c, &c->sources[i]))
                        c->sources[i].awaited = true;
}

void checkers_block_again(Checkers *c, Usec now)
{
        c->conn_last = now;
}

void checkers_connecting(Checkers *c, const Addr *addr)
{
        Source *s = checkers_find(c, addr);
        if (s)
                s->connects = true;
}

void checkers_return_begin(Checkers *c, Usec now, const BlockSource *checks, size_t n)
{
        checkers_begin(c, STAGE_RETURN, now, checks, n);
}

/*
 * Seen twice (in whatever stage), or known from earlier and seen again; or refused once and sending: a
 * balancer that has only just begun.
 */
static void source_judge(const Checkers *c, Source *s)
{
        if (s->dropped || !source_counts(c, s))
                return;
        if (s->count >= 2 || s->watch_count >= 2 || (s->learned && (s->count > 0 || s->watch_count > 0)) ||
            (s->connects && s->count > 0 && c->stage == STAGE_BLOCK))
                s->awaited = true;
}

/* Two halves of one period may look like one: what was learned when they did not is kept. */
static bool verdict_is_learned(const Source *s, const PaceVerdict *v)
{
        return s->learned && s->lanes > v->lanes && v->regular &&
               v->interval_usec * s->lanes * 10 > s->interval_usec * v->lanes * 9 &&
               v->interval_usec * s->lanes * 10 < s->interval_usec * v->lanes * 11;
}

/* The pace is that of the watch, when checks go on as ever: whoever is refused may try more often or less. */
static void source_measure(const Checkers *c, Source *s, Usec now)
{
        if (c->stage == STAGE_RETURN || (c->stage == STAGE_BLOCK && s->watch_count >= PACE_SURE))
                return;
        if (c->stage == STAGE_BLOCK && s->learned && s->interval_usec > 0)
                return;
        PaceVerdict v = pace_judge(&s->pace, s->watch_count > 0 ? c->watch_began : c->began, now,
                                   c->config.resolution_usec);
        if (v.interval_usec == 0 || verdict_is_learned(s, &v))
                return;
        /* A gap between two tells nothing that is not known better. */
        if (s->learned && s->count < PACE_SURE)
                return;
        s->irregular = !v.regular;
        if (c->stage == STAGE_BLOCK && s->irregular) {
                /* Half of a time that goes on would never be over. */
                s->interval_usec = MAX(s->interval_usec, pace_longest(&s->pace));
                return;
        }
        s->interval_usec = v.interval_usec;
        /* Requests on a port of traffic follow no pace: nothing can be counted there. */
        s->lanes = c->config.mixed ? 1 : v.lanes;
}

static void source_feed(Checkers *c, Source *s, Usec now, const BlockSource *b)
{
        /* The set's elements have a timeout: a counter can start again at zero. */
        uint64_t count = b->packets >= s->base ? b->packets - s->base : b->packets;
        if (count <= s->count)
                return;
        Usec at = now - MIN(b->age_usec, now - MAX(c->began, s->last));
        pace_add(&s->pace, at, (size_t) MIN(count - s->count, (uint64_t) PACE_TIMES));
        if (s->first == 0)
                s->first = at;
        s->last = at;
        s->count = count;
        s->dropped = false;
        if (c->stage == STAGE_WATCH)
                s->watch_count = s->count;
        source_measure(c, s, now);
}

static void source_mark(Source *s, Usec now, Usec interval)
{
        if (s->mark_time[1] != 0 && now - s->mark_time[1] < interval)
                return;
        s->mark_time[0] = s->mark_time[1];
        s->mark_count[0] = s->mark_count[1];
        s->mark_time[1] = now;
        s->mark_count[1] = s->count;
}

void checkers_feed(Checkers *c, Usec now, const BlockSource *sources, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                Source *s = checkers_source(c, &sources[i].addr, sources[i].packets > 1);
                if (s)
                        source_feed(c, s, now, &sources[i]);
        }
        for (size_t i = 0; i < c->n; i++) {
                Source *s = &c->sources[i];
                source_judge(c, s);
                Usec interval = source_interval(c, s);
                if (c->config.mixed && c->stage == STAGE_BLOCK && interval)
                        source_mark(s, now, interval);
                /* One that has stopped coming is not waited for; it is told by checkers_get(). */
                Usec since = s->last ? s->last : c->began;
                Usec patience = interval ? 3 * interval + WINDOW_MIN_USEC : c->config.watch_max_usec;
                if (c->stage == STAGE_BLOCK && s->awaited && now - since > patience) {
                        s->awaited = false;
                        s->dropped = true;
                }
        }
}

void checkers_new_connections(Checkers *c, Usec now, uint64_t total)
{
        if (total > c->conn_total)
                c->conn_last = now;
        c->conn_total = total;
        if (c->stage == STAGE_WATCH)
                c->conn_watched = total - c->conn_watch_base;
}

Usec checkers_watch_limit(const Checkers *c)
{
        Usec limit = c->config.watch_max_usec;
        for (size_t i = 0; i < c->n; i++)
                if (source_is_slow(c, &c->sources[i]))
                        limit = MAX(limit, MIN(source_interval(c, &c->sources[i]) * 5 / 4, WATCH_MAX_USEC));
        return limit;
}

/* Here again, as often as it was learned. */
static bool source_confirmed(const Checkers *c, const Source *s)
{
        if (source_is_slow(c, s))
                return s->count > 0;
        if (s->count < 2 * s->lanes)
                return false;
        Usec took = s->last - s->first, expected = source_interval(c, s) * (s->count - 1) / s->lanes;
        return s->lanes > 1 || (took * 4 > expected * 3 && took * 4 < expected * 5 + USEC_PER_SEC / 2);
}

bool checkers_watched(const Checkers *c, Usec now)
{
        if (now - c->began >= checkers_watch_limit(c))
                return true;

        /* Short cut only for who was known before and is here again, at the pace that was learned. */
        bool any_learned = false, any_slow = false;
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                if (!source_counts(c, s))
                        continue;
                if (s->learned) {
                        any_learned = true;
                        any_slow = any_slow || source_is_slow(c, s);
                        if (!source_confirmed(c, s))
                                return false;
                } else if (s->count == 1)
                        return false;
        }
        return any_learned && (!any_slow || now - c->began >= c->config.watch_max_usec);
}

Usec checkers_slowest(const Checkers *c)
{
        Usec slowest = c->config.interval_usec;
        for (size_t i = 0; i < c->n; i++)
                if (c->sources[i].awaited || c->sources[i].learned)
                        slowest = MAX(slowest, source_interval(c, &c->sources[i]));
        return slowest;
}

size_t checkers_count(const Checkers *c)
{
        size_t n = 0;
        for (size_t i = 0; i < c->n; i++)
                n += c->sources[i].awaited;
        return n;
}

Usec checkers_window(const Checkers *c)
{
        Usec window = WINDOW_MIN_USEC;
        for (size_t i = 0; i < c->n; i++)
                if (c->sources[i].awaited)
                        window = MAX(window, source_interval(c, &c->sources[i]));
        if (checkers_count(c) == 0)
                window = MAX(window, c->config.interval_usec);
        window = MAX(window, 5 * c->conn_gap_usec);
        return MIN(window, WINDOW_MAX_USEC);
}

/* The clock of the reader is coarse (the counters are polled), so a spread may look a little short. */
static Usec spread_needed(Usec interval, unsigned steps)
{
        return interval * steps - MIN(interval * steps, interval / 5);
}

/*
 * One checker, whose refusals come one an interval. Else only time tells: whoever comes at least once in an
 * interval has come `times` times after that many of them.
 */
static bool source_is_single(const Source *s, Usec interval)
{
        return s->lanes == 1 && !s->irregular &&
               (s->count - 1) * 4 * interval <= (s->last - s->first) * 5 + interval;
}

static bool source_noticed(const Checkers *c, const Source *s, Usec now)
{
        Usec interval = source_interval(c, s);
        if (interval == 0 || s->count < (uint64_t) c->config.fall * s->lanes)
                return false;
        if (c->config.mixed)
                /* Refusals may all be requests: only time covers `fall` checks; and since the mark before the
                 * last (one to two intervals ago) the pace must have been that of checks: one an interval, or
                 * several checkers' that come again and again after just that time. */
                return now - c->began >= interval * c->config.fall && s->mark_time[0] > 0 &&
                       (s->count - s->mark_count[0] <= (now - s->mark_time[0]) / interval + 1 ||
                        pace_repeats(&s->pace, now, interval, c->config.resolution_usec));
        if (source_is_single(s, interval))
                return s->last - s->first >= spread_needed(interval, c->config.fall - 1);
        return now - c->began >= interval * c->config.fall + interval / 16;
}

bool checkers_noticed(Checkers *c, Usec now)
{
        if (now - c->conn_last < checkers_window(c))
                return false;
        bool any = false;
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                if (!s->awaited)
                        continue;
                any = true;
                if (!source_noticed(c, s, now))
                        return false;
        }
        if (any)
                return true;
        /* Nobody to see: the interval the administrator gave is all there is. */
        return c->config.interval_usec > 0 && now - c->began >= c->config.interval_usec * c->config.fall;
}

/* Not one check since the opening, for as long as it takes to be dropped while refused. */
static bool source_is_silent(const Checkers *c, const Source *s, Usec now)
{
        Usec interval = source_interval(c, s);
        return s->count == 0 &&
               now - c->began > (interval ? 3 * interval + WINDOW_MIN_USEC : c->config.watch_max_usec);
}

bool checkers_returned(const Checkers *c, Usec now)
{
        bool somebody = false;
        size_t awaited = 0, silent = 0;
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                somebody = somebody || (source_counts(c, s) && s->count >= c->config.rise);
                if (!s->awaited)
                        continue;
                awaited++;
                if (source_is_silent(c, s, now)) {
                        silent++;
                        continue;
                }
                if (s->count < (uint64_t) c->config.rise * s->lanes)
                        return false;
                Usec interval = source_interval(c, s);
                if ((s->lanes > 1 || s->irregular) && !c->config.mixed &&
                    now - c->began < interval * c->config.rise + interval / 16)
                        return false;
        }
        /* Whoever has died meanwhile sends nothing either; but when nobody awaited is left, that is no proof.
         */
        return awaited > 0 ? silent < awaited : somebody;
}

bool checkers_get(const Checkers *c, size_t i, CheckerInfo *ret)
{
        if (i >= c->n)
                return false;
        const Source *s = &c->sources[i];
        *ret = (CheckerInfo){
                .addr = s->addr,
                .interval_usec = source_interval(c, s),
                .lanes = s->lanes,
                .count = s->count,
                .last_usec = s->last,
                .awaited = s->awaited,
                .dropped = s->dropped,
                .learned = s->learned,
        };
        return true;
}

const char *checkers_text(const Checkers *c, Usec now, char *buf, size_t size)
{
        static const char *const verbs[] = {
                [STAGE_NONE] = "",
                [STAGE_WATCH] = "seen",
                [STAGE_BLOCK] = "refused",
                [STAGE_RETURN] = "let in",
        };
        unsigned need = c->stage == STAGE_WATCH   ? 2
                        : c->stage == STAGE_BLOCK ? c->config.fall
                                                  : c->config.rise;
        char addr[ADDR_TEXT_SIZE], visitors[160] = "";
        size_t len = 0, shown = 0, hidden = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                addr_format(&s->addr, addr, sizeof(addr));
                if (!s->awaited) {
                        size_t used = strlen(visitors);
                        if (s->count > 0 && used + sizeof(addr) < sizeof(visitors))
                                (void) snprintf(visitors + used, sizeof(visitors) - used, "%s%s",
                                                used ? ", " : "", addr);
                        continue;
                }
                if (shown >= 4) {
                        hidden++;
                        continue;
                }
                Usec interval = source_interval(c, s);
                int k = snprintf(buf + len, size - len, "%s%s%" PRIu64 "/%u by %s",
                                 shown ? ", " : verbs[c->stage], shown ? "" : " ", s->count, need * s->lanes,
                                 addr);
                if (k > 0 && (size_t) k < size - len)
                        len += (size_t) k;
                if (interval) {
                        char behind[32] = "";
                        if (s->lanes > 1)
                                (void) snprintf(behind, sizeof(behind), "%u checkers, ", s->lanes);
                        k = snprintf(buf + len, size - len, " (%severy %.1f s%s)", behind, time_sec(interval),
                                     s->irregular ? " or less, not evenly" : "");
                        if (k > 0 && (size_t) k < size - len)
                                len += (size_t) k;
                }
                shown++;
        }
        if (shown == 0)
                len += (size_t) snprintf(buf + len, size - len, "no checker %s",
                                         c->stage == STAGE_WATCH ? "yet" : "known");
        if (hidden && len < size)
                len += (size_t) snprintf(buf + len, size - len, " and %zu more", hidden);
        if (c->stage == STAGE_BLOCK && len < size)
                len += (size_t) snprintf(buf + len, size - len, "; no new connection for %.1f s of %.1f s",
                                         time_sec(now - c->conn_last), time_sec(checkers_window(c)));
        if (*visitors && len < size)
                (void) snprintf(buf + len, size - len, "; %s: %s", c->has_only ? "not awaited" : "seen once",
                                visitors);
        return buf;
}
