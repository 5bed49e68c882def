/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Client load for the lab: many HTTP/1.1 streams at once, each of which counts what it loses.
 *
 *   load --seconds MAX [--stop FILE] [--finish SECONDS] [--progress FILE] [--failures FILE] STREAMS...
 *   load --pattern FILE BYTES
 *
 * STREAMS is TYPE:key=value,key=value,...
 *   kept      GETs on one connection that stays open       new       GETs, a new connection for each
 *   download  GETs whose body must be the pattern          upload    POSTs of `bytes` spread over `over`
 * seconds, answered by the number of bytes that arrived to=ADDRESS:PORT ([ADDRESS]:PORT)   n=streams
 * path=/...   name=in the summary (default: TYPE) every=seconds from start to start of one stream (0: back to
 * back)   limit=seconds for one request bytes=of a download or upload      over=seconds of an upload
 *
 * Runs until SIGTERM, SIGINT, until FILE of --stop exists, or for MAX seconds. Then starts nothing new, lets
 * what is in flight end within --finish seconds, and prints one JSON object; what had not ended by then
 * counts as failed. Each failure is a line in --failures with the time of day. Exit status 0 whatever the
 * server did; 2 for wrong arguments. Nothing is ever sent again: what a connection loses stays lost and is
 * counted.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define USEC_PER_SEC 1000000ULL
#define KINDS_MAX    16
#define HEAD_MAX     4096
#define BUCKETS      1024
#define RETRY_USEC   100000ULL /* after a failure, so that a dead server is not stormed */

typedef uint64_t Usec;

typedef enum Type { TYPE_KEPT, TYPE_NEW, TYPE_DOWNLOAD, TYPE_UPLOAD, TYPE_COUNT } Type;

static const char *const type_names[TYPE_COUNT] = {
        [TYPE_KEPT] = "kept",
        [TYPE_NEW] = "new",
        [TYPE_DOWNLOAD] = "download",
        [TYPE_UPLOAD] = "upload",
};

typedef enum Cause {
        CAUSE_REFUSED,
        CAUSE_RESET,
        CAUSE_CLOSED,    /* end of the connection before a complete head */
        CAUSE_TRUNCATED, /* end of the connection inside the body, or fewer bytes than agreed */
        CAUSE_STATUS,    /* any status but 200 */
        CAUSE_CORRUPT,   /* other bytes than the pattern, or an answer that is no HTTP */
        CAUSE_TIMEOUT,
        CAUSE_UNFINISHED,
        CAUSE_OTHER,
        CAUSE_COUNT,
} Cause;

static const char *const cause_names[CAUSE_COUNT] = {
        [CAUSE_REFUSED] = "refused",     [CAUSE_RESET] = "reset",           [CAUSE_CLOSED] = "closed",
        [CAUSE_TRUNCATED] = "truncated", [CAUSE_STATUS] = "status",         [CAUSE_CORRUPT] = "corrupt",
        [CAUSE_TIMEOUT] = "timeout",     [CAUSE_UNFINISHED] = "unfinished", [CAUSE_OTHER] = "other",
};

typedef struct Kind {
        Type type;
        char name[32];
        char path[128];
        struct sockaddr_storage to;
        socklen_t to_length;
        char host[64];
        unsigned n;
        Usec every_usec;
        Usec limit_usec;
        Usec over_usec;
        uint64_t bytes;

        uint64_t sent;
        uint64_t ok;
        uint64_t failed[CAUSE_COUNT];
        uint64_t status_5xx;
        uint64_t received_bytes;
        Usec stall_usec; /* longest silence inside a body */
        Usec max_usec;
        uint64_t latency[BUCKETS];
} Kind;

typedef enum State { STATE_WAITING, STATE_CONNECTING, STATE_SENDING, STATE_HEAD, STATE_BODY } State;

