/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client of one node, `edge-roll restart router`, is lost before and behind each call that changes
 * something outside of it or by which it learns something: connections, messages to and from the bus, what it
 * writes, how it deals with signals, its exit. It is killed, stands still, loses its connection, is
 * interrupted, its terminal is closed, or nobody reads what it writes. The program is the real one, and so is
 * the bus; the agent is simulated, in this process.
 *
 * Before its order was sent: nothing was begun. Behind that: the job goes on without it and is done once; the
 * same call again joins it, or `watch` shows its end.
 *
 * A point is PROFILE/WHAT/WHEN, "killed/bus call Restart/before"; "#2" in it: the second time. What is tried
 * of them, by which arguments: as of test-coordinator-kill.
 */

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/client.h"
#include "base/result.h"
#include "tests/lib/bus.h"
#include "tests/lib/fake-agent.h"
#include "tests/lib/points.h"
#include "tests/lib/trace.h"
#include "tests/lib/wire.h"

#define SAMPLE      8                     /* of each profile, where nothing else is said */
#define LIMIT_USEC  (30 * USEC_PER_SEC)   /* for one client */
#define PHASE_USEC  (4 * USEC_PER_MSEC)   /* of a job */
#define SETTLE_USEC (30 * USEC_PER_MSEC)  /* for what was sent to arrive */
#define ANSWER_USEC (800 * USEC_PER_MSEC) /* so long is an order of a hasty client good */
#define SAID_MAX    65536
#define DONE        result_exit_code(RESULT_DONE)
#define UNREACHABLE result_exit_code(RESULT_AGENT_UNREACHABLE)
#define ORDER       "bus call Restart"

/* ---- a node, and those who call there ---- */

typedef struct Node {
        TestBus bus;
        sd_event *event;
        FakeAgent *agent;
} Node;

typedef struct Client {
        Trace *trace;
        int out; /* what it writes can be read here; the other side of its terminal */
        char said[SAID_MAX];
        size_t n_said;
        int status;
} Client;

static char program[PATH_MAX]; /* edge-roll of this build */

static void node_new(Node *n)
{
        static const FakeScript script = {
                .name = "r1",
                .parts = { { .component = "router", .uuid = "u1", .health_port = 15999 } },
                .n_parts = 1,
                .all_phases_usec = PHASE_USEC,
        };
        *n = (Node){ 0 };
        bus_make(&n->bus);
        assert_int_equal(sd_event_default(&n->event), 1);
        assert_true(fake_agent_new(&n->agent, n->event, &script) >= 0);
        assert_true(fake_agent_on_bus(n->agent) >= 0);
}

static void node_done(Node *n)
{
        n->agent = fake_agent_free(n->agent);
        n->event = sd_event_unref(n->event);
        bus_remove(&n->bus);
}

static void node_pump(Node *n, Usec usec)
{
        for (Usec until = time_now() + usec, now; (now = time_now()) < until;)
                assert_true(sd_event_run(n->event, until - now) >= 0);
}

static void job_ends(Node *n)
{
        fake_agent_stand(n->agent, false);
        for (Usec until = time_now() + LIMIT_USEC; fake_agent_is_busy(n->agent);) {
                assert_true(time_now() < until);
                node_pump(n, 5 * USEC_PER_MSEC);
        }
        assert_false(fake_agent_is_out(n->agent));
}

/* @hasty: it runs in a process of this test, and waits for nothing very long. @line: words. */
static void client_start(Node *n, Client *c, bool tty, bool hasty, const char *line, TraceFn fn,
                         void *userdata)
{
        int pair[2] = { -1, -1 };
        char where[64], words[128];
        char *argv[16] = { (char *) (uintptr_t) "/proc/self/exe", (char *) (uintptr_t) "--client",
                           (char *) (uintptr_t) (hasty ? "hasty" : "usual"), where };
        size_t argc = 4;
        *c = (Client){ .out = -1 };
        if (tty) {
                c->out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
                assert_true(c->out >= 0 && grantpt(c->out) == 0 && unlockpt(c->out) == 0 &&
                            ptsname_r(c->out, where, sizeof(where)) == 0);
        } else {
                assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
                c->out = pair[0];
                assert_int_equal(fcntl(pair[1], F_SETFL, 0), 0);
                assert_int_equal(fcntl(pair[1], F_SETFD, 0), 0);
                (void) snprintf(where, sizeof(where), "%d", pair[1]);
        }
        (void) snprintf(words, sizeof(words), "%s", line);
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        assert_true(trace_new(&c->trace, n->event, argv, fn, userdata) >= 0);
        if (pair[1] >= 0)
                (void) close(pair[1]);
}

