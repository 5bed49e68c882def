/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/frames.h"

#define READ_BYTES 32768
#define LINE_USEC  (300 * USEC_PER_MSEC) /* for the rest of the first line of what is not D-Bus */

/* One direction: what was read and not yet written. */
typedef struct Flow {
        int from, to;
        bool is_far; /* from the far end: judged */
        uint8_t *bytes;
        size_t n, done;
} Flow;

struct Relay {
        sd_event *event;
        int near, in, out;
        sd_event_source *near_source, *in_source, *out_source, *timer;
        Flow inward, outward;
        Frames frames;
        bool ended;
        Usec heard;
        RelayEndFn fn;
        void *userdata;
};

static void relay_end(Relay *r, RelayEnd end, const char *text)
{
        if (r->ended)
                return;
        r->ended = true;
        r->near_source = sd_event_source_unref(r->near_source);
        r->in_source = sd_event_source_unref(r->in_source);
        r->out_source = sd_event_source_unref(r->out_source);
        r->timer = sd_event_source_unref(r->timer);
        r->fn(r, end, text, r->userdata);
}

static bool flow_waits(const Flow *f)
{
        return f->n > f->done;
}

/* A side is read only while what it said before is passed on, and written only when something waits. */
static void relay_arm(Relay *r)
{
        uint32_t near = 0, in = 0, out = 0;
        near |= flow_waits(&r->outward) ? 0 : EPOLLIN;
        near |= flow_waits(&r->inward) ? EPOLLOUT : 0;
        in |= flow_waits(&r->inward) ? 0 : EPOLLIN;
        out |= flow_waits(&r->outward) ? EPOLLOUT : 0;
        (void) sd_event_source_set_io_events(r->near_source, near);
        (void) sd_event_source_set_io_events(r->in_source, r->out_source ? in : in | out);
        if (r->out_source)
                (void) sd_event_source_set_io_events(r->out_source, out);
}

/* A pipe has no flags for this one write; SIGPIPE is the owner's to ignore. */
static ssize_t put(int fd, const uint8_t *bytes, size_t n)
{
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        return done < 0 && errno == ENOTSOCK ? write(fd, bytes, n) : done;
}

/* Return: false when that side is gone. */
static bool flow_write(Flow *f)
{
        while (flow_waits(f)) {
                ssize_t n = put(f->to, f->bytes + f->done, f->n - f->done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                f->done += (size_t) n;
        }
        free(f->bytes);
        f->bytes = NULL;
        f->n = f->done = 0;
        return true;
}

/* Passes what is there on; the rest is kept. Return: false when that side is gone. */
static bool flow_pass(Flow *f, const uint8_t *bytes, size_t n)
{
        ssize_t done = put(f->to, bytes, n);
        if (done < 0 && errno != EAGAIN && errno != EINTR)
                return false;
        if (done < 0)
                done = 0;
        if ((size_t) done == n)
                return true;
        f->bytes = malloc(n - (size_t) done);
        if (!f->bytes)
                return false;
        (void) memcpy(f->bytes, bytes + done, n - (size_t) done);
        f->n = n - (size_t) done;
        f->done = 0;
        return true;
}

static int on_line_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        Relay *r = userdata;
        (void) s;
        (void) usec;
        relay_end(r, RELAY_FOREIGN, frames_line(&r->frames));
        return 0;
}

/* Return: false when the relay has ended, and may be gone. */
static bool relay_judge(Relay *r, const uint8_t *bytes, size_t n, bool *ret_pass)
{
        FramesVerdict v = frames_feed(&r->frames, bytes, n);
        *ret_pass = v == FRAMES_GOOD;
        if (v == FRAMES_GOOD)
                return true;
        if (v == FRAMES_DOUBT) {
                if (r->timer || sd_event_add_time(r->event, &r->timer, CLOCK_MONOTONIC,
                                                  time_add(time_now(), LINE_USEC), 0, on_line_time, r) >= 0)
                        return true;
                v = FRAMES_FOREIGN;
        }
        relay_end(r,
                  v == FRAMES_FOREIGN   ? RELAY_FOREIGN
                  : v == FRAMES_TOO_BIG ? RELAY_TOO_BIG
                                        : RELAY_BROKEN,
                  frames_line(&r->frames));
        return false;
}