typedef struct Stream {
        Kind *kind;
        State state;
        int fd;
        uint32_t events; /* what epoll watches for */
        Usec due_usec;   /* WAITING: next request; SENDING a slow upload: next piece */
        Usec start_usec;
        Usec moved_usec;
        char request[512];
        size_t request_length;
        size_t request_sent;
        uint64_t upload_sent;
        char head[HEAD_MAX];
        size_t head_length;
        char served_by[16];
        bool server_closes;
        bool chunked;
        bool chunk_head; /* inside the line that gives a chunk's size */
        bool last_chunk;
        char chunk_line[32];
        size_t chunk_line_length;
        uint64_t left_bytes; /* of the body, or of this chunk */
        uint64_t body_bytes; /* seen so far */
        char body[32];       /* its beginning */
} Stream;

static Kind kinds[KINDS_MAX];
static size_t n_kinds;
static Stream *streams;
static size_t n_streams;
static int epoll_fd = -1;
static FILE *failures;
static volatile sig_atomic_t stop_asked;

static Usec now_usec(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (Usec) t.tv_sec * USEC_PER_SEC + (Usec) t.tv_nsec / 1000;
}

static void on_signal(int sig)
{
        (void) sig;
        stop_asked = 1;
}

/* The byte at an offset of every large body: what arrives can be checked without knowing what came before. */
static unsigned char pattern_at(uint64_t offset)
{
        return (unsigned char) ((offset * 2654435761U) >> 13);
}

/* Buckets: 32 for each doubling, so a percentile is right within 3 %. */
static size_t bucket_of(Usec usec)
{
        if (usec < 32)
                return (size_t) usec;

        unsigned top = 63 - (unsigned) __builtin_clzll(usec);
        size_t b = (size_t) (top - 4) * 32 + (size_t) ((usec >> (top - 5)) & 31);
        return b < BUCKETS ? b : BUCKETS - 1;
}

static Usec bucket_usec(size_t b)
{
        if (b < 32)
                return b;

        return (32 + (Usec) (b % 32)) << (b / 32 - 1);
}

static double percentile_ms(const Kind *k, double p)
{
        uint64_t seen = 0, want = (uint64_t) ((double) k->ok * p);

        for (size_t b = 0; b < BUCKETS; b++) {
                seen += k->latency[b];
                if (k->latency[b] > 0 && seen > want)
                        return (double) bucket_usec(b) / 1000;
        }
        return (double) k->max_usec / 1000;
}

static uint64_t kind_failed(const Kind *k)
{
        uint64_t sum = 0;

        for (size_t c = 0; c < CAUSE_COUNT; c++)
                sum += k->failed[c];
        return sum;
}

static void stream_watch(Stream *s, uint32_t events)
{
        struct epoll_event e = { .events = events, .data.ptr = s };

        if (s->events == events)
                return;
        if (epoll_ctl(epoll_fd, s->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &e) < 0) {
                perror("epoll_ctl");
                exit(EXIT_FAILURE);
        }
        s->events = events;
}

static void stream_close(Stream *s)
{
        if (s->fd >= 0)
                (void) close(s->fd);
        s->fd = -1;
        s->events = 0;
}

static void stream_wait(Stream *s, Usec not_before_usec)
{
        Usec next = s->start_usec + s->kind->every_usec;

        s->state = STATE_WAITING;
        s->due_usec = next > not_before_usec ? next : not_before_usec;
}

