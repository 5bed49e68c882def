/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/leave.h"

#include <stdio.h>
#include <string.h>

void leave_retry_parse(const char *text, const char *from, RetrySet *ret)
{
        RetrySet set = { .known = true, .http_599 = text == NULL };

        (void) snprintf(set.from, sizeof(set.from), "%s%s", text ? "" : "Edge's default, not changed in ",
                        from);
        for (const char *p = text ? text + strspn(text, " \t") : ""; *p; p += strspn(p, " \t")) {
                size_t len = strcspn(p, " \t");
                set.error = set.error || (len == 5 && strncmp(p, "error", len) == 0);
                set.http_599 = set.http_599 || (len == 8 && strncmp(p, "http_599", len) == 0);
                /* "off" with others makes no sense; alone is what it is meant for. */
                if (len == 3 && strncmp(p, "off", len) == 0) {
                        set.error = set.http_599 = false;
                        break;
                }
                p += len;
        }
        *ret = set;
}

static MpLeave leave_auto(bool tls, const RetrySet *routers, char *why, size_t size)
{
        if (tls) {
                (void) snprintf(why, size, "behind TLS the block refuses checks only, no request");
                return MP_LEAVE_BLOCK;
        }
        if (!routers->known) {
                (void) snprintf(why, size, "retry set of the routers not known (%s): block", routers->from);
                return MP_LEAVE_BLOCK;
        }
        if (routers->error || !routers->http_599) {
                (void) snprintf(why, size, "the routers %s refused connections (%s)",
                                routers->error ? "retry" : "retry neither 599 nor", routers->from);
                return MP_LEAVE_BLOCK;
        }
        (void) snprintf(why, size, "the routers retry 599 and no refused connections (%s)", routers->from);
        return MP_LEAVE_GRACEFUL;
}

MpLeave leave_choose(MpLeave asked, bool tls, const RetrySet *routers, char *ret_why, size_t why_size,
                     char *ret_loss, size_t loss_size)
{
        MpLeave way = asked;

        ret_loss[0] = '\0';
        if (asked == MP_LEAVE_AUTO)
                way = leave_auto(tls, routers, ret_why, why_size);
        else
                (void) snprintf(ret_why, why_size, "mp_leave = %s", mp_leave_name(asked));
        if (way == MP_LEAVE_BLOCK && !tls && routers->known && !routers->error)
                (void) snprintf(
                        ret_loss, loss_size,
                        "the routers do not retry refused connections (%s): until they have noticed, what "
                        "they send here is lost",
                        routers->from);
        if (way == MP_LEAVE_GRACEFUL && routers->known && !routers->http_599)
                (void) snprintf(
                        ret_loss, loss_size,
                        "the routers do not retry 599 (%s): until they have noticed, what they send here is "
                        "lost",
                        routers->from);
        return way;
}