static void client_listen(Client *c)
{
        ssize_t n = 1;
        while (c->out >= 0 && n > 0 && c->n_said < SAID_MAX - 1)
                if ((n = read(c->out, c->said + c->n_said, SAID_MAX - 1 - c->n_said)) > 0)
                        c->n_said += (size_t) n;
        c->said[c->n_said] = '\0';
}

static void client_deaf(Client *c)
{
        client_listen(c);
        (void) close(c->out);
        c->out = -1;
}

static Client *client_free(Client *c)
{
        if (c->out >= 0)
                client_deaf(c);
        c->trace = trace_free(c->trace);
        return NULL;
}

static bool client_over(Client *c)
{
        client_listen(c);
        return trace_over(c->trace, &c->status);
}

/* To its end, or where it is held. */
static void client_wait(Node *n, Client *c)
{
        for (Usec until = time_now() + LIMIT_USEC; !client_over(c) && !trace_held(c->trace);) {
                if (time_now() >= until)
                        fail_msg("a client has not ended:\n%s", c->said);
                assert_true(sd_event_run(n->event, 50 * USEC_PER_MSEC) >= 0);
        }
        client_listen(c);
        if (getenv("SHOW"))
                print_message("%s= %x\n", c->said, c->status);
}

static void client_says(const Client *c, const char *text)
{
        if (!strstr(c->said, text))
                fail_msg("\"%s\" is not in:\n%s", text, c->said);
}

static void client_ends(Node *n, Client *c, int code)
{
        client_wait(n, c);
        if (!WIFEXITED(c->status) || WEXITSTATUS(c->status) != code)
                fail_msg("status %x instead of exit %d:\n%s", c->status, code, c->said);
}

/* The process of client_start(). */
static int client(int argc, char **argv)
{
        const ClientTimes hasty = { .answer_usec = ANSWER_USEC,
                                    .lost_usec = 10 * USEC_PER_SEC,
                                    .look_usec = USEC_PER_SEC };
        bool real = strcmp(argv[0], "hasty") != 0, tty = argv[1][0] == '/';
        CliRequest rq;
        Err err = { 0 };
        (void) setenv("TERM", "xterm", 1);
        (void) unsetenv("NO_COLOR");
        int fd = tty && setsid() >= 0 ? open(argv[1], O_RDWR) : (int) strtol(argv[1], NULL, 10);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
                return 99;
        (void) close(fd);
        argv[1] = (char *) (uintptr_t) "edge-roll";
        if (real) {
                (void) execv(program, argv + 1);
                return 99;
        }
        if (cli_parse(argc - 1, argv + 1, &rq, &err) < 0)
                return 99;
        ClientIo io = { .out = stdout,
                        .err = stderr,
                        .mode = client_mode(STDOUT_FILENO, rq.json, rq.verbose),
                        .times = &hasty };
        return client_run(&rq, rq.component, &io);
}

/* ---- what a call is ---- */

/* A client that is looked at, call by call. */
typedef struct Led {
        Node *node;
        Trace *trace;
        bool armed; /* it is the client that runs */
        uint64_t bus_fd;
        Wire up, down;
        char what[160]; /* the present call; "": it is of no interest */
        PointCounts counts;
        bool sent, meant; /* its order has been sent; it is about to be */
        const Point *at;  /* NULL: it lists */
        bool kill;        /* it dies there; else it stands still */
        bool hit;
        Points *seen; /* what it lists */
} Led;

/* The same each time: no numbers, no colours. */
static void name_text(const char *text, char *buf, size_t size)
{
        size_t n = 0;
        for (const char *p = text; *p && n < size - 1; p++) {
                if (*p == '\n' && n > 0)
                        break;
                if (*p == '\033')
                        p += strcspn(p, "mKhlJ");
                else if (*p >= '0' && *p <= '9') {
                        p += strspn(p, "0123456789.") - 1;
                        buf[n++] = '#';
                } else if (*p > ' ' || (*p == ' ' && n > 0 && buf[n - 1] != ' '))
                        buf[n++] = *p == '/' ? '-' : *p;
                if (*p == '\0')
                        break;
        }
        buf[n] = '\0';
}