__attribute__((format(printf, 3, 4))) static void stream_fail(Stream *s, Cause cause, const char *format, ...)
{
        Kind *k = s->kind;
        Usec now = now_usec();

        if (s->state == STATE_BODY && now - s->moved_usec > k->stall_usec)
                k->stall_usec = now - s->moved_usec;
        k->failed[cause]++;
        if (failures) {
                struct timespec t;
                struct tm tm;
                char detail[160], stamp[32];
                va_list ap;

                (void) clock_gettime(CLOCK_REALTIME, &t);
                (void) gmtime_r(&t.tv_sec, &tm);
                (void) strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
                va_start(ap, format);
                (void) vsnprintf(detail, sizeof(detail), format, ap);
                va_end(ap);
                fprintf(failures, "%s.%03ldZ %s %s: %s; %.3f s after its start%s%s\n", stamp,
                        t.tv_nsec / 1000000, k->name, cause_names[cause], detail,
                        (double) (now - s->start_usec) / USEC_PER_SEC, s->served_by[0] ? ", served by " : "",
                        s->served_by);
                fflush(failures);
        }
        stream_close(s);
        stream_wait(s, now + RETRY_USEC);
}

static void stream_done(Stream *s)
{
        Kind *k = s->kind;
        Usec now = now_usec(), took = now - s->start_usec;

        if (k->type == TYPE_DOWNLOAD && s->body_bytes != k->bytes) {
                stream_fail(s, CAUSE_TRUNCATED, "%" PRIu64 " of %" PRIu64 " bytes, in good form",
                            s->body_bytes, k->bytes);
                return;
        }
        if (k->type == TYPE_UPLOAD && strtoull(s->body, NULL, 10) != k->bytes) {
                stream_fail(s, CAUSE_TRUNCATED, "the server got %.20s of %" PRIu64 " bytes", s->body,
                            k->bytes);
                return;
        }
        k->ok++;
        k->latency[bucket_of(took)]++;
        if (took > k->max_usec)
                k->max_usec = took;
        if (k->type == TYPE_NEW || s->server_closes)
                stream_close(s);
        else
                stream_watch(s, EPOLLIN);
        stream_wait(s, now);
}

static void stream_error(Stream *s, int error)
{
        switch (error) {
        case ECONNREFUSED:
                stream_fail(s, CAUSE_REFUSED, "connection refused");
                return;
        case ECONNRESET:
        case EPIPE:
                if (s->state == STATE_BODY)
                        stream_fail(s, CAUSE_TRUNCATED, "connection reset after %" PRIu64 " bytes",
                                    s->body_bytes);
                else
                        stream_fail(s, CAUSE_RESET, "connection reset");
                return;
        default:
                stream_fail(s, CAUSE_OTHER, "%s", strerror(error));
        }
}

static void stream_start(Stream *s)
{
        Kind *k = s->kind;
        int one = 1;

        s->start_usec = s->moved_usec = now_usec();
        s->request_sent = s->upload_sent = s->head_length = s->chunk_line_length = 0;
        s->body_bytes = s->left_bytes = 0;
        s->chunked = s->server_closes = s->last_chunk = false;
        s->served_by[0] = '\0';
        memset(s->body, 0, sizeof(s->body));
        k->sent++;

        if (s->fd >= 0) {
                s->state = STATE_SENDING;
                s->due_usec = s->start_usec;
                stream_watch(s, EPOLLIN | EPOLLOUT);
                return;
        }

        s->fd = socket(k->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->fd < 0) {
                perror("socket");
                exit(EXIT_FAILURE);
        }
        (void) setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        s->state = STATE_CONNECTING;
        if (connect(s->fd, (const struct sockaddr *) &k->to, k->to_length) < 0 && errno != EINPROGRESS) {
                stream_error(s, errno);
                return;
        }
        stream_watch(s, EPOLLOUT);
}

/* How much of an upload may have left by now: it is spread evenly over its time. */
static uint64_t upload_allowed(const Stream *s, Usec now)
{
        const Kind *k = s->kind;
        Usec age = now - s->start_usec;

        return age >= k->over_usec ? k->bytes : k->bytes * age / k->over_usec;
}

