/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "agent/bridge.h"
#include "agent/cluster/remote-impl.h"
#include "agent/version.h"
#include "base/text.h"
#include "base/words.h"

#define MESSAGE_MAX   (8U * 1024 * 1024) /* a node's answer is never that big */
#define WRITE_MAX     1000               /* messages that wait because the far end takes none */
#define ENDED_USEC    (1 * USEC_PER_SEC) /* for ssh to end behind its closed output */
#define SSH_WORDS_MAX 64

static void link_tear(Remote *r);
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata);

/* Telling. A handler may free its watch, another's, or the remote. */

typedef enum Told { TOLD_UP, TOLD_DOWN, TOLD_SIGNAL } Told;

static void remote_release(Remote *r);

static void watches_tell(Remote *r, Told what, sd_bus_message *m)
{
        SshTrouble t = r->trouble;
        r->telling++;
        /* A signal in a handler's own loop cannot be: nobody runs the loop from a handler. */
        for (RemoteWatch *w = r->watches; w && !r->doomed; w = r->watch_next) {
                r->watch_next = w->next;
                if (what == TOLD_UP && w->h.up)
                        w->h.up(r, w->userdata);
                else if (what == TOLD_DOWN && w->h.down)
                        w->h.down(r, t.kind, t.text, t.hint, r->will_retry, w->userdata);
                else if (what == TOLD_SIGNAL && w->h.signal)
                        w->h.signal(r, m, w->userdata);
        }
        r->watch_next = NULL;
        r->telling--;
        if (r->doomed && r->telling == 0)
                remote_release(r);
}

int remote_watch(RemoteWatch **ret, Remote *r, const RemoteHandlers *h, void *userdata)
{
        RemoteWatch *w = calloc(1, sizeof(*w)), **p = &r->watches;
        if (!w)
                return -ENOMEM;
        *w = (RemoteWatch){ .remote = r, .h = *h, .userdata = userdata };
        while (*p)
                p = &(*p)->next;
        *p = w;
        *ret = w;
        return 0;
}

RemoteWatch *remote_watch_free(RemoteWatch *w)
{
        if (!w)
                return NULL;
        Remote *r = w->remote;
        RemoteWatch **p = &r->watches;
        while (*p != w)
                p = &(*p)->next;
        *p = w->next;
        if (r->watch_next == w)
                r->watch_next = w->next;
        if (w != &r->first)
                free(w);
        return NULL;
}

/* Time. */