static void name_output(Led *l, const char *text)
{
        char line[41];
        /* What is drawn on a terminal comes by the clock. */
        if (!strchr(text, '\n'))
                return;
        cJSON *o = cJSON_Parse(text);
        const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "event")),
                   *phase = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "phase")),
                   *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "state"));
        name_text(text, line, sizeof(line));
        if (event)
                (void) snprintf(l->what, sizeof(l->what), "out %s%s%s%s%s", event, phase ? " " : "",
                                phase ? phase : "", state ? " " : "", state ? state : "");
        else
                (void) snprintf(l->what, sizeof(l->what), "out %s", line);
        cJSON_Delete(o);
}

static void name_connect(Led *l, const TraceCall *call)
{
        struct sockaddr_un un = { 0 };
        (void) trace_peek(l->trace, call->args[1], &un, MIN(call->args[2], sizeof(un)));
        if (un.sun_family != AF_UNIX || strstr(l->node->bus.address, un.sun_path) == NULL || !*un.sun_path)
                return;
        l->bus_fd = call->args[0];
        (void) snprintf(l->what, sizeof(l->what), "bus connect");
}

/* Before the call. */
static void name_call(Led *l, const TraceCall *call)
{
        static uint8_t bytes[65536];
        size_t n = trace_bytes(l->trace, bytes, sizeof(bytes) - 1);
        bytes[n] = '\0';
        if (call->nr == SYS_connect)
                name_connect(l, call);
        else if (n > 0 && call->args[0] == l->bus_fd &&
                 (call->nr == SYS_sendmsg || call->nr == SYS_writev || call->nr == SYS_sendto ||
                  call->nr == SYS_write))
                wire_names(&l->up, "bus", bytes, n, l->what, sizeof(l->what));
        else if (call->nr == SYS_write && (call->args[0] == STDOUT_FILENO || call->args[0] == STDERR_FILENO))
                name_output(l, (const char *) bytes);
        else if (call->nr == SYS_rt_sigaction && call->args[0] == SIGPIPE)
                (void) snprintf(l->what, sizeof(l->what), "signal action");
        else if (call->nr == SYS_rt_sigprocmask && call->args[1])
                (void) snprintf(l->what, sizeof(l->what), "signal mask");
        else if (call->nr == SYS_signalfd4)
                (void) snprintf(l->what, sizeof(l->what), "signal descriptor");
        else if (call->nr == SYS_exit_group)
                (void) snprintf(l->what, sizeof(l->what), "exit");
        if (*l->what)
                points_count(&l->counts, l->what);
        l->meant = l->meant || strcmp(l->what, ORDER) == 0;
}

/* Behind one by which it has heard something. */
static void name_heard(Led *l, const TraceCall *call)
{
        static uint8_t bytes[65536];
        if (call->args[0] != l->bus_fd || (call->nr != SYS_recvmsg && call->nr != SYS_readv))
                return;
        size_t n = trace_bytes(l->trace, bytes, sizeof(bytes));
        if (n > 0)
                wire_names(&l->down, "heard", bytes, n, l->what, sizeof(l->what));
        if (*l->what)
                points_count(&l->counts, l->what);
}

static TraceDo on_led(Trace *t, const TraceCall *call, void *userdata)
{
        Led *l = userdata;
        l->trace = t;
#ifdef SYS_dup2
        bool dup = call->nr == SYS_dup2 || call->nr == SYS_dup3;
#else
        bool dup = call->nr == SYS_dup3;
#endif
        if (!l->armed) {
                l->armed = dup && call->args[1] == STDERR_FILENO && call->after;
                return TRACE_GO;
        }
        if (!call->after) {
                l->what[0] = '\0';
                name_call(l, call);
        } else if (!*l->what)
                name_heard(l, call);
        l->sent = l->sent || (call->after && strcmp(l->what, ORDER) == 0);
        if (!*l->what)
                return TRACE_GO;
        const char *when = call->after ? "after" : "before";
        if (!l->at) {
                points_add(l->seen, l->what, when);
                return TRACE_GO;
        }
        if (l->hit || strcmp(l->at->what, l->what) != 0 || strcmp(l->at->when, when) != 0)
                return TRACE_GO;
        l->hit = true;
        if (!l->kill)
                return TRACE_HOLD;
        fake_agent_stand(l->node->agent, true);
        return TRACE_KILL;
}