static void stream_send(Stream *s)
{
        Kind *k = s->kind;
        char piece[16384];
        ssize_t n;

        while (s->request_sent < s->request_length) {
                n = send(s->fd, s->request + s->request_sent, s->request_length - s->request_sent,
                         MSG_NOSIGNAL);
                if (n < 0) {
                        if (errno != EAGAIN)
                                stream_error(s, errno);
                        return;
                }
                s->request_sent += (size_t) n;
        }

        if (k->type == TYPE_UPLOAD) {
                uint64_t allowed = upload_allowed(s, now_usec());

                while (s->upload_sent < allowed) {
                        size_t want = allowed - s->upload_sent < sizeof(piece) ? allowed - s->upload_sent
                                                                               : sizeof(piece);

                        for (size_t i = 0; i < want; i++)
                                piece[i] = (char) pattern_at(s->upload_sent + i);
                        n = send(s->fd, piece, want, MSG_NOSIGNAL);
                        if (n < 0) {
                                if (errno != EAGAIN)
                                        stream_error(s, errno);
                                return;
                        }
                        s->upload_sent += (uint64_t) n;
                }
                if (s->upload_sent < k->bytes) {
                        s->due_usec = now_usec() + USEC_PER_SEC / 20;
                        stream_watch(s, EPOLLIN);
                        return;
                }
        }

        s->state = STATE_HEAD;
        stream_watch(s, EPOLLIN);
}

/* Takes body bytes; returns false when the stream has failed. */
static bool body_take(Stream *s, const char *p, size_t n)
{
        Kind *k = s->kind;
        Usec now = now_usec();

        if (s->body_bytes > 0 && now - s->moved_usec > k->stall_usec)
                k->stall_usec = now - s->moved_usec;
        s->moved_usec = now;
        if (k->type == TYPE_DOWNLOAD)
                for (size_t i = 0; i < n; i++)
                        if ((unsigned char) p[i] != pattern_at(s->body_bytes + i)) {
                                stream_fail(s, CAUSE_CORRUPT, "wrong byte at %" PRIu64, s->body_bytes + i);
                                return false;
                        }
        for (size_t i = 0; i < n && s->body_bytes + i < sizeof(s->body) - 1; i++)
                s->body[s->body_bytes + i] = p[i];
        s->body_bytes += n;
        k->received_bytes += n;
        return true;
}

/* One byte of the line with a chunk's size, or of the empty line after a chunk; the last chunk's trailer is
 * empty here. */
static bool chunk_head_take(Stream *s, char c)
{
        if (c != '\n') {
                if (c != '\r' && s->chunk_line_length < sizeof(s->chunk_line) - 1)
                        s->chunk_line[s->chunk_line_length++] = c;
                return true;
        }
        s->chunk_line[s->chunk_line_length] = '\0';
        if (s->chunk_line_length == 0) {
                if (s->last_chunk) {
                        stream_done(s);
                        return false;
                }
                return true;
        }
        s->chunk_line_length = 0;
        s->left_bytes = strtoull(s->chunk_line, NULL, 16);
        s->last_chunk = s->left_bytes == 0;
        s->chunk_head = s->last_chunk;
        return true;
}

static void stream_body(Stream *s, const char *p, size_t n)
{
        while (n > 0) {
                size_t take;

                if (s->chunked && s->chunk_head) {
                        if (!chunk_head_take(s, *p))
                                return;
                        p++, n--;
                        continue;
                }
                take = n < s->left_bytes ? n : (size_t) s->left_bytes;
                if (!body_take(s, p, take))
                        return;
                p += take, n -= take;
                s->left_bytes -= take;
                if (s->left_bytes > 0)
                        return;
                if (!s->chunked) {
                        stream_done(s);
                        return;
                }
                s->chunk_head = true;
        }
}

static const char *header(const char *head, const char *name)
{
        size_t length = strlen(name);

        for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
                line++;
                if (strncasecmp(line, name, length) == 0 && line[length] == ':')
                        return line + length + 1 + strspn(line + length + 1, " ");
        }
        return NULL;
}

