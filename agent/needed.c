/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/needed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/json.h"

typedef struct NeededFinding {
        NeededSource source;
        NeededAnswer answer;
        char *text;
} NeededFinding;

struct Needed {
        NeededFinding *findings[NEEDED_FINDINGS_MAX];
        size_t n;
        unsigned count[NEEDED_SOURCE_COUNT][NEEDED_ANSWER_COUNT]; /* the ones that are not kept, too */
};

static const char *const source_names[] = {
        [NEEDED_STATE] = "state", [NEEDED_PROCESSES] = "processes",     [NEEDED_CODE] = "code",
        [NEEDED_FILES] = "files", [NEEDED_CERTIFICATE] = "certificate",
};
_Static_assert(ELEMENTS(source_names) == NEEDED_SOURCE_COUNT, "every source has a name");

static const char *const verdict_names[] = {
        [NEEDED_NO] = "no",
        [NEEDED_YES] = "yes",
        [NEEDED_UNKNOWN] = "unknown",
};
_Static_assert(ELEMENTS(verdict_names) == NEEDED_VERDICT_COUNT, "every verdict has a name");

const char *needed_source_name(NeededSource source)
{
        return source >= 0 && source < NEEDED_SOURCE_COUNT ? source_names[source] : "invalid";
}

const char *needed_verdict_name(NeededVerdict verdict)
{
        return verdict >= 0 && verdict < NEEDED_VERDICT_COUNT ? verdict_names[verdict] : "invalid";
}

int needed_new(Needed **ret)
{
        Needed *n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        *ret = n;
        return 0;
}

Needed *needed_free(Needed *n)
{
        if (!n)
                return NULL;
        for (size_t i = 0; i < n->n; i++) {
                free(n->findings[i]->text);
                free(n->findings[i]);
        }
        free(n);
        return NULL;
}

void needed_add(Needed *n, NeededSource source, NeededAnswer answer, const char *fmt, ...)
{
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        /* Names of files are anybody's bytes, and D-Bus takes UTF-8 only. */
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';

        n->count[source][answer]++;
        if (n->n == NEEDED_FINDINGS_MAX)
                return;
        NeededFinding *f = calloc(1, sizeof(*f));
        char *copy = strdup(text);
        if (!f || !copy) {
                free(f);
                free(copy);
                return;
        }
        *f = (NeededFinding){ .source = source, .answer = answer, .text = copy };
        n->findings[n->n++] = f;
}

bool needed_says(const Needed *n, NeededSource source, NeededAnswer answer)
{
        return n->count[source][answer] > 0;
}

NeededVerdict needed_verdict(const Needed *n)
{
        bool unseen = false;
        for (int s = 0; s < NEEDED_SOURCE_COUNT; s++) {
                if (n->count[s][NEEDED_SAYS_YES] > 0)
                        return NEEDED_YES;
                unseen = unseen || n->count[s][NEEDED_UNSEEN] > 0;
        }
        bool seen =
                n->count[NEEDED_PROCESSES][NEEDED_SAYS_NO] > 0 && n->count[NEEDED_FILES][NEEDED_SAYS_NO] > 0;
        return unseen || !seen ? NEEDED_UNKNOWN : NEEDED_NO;
}

static void json_list(const Needed *n, cJSON *object, const char *key, NeededAnswer answer)
{
        cJSON *a = cJSON_AddArrayToObject(object, key);
        for (size_t i = 0; i < n->n; i++)
                if (n->findings[i]->answer == answer)
                        json_append(a, cJSON_CreateString(n->findings[i]->text));
}

void needed_json(const Needed *n, cJSON *object)
{
        cJSON_AddStringToObject(object, "needed", needed_verdict_name(needed_verdict(n)));
        json_list(n, object, "reasons", NEEDED_SAYS_YES);
        json_list(n, object, "seen", NEEDED_SAYS_NO);
        json_list(n, object, "unseen", NEEDED_UNSEEN);
        /* Said each time, because "no" does not speak of it. */
        cJSON *beyond = cJSON_AddArrayToObject(object, "beyond");
        json_append(beyond,
                    cJSON_CreateString("deployments, keystores and virtual hosts in Edge's own database are "
                                       "not looked at: edge-roll why does"));
}

const char *needed_text(const Needed *n, char *buf, size_t size)
{
        NeededVerdict verdict = needed_verdict(n);
        NeededAnswer answer = verdict == NEEDED_YES       ? NEEDED_SAYS_YES
                              : verdict == NEEDED_UNKNOWN ? NEEDED_UNSEEN
                                                          : NEEDED_SAYS_NO;
        size_t len =
                (size_t) snprintf(buf, size, "%s",
                                  verdict == NEEDED_YES       ? "needed: "
                                  : verdict == NEEDED_UNKNOWN ? "not known whether it is needed, so it is: "
                                                              : "not needed: ");
        bool first = true;
        for (size_t i = 0; i < n->n && len < size; i++) {
                if (n->findings[i]->answer != answer)
                        continue;
                len += (size_t) snprintf(buf + len, size - len, "%s%s", first ? "" : "; ",
                                         n->findings[i]->text);
                first = false;
        }
        if (first && len < size)
                (void) snprintf(buf + len, size - len, "nothing could be looked at");
        return buf;
}

bool needed_clock_stands(int64_t then, int64_t now)
{
        int64_t moved = now > then ? now - then : then - now;
        return moved <= (int64_t) NEEDED_STEP_USEC;
}

NeededAnswer needed_file_says(Usec changed, Usec started, Usec now)
{
        if (changed > time_add(now, NEEDED_SLACK_USEC))
                return NEEDED_UNSEEN;
        return time_add(changed, NEEDED_SLACK_USEC) > started ? NEEDED_SAYS_YES : NEEDED_SAYS_NO;
}