/* ---- what is done to it, and what must be so behind it ---- */

typedef struct Profile {
        const char *name;
        const char *line;
        void (*lose)(Node *n, Client *c, Led *l);
        bool tty, hasty, kill;
        const char *only; /* points whose name begins like this; NULL: all */
} Profile;

static unsigned orders(const Node *n)
{
        return fake_agent_calls(n->agent, "Restart");
}

static void restarted(const Node *n, unsigned times)
{
        if (fake_agent_restarts(n->agent) != times)
                fail_msg("restarted %u times instead of %u", fake_agent_restarts(n->agent), times);
}

/* The same call again, of somebody who waits. */
static void again(Node *n)
{
        static Client next;
        bool runs = fake_agent_is_busy(n->agent);
        if (!runs && orders(n) > 0) {
                client_start(n, &next, false, false, "watch router", NULL, NULL);
                client_ends(n, &next, DONE);
                client_says(&next, "done");
                (void) client_free(&next);
                restarted(n, 1);
                return;
        }
        if (!runs)
                fake_agent_stand(n->agent, false);
        client_start(n, &next, false, false, "restart router", NULL, NULL);
        for (Usec until = time_now() + LIMIT_USEC; runs && !strstr(next.said, "joined it");) {
                assert_true(time_now() < until);
                node_pump(n, 5 * USEC_PER_MSEC);
                client_listen(&next);
        }
        fake_agent_stand(n->agent, false);
        client_ends(n, &next, DONE);
        (void) client_free(&next);
        restarted(n, 1);
}

static void killed(Node *n, Client *c, Led *l)
{
        assert_true(WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGKILL);
        node_pump(n, SETTLE_USEC);
        if (orders(n) != (l->sent ? 1 : 0))
                fail_msg("%u orders have come, %s", orders(n), l->sent ? "one was sent" : "none was sent");
        again(n);
        job_ends(n);
        restarted(n, 1);
}

/* It stands still while all is done by another one, and wakes when its order is too old. */
static void frozen(Node *n, Client *c, Led *l)
{
        bool asked = l->sent || l->meant;
        fake_agent_stand(n->agent, true);
        node_pump(n, SETTLE_USEC);
        again(n);
        job_ends(n);
        restarted(n, 1);
        node_pump(n, ANSWER_USEC + 100 * USEC_PER_MSEC);
        trace_go(c->trace);
        /* What it had in mind is too old to be obeyed; it sees what has been. One that had not begun to ask
         * makes a call of its own. */
        client_ends(n, c, DONE);
        job_ends(n);
        restarted(n, asked ? 1 : 2);
}

/* Only its own connection. */
static void cut(Node *n, Client *c, Led *l)
{
        _cleanup_(closep) int fd = trace_take_fd(c->trace, l->bus_fd);
        if (fd >= 0)
                (void) shutdown(fd, SHUT_RDWR);
        trace_go(c->trace);
        client_wait(n, c);
        job_ends(n);
        assert_true(WIFEXITED(c->status));
        /* Who cannot even connect says so, and has begun nothing. */
        if (WEXITSTATUS(c->status) == UNREACHABLE && !l->meant) {
                client_says(c, "cannot connect to the system bus");
                assert_int_equal(orders(n), 0);
                again(n);
        } else if (WEXITSTATUS(c->status) != DONE)
                fail_msg("exit %d:\n%s", WEXITSTATUS(c->status), c->said);
        restarted(n, 1);
}

/* The whole bus, and with it the connection of the agent. */
static void bus_lost(Node *n, Client *c, Led *l)
{
        bus_kill(&n->bus);
        node_pump(n, SETTLE_USEC);
        bus_start(&n->bus);
        assert_true(fake_agent_on_bus(n->agent) >= 0);
        trace_go(c->trace);
        client_wait(n, c);
        job_ends(n);
        assert_true(WIFEXITED(c->status));
        if (WEXITSTATUS(c->status) == UNREACHABLE && !l->meant) {
                assert_int_equal(orders(n), 0);
                again(n);
        } else if (WEXITSTATUS(c->status) != DONE)
                fail_msg("exit %d:\n%s", WEXITSTATUS(c->status), c->said);
        restarted(n, 1);
}