static void stream_head(Stream *s, const char *rest, size_t n_rest)
{
        Kind *k = s->kind;
        const char *value;
        unsigned status = 0;

        if (sscanf(s->head, "HTTP/1.%*1[01] %3u", &status) != 1) {
                stream_fail(s, CAUSE_CORRUPT, "no HTTP: %.20s", s->head);
                return;
        }
        value = header(s->head, "X-Served-By");
        if (value)
                (void) snprintf(s->served_by, sizeof(s->served_by), "%.*s", (int) strcspn(value, "\r\n"),
                                value);
        if (status != 200) {
                if (status >= 500)
                        k->status_5xx++;
                stream_fail(s, CAUSE_STATUS, "status %u", status);
                return;
        }
        value = header(s->head, "Connection");
        s->server_closes = value && strncasecmp(value, "close", 5) == 0;
        value = header(s->head, "Transfer-Encoding");
        s->chunked = value && strncasecmp(value, "chunked", 7) == 0;
        s->chunk_head = s->chunked;
        if (!s->chunked) {
                value = header(s->head, "Content-Length");
                if (!value) {
                        stream_fail(s, CAUSE_CORRUPT, "neither a length nor chunks");
                        return;
                }
                s->left_bytes = strtoull(value, NULL, 10);
        }
        s->state = STATE_BODY;
        s->moved_usec = now_usec();
        if (!s->chunked && s->left_bytes == 0)
                stream_done(s);
        else
                stream_body(s, rest, n_rest);
}

static void stream_closed(Stream *s)
{
        switch (s->state) {
        case STATE_WAITING: /* nothing was asked, nothing is lost */
                stream_close(s);
                return;
        case STATE_BODY:
                stream_fail(s, CAUSE_TRUNCATED, "connection closed after %" PRIu64 " bytes", s->body_bytes);
                return;
        case STATE_CONNECTING:
        case STATE_SENDING:
        case STATE_HEAD:
                stream_fail(s, CAUSE_CLOSED, "connection closed before an answer");
        }
}

static void stream_receive(Stream *s)
{
        static char buffer[65536];
        ssize_t n = recv(s->fd, buffer, sizeof(buffer), 0);

        if (n < 0) {
                if (errno == EAGAIN)
                        return;
                if (s->state == STATE_WAITING)
                        stream_close(s);
                else
                        stream_error(s, errno);
                return;
        }
        if (n == 0) {
                stream_closed(s);
                return;
        }
        if (s->state == STATE_BODY) {
                stream_body(s, buffer, (size_t) n);
                return;
        }
        if (s->state == STATE_WAITING) {
                stream_close(s);
                return;
        }
        for (ssize_t i = 0; i < n; i++) {
                if (s->head_length == HEAD_MAX - 1) {
                        stream_fail(s, CAUSE_CORRUPT, "head of more than %d bytes", HEAD_MAX);
                        return;
                }
                s->head[s->head_length++] = buffer[i];
                if (s->head_length >= 4 && memcmp(s->head + s->head_length - 4, "\r\n\r\n", 4) == 0) {
                        s->head[s->head_length] = '\0';
                        stream_head(s, buffer + i + 1, (size_t) (n - i - 1));
                        return;
                }
        }
}

static void stream_event(Stream *s, uint32_t events)
{
        if (s->state == STATE_CONNECTING) {
                int error = 0;
                socklen_t length = sizeof(error);

                (void) getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length);
                if (error != 0) {
                        stream_error(s, error);
                        return;
                }
                if (!(events & EPOLLOUT))
                        return;
                s->state = STATE_SENDING;
                stream_watch(s, EPOLLIN | EPOLLOUT);
        }
        if (s->state == STATE_SENDING && events & EPOLLOUT) {
                stream_send(s);
                if (s->fd < 0)
                        return;
        }
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                stream_receive(s);
}

