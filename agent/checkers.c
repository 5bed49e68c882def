/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/checkers.h"

#include <string.h>

#define WINDOW_MIN_USEC (USEC_PER_SEC / 2)
#define WINDOW_MAX_USEC (10 * USEC_PER_SEC)

typedef enum Stage { STAGE_NONE, STAGE_WATCH, STAGE_BLOCK, STAGE_RETURN } Stage;

typedef struct Source {
        Addr addr;
        Usec interval_usec; /* the mean of what was seen, or learned; 0: not known */
        bool learned;       /* from an earlier job */
        bool awaited, dropped;
        uint64_t base;          /* counter when the stage began */
        uint64_t count;         /* since then */
        Usec first, last;       /* when count first and last grew, in this stage; 0: never */
        uint64_t mark_count[2]; /* count at the last two whole intervals, the older first (mixed ports) */
        Usec mark_time[2];      /* 0: no such mark yet */
        uint64_t watch_count;   /* as seen while watching: for the interval */
        Usec watch_first, watch_last;
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

static Source *checkers_source(Checkers *c, const Addr *addr)
{
        for (size_t i = 0; i < c->n; i++)
                if (addr_equal(&c->sources[i].addr, addr))
                        return &c->sources[i];
        if (c->n >= CHECKERS_MAX)
                return NULL;
        Source *s = &c->sources[c->n++];
        *s = (Source){ .addr = *addr };
        return s;
}

void checkers_learned(Checkers *c, const Addr *addr, Usec interval_usec)
{
        Source *s = checkers_source(c, addr);
        if (!s)
                return;
        s->learned = true;
        s->interval_usec = interval_usec;
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
                s->dropped = false;
        }
        for (size_t i = 0; i < n; i++) {
                Source *s = checkers_source(c, &sources[i].addr);
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
                c->sources[i].watch_first = c->sources[i].watch_last = 0;
        }
}

static Usec source_interval(const Checkers *c, const Source *s)
{
        return c->config.interval_usec ? c->config.interval_usec : s->interval_usec;
}

void checkers_block_begin(Checkers *c, Usec now, const BlockSource *refused, size_t n)
{
        if (c->stage == STAGE_WATCH && c->conn_watched > 0)
                c->conn_gap_usec = (now - c->watch_began) / c->conn_watched;
        checkers_begin(c, STAGE_BLOCK, now, refused, n);
        /* One that comes so seldom that the watch may have missed it is waited for, until it should have
         * come. */
        for (size_t i = 0; i < c->n; i++)
                if (c->sources[i].learned &&
                    2 * source_interval(c, &c->sources[i]) > c->config.watch_max_usec)
                        c->sources[i].awaited = true;
}

void checkers_return_begin(Checkers *c, Usec now, const BlockSource *checks, size_t n)
{
        checkers_begin(c, STAGE_RETURN, now, checks, n);
}

/* Seen twice (in whatever stage), or known from earlier and seen again. */
static void source_judge(const Checkers *c, Source *s)
{
        if (s->dropped)
                return;
        if (s->count >= 2 || s->watch_count >= 2 || (s->learned && (s->count > 0 || s->watch_count > 0)))
                s->awaited = true;
        if (s->awaited && !source_interval(c, s) && s->last > s->first && s->count >= 2)
                s->interval_usec = (s->last - s->first) / (s->count - 1);
}

void checkers_feed(Checkers *c, Usec now, const BlockSource *sources, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                Source *s = checkers_source(c, &sources[i].addr);
                if (!s)
                        continue;
                /* The set's elements have a timeout: a counter can start again at zero. */
                uint64_t count =
                        sources[i].packets >= s->base ? sources[i].packets - s->base : sources[i].packets;
                if (count <= s->count)
                        continue;
                if (s->first == 0)
                        s->first = now;
                s->last = now;
                s->count = count;
                s->dropped = false;
                if (c->stage == STAGE_WATCH) {
                        s->watch_count = s->count;
                        s->watch_first = s->first;
                        s->watch_last = s->last;
                        if (s->count >= 2 && s->last > s->first)
                                s->interval_usec = (s->last - s->first) / (s->count - 1);
                }
        }
        for (size_t i = 0; i < c->n; i++) {
                Source *s = &c->sources[i];
                source_judge(c, s);
                Usec interval = source_interval(c, s);
                if (c->config.mixed && c->stage == STAGE_BLOCK && interval) {
                        if (s->mark_time[1] == 0 || now - s->mark_time[1] >= interval) {
                                s->mark_time[0] = s->mark_time[1];
                                s->mark_count[0] = s->mark_count[1];
                                s->mark_time[1] = now;
                                s->mark_count[1] = s->count;
                        }
                }
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

bool checkers_watched(const Checkers *c, Usec now)
{
        if (now - c->began >= c->config.watch_max_usec)
                return true;

        /* Short cut only for who was known before and is here again, at the pace that was learned. */
        bool any_learned = false;
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                if (s->learned) {
                        any_learned = true;
                        if (s->count < 2)
                                return false;
                } else if (s->count == 1)
                        return false;
        }
        return any_learned;
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

static bool source_noticed(const Checkers *c, const Source *s, Usec now)
{
        Usec interval = source_interval(c, s);
        if (interval == 0 || s->count < c->config.fall)
                return false;
        if (c->config.mixed)
                /* Refusals may all be requests: only time covers `fall` checks; and since the mark before the
                 * last (one to two intervals ago) the pace must have been that of checks, one an interval. */
                return now - c->began >= interval * c->config.fall && s->mark_time[0] > 0 &&
                       s->count - s->mark_count[0] <= (now - s->mark_time[0]) / interval + 1;
        return s->last - s->first >= spread_needed(interval, c->config.fall - 1);
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

bool checkers_returned(const Checkers *c, Usec now)
{
        (void) now;
        bool any = false, somebody = false;
        for (size_t i = 0; i < c->n; i++) {
                const Source *s = &c->sources[i];
                somebody = somebody || s->count >= c->config.rise;
                if (!s->awaited)
                        continue;
                any = true;
                if (s->count < c->config.rise)
                        return false;
        }
        return any || somebody;
}

bool checkers_get(const Checkers *c, size_t i, CheckerInfo *ret)
{
        if (i >= c->n)
                return false;
        const Source *s = &c->sources[i];
        *ret = (CheckerInfo){
                .addr = s->addr,
                .interval_usec = source_interval(c, s),
                .count = s->count,
                .awaited = s->awaited,
                .dropped = s->dropped,
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
                                 shown ? ", " : verbs[c->stage], shown ? "" : " ", s->count, need, addr);
                if (k > 0 && (size_t) k < size - len)
                        len += (size_t) k;
                if (interval) {
                        k = snprintf(buf + len, size - len, " (every %.1f s)", time_sec(interval));
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
                (void) snprintf(buf + len, size - len, "; seen once: %s", visitors);
        return buf;
}