static int timer_set(Remote *r, Usec usec)
{
        Usec at = time_add(time_now(), usec);
        int e;
        if (!r->timer) {
                e = sd_event_add_time(r->pool->event, &r->timer, CLOCK_MONOTONIC, at, 10 * USEC_PER_MSEC,
                                      on_timer, r);
                return e;
        }
        e = sd_event_source_set_time(r->timer, at);
        return e < 0 ? e : sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static void timer_stop(Remote *r)
{
        if (r->timer)
                (void) sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
}

/* Doubled at each failure, and anything from half of that to one and a half: many that were cut at once do
 * not come back at once. */
static Usec pause_usec(const Remote *r)
{
        Usec usec = r->pool->o.retry_usec;
        uint32_t random = 0;
        for (unsigned i = 1; i < r->tries && usec < r->pool->o.retry_max_usec; i++)
                usec *= 2;
        usec = MIN(usec, r->pool->o.retry_max_usec);
        (void) !getrandom(&random, sizeof(random), GRND_NONBLOCK);
        return usec / 2 + (Usec) ((double) usec * random / UINT32_MAX);
}

/* The end of a link. */

static SshTried tried(const Remote *r)
{
        return (SshTried){ .command = r->command,
                           .host = r->host,
                           .port = r->port,
                           .user = r->user ? r->user : "",
                           .bridge = r->bridge,
                           .was_up = r->was_up };
}

/* What the bus library and the relay still have is of no use; nothing comes from them any more. */
static void link_tear(Remote *r)
{
        r->hello = sd_bus_slot_unref(r->hello);
        r->ping = sd_bus_slot_unref(r->ping);
        remote_calls_drop(r);
        r->loop = bus_loop_free(r->loop);
        if (r->bus) {
                sd_bus_close(r->bus);
                r->bus = sd_bus_unref(r->bus);
        }
        r->relay = relay_free(r->relay);
        r->ssh = ssh_end(r->ssh);
        timer_stop(r);
}

static void link_drop(Remote *r, const SshTrouble *t)
{
        if (r->link != LINK_STARTING && r->link != LINK_UP && r->link != LINK_ENDED)
                return;
        r->trouble = *t;
        /* Partly the words of another machine: one line, and nothing a terminal would obey. */
        words_clean(r->trouble.text);
        words_clean(r->trouble.hint);
        link_tear(r);
        remote_starting_over(r);
        r->link = LINK_DROPPED;
        (void) sd_event_source_set_enabled(r->tell, SD_EVENT_ON);
}

static void link_drop_text(Remote *r, RemoteTrouble kind, bool retry, const char *text)
{
        SshTrouble t = { .kind = kind, .retry = retry };
        (void) snprintf(t.text, sizeof(t.text), "%s", text);
        /* Much of it is what the far end says. */
        for (char *p = t.text; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        link_drop(r, &t);
}

/* One at a time: whoever is told may free the remote. */
static int on_tell(sd_event_source *s, void *userdata)
{
        Remote *r = userdata;
        (void) s;
        r->telling++;
        bool told = remote_calls_tell(r);
        r->telling--;
        if (r->doomed && r->telling == 0) {
                remote_release(r);
                return 0;
        }
        if (told)
                return 0;
        (void) sd_event_source_set_enabled(r->tell, SD_EVENT_OFF);
        r->tries++;
        r->will_retry =
                r->trouble.retry && !r->only_once && (!r->pool->o.tries || r->tries < r->pool->o.tries);
        r->link = r->will_retry ? LINK_PAUSE : LINK_OFF;
        if (r->will_retry && timer_set(r, pause_usec(r)) < 0)
                r->link = LINK_OFF;
        watches_tell(r, TOLD_DOWN, NULL);
        return 0;
}

/* Why the link has ended, from ssh; @status: -1 when it has not ended. */
static void link_explain(Remote *r, int status)
{
        SshTrouble t;
        SshTried what = tried(r);
        char limit[32];
        if (r->foreign)
                ssh_foreign(r->line, &what, &t);
        else if (!r->ssh) {
                t = (SshTrouble){ .kind = r->was_up ? REMOTE_CUT : REMOTE_REACH, .retry = true };
                (void) snprintf(t.text, sizeof(t.text), "the connection has ended");
        } else
                ssh_trouble(status, ssh_stderr(r->ssh),
                            time_format(r->pool->o.connect_usec, limit, sizeof(limit)), &what, &t);
        link_drop(r, &t);
}

static void on_ssh_exit(Ssh *ssh, int status, void *userdata)
{
        (void) ssh;
        link_explain(userdata, status);
}

static void on_relay_end(Relay *relay, RelayEnd end, const char *text, void *userdata)
{
        Remote *r = userdata;
        (void) relay;
        switch (end) {
        case RELAY_FOREIGN:
                r->foreign = true;
                (void) snprintf(r->line, sizeof(r->line), "%s", text);
                link_explain(r, -1);
                return;
        case RELAY_BROKEN:
        case RELAY_TOO_BIG:
                link_drop_text(r, REMOTE_FOREIGN, false,
                               end == RELAY_BROKEN ? "what comes from the node is no D-Bus any more"
                                                   : "the node has sent a message that is too big");
                return;
        case RELAY_EOF:
        case RELAY_NEAR:
        case RELAY_END_COUNT:
        case RELAY_END_INVALID:
                break;
        }
        /* ssh says why in a moment. */
        if (r->ssh && ssh_pid(r->ssh) > 0 && timer_set(r, ENDED_USEC) >= 0) {
                r->link = LINK_ENDED;
                return;
        }
        link_explain(r, -1);
}

/* Up. */

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Remote *r = userdata;
        (void) m;
        (void) error;
        r->ping = sd_bus_slot_unref(r->ping);
        return 1;
}

/* Bytes that come are the proof, whatever they say. */
static void link_beat(Remote *r)
{
        RemotePool *p = r->pool;
        Usec now = time_now();
        char text[160], since[32];
        uint64_t queued = 0;

        /* When it was us who stood still, it is too early to say anything about the other. */
        bool late = now - r->beat > 2 * p->o.beat_usec;
        r->beat = now;
        if (!late && now - relay_heard(r->relay) >= p->o.silent_usec) {
                (void) snprintf(text, sizeof(text), "nothing has come from it for %s",
                                time_format(now - relay_heard(r->relay), since, sizeof(since)));
                link_drop_text(r, REMOTE_SILENT, true, text);
                return;
        }
        if (sd_bus_get_n_queued_write(r->bus, &queued) >= 0 && queued > WRITE_MAX) {
                link_drop_text(r, REMOTE_SILENT, true, "the node takes nothing any more");
                return;
        }
        if (!r->ping)
                (void) sd_bus_call_method_async(r->bus, &r->ping, NULL, REMOTE_BRIDGE_PATH,
                                                "org.freedesktop.DBus.Peer", "Ping", on_pong, r, NULL);
        bus_loop_touch(r->loop);
        if (timer_set(r, p->o.beat_usec) < 0)
                link_drop_text(r, REMOTE_CUT, true, "out of memory");
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Remote *r = userdata;
        (void) s;
        (void) usec;
        switch (r->link) {
        case LINK_PAUSE:
                remote_queue_add(r);
                break;
        case LINK_STARTING:
        case LINK_ENDED:
                link_explain(r, -1);
                break;
        case LINK_UP:
                link_beat(r);
                break;
        case LINK_QUEUED:
        case LINK_DROPPED:
        case LINK_OFF:
                break;
        }
        return 0;
}

/* Return: false when the bridge and we do not understand each other, or it has no bus. */
static bool hello_read(Remote *r, sd_bus_message *m)
{
        const char *version, *bus;
        uint32_t protocol;
        char text[300];
        SshTried what = tried(r);
        SshTrouble t;
        if (sd_bus_message_is_method_error(m, NULL)) {
                /* An end that is no bridge but the agent itself (tests) knows no greeting. */
                const sd_bus_error *e = sd_bus_message_get_error(m);
                if (e && e->name && strncmp(e->name, "org.freedesktop.DBus.Error.Unknown", 34) == 0)
                        return true;
                /* The library's own, when what came was no D-Bus to it. */
                bool ended = e && e->name && strcmp(e->name, SD_BUS_ERROR_NO_REPLY) == 0;
                (void) snprintf(text, sizeof(text), "%s: %.200s",
                                ended ? "it does not speak D-Bus as the bridge does"
                                      : "the bridge there refuses",
                                e && e->message ? e->message : "");
                link_drop_text(r, ended ? REMOTE_FOREIGN : REMOTE_OTHER_VERSION, false, text);
                return false;
        }
        if (sd_bus_message_read(m, "sus", &version, &protocol, &bus) < 0) {
                link_drop_text(r, REMOTE_OTHER_VERSION, false, "the bridge's greeting is not understood");
                return false;
        }
        free(r->version);
        r->version = strdup(version);
        if (r->version)
                words_clean(r->version);
        /* One release apart must work, so one step of the protocol, too. */
        if (protocol + 1 < BRIDGE_PROTOCOL || protocol > BRIDGE_PROTOCOL + 1) {
                (void) snprintf(text, sizeof(text), "edge-roll %.40s there speaks protocol %u, this one %u",
                                version, protocol, BRIDGE_PROTOCOL);
                link_drop_text(r, REMOTE_OTHER_VERSION, false, text);
                return false;
        }
        if (*bus) {
                (void) snprintf(text, sizeof(text), "%.250s", bus);
                (void) remote_error_trouble(REMOTE_ERROR "NoBus", text, &what, &t);
                link_drop(r, &t);
                return false;
        }
        return true;
}

/* Always 1: see on_reply() in remote-call.c. */
static int on_hello(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Remote *r = userdata;
        (void) error;
        r->hello = sd_bus_slot_unref(r->hello);
        if (!hello_read(r, m))
                return 1;
        r->link = LINK_UP;
        r->was_up = true;
        if (r->ssh)
                ssh_stderr_forget(r->ssh);
        r->tries = 0;
        r->beat = time_now();
        remote_starting_over(r);
        if (timer_set(r, r->pool->o.beat_usec) < 0) {
                link_drop_text(r, REMOTE_CUT, true, "out of memory");
                return 1;
        }
        watches_tell(r, TOLD_UP, NULL);
        return 1;
}

/* A node asks nothing of us: an answer to each call would only fill our memory. Answers and the end of the
 * connection go on to the library. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Remote *r = userdata;
        uint8_t type;
        (void) error;
        if (sd_bus_message_get_type(m, &type) < 0)
                return 0;
        if (type == SD_BUS_MESSAGE_METHOD_CALL)
                return 1;
        if (type == SD_BUS_MESSAGE_SIGNAL && r->link == LINK_UP &&
            !sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", NULL))
                watches_tell(r, TOLD_SIGNAL, m);
        return 0;
}

/* Starting. */

/* As a person would type it; then, with @full, what makes it ours. */
static int ssh_words(const Remote *r, bool full, char *port, size_t size, const char **words)
{
        static const char *const ours[] = { "-T",
                                            "-a",
                                            "-x",
                                            "-o",
                                            "BatchMode=yes",
                                            "-o",
                                            "RemoteCommand=none",
                                            "-o",
                                            "ClearAllForwardings=yes" };
        int n = 0;
        for (char *const *w = r->pool->ssh; *w && n < SSH_WORDS_MAX / 2; w++)
                words[n++] = *w;
        for (size_t i = 0; full && i < ELEMENTS(ours); i++)
                words[n++] = ours[i];
        if (r->port) {
                (void) snprintf(port, size, "%u", r->port);
                words[n++] = "-p";
                words[n++] = port;
        }
        if (r->user) {
                words[n++] = "-l";
                words[n++] = r->user;
        }
        if (r->key) {
                words[n++] = "-i";
                words[n++] = r->key;
        }
        if (full)
                words[n++] = "--";
        words[n++] = r->host;
        for (char *const *w = r->bridge_words; full && *w && n < SSH_WORDS_MAX - 1; w++)
                words[n++] = *w;
        words[n] = NULL;
        return n;
}

static int link_open(Remote *r, int *ret_fd, Err *err)
{
        const char *words[SSH_WORDS_MAX];
        char port[16], *argv[SSH_WORDS_MAX];
        if (r->given >= 0) {
                *ret_fd = TAKE_FD(r->given);
                return 0;
        }
        if (r->open) {
                int fd = r->open(r->open_userdata);
                if (fd < 0)
                        return err_errno(err, fd, "no connection");
                *ret_fd = fd;
                return 0;
        }
        int n = ssh_words(r, true, port, sizeof(port), words);
        /* execvp(3) takes them as writable, and does not write. */
        (void) memcpy(argv, words, (size_t) (n + 1) * sizeof(*argv));
        return ssh_start(&r->ssh, r->pool->yard, argv, ret_fd, on_ssh_exit, r, err);
}

static int link_bus(Remote *r, int fd, Err *err)
{
        _cleanup_(closep) int near = -1;
        int e = relay_new(&r->relay, r->pool->event, fd, fd, false, MESSAGE_MAX, on_relay_end, r, &near, err);
        if (e < 0)
                return e;
        e = sd_bus_new(&r->bus);
        if (e >= 0)
                e = sd_bus_set_fd(r->bus, near, near);
        if (e >= 0) {
                (void) TAKE_FD(near);
                e = sd_bus_set_anonymous(r->bus, true);
        }
        if (e >= 0)
                e = sd_bus_negotiate_fds(r->bus, false);
        if (e >= 0)
                e = sd_bus_start(r->bus);
        if (e >= 0)
                e = bus_loop_new(&r->loop, r->bus, r->pool->event);
        if (e >= 0)
                e = sd_bus_add_filter(r->bus, NULL, on_message, r);
        if (e >= 0)
                e = sd_bus_call_method_async(r->bus, &r->hello, NULL, REMOTE_BRIDGE_PATH,
                                             REMOTE_BRIDGE_INTERFACE, "Hello", on_hello, r, "su",
                                             EDGE_ROLL_VERSION, BRIDGE_PROTOCOL);
        bus_loop_touch(r->loop);
        return e < 0 ? err_errno(err, e, "cannot speak D-Bus") : 0;
}

void remote_start(Remote *r)
{
        int fd = -1;
        Err err = { 0 };
        r->link = LINK_STARTING;
        r->was_up = r->foreign = false;
        r->counted = true;
        r->pool->n_starting++;
        int e = timer_set(r, r->pool->o.connect_usec);
        if (e < 0)
                (void) err_errno(&err, e, "a timer");
        if (e >= 0)
                e = link_open(r, &fd, &err);
        if (e >= 0)
                e = link_bus(r, fd, &err);
        if (e < 0)
                link_drop_text(r, REMOTE_REACH, true, err.text);
}

/* One remote. */

static char *join(const char *const *words)
{
        char *text = NULL;
        size_t size;
        FILE *f = text_open(&text, &size);
        if (!f)
                return NULL;
        for (size_t i = 0; words[i]; i++)
                (void) fprintf(f, "%s%s", i ? " " : "", words[i]);
        if (text_close(f, &text) < 0) {
                free(text);
                return NULL;
        }
        return text;
}

static bool dup_to(char **field, const char *text)
{
        *field = text && *text ? strdup(text) : NULL;
        return *field || !text || !*text;
}

static int remote_fill(Remote *r, const RemoteDest *dest)
{
        const char *words[SSH_WORDS_MAX];
        char port[16];
        r->port = dest->port;
        r->open = dest->open;
        r->open_userdata = dest->open_userdata;
        if (!dup_to(&r->host, dest->host ? dest->host : r->name) || !dup_to(&r->user, dest->user) ||
            !dup_to(&r->key, dest->key))
                return -ENOMEM;
        int e = dest->bridge ? words_split(dest->bridge, &r->bridge_words)
                             : remote_words((const char *const *) r->pool->bridge, "", &r->bridge_words);
        if (e < 0)
                return e;
        (void) ssh_words(r, false, port, sizeof(port), words);
        r->command = join(words);
        r->bridge = join((const char *const *) r->bridge_words);
        return r->command && r->bridge ? 0 : -ENOMEM;
}

static int remote_make(Remote **ret, RemotePool *pool, const char *name, const RemoteDest *dest, int fd,
                       const RemoteHandlers *h, void *userdata, Err *err)
{
        _cleanup_(closep) int given = fd;
        Remote *r = calloc(1, sizeof(*r));
        if (!r)
                return err_errno(err, -ENOMEM, "a connection");
        *r = (Remote){ .pool = pool, .given = TAKE_FD(given), .only_once = fd >= 0, .link = LINK_OFF };
        r->name = strdup(name);
        int e = r->name ? remote_fill(r, dest) : -ENOMEM;
        if (e >= 0)
                e = sd_event_add_defer(pool->event, &r->tell, on_tell, r);
        if (e >= 0)
                e = sd_event_source_set_enabled(r->tell, SD_EVENT_OFF);
        if (e < 0) {
                (void) remote_free(r);
                return err_errno(err, e, "a connection to %.60s", name);
        }
        r->first = (RemoteWatch){ .remote = r, .userdata = userdata };
        if (h)
                r->first.h = *h;
        r->watches = &r->first;
        remote_queue_add(r);
        *ret = r;
        return 0;
}

/*
 * "--" keeps ssh from taking a host for an option. But ssh puts host and user into the command lines of its
 * configuration (ProxyCommand, Match exec, ControlPath), which a shell reads, and before OpenSSH 9.6 as they
 * are (CVE-2023-51385): nothing that means something to a shell, whoever has said it.
 */
static bool word_is_good(const char *word, const char *evil)
{
        if (!word || !*word || *word == '-')
                return false;
        for (const char *p = word; *p; p++)
                if ((unsigned char) *p <= 0x20 || *p == 0x7f || strchr(evil, *p))
                        return false;
        return true;
}

#define SHELL_EVIL "'\"`$;&<>|(){}*?!#^~"

static int host_check(const char *host, const char *user, Err *err)
{
        if (!word_is_good(host, SHELL_EVIL "\\"))
                return err_set(err, -EINVAL, "\"%.60s\" is no name of a host", host ? host : "");
        /* DOMAIN\user is one. */
        if (user && *user && (!word_is_good(user, SHELL_EVIL) || user[strlen(user) - 1] == '\\'))
                return err_set(err, -EINVAL, "\"%.60s\" is no name of a user", user);
        return 0;
}

int remote_new(Remote **ret, RemotePool *pool, const char *name, const RemoteDest *dest,
               const RemoteHandlers *h, void *userdata, Err *err)
{
        int r = dest->open ? 0 : host_check(dest->host ? dest->host : name, dest->user, err);
        return r < 0 ? r : remote_make(ret, pool, name, dest, -1, h, userdata, err);
}

int remote_new_fd(Remote **ret, RemotePool *pool, const char *name, int fd, const RemoteHandlers *h,
                  void *userdata, Err *err)
{
        return remote_make(ret, pool, name, &(RemoteDest){ 0 }, fd, h, userdata, err);
}

static void remote_release(Remote *r)
{
        r->tell = sd_event_source_unref(r->tell);
        r->timer = sd_event_source_unref(r->timer);
        closep(&r->given);
        free(r->name);
        free(r->host);
        free(r->user);
        free(r->key);
        free(r->command);
        free(r->bridge);
        r->bridge_words = words_free(r->bridge_words);
        free(r->version);
        free(r);
}

Remote *remote_free(Remote *r)
{
        if (!r)
                return NULL;
        remote_queue_remove(r);
        link_tear(r);
        remote_calls_free(r);
        remote_starting_over(r);
        r->link = LINK_OFF;
        if (r->tell)
                (void) sd_event_source_set_enabled(r->tell, SD_EVENT_OFF);
        while (r->watches)
                (void) remote_watch_free(r->watches);
        r->doomed = true;
        if (r->telling == 0)
                remote_release(r);
        return NULL;
}

const char *remote_name(const Remote *r)
{
        return r->name;
}

RemoteState remote_state(const Remote *r)
{
        static const RemoteState states[] = {
                [LINK_PAUSE] = REMOTE_WAITING,     [LINK_QUEUED] = REMOTE_WAITING,
                [LINK_STARTING] = REMOTE_STARTING, [LINK_UP] = REMOTE_UP,
                [LINK_ENDED] = REMOTE_ENDING,      [LINK_DROPPED] = REMOTE_ENDING,
                [LINK_OFF] = REMOTE_DOWN,
        };
        return states[r->link];
}

unsigned remote_tries(const Remote *r)
{
        return r->tries;
}

const char *remote_version(const Remote *r)
{
        return r->version ? r->version : "";
}

const char *remote_command(const Remote *r)
{
        return r->command;
}

sd_event *remote_event(const Remote *r)
{
        return r->pool->event;
}

void *remote_userdata(const Remote *r)
{
        return r->first.userdata;
}

pid_t remote_pid(const Remote *r)
{
        return r->ssh ? ssh_pid(r->ssh) : 0;
}

void remote_retry(Remote *r)
{
        if (r->link != LINK_PAUSE && r->link != LINK_OFF)
                return;
        if (r->only_once)
                return;
        timer_stop(r);
        remote_queue_add(r);
}

void remote_drop(Remote *r, RemoteTrouble trouble, const char *text)
{
        link_drop_text(r, trouble, true, text);
}

bool remote_error(const Remote *r, const char *name, const char *text, SshTrouble *ret)
{
        SshTried what = tried(r);
        return remote_error_trouble(name, text, &what, ret);
}