/* Starts what is due and ends what is too old. Returns the time of the next thing to do. */
static Usec streams_turn(Usec now, bool ending)
{
        Usec next = now + USEC_PER_SEC / 10;

        for (size_t i = 0; i < n_streams; i++) {
                Stream *s = &streams[i];

                if (s->state == STATE_WAITING) {
                        if (!ending && s->due_usec <= now)
                                stream_start(s);
                        else if (!ending && s->due_usec < next)
                                next = s->due_usec;
                        continue;
                }
                if (now > s->start_usec + s->kind->limit_usec) {
                        stream_fail(s, CAUSE_TIMEOUT, "no end after %.1f s, %" PRIu64 " bytes",
                                    (double) s->kind->limit_usec / USEC_PER_SEC, s->body_bytes);
                        continue;
                }
                if (s->state == STATE_SENDING && s->kind->type == TYPE_UPLOAD) {
                        if (s->due_usec <= now)
                                stream_watch(s, EPOLLIN | EPOLLOUT);
                        else if (s->due_usec < next)
                                next = s->due_usec;
                }
        }
        return next;
}

static size_t in_flight(void)
{
        size_t n = 0;

        for (size_t i = 0; i < n_streams; i++)
                n += streams[i].state != STATE_WAITING;
        return n;
}

static void summary(FILE *f, Usec began_usec)
{
        uint64_t sent = 0, ok = 0, failed = 0, truncated = 0;

        fprintf(f, "{\"seconds\":%.3f,\"in_flight\":%zu,\"kinds\":{",
                (double) (now_usec() - began_usec) / USEC_PER_SEC, in_flight());
        for (size_t i = 0; i < n_kinds; i++) {
                const Kind *k = &kinds[i];

                fprintf(f, "%s\"%s\":{\"sent\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"failed\":%" PRIu64,
                        i > 0 ? "," : "", k->name, k->sent, k->ok, kind_failed(k));
                for (size_t c = 0; c < CAUSE_COUNT; c++)
                        fprintf(f, ",\"%s\":%" PRIu64, cause_names[c], k->failed[c]);
                fprintf(f, ",\"status_5xx\":%" PRIu64 ",\"received_bytes\":%" PRIu64, k->status_5xx,
                        k->received_bytes);
                fprintf(f,
                        ",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"stall_max_ms\":%.3f}",
                        percentile_ms(k, 0.5), percentile_ms(k, 0.99), percentile_ms(k, 0.999),
                        (double) k->max_usec / 1000, (double) k->stall_usec / 1000);
                sent += k->sent;
                ok += k->ok;
                failed += kind_failed(k);
                truncated += k->failed[CAUSE_TRUNCATED];
        }
        fprintf(f,
                "},\"sent\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"truncated\":%" PRIu64
                "}\n",
                sent, ok, failed, truncated);
}

/* Written beside and renamed, so that a reader never sees half of it. */
static void progress_write(const char *path, Usec began_usec)
{
        char beside[512];
        FILE *f;

        (void) snprintf(beside, sizeof(beside), "%s.new", path);
        f = fopen(beside, "we");
        if (!f)
                return;
        summary(f, began_usec);
        if (fclose(f) == 0)
                (void) rename(beside, path);
}

static int usage(const char *what)
{
        fprintf(stderr, "load: %s (see the head of load.c)\n", what);
        exit(2);
}

static void parse_to(Kind *k, const char *value)
{
        struct sockaddr_in *in = (struct sockaddr_in *) &k->to;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &k->to;
        const char *colon = strrchr(value, ':');
        unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
        char address[64];

        if (port < 1 || port > 65535)
                usage("to= needs ADDRESS:PORT");
        (void) snprintf(k->host, sizeof(k->host), "%s", value);
        if (value[0] == '[') {
                (void) snprintf(address, sizeof(address), "%.*s", (int) (colon - value - 2), value + 1);
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons((uint16_t) port);
                k->to_length = sizeof(*in6);
                if (inet_pton(AF_INET6, address, &in6->sin6_addr) != 1)
                        usage("to= has no IPv6 address");
                return;
        }
        (void) snprintf(address, sizeof(address), "%.*s", (int) (colon - value), value);
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t) port);
        k->to_length = sizeof(*in);
        if (inet_pton(AF_INET, address, &in->sin_addr) != 1)
                usage("to= has no IPv4 address");
}

