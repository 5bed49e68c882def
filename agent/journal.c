/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/words.h"

#define FIELDS_MAX 20
#define EXTRA_MAX  10

static void journal_field(struct iovec *iov, int *n, char *buf, size_t size, const char *key,
                          const char *value)
{
        if (!value || !*value || *n >= FIELDS_MAX)
                return;
        int k = snprintf(buf, size, "%s=%s", key, value);
        /* Whoever wrote the parts of it: one line, and nothing that a terminal would obey. */
        words_clean(buf);
        iov[(*n)++] = (struct iovec){ .iov_base = buf, .iov_len = MIN((size_t) k, size - 1) };
}

void journal_log(int priority, const char *message_id, const JournalContext *c, const char *fmt, ...)
{
        char message[1024], text[1100], prio[24], id[64], job[64], component[128], phase[64], unit[300];
        char extra[EXTRA_MAX][340];
        struct iovec iov[FIELDS_MAX];
        int n = 0;
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);

        char number[32];
        (void) snprintf(number, sizeof(number), "%d", priority);
        journal_field(iov, &n, prio, sizeof(prio), "PRIORITY", number);
        journal_field(iov, &n, text, sizeof(text), "MESSAGE", message);
        journal_field(iov, &n, id, sizeof(id), "MESSAGE_ID", message_id);
        if (c) {
                (void) snprintf(number, sizeof(number), "%" PRIu64, c->id);
                journal_field(iov, &n, job, sizeof(job), "EDGE_ROLL_ID", number);
                journal_field(iov, &n, component, sizeof(component), "EDGE_ROLL_COMPONENT", c->component);
                journal_field(iov, &n, phase, sizeof(phase), "EDGE_ROLL_PHASE", c->phase);
                journal_field(iov, &n, unit, sizeof(unit), "OBJECT_SYSTEMD_UNIT", c->unit);
                for (size_t i = 0; i < c->n_fields && i < EXTRA_MAX; i++)
                        journal_field(iov, &n, extra[i], sizeof(extra[i]), c->fields[i].key,
                                      c->fields[i].value);
        }
        /* A journal that cannot be reached must not stop a job. */
        (void) sd_journal_sendv(iov, n);
}
