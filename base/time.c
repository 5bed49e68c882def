/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define TEN_YEARS_USEC (3650ULL * 86400 * USEC_PER_SEC)

typedef struct TimeUnit {
        const char *name;
        Usec usec;
} TimeUnit;

static const TimeUnit time_units[] = {
        { "us", 1 },
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "m", 60 * USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "d", 86400 * USEC_PER_SEC },
};

/* M is a month and m a minute: the one place where the case matters. */
static const TimeUnit nginx_units[] = {
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "m", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "d", 86400 * USEC_PER_SEC },
        { "w", 7 * 86400 * USEC_PER_SEC },
        { "M", 30 * 86400 * USEC_PER_SEC },
        { "y", 365 * 86400 * USEC_PER_SEC },
};

static Usec time_clock(clockid_t id)
{
        struct timespec ts;
        (void) clock_gettime(id, &ts);
        return (Usec) ts.tv_sec * USEC_PER_SEC + (Usec) ts.tv_nsec / 1000;
}

Usec time_now(void)
{
        return time_clock(CLOCK_MONOTONIC);
}

Usec time_boot(void)
{
        return time_clock(CLOCK_BOOTTIME);
}

Usec time_wall(void)
{
        return time_clock(CLOCK_REALTIME);
}

Usec time_add(Usec a, Usec b)
{
        if (a == USEC_INFINITY || b == USEC_INFINITY || a > USEC_INFINITY - b)
                return USEC_INFINITY;
        return a + b;
}

Usec time_left(Usec deadline, Usec now)
{
        if (deadline == USEC_INFINITY)
                return USEC_INFINITY;
        return deadline > now ? deadline - now : 0;
}

double time_sec(Usec usec)
{
        return (double) usec / (double) USEC_PER_SEC;
}

const char *time_stamp(Usec wall_usec, char *buf, size_t size)
{
        time_t sec = (time_t) (wall_usec / USEC_PER_SEC);
        struct tm tm;
        char day[32];
        (void) gmtime_r(&sec, &tm);
        (void) strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
        (void) snprintf(buf, size, "%s.%03uZ", day, (unsigned) (wall_usec % USEC_PER_SEC / USEC_PER_MSEC));
        return buf;
}

/* number := digits [ '.' digits ]; never strtod, whose decimal point follows the locale. */
static int time_number(const char **p, Usec unit_usec, bool *ret_fraction, Usec *ret)
{
        Usec whole = 0, fraction = 0, scale = 1;
        if (!isdigit((unsigned char) **p))
                return -EINVAL;
        for (; isdigit((unsigned char) **p); (*p)++) {
                whole = whole * 10 + (Usec) (**p - '0');
                if (whole > TEN_YEARS_USEC)
                        return -ERANGE;
        }
        *ret_fraction = **p == '.';
        if (**p == '.') {
                (*p)++;
                if (!isdigit((unsigned char) **p))
                        return -EINVAL;
                for (; isdigit((unsigned char) **p); (*p)++)
                        if (scale < 1000000) {
                                fraction = fraction * 10 + (Usec) (**p - '0');
                                scale *= 10;
                        }
        }
        if (unit_usec && whole > TEN_YEARS_USEC / unit_usec)
                return -ERANGE;
        *ret = whole * unit_usec + fraction * unit_usec / scale;
        return 0;
}

static int time_parse_units(const char *text, const TimeUnit *units, size_t n_units, Usec bare_usec,
                            Usec *ret)
{
        Usec sum = 0;
        const char *p = text;
        bool any = false;

        while (*p == ' ' || *p == '\t')
                p++;
        while (*p) {
                /* The unit stands behind the number, so look ahead for it before counting. */
                const char *q = p;
                while (isdigit((unsigned char) *q) || *q == '.')
                        q++;
                const char *u = q;
                while (*u == ' ')
                        u++;
                size_t len = 0;
                while (isalpha((unsigned char) u[len]))
                        len++;
                Usec unit = 0;
                for (size_t i = 0; i < n_units && len > 0; i++)
                        if (strlen(units[i].name) == len && strncmp(units[i].name, u, len) == 0)
                                unit = units[i].usec;
                if (len == 0) {
                        /* A bare number stands alone: "1 30" would be a guess. */
                        if (any || *u)
                                return -EINVAL;
                        unit = bare_usec;
                } else if (unit == 0)
                        return -EINVAL;

                Usec value;
                bool fraction;
                int r = time_number(&p, unit, &fraction, &value);
                if (r < 0)
                        return r;
                if (p != q)
                        return -EINVAL;
                sum += value;
                if (sum > TEN_YEARS_USEC)
                        return -ERANGE;
                any = true;
                p = u + len;
                while (*p == ' ' || *p == '\t')
                        p++;
        }
        if (!any)
                return -EINVAL;
        *ret = sum;
        return 0;
}

static int time_parse_done(int r, const char *text, const char *like, Err *err)
{
        if (r == -ERANGE)
                return err_set(err, r, "\"%.60s\" is longer than ten years", text);
        if (r < 0)
                return err_set(err, r, "\"%.60s\" is not a duration (write %s)", text, like);
        return 0;
}

int time_parse(const char *text, Usec unit_usec, Usec *ret, Err *err)
{
        int r = time_parse_units(text, time_units, ELEMENTS(time_units), unit_usec, ret);
        return time_parse_done(r, text, "30s, 250ms, 2m or 1h30m", err);
}

int time_parse_nginx(const char *text, Usec *ret, Err *err)
{
        int r = time_parse_units(text, nginx_units, ELEMENTS(nginx_units), USEC_PER_SEC, ret);
        return time_parse_done(r, text, "57s, 120m, 2h or 1800000ms as nginx does", err);
}

const char *time_format(Usec usec, char *buf, size_t size)
{
        Usec s = usec / USEC_PER_SEC;
        if (usec == USEC_INFINITY)
                (void) snprintf(buf, size, "no limit");
        else if (s < 10 && usec % USEC_PER_SEC)
                (void) snprintf(buf, size, "%.2f s", time_sec(usec));
        else if (s < 60)
                (void) snprintf(buf, size, "%" PRIu64 " s", s);
        else if (s < 3600)
                (void) snprintf(buf, size, s % 60 ? "%" PRIu64 " m %" PRIu64 " s" : "%" PRIu64 " m", s / 60,
                                s % 60);
        else
                (void) snprintf(buf, size, s % 3600 / 60 ? "%" PRIu64 " h %" PRIu64 " m" : "%" PRIu64 " h",
                                s / 3600, s % 3600 / 60);
        return buf;
}