static void parse_kind(char *spec)
{
        Kind *k = &kinds[n_kinds];
        char *rest = strchr(spec, ':');

        if (n_kinds == KINDS_MAX)
                usage("too many kinds of streams");
        if (!rest)
                usage("streams are TYPE:key=value,...");
        *rest++ = '\0';
        while (k->type < TYPE_COUNT && strcmp(type_names[k->type], spec) != 0)
                k->type++;
        if (k->type == TYPE_COUNT)
                usage("unknown type of stream");

        *k = (Kind){ .type = k->type, .n = 1, .limit_usec = 120 * USEC_PER_SEC };
        (void) snprintf(k->name, sizeof(k->name), "%s", spec);
        (void) snprintf(k->path, sizeof(k->path), "/");
        for (char *pair = strtok(rest, ","); pair; pair = strtok(NULL, ",")) {
                char *value = strchr(pair, '=');

                if (!value)
                        usage("streams are TYPE:key=value,...");
                *value++ = '\0';
                if (strcmp(pair, "to") == 0)
                        parse_to(k, value);
                else if (strcmp(pair, "name") == 0)
                        (void) snprintf(k->name, sizeof(k->name), "%s", value);
                else if (strcmp(pair, "path") == 0)
                        (void) snprintf(k->path, sizeof(k->path), "%s", value);
                else if (strcmp(pair, "n") == 0)
                        k->n = (unsigned) strtoul(value, NULL, 10);
                else if (strcmp(pair, "every") == 0)
                        k->every_usec = (Usec) (strtod(value, NULL) * USEC_PER_SEC);
                else if (strcmp(pair, "limit") == 0)
                        k->limit_usec = (Usec) (strtod(value, NULL) * USEC_PER_SEC);
                else if (strcmp(pair, "over") == 0)
                        k->over_usec = (Usec) (strtod(value, NULL) * USEC_PER_SEC);
                else if (strcmp(pair, "bytes") == 0)
                        k->bytes = strtoull(value, NULL, 10);
                else
                        usage("unknown key of a stream");
        }
        if (k->to_length == 0 || k->n == 0 || k->n > 10000)
                usage("each kind of streams needs to= and n= up to 10000");
        if ((k->type == TYPE_UPLOAD || k->type == TYPE_DOWNLOAD) && k->bytes == 0)
                usage("uploads and downloads need bytes=");
        n_kinds++;
        n_streams += k->n;
}

static void streams_make(Usec now)
{
        Stream *s;

        streams = calloc(n_streams, sizeof(*streams));
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (!streams || epoll_fd < 0) {
                perror("load");
                exit(EXIT_FAILURE);
        }
        s = streams;
        for (size_t i = 0; i < n_kinds; i++)
                for (unsigned j = 0; j < kinds[i].n; j++, s++) {
                        Kind *k = &kinds[i];
                        int n;

                        s->kind = k;
                        s->fd = -1;
                        /* Not all at once: the streams of a kind are spread over its period. */
                        s->due_usec = now + (k->every_usec > 0 ? k->every_usec : USEC_PER_SEC) * j / k->n;
                        n = snprintf(s->request, sizeof(s->request), "%s %s HTTP/1.1\r\nHost: %s\r\n%s",
                                     k->type == TYPE_UPLOAD ? "POST" : "GET", k->path, k->host,
                                     k->type == TYPE_NEW ? "Connection: close\r\n" : "");
                        if (k->type == TYPE_UPLOAD)
                                n += snprintf(s->request + n, sizeof(s->request) - (size_t) n,
                                              "Content-Length: %" PRIu64 "\r\n", k->bytes);
                        n += snprintf(s->request + n, sizeof(s->request) - (size_t) n, "\r\n");
                        s->request_length = (size_t) n;
                }
}