/* A signal has ended the display: what is said of the job, and that it is so. */
static void left(Node *n, Client *c, const Led *l, bool sent, int signal)
{
        int s = c->status;
        bool died = WIFSIGNALED(s) && WTERMSIG(s) == signal,
             told = WIFEXITED(s) && WEXITSTATUS(s) == 128 + signal;
        job_ends(n);
        if (!sent && orders(n) > 0)
                fail_msg("interrupted before it had sent anything, and an order has come:\n%s", c->said);
        /* By then it had all been said. */
        if (!died && !told && !(l->sent && WIFEXITED(s) && WEXITSTATUS(s) == DONE))
                fail_msg("status %x:\n%s", s, c->said);
        if (told && c->out >= 0 && !strstr(c->said, "The job goes on without this display"))
                client_says(c,
                            sent ? "Interrupted; edge-roll status says" : "Interrupted; nothing was begun");
        restarted(n, sent ? 1 : 0);
        if (!sent)
                again(n);
        restarted(n, 1);
}

static void interrupted(Node *n, Client *c, Led *l)
{
        bool sent = l->sent || l->meant;
        assert_int_equal(kill(trace_pid(c->trace), SIGINT), 0);
        trace_go(c->trace);
        client_wait(n, c);
        left(n, c, l, sent, SIGINT);
}

static void terminal_closed(Node *n, Client *c, Led *l)
{
        bool sent = l->sent || l->meant;
        client_deaf(c);
        trace_go(c->trace);
        client_wait(n, c);
        /* Whichever it is told first: SIGHUP, or that nobody takes what it writes. */
        left(n, c, l, sent,
             WIFEXITED(c->status) && WEXITSTATUS(c->status) == 128 + SIGPIPE ? SIGPIPE : SIGHUP);
}

/* It learns of it when it writes, which is behind its order. */
static void unread(Node *n, Client *c, Led *l)
{
        client_deaf(c);
        trace_go(c->trace);
        client_wait(n, c);
        job_ends(n);
        assert_int_equal(orders(n), 1);
        assert_true(WIFEXITED(c->status));
        if (WEXITSTATUS(c->status) != 128 + SIGPIPE && !(l->sent && WEXITSTATUS(c->status) == DONE))
                fail_msg("exit %d", WEXITSTATUS(c->status));
        restarted(n, 1);
        again(n);
}

static const Profile profiles[] = {
        { .name = "killed", .line = "restart router", .lose = killed, .kill = true },
        { .name = "killed-json",
          .line = "restart router --json",
          .lose = killed,
          .kill = true,
          .only = "out " },
        { .name = "killed-on-a-terminal",
          .line = "restart router",
          .lose = killed,
          .kill = true,
          .tty = true,
          .only = "out " },
        { .name = "frozen", .line = "restart router", .lose = frozen, .hasty = true },
        { .name = "cut", .line = "restart router", .lose = cut },
        { .name = "bus-lost", .line = "restart router", .lose = bus_lost },
        { .name = "interrupted", .line = "restart router", .lose = interrupted },
        { .name = "terminal-closed", .line = "restart router", .lose = terminal_closed, .tty = true },
        { .name = "unread", .line = "restart router", .lose = unread },
};

/* ---- all of them ---- */

typedef struct Try {
        const Profile *profile;
        Point point;
        char name[256];
} Try;

static Led led;
static Client first;

static void run(const Profile *p, Node *n, const Point *at, Points *seen)
{
        led = (Led){ .node = n, .at = at, .seen = seen, .kill = p->kill, .bus_fd = UINT64_MAX };
        led.down.other = &led.up;
        client_start(n, &first, p->tty, p->hasty, p->line, on_led, &led);
        client_wait(n, &first);
}

static void one_point(void **state)
{
        static Node n;
        const Try *t = *state;
        trace_free_all(); /* of a point that has failed */
        if (n.event)
                node_done(&n);
        node_new(&n);
        run(t->profile, &n, &t->point, NULL);
        if (!led.hit)
                fail_msg("it did not come to \"%s\", %s: status %x\n%s", t->point.what, t->point.when,
                         first.status, first.said);
        t->profile->lose(&n, &first, &led);
        (void) client_free(&first);
        node_done(&n);
}

