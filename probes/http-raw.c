/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A request whose answer is looked at byte for byte: libcurl connects and does the handshake, and from then
 * on carries bytes. Its own reader takes an answer that is cut off in its header for a good one (seen with
 * 7.88), and trailers for headers.
 *
 * Source: CURLOPT_CONNECT_ONLY(3), curl_easy_send(3), curl_easy_recv(3), CURLINFO_ACTIVESOCKET(3).
 */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "probes/http-impl.h"

#define RAW_READ_SIZE 16384

static Usec raw_due(const HttpCall *call)
{
        return MIN(time_add(call->moved_usec, call->read_usec), call->end_usec);
}

static bool raw_watch(HttpCall *call, uint32_t events)
{
        struct epoll_event e = { .events = events, .data.ptr = call };
        int r = call->raw_events == events
                        ? 0
                        : epoll_ctl(call->http->raw_poll, call->raw_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                                    call->raw_fd, &e);
        if (r < 0)
                http_end(call, HTTP_INTERNAL, "its socket cannot be watched");
        else
                call->raw_events = events;
        return r == 0;
}

void http_raw_leave(HttpCall *call)
{
        if (call->raw_events)
                (void) epoll_ctl(call->http->raw_poll, EPOLL_CTL_DEL, call->raw_fd, NULL);
        call->raw_events = 0;
}

static HttpOutcome raw_stage(const HttpCall *call, bool closed)
{
        return http1_stage(&call->answer, closed, call->sent == call->request_len);
}

/* What libcurl says, and what the kernel has just said to it. */
static void raw_lost(HttpCall *call, HttpOutcome outcome, CURLcode code, int os_errno)
{
        call->os_errno = os_errno == ECONNRESET || os_errno == EPIPE || os_errno == ETIMEDOUT ? os_errno : 0;
        http_end(call, outcome, *call->curl_text ? call->curl_text : call->http->curl->easy_strerror(code));
}

/* Return: false when the call is over. */
static bool raw_transmit(HttpCall *call)
{
        const CurlDl *curl = call->http->curl;

        while (call->sent < call->request_len) {
                size_t n = 0;
                errno = 0;
                CURLcode code = curl->easy_send(call->easy, call->request + call->sent,
                                                call->request_len - call->sent, &n);
                if (code == CURLE_AGAIN)
                        break;
                if (code != CURLE_OK) {
                        raw_lost(call, HTTP_SEND, code, errno);
                        return false;
                }
                call->sent += n;
                call->moved_usec = time_now();
        }
        return raw_watch(call, call->sent < call->request_len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Until nothing is left: what TLS has decrypted already wakes nobody. */
static void raw_receive(HttpCall *call)
{
        static char buffer[RAW_READ_SIZE];
        const CurlDl *curl = call->http->curl;

        for (;;) {
                size_t n = 0;
                HttpOutcome outcome;
                errno = 0;
                CURLcode code = curl->easy_recv(call->easy, buffer, sizeof(buffer), &n);
                if (code == CURLE_AGAIN)
                        return;
                if (code != CURLE_OK) {
                        raw_lost(call, raw_stage(call, false), code, errno);
                        return;
                }
                if (n == 0) {
                        outcome = raw_stage(call, true);
                        http_end(call, outcome, outcome == HTTP_ANSWER ? NULL : "the connection was closed");
                        return;
                }
                call->moved_usec = time_now();
                if (http1_feed(&call->answer, buffer, n, &outcome)) {
                        http_end(call, outcome, call->answer.why);
                        return;
                }
                /* Who sends faster than this reads must not hold up the loop for ever: the timer ends it. */
                if (call->moved_usec >= call->end_usec)
                        return;
        }
}

/* As in plain.c: a call ends only in its own event, and what has ended stays until it was delivered. */
int http_raw_on_sockets(sd_event_source *source _unused_, int fd, uint32_t revents _unused_,
                        void *userdata _unused_)
{
        struct epoll_event events[64];
        int n = epoll_wait(fd, events, ELEMENTS(events), 0);
        for (int i = 0; i < n; i++) {
                HttpCall *call = events[i].data.ptr;
                if (events[i].events & EPOLLOUT && !raw_transmit(call))
                        continue;
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        raw_receive(call);
        }
        return 0;
}

void http_raw_begin(HttpCall *call)
{
        curl_socket_t fd = CURL_SOCKET_BAD;

        if (call->http->curl->easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
            fd == CURL_SOCKET_BAD) {
                http_end(call, HTTP_INTERNAL, "its connection is gone");
                return;
        }
        call->raw_fd = fd;
        call->raw = true;
        call->curl_text[0] = '\0';
        call->moved_usec = time_now();
        (void) sd_event_source_set_time(call->patience, raw_due(call));
        (void) sd_event_source_set_enabled(call->patience, SD_EVENT_ONESHOT);
        (void) raw_transmit(call);
}

void http_raw_on_patience(HttpCall *call)
{
        char why[64], limit[32];
        Usec now = time_now();

        if (now < raw_due(call)) {
                (void) sd_event_source_set_time(call->patience, raw_due(call));
                (void) sd_event_source_set_enabled(call->patience, SD_EVENT_ONESHOT);
                return;
        }
        if (now >= call->end_usec)
                (void) snprintf(why, sizeof(why), "not over within %s",
                                time_format(call->end_usec - call->start_usec, limit, sizeof(limit)));
        else
                (void) snprintf(why, sizeof(why), "nothing for %s",
                                time_format(call->read_usec, limit, sizeof(limit)));
        http_end(call, raw_stage(call, false), why);
}