static int pattern_write(const char *path, const char *size)
{
        uint64_t bytes = strtoull(size, NULL, 10);
        FILE *f = fopen(path, "we");

        if (!f) {
                perror(path);
                return EXIT_FAILURE;
        }
        for (uint64_t i = 0; i < bytes; i++)
                (void) putc_unlocked(pattern_at(i), f);
        if (fclose(f) != 0) {
                perror(path);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

static void run(Usec seconds_usec, Usec finish_usec, const char *stop_path, const char *progress_path)
{
        Usec began = now_usec(), report = began, end = 0;
        bool ending = false;

        streams_make(began);
        for (;;) {
                struct epoll_event events[256];
                Usec now = now_usec(), next;
                int n;

                if (!ending && (stop_asked || now >= began + seconds_usec ||
                                (stop_path && now >= report && access(stop_path, F_OK) == 0))) {
                        ending = true;
                        end = now + finish_usec;
                }
                next = streams_turn(now, ending);
                if (ending && (now >= end || in_flight() == 0))
                        break;
                if (now >= report) {
                        if (progress_path)
                                progress_write(progress_path, began);
                        report = now + USEC_PER_SEC / 5;
                }
                n = epoll_wait(epoll_fd, events, 256, next > now ? (int) ((next - now + 999) / 1000) : 0);
                for (int i = 0; i < n; i++) {
                        Stream *s = events[i].data.ptr;

                        if (s->fd >= 0)
                                stream_event(s, events[i].events);
                }
        }
        for (size_t i = 0; i < n_streams; i++)
                if (streams[i].state != STATE_WAITING)
                        stream_fail(&streams[i], CAUSE_UNFINISHED,
                                    "still in flight at the end, %" PRIu64 " bytes", streams[i].body_bytes);
        if (progress_path)
                progress_write(progress_path, began);
        summary(stdout, began);
}

int main(int argc, char *argv[])
{
        Usec seconds_usec = 0, finish_usec = 60 * USEC_PER_SEC;
        const char *stop_path = NULL, *progress_path = NULL;
        struct sigaction action = { .sa_handler = on_signal };

        if (argc == 4 && strcmp(argv[1], "--pattern") == 0)
                return pattern_write(argv[2], argv[3]);

        for (int i = 1; i < argc; i++) {
                if (argv[i][0] != '-') {
                        parse_kind(argv[i]);
                        continue;
                }
                if (i + 1 == argc)
                        usage("an option without its value");
                if (strcmp(argv[i], "--seconds") == 0)
                        seconds_usec = (Usec) (strtod(argv[++i], NULL) * USEC_PER_SEC);
                else if (strcmp(argv[i], "--finish") == 0)
                        finish_usec = (Usec) (strtod(argv[++i], NULL) * USEC_PER_SEC);
                else if (strcmp(argv[i], "--stop") == 0)
                        stop_path = argv[++i];
                else if (strcmp(argv[i], "--progress") == 0)
                        progress_path = argv[++i];
                else if (strcmp(argv[i], "--failures") == 0) {
                        failures = fopen(argv[++i], "we");
                        if (!failures) {
                                perror(argv[i]);
                                return EXIT_FAILURE;
                        }
                } else
                        usage("unknown option");
        }
        if (seconds_usec == 0)
                usage("--seconds is mandatory");
        if (n_streams == 0)
                usage("no streams");

        (void) sigaction(SIGTERM, &action, NULL);
        (void) sigaction(SIGINT, &action, NULL);
        run(seconds_usec, finish_usec, stop_path, progress_path);
        return EXIT_SUCCESS;
}