/* Return: false when the relay has ended, and may be gone. */
static bool relay_read(Relay *r, Flow *f)
{
        uint8_t bytes[READ_BYTES];
        RelayEnd gone = f->is_far ? RELAY_EOF : RELAY_NEAR;
        bool pass = true;

        ssize_t n = read(f->from, bytes, sizeof(bytes));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return true;
        if (n <= 0) {
                /* What ends in the middle of its first line has said all of it. */
                if (f->is_far && *frames_line(&r->frames))
                        gone = RELAY_FOREIGN;
                relay_end(r, gone, frames_line(&r->frames));
                return false;
        }
        if (f->is_far) {
                r->heard = time_now();
                if (!relay_judge(r, bytes, (size_t) n, &pass))
                        return false;
        }
        if (pass && !flow_pass(f, bytes, (size_t) n)) {
                relay_end(r, f->is_far ? RELAY_NEAR : RELAY_EOF, "");
                return false;
        }
        return true;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Relay *r = userdata;
        bool near = s == r->near_source;
        Flow *reads = near ? &r->outward : &r->inward, *writes = near ? &r->inward : &r->outward;
        bool may_read = near || s == r->in_source, may_write = near || fd == r->out;

        if (may_write && flow_waits(writes) && revents & (EPOLLOUT | EPOLLERR | EPOLLHUP) &&
            !flow_write(writes)) {
                relay_end(r, near ? RELAY_NEAR : RELAY_EOF, "");
                return 0;
        }
        /* An end with nothing to read is read all the same: that is how it is known. */
        if (may_read && !flow_waits(reads) && revents & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
                if (!relay_read(r, reads))
                        return 0;
        } else if (revents & (EPOLLERR | EPOLLHUP) && s != r->in_source) {
                relay_end(r, near ? RELAY_NEAR : RELAY_EOF, "");
                return 0;
        }
        relay_arm(r);
        return 0;
}

static int nonblocking(int fd, Err *err)
{
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return err_errno(err, errno, "cannot make descriptor %d non-blocking", fd);
        return 0;
}

int relay_new(Relay **ret, sd_event *event, int in, int out, bool far_is_client, uint32_t max_bytes,
              RelayEndFn fn, void *userdata, int *ret_fd, Err *err)
{
        _cleanup_(relay_freep) Relay *r = calloc(1, sizeof(*r));
        int pair[2];
        if (!r) {
                (void) close(in);
                if (out != in)
                        (void) close(out);
                return err_errno(err, -ENOMEM, "a connection");
        }
        *r = (Relay){ .event = sd_event_ref(event), .near = -1, .in = in, .out = out, .heard = time_now() };
        r->fn = fn;
        r->userdata = userdata;
        r->frames = far_is_client ? FRAMES_FROM_CLIENT(max_bytes) : FRAMES_FROM_SERVER(max_bytes);
        int e = nonblocking(in, err);
        if (e >= 0)
                e = nonblocking(out, err);
        if (e < 0)
                return e;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return err_errno(err, errno, "cannot make a pair of sockets");
        r->near = pair[0];
        _cleanup_(closep) int given = pair[1];
        r->inward = (Flow){ .from = in, .to = r->near, .is_far = true };
        r->outward = (Flow){ .from = r->near, .to = out };
        e = sd_event_add_io(event, &r->near_source, r->near, EPOLLIN, on_io, r);
        if (e >= 0)
                e = sd_event_add_io(event, &r->in_source, in, EPOLLIN, on_io, r);
        if (e >= 0 && out != in)
                e = sd_event_add_io(event, &r->out_source, out, 0, on_io, r);
        if (e < 0)
                return err_errno(err, e, "cannot wait for a connection");
        *ret_fd = TAKE_FD(given);
        *ret = TAKE_PTR(r);
        return 0;
}

Relay *relay_free(Relay *r)
{
        if (!r)
                return NULL;
        r->near_source = sd_event_source_unref(r->near_source);
        r->in_source = sd_event_source_unref(r->in_source);
        r->out_source = sd_event_source_unref(r->out_source);
        r->timer = sd_event_source_unref(r->timer);
        free(r->inward.bytes);
        free(r->outward.bytes);
        closep(&r->near);
        closep(&r->in);
        if (r->out != r->in)
                closep(&r->out);
        r->event = sd_event_unref(r->event);
        free(r);
        return NULL;
}

Usec relay_heard(const Relay *r)
{
        return r->heard;
}