/* The same each time, so one run shows all of them. */
static void points_find(const Profile *p, Points *seen)
{
        static Points all;
        static Node n;
        all.n = seen->n = 0;
        node_new(&n);
        run(p, &n, NULL, &all);
        (void) client_free(&first);
        node_done(&n);
        for (size_t i = 0; i < all.n; i++)
                if (!p->only || strncmp(all.points[i].what, p->only, strlen(p->only)) == 0)
                        seen->points[seen->n++] = all.points[i];
}

/* They have failed once. */
static const char *const always[] = {
        "interrupted/heard answer AddMatch#2/after",
        "terminal-closed/signal mask/after",
        NULL,
};

static size_t choose(const Profile *p, const Points *seen, const char *wanted, Try *tries)
{
        static bool tried[POINTS_MAX];
        size_t n = 0;
        points_sample(seen->n, SAMPLE, wanted, tried);
        for (size_t i = 0; i < seen->n; i++) {
                Try *t = &tries[n];
                *t = (Try){ .profile = p, .point = seen->points[i] };
                (void) snprintf(t->name, sizeof(t->name), "%s/%s/%s", p->name, t->point.what, t->point.when);
                n += (tried[i] || points_always(always, t->name)) && points_wanted(wanted, t->name);
        }
        return n;
}

/* Somebody who does not want to wait for it. */
static void who_is_interrupted_while_the_bus_hangs_ends_at_once(void **state)
{
        static Node n;
        static Client c;
        static const Point at = { "bus auth+auth+auth+auth", "after" };
        (void) state;
        trace_free_all();
        node_new(&n);
        led = (Led){ .node = &n, .at = &at, .bus_fd = UINT64_MAX };
        client_start(&n, &c, false, false, "restart router", on_led, &led);
        client_wait(&n, &c);
        assert_true(led.hit);
        assert_int_equal(kill(n.bus.pid, SIGSTOP), 0);
        trace_go(c.trace);
        node_pump(&n, SETTLE_USEC);
        assert_int_equal(kill(trace_pid(c.trace), SIGINT), 0);
        Usec begun = time_now();
        client_wait(&n, &c);
        if (time_now() - begun > 15 * USEC_PER_SEC)
                fail_msg("it ended only after %.1f s:\n%s", time_sec(time_now() - begun), c.said);
        assert_int_equal(kill(n.bus.pid, SIGCONT), 0);
        node_pump(&n, SETTLE_USEC);
        left(&n, &c, &led, false, SIGINT);
        (void) client_free(&c);
        node_done(&n);
}

static const struct CMUnitTest others[] = {
        cmocka_unit_test(who_is_interrupted_while_the_bus_hangs_ends_at_once),
};

int main(int argc, char **argv)
{
        static Try tries[ELEMENTS(profiles) * POINTS_MAX];
        static struct CMUnitTest tests[ELEMENTS(profiles) * POINTS_MAX + ELEMENTS(others)];
        static Points seen;
        char self[PATH_MAX];
        size_t n = 0, known = 0;
        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[MAX(len, 0)] = '\0';
        (void) snprintf(program, sizeof(program), "%.4000s/../../edge-roll", dirname(self));
        if (argc > 4 && strcmp(argv[1], "--client") == 0)
                return client(argc - 2, argv + 2);
        bool list_only = argc > 1 && strcmp(argv[1], "--list") == 0;
        const char *wanted = list_only ? "*" : argc > 1 ? argv[1] : NULL;
        for (size_t i = 0; i < ELEMENTS(profiles); i++) {
                const Profile *p = &profiles[i];
                if (!points_profile_wanted(wanted, p->name))
                        continue;
                points_find(p, &seen);
                points_tell(&seen, p->name);
                known += seen.n;
                n += choose(p, &seen, wanted, tries + n);
        }
        for (size_t i = 0; i < n; i++) {
                tests[i] = (struct CMUnitTest){ .name = tries[i].name,
                                                .test_func = one_point,
                                                .initial_state = &tries[i] };
                if (list_only)
                        print_message("%s\n", tries[i].name);
        }
        if (list_only)
                return 0;
        print_message("# %zu of %zu points\n", n, known);
        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (points_wanted(wanted, others[i].name))
                        tests[n++] = others[i];
        return _cmocka_run_group_tests("client-kill", tests, n, NULL, NULL);
}
