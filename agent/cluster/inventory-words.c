/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names, ports and ranges, as inventories and the command line have them. */

#include "agent/cluster/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char **inventory_names_free(char **names)
{
        for (char **n = names; n && *n; n++)
                free(*n);
        free(names);
        return NULL;
}

/* ---- words of one kind ---- */

static bool made_of(const char *s, const char *more)
{
        for (; *s; s++) {
                bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
                if (!letter && !(*s >= '0' && *s <= '9') && !strchr(more, *s))
                        return false;
        }
        return true;
}

bool inventory_host_ok(const char *host)
{
        size_t len = strlen(host);
        return len > 0 && len <= INVENTORY_NAME_MAX && *host != '-' && made_of(host, ".-_:%");
}

bool inventory_user_ok(const char *user)
{
        size_t len = strlen(user);
        return len > 0 && len <= 64 && *user != '-' && user[len - 1] != '\\' && made_of(user, "._-+@\\");
}

bool inventory_key_ok(const char *key)
{
        if ((*key != '/' && *key != '~') || strlen(key) > INVENTORY_VALUE_MAX || strpbrk(key, "%\"'$`"))
                return false;
        for (const char *c = key; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        return false;
        return true;
}

bool inventory_bridge_ok(const char *command)
{
        if (!*command || strlen(command) > INVENTORY_VALUE_MAX)
                return false;
        for (const char *c = command; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        return false;
        return true;
}

bool inventory_port(const char *text, uint16_t *ret)
{
        size_t len = strlen(text);
        if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
                return false;
        unsigned long port = strtoul(text, NULL, 10);
        if (port == 0 || port > UINT16_MAX)
                return false;
        *ret = (uint16_t) port;
        return true;
}

/* ---- ranges ---- */

typedef struct Range {
        bool letters;
        unsigned long from, to, step;
        int width; /* of numbers with leading zeros; 0: none */
} Range;

static bool range_number(const char *text, unsigned long *ret)
{
        size_t len = strlen(text);
        if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
                return false;
        *ret = strtoul(text, NULL, 10);
        return true;
}

/* A letter's place: a-z, then A-Z, as Ansible counts. */
static bool range_letter(const char *text, unsigned long *ret)
{
        if (!*text || text[1])
                return false;
        if (*text >= 'a' && *text <= 'z')
                *ret = (unsigned long) (*text - 'a');
        else if (*text >= 'A' && *text <= 'Z')
                *ret = (unsigned long) (*text - 'A') + 26;
        else
                return false;
        return true;
}

/* @text: what stands in the brackets. */
static int range_parse(const char *text, size_t len, Range *ret, Err *err)
{
        char copy[64], zero[] = "0", *part[3] = { NULL };
        size_t n = 0;

        if (len >= sizeof(copy))
                return err_set(err, -EINVAL, "the range [%.40s...] is too long", text);
        memcpy(copy, text, len);
        copy[len] = '\0';
        char *rest = copy;
        while (n < 3 && rest)
                part[n++] = strsep(&rest, ":");
        *ret = (Range){ .step = 1 };
        bool good = n >= 2 && !rest;
        if (good && !*part[0])
                part[0] = zero;
        if (good && n == 3)
                good = range_number(part[2], &ret->step) && ret->step > 0;
        if (good && range_letter(part[0], &ret->from) && range_letter(part[1], &ret->to))
                ret->letters = true;
        else
                good = good && range_number(part[0], &ret->from) && range_number(part[1], &ret->to);
        if (!good)
                return err_set(err, -EINVAL, "[%.60s] is no range; accepted: [1:9], [01:12], [a:f], [1:9:2]",
                               copy);
        if (ret->from > ret->to)
                return err_set(err, -EINVAL, "the range [%.60s] runs backwards", copy);
        if (!ret->letters && part[0][0] == '0' && part[0][1]) {
                ret->width = (int) strlen(part[0]);
                if (strlen(part[1]) != (size_t) ret->width)
                        return err_set(err, -EINVAL,
                                       "both ends of the range [%.60s] need the same number of digits", copy);
        }
        return 0;
}

static int expand_add(const char *name, char **names, size_t *n, size_t max, Err *err)
{
        if (*n >= max)
                return err_set(err, -E2BIG, "the ranges stand for more than %zu names", max);
        names[*n] = strdup(name);
        return names[(*n)++] ? 0 : err_set(err, -ENOMEM, "Out of memory for names");
}

static int expand(const char *pattern, char **names, size_t *n, size_t max, unsigned depth, Err *err)
{
        const char *open = strchr(pattern, '['), *close = open ? strchr(open, ']') : NULL;
        Range range = { 0 };

        if (!open)
                return strchr(pattern, ']') ? err_set(err, -EINVAL, "a ']' without its '['")
                                            : expand_add(pattern, names, n, max, err);
        if (!close)
                return err_set(err, -EINVAL, "a '[' without its ']'");
        if (depth == 0)
                return err_set(err, -EINVAL, "more ranges in one name than are accepted");
        int r = range_parse(open + 1, (size_t) (close - open - 1), &range, err);
        for (unsigned long i = range.from; r >= 0 && i <= range.to; i += range.step) {
                char item[32], next[INVENTORY_LINE_MAX];
                if (range.letters)
                        (void) snprintf(item, sizeof(item), "%c", (int) (i < 26 ? 'a' + i : 'A' + (i - 26)));
                else
                        (void) snprintf(item, sizeof(item), "%0*lu", range.width, i);
                if ((size_t) snprintf(next, sizeof(next), "%.*s%s%s", (int) (open - pattern), pattern, item,
                                      close + 1) >= sizeof(next))
                        return err_set(err, -EINVAL, "the name is too long");
                r = expand(next, names, n, max, depth - 1, err);
        }
        return r;
}

int inventory_expand(const char *pattern, size_t max, char ***ret, Err *err)
{
        _cleanup_(inventory_names_freep) char **names = calloc(max + 1, sizeof(char *));
        size_t n = 0;
        if (!names)
                return err_set(err, -ENOMEM, "Out of memory for names");
        int r = expand(pattern, names, &n, max, 4, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(names);
        return 0;
}
