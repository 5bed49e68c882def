/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

Addr addr_from(int family, const void *bytes)
{
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        Addr a = { .family = (uint8_t) family };

        if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
                a.family = AF_INET;
                memcpy(a.b, (const uint8_t *) bytes + 12, 4);
        } else
                memcpy(a.b, bytes, family == AF_INET6 ? 16 : 4);
        return a;
}

bool addr_parse(const char *text, Addr *ret)
{
        uint8_t b[16];
        if (inet_pton(AF_INET, text, b) == 1) {
                *ret = addr_from(AF_INET, b);
                return true;
        }
        if (inet_pton(AF_INET6, text, b) == 1) {
                *ret = addr_from(AF_INET6, b);
                return true;
        }
        return false;
}

bool addr_equal(const Addr *a, const Addr *b)
{
        return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool addr_is_loopback(const Addr *a)
{
        static const uint8_t one[16] = { [15] = 1 };
        return a->family == AF_INET ? a->b[0] == 127 : memcmp(a->b, one, sizeof(one)) == 0;
}

const char *addr_format(const Addr *a, char *buf, size_t size)
{
        if (!inet_ntop(a->family, a->b, buf, (socklen_t) size) && size > 0)
                buf[0] = '\0';
        return buf;
}

/* Where the host and what stands before it begin; NULL: this is no URL. @ret: how long that is, up to "@". */
static const char *url_user(const char *url, size_t *ret)
{
        const char *host = strstr(url, "://");
        if (!host)
                return NULL;
        host += 3;
        size_t all = strcspn(host, "/?#"), len = all;
        while (len > 0 && host[len - 1] != '@')
                len--;
        *ret = len > 0 ? len - 1 : 0;
        return len > 0 ? host : NULL;
}

bool url_has_user(const char *url)
{
        size_t len;
        return url_user(url, &len);
}

const char *url_shown(const char *url, char *buf, size_t size)
{
        size_t len;
        const char *user = url_user(url, &len);
        if (user)
                (void) snprintf(buf, size, "%.*s***%s", (int) (user - url), url, user + len);
        else
                (void) snprintf(buf, size, "%s", url);
        return buf;
}
