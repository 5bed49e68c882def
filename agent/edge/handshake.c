/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/handshake.h"

#include <string.h>

#include "base/addr.h"
#include "probes/http.h"
#include "probes/pem.h"

#define HANDSHAKE_USEC (5 * USEC_PER_SEC)

typedef struct Hands {
        Http *http;
        Handshake *list;
        size_t n, next, running;
        Usec until; /* 0: no limit */
        Err *err;
        int r;
} Hands;

typedef struct Hand {
        Hands *hands;
        size_t at;
} Hand;

static void hands_fill(Hands *h);

static void hand_on_result(const HttpResult *result, void *userdata)
{
        _cleanup_(freep) Hand *hand = userdata;
        Hands *h = hand->hands;
        Handshake *s = &h->list[hand->at];
        Err why = { 0 };
        h->running--;
        if (result->outcome == HTTP_ANSWER && result->body_len > 0)
                s->known = pem_fingerprint(result->body, result->body_len, s->fingerprint, &why) == 0;
        else if (result->outcome == HTTP_ANSWER)
                (void) snprintf(why.text, sizeof(why.text), "this libcurl cannot tell a certificate");
        if (!s->known)
                (void) snprintf(s->text, sizeof(s->text), "%.190s", *why.text ? why.text : result->text);
        hands_fill(h);
}

static int hand_start(Hands *h, size_t at, Usec limit)
{
        const Handshake *s = &h->list[at];
        char url[160];
        Addr addr;
        bool v6 = addr_parse(s->address, &addr) && strchr(s->address, ':');
        HttpRequest request = {
                .url = url,
                .certificate = true,
                .server_name = s->name,
                .may_block = true,
                .connect_usec = limit,
                .total_usec = limit,
        };
        (void) snprintf(url, sizeof(url), "https://%s%.100s%s:%u", v6 ? "[" : "", s->address, v6 ? "]" : "",
                        s->port);
        Hand *hand = calloc(1, sizeof(*hand));
        if (!hand)
                return err_set(h->err, -ENOMEM, "Out of memory for a handshake");
        *hand = (Hand){ .hands = h, .at = at };
        int r = http_start(h->http, &request, hand_on_result, hand, NULL, h->err);
        if (r < 0)
                free(hand);
        return r;
}

static void hands_fill(Hands *h)
{
        while (h->r >= 0 && h->next < h->n && h->running < HANDSHAKE_AT_ONCE) {
                Usec now = time_now(), left = h->until > now ? h->until - now : 0;
                if (h->until > 0 && left == 0) {
                        (void) snprintf(h->list[h->next].text, sizeof(h->list[h->next].text),
                                        "not asked, because the time for all was over");
                        h->next++;
                        continue;
                }
                h->r = hand_start(h, h->next++, h->until > 0 ? MIN(HANDSHAKE_USEC, left) : HANDSHAKE_USEC);
                h->running += h->r >= 0;
        }
}

int handshake_all(sd_event *event, Handshake *list, size_t n, Usec until, Err *err)
{
        _cleanup_(http_freep) Http *http = NULL;
        int r = http_new(&http, event, err);
        if (r < 0)
                return r;
        Hands h = { .http = http, .list = list, .n = n, .until = until, .err = err };
        hands_fill(&h);
        while (h.running > 0) {
                r = sd_event_run(event, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for handshakes");
        }
        return h.r < 0 ? h.r : 0;
}
