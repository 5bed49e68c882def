/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whoever is between a coordinator and its nodes is lost at each message, in the middle of a roll over three
 * of them: what is in the place of ssh, at bytes that are chosen (before a message, behind 8 bytes of it, in
 * its middle, before its last byte, behind it), a real ssh, the process of a real sshd, and the real bridge,
 * on a real bus, before and behind each of its calls. It is killed, closes, or stands still; of the bridge
 * either connection is shut down, too.
 *
 * The coordinator connects again and ends the roll; or it has refused it before anything was begun; or (of a
 * link that stands still) `resume` ends it. No node is restarted twice, never two are out, and the journal
 * tells it.
 *
 * A point is PROFILE/WHAT/WHEN, "ssh-killed/in answer Go n2/middle"; "#2" in it: the second time. What is
 * tried of them, by which arguments: as of test-coordinator-kill.
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/between.h"
#include "tests/lib/bus.h"
#include "tests/lib/points.h"
#include "tests/lib/rolls.h"
#include "tests/lib/sshd.h"
#include "tests/lib/trace.h"
#include "tests/lib/wire.h"

#define NODES       3
#define BRIDGES     48                  /* in one roll and what follows */
#define PIECES      64                  /* messages at once */
#define BRIDGE_USEC (10 * USEC_PER_SEC) /* so long may a bridge stay when its coordinator has gone */

static char self[PATH_MAX], program[PATH_MAX + 32]; /* edge-roll of this build */
static TestSshd sshd;

typedef enum Via {
        VIA_RELAY,  /* a process in the place of ssh */
        VIA_SSH,    /* the same, and behind it a real ssh and sshd */
        VIA_BRIDGE, /* the real bridge, and a bus for each node */
} Via;

typedef struct Profile {
        const char *name;
        Via via;
        const char *how;      /* of between.h; of a bridge: below */
        const char *whens[6]; /* NULL behind the last; of a bridge: as its calls come */
        size_t sample;        /* where nothing else is said */
        bool still;           /* nobody is told that the link is lost: `resume` may have to end it */
        bool quiet;           /* not at what agents tell unasked */
} Profile;

#define WHENS_ALL                                                                         \
        {                                                                                 \
                BETWEEN_BEFORE, BETWEEN_HEAD, BETWEEN_MIDDLE, BETWEEN_LAST, BETWEEN_AFTER \
        }
#define WHENS_HALF                             \
        {                                      \
                BETWEEN_BEFORE, BETWEEN_MIDDLE \
        }

/* What is done to a bridge. */
#define FAR_CUT "far-cut" /* its connection to the coordinator is shut down */
#define BUS_CUT "bus-cut" /* ... to the bus */

static const Profile profiles[] = {
        { .name = "relay-killed", .via = VIA_RELAY, .how = BETWEEN_KILLED, .whens = WHENS_ALL, .sample = 6 },
        { .name = "relay-closed", .via = VIA_RELAY, .how = BETWEEN_CLOSED, .whens = WHENS_HALF, .sample = 3 },
        { .name = "relay-stopped",
          .via = VIA_RELAY,
          .how = BETWEEN_STOPPED,
          .whens = WHENS_HALF,
          .sample = 1,
          .still = true,
          .quiet = true },
        { .name = "ssh-killed", .via = VIA_SSH, .how = BETWEEN_SSH_KILLED, .whens = WHENS_HALF, .sample = 3 },
        { .name = "sshd-killed",
          .via = VIA_SSH,
          .how = BETWEEN_SSHD_KILLED,
          .whens = WHENS_HALF,
          .sample = 3 },
        { .name = "ssh-stopped",
          .via = VIA_SSH,
          .how = BETWEEN_SSH_STOPPED,
          .whens = { BETWEEN_BEFORE },
          .sample = 1,
          .still = true,
          .quiet = true },
        { .name = "sshd-stopped",
          .via = VIA_SSH,
          .how = BETWEEN_SSHD_STOPPED,
          .whens = { BETWEEN_BEFORE },
          .sample = 1,
          .still = true,
          .quiet = true },
        { .name = "bridge-killed", .via = VIA_BRIDGE, .how = BETWEEN_KILLED, .sample = 6 },
        { .name = "bridge-far-cut", .via = VIA_BRIDGE, .how = FAR_CUT, .sample = 3 },
        { .name = "bridge-bus-cut", .via = VIA_BRIDGE, .how = BUS_CUT, .sample = 4 },
        { .name = "bridge-stopped",
          .via = VIA_BRIDGE,
          .how = BETWEEN_STOPPED,
          .sample = 1,
          .still = true,
          .quiet = true },
};

/* ---- bridges ---- */

/* One that is looked at, call by call. */
typedef struct Bridge {
        struct Site *site;
        size_t node;
        Trace *trace;
        bool armed; /* it is the bridge that runs */
        uint64_t bus_fd;
        Wire far_in, far_out, bus_in, bus_out;
        char what[PIECES][160]; /* the present call: for each message in it */
        size_t n_what;          /* 0: it is of no interest */
        PointCounts counts;
} Bridge;

typedef struct Site {
        World w;
        const Profile *profile;
        const Point *at; /* NULL: it lists */
        Points *seen;    /* ... into this */
        bool hit;
        TestBus bus[NODES]; /* with bridges */
        int listen_fd[NODES];
        sd_event_source *accept[NODES];
        Bridge bridge[BRIDGES];
        size_t n_bridges;
} Site;

/* The process of bridge_new(): the socket of its far end, the bus. */
static int bridge(char **argv)
{
        int fd = (int) strtol(argv[0], NULL, 10);
        if (setenv("DBUS_SYSTEM_BUS_ADDRESS", argv[1], 1) < 0 || dup2(fd, STDIN_FILENO) < 0 ||
            dup2(fd, STDOUT_FILENO) < 0)
                return 99;
        (void) close(fd);
        (void) execl(program, "edge-roll", "bridge", NULL);
        return 99;
}

static void name_add(Bridge *b, const char *verb, const char *name)
{
        assert_true(b->n_what < PIECES);
        char *what = b->what[b->n_what++];
        (void) snprintf(what, sizeof(b->what[0]), "%s %s %s", verb, name, b->site->w.name[b->node]);
        points_count(&b->counts, what);
}

static void name_connect(Bridge *b, const TraceCall *call)
{
        struct sockaddr_un un = { 0 };
        (void) trace_peek(b->trace, call->args[1], &un, MIN(call->args[2], sizeof(un)));
        if (un.sun_family != AF_UNIX || !*un.sun_path || !strstr(b->site->bus[b->node].address, un.sun_path))
                return;
        b->bus_fd = call->args[0];
        name_add(b, "connect", "bus");
}

/* What it sends, before the call; what it has read, behind it. */
static void name_call(Bridge *b, const TraceCall *call)
{
        static uint8_t bytes[65536];
        char name[64];
        size_t n = trace_bytes(b->trace, bytes, sizeof(bytes));
        bool reads = call->nr == SYS_read || call->nr == SYS_recvfrom || call->nr == SYS_recvmsg ||
                     call->nr == SYS_readv;
        bool far = call->args[0] == STDIN_FILENO || call->args[0] == STDOUT_FILENO;
        if (call->nr == SYS_connect && !call->after)
                name_connect(b, call);
        else if (call->nr == SYS_exit_group)
                name_add(b, "exit", "of");
        if (n == 0 || reads != call->after || (!far && call->args[0] != b->bus_fd))
                return;
        Wire *w = far ? (reads ? &b->far_in : &b->far_out) : reads ? &b->bus_in : &b->bus_out;
        const char *verb = far ? (reads ? "from-far" : "to-far") : reads ? "from-bus" : "to-bus";
        assert_true(wire_put(w, bytes, n));
        for (size_t size; (size = wire_next(w, name, sizeof(name))) > 0; wire_take(w, size))
                name_add(b, verb, name);
}

static TraceDo lose_bridge(Bridge *b, const char *how)
{
        bool far = strcmp(how, FAR_CUT) == 0;
        if (strcmp(how, BETWEEN_KILLED) == 0)
                return TRACE_KILL;
        if (strcmp(how, BETWEEN_STOPPED) == 0)
                return TRACE_HOLD;
        _cleanup_(closep) int fd = trace_take_fd(b->trace, far ? STDIN_FILENO : b->bus_fd);
        if (fd >= 0)
                (void) shutdown(fd, SHUT_RDWR);
        return TRACE_GO;
}

static TraceDo on_bridge(Trace *t, const TraceCall *call, void *userdata)
{
        Bridge *b = userdata;
        Site *s = b->site;
        b->trace = t;
#ifdef SYS_dup2
        bool dup = call->nr == SYS_dup2 || call->nr == SYS_dup3;
#else
        bool dup = call->nr == SYS_dup3;
#endif
        if (!b->armed) {
                b->armed = dup && call->args[1] == STDOUT_FILENO && call->after;
                return TRACE_GO;
        }
        if (!call->after)
                b->n_what = 0;
        if (b->n_what == 0)
                name_call(b, call);
        const char *when = call->after ? BETWEEN_AFTER : BETWEEN_BEFORE;
        for (size_t i = 0; i < b->n_what; i++) {
                if (!s->at)
                        points_add(s->seen, b->what[i], when);
                else if (!s->hit && strcmp(s->at->what, b->what[i]) == 0 && strcmp(s->at->when, when) == 0) {
                        s->hit = true;
                        return lose_bridge(b, s->profile->how);
                }
        }
        return TRACE_GO;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Site *s = userdata;
        char number[16];
        (void) revents;
        size_t node = 0;
        while (s->accept[node] != source)
                node++;
        int one = accept4(fd, NULL, NULL, 0);
        assert_true(one >= 0 && s->n_bridges < BRIDGES);
        Bridge *b = &s->bridge[s->n_bridges++];
        memset(b, 0, sizeof(*b));
        b->site = s;
        b->node = node;
        b->bus_fd = UINT64_MAX;
        b->far_out.other = &b->far_in;
        b->bus_in.other = &b->bus_out;
        (void) snprintf(number, sizeof(number), "%d", one);
        char *argv[] = { self, (char *) (uintptr_t) "--bridge", number, s->bus[node].address, NULL };
        assert_true(trace_new(&b->trace, s->w.event, argv, on_bridge, b) >= 0);
        (void) close(one);
        return 0;
}

static void bridges_new(Site *s)
{
        for (size_t i = 0; i < s->w.n; i++) {
                struct sockaddr_un un = { .sun_family = AF_UNIX };
                bus_make(&s->bus[i]);
                assert_true(fake_agent_on_bus(s->w.agent[i]) >= 0);
                (void) snprintf(un.sun_path, sizeof(un.sun_path), "%.60s/%s", s->w.dir, s->w.name[i]);
                s->listen_fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_true(s->listen_fd[i] >= 0);
                assert_int_equal(bind(s->listen_fd[i], (struct sockaddr *) &un, sizeof(un)), 0);
                assert_int_equal(listen(s->listen_fd[i], 8), 0);
                assert_true(sd_event_add_io(s->w.event, &s->accept[i], s->listen_fd[i], EPOLLIN, on_accept,
                                            s) >= 0);
        }
}

static bool bridge_lives(const Site *s)
{
        int status;
        for (size_t i = 0; i < s->n_bridges; i++)
                if (!trace_over(s->bridge[i].trace, &status))
                        return true;
        return false;
}

/* Each ends with its far end, and one that stood still does when it wakes. */
static void bridges_end(Site *s)
{
        int status;
        for (size_t i = 0; i < s->n_bridges; i++)
                trace_go(s->bridge[i].trace);
        for (Usec until = time_now() + BRIDGE_USEC; s->n_bridges > 0;) {
                Trace *last = s->bridge[s->n_bridges - 1].trace;
                if (trace_over(last, &status)) {
                        (void) trace_free(last);
                        s->n_bridges--;
                        continue;
                }
                if (time_now() >= until)
                        fail_msg("a bridge has not ended with its coordinator");
                world_pump(&s->w, 10 * USEC_PER_MSEC);
        }
}

/* ---- a world with somebody between ---- */

/* With limits for a machine where much else is done: a node whose link was lost has failed when it is not
 * back in time, and that is not what is tried here. */
static void site_conf(const Site *s)
{
        char conf[2 * PATH_MAX + 1200];
        (void) snprintf(conf, sizeof(conf),
                        "[cluster]\njournal_dir = %s/rolls\nsoak_low = 0s\nsoak_high = 500ms\n"
                        "connect_limit = 20s\nanswer_limit = 2s\nlost_limit = 40s\n"
                        "ssh = %s --ssh %s %s\nbridge = exec %s --far %s\n",
                        s->w.dir, self, s->w.dir, s->profile->via == VIA_SSH ? sshd.config : "-", self,
                        s->w.dir);
        world_file(&s->w, "conf", conf);
}

static void site_new(Site *s, const Profile *p)
{
        s->profile = p;
        s->hit = false;
        s->n_bridges = 0;
        world_new(&s->w, "aaa");
        site_conf(s);
        if (p->via == VIA_BRIDGE) {
                bridges_new(s);
                return;
        }
        world_listen(&s->w);
        s->w.over_ssh = true;
}

/* Also of a point that has failed. */
static void site_drop(Site *s)
{
        trace_free_all();
        s->n_bridges = 0;
        for (size_t i = 0; i < NODES; i++) {
                s->accept[i] = sd_event_source_unref(s->accept[i]);
                closep(&s->listen_fd[i]);
        }
        if (s->w.event) {
                (void) between_clean(s->w.dir);
                world_done(&s->w);
        }
        s->w.event = NULL;
        for (size_t i = 0; i < NODES; i++) {
                if (*s->bus[i].root)
                        bus_remove(&s->bus[i]);
                s->bus[i].root[0] = '\0';
                s->listen_fd[i] = -1;
        }
}

static void site_done(Site *s)
{
        if (s->profile->via == VIA_BRIDGE)
                bridges_end(s);
        else if (between_clean(s->w.dir) > 0)
                fail_msg("one that was in the place of ssh has outlived its coordinator");
        site_drop(s);
}

/* The end of what a coordinator has said. */
static const char *last_said(const World *w)
{
        size_t n = strlen(w->lines);
        return w->lines + (n > 700 ? n - 700 : 0);
}

static bool site_hit(const Site *s)
{
        return s->profile->via == VIA_BRIDGE ? s->hit : between_hit(s->w.dir);
}

/* What could not be given back, of a node that could not be reached when all was done, lapses. */
static void leases_given(const World *w, const char *what)
{
        for (size_t i = 0; i < w->n; i++) {
                const Lease *l = fake_agent_lease(w->agent[i], "router");
                char name[24];
                (void) snprintf(name, sizeof(name), " %s", w->name[i]);
                if (lease_current(l, time_boot()) && !strstr(what, name))
                        fail_msg("%s is still leased", w->name[i]);
                assert_true(lease_left(l, time_boot()) <= LEASE_TTL_DEFAULT_USEC);
        }
}

static void point_tried(Site *s, const Point *at)
{
        const Profile *p = s->profile;
        World *w = &s->w;
        BetweenOrder order = { 0 };
        (void) snprintf(order.what, sizeof(order.what), "%s", at->what);
        (void) snprintf(order.when, sizeof(order.when), "%s", at->when);
        (void) snprintf(order.how, sizeof(order.how), "%s", p->how);
        if (p->via != VIA_BRIDGE)
                between_order(w->dir, &order);
        int status = rolls_run(w, ROLLS_ROLL, w->dir);
        /* They end behind their coordinator. */
        for (Usec until = time_now() + BRIDGE_USEC; !s->hit && bridge_lives(s) && time_now() < until;)
                world_pump(w, 5 * USEC_PER_MSEC);
        if (!site_hit(s))
                fail_msg("it did not come to \"%s\": exit %d:\n%s", at->what, status, last_said(w));
        if (status == 0) {
                rolls_once(w, 1);
                leases_given(w, at->what);
                rolls_journal_tells(w, w->dir);
                return;
        }
        if (world_restarts(w) > 0 && !p->still)
                fail_msg("exit %d:\n%s", status, last_said(w));
        assert_true(w->out_most <= 1);
        rolls_way_on(w, ROLLS_ROLL, 1, false);
}

/* ---- all of them ---- */

typedef struct Try {
        const Profile *profile;
        Point point;
        char name[256];
} Try;

static Site site;

static void one_point(void **state)
{
        const Try *t = *state;
        site_drop(&site);
        site.at = &t->point;
        site_new(&site, t->profile);
        point_tried(&site, &t->point);
        site_done(&site);
}

/* Whether a message is one of those that come unasked. */
static bool is_quiet(const char *what)
{
        return !strstr(what, "signal ");
}

static void seen_read(const Site *s, Points *seen)
{
        char path[128], line[200];
        (void) snprintf(path, sizeof(path), "%s/seen", s->w.dir);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                for (size_t i = 0; s->profile->whens[i]; i++)
                        points_add(seen, line, s->profile->whens[i]);
        }
        (void) fclose(f);
}

/* The same each time, so one run shows all of them. */
static void points_find(const Profile *p, Points *seen)
{
        static Points all;
        all.n = seen->n = 0;
        site.at = NULL;
        site.seen = &all;
        site_new(&site, p);
        assert_int_equal(rolls_run(&site.w, ROLLS_ROLL, site.w.dir), 0);
        if (p->via != VIA_BRIDGE)
                seen_read(&site, &all);
        site_done(&site);
        for (size_t i = 0; i < all.n; i++)
                if (!p->quiet || is_quiet(all.points[i].what))
                        seen->points[seen->n++] = all.points[i];
}

/* They have failed once. */
static const char *const always[] = {
        "bridge-bus-cut/from-bus answer LeaseTake n2/after",
        "bridge-bus-cut/to-bus call Restart n2/before",
        NULL,
};

static size_t choose(const Profile *p, const Points *seen, const char *wanted, Try *tries)
{
        static bool tried[POINTS_MAX];
        size_t n = 0;
        points_sample(seen->n, p->sample, wanted, tried);
        for (size_t i = 0; i < seen->n; i++) {
                Try *t = &tries[n];
                *t = (Try){ .profile = p, .point = seen->points[i] };
                (void) snprintf(t->name, sizeof(t->name), "%s/%s/%s", p->name, t->point.what, t->point.when);
                n += (tried[i] || points_always(always, t->name)) && points_wanted(wanted, t->name);
        }
        return n;
}

static int group_teardown(void **state)
{
        (void) state;
        sshd_remove(&sshd);
        return 0;
}

int main(int argc, char **argv)
{
        static Try tries[ELEMENTS(profiles) * POINTS_MAX];
        static struct CMUnitTest tests[ELEMENTS(profiles) * POINTS_MAX];
        static Points seen;
        size_t n = 0, known = 0;
        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[MAX(len, 0)] = '\0';
        char copy[PATH_MAX];
        (void) snprintf(copy, sizeof(copy), "%s", self);
        (void) snprintf(program, sizeof(program), "%s/../../edge-roll", dirname(copy));
        if (argc == 5 && strcmp(argv[1], "--coordinator") == 0)
                return rolls_coordinator(argv + 2);
        if (argc == 4 && strcmp(argv[1], "--bridge") == 0)
                return bridge(argv + 2);
        if (argc > 4 && strcmp(argv[1], "--ssh") == 0)
                return between_ssh(argv + 2);
        if (argc == 3 && strcmp(argv[1], "--far") == 0)
                return between_far(argv + 2);
        for (size_t i = 0; i < NODES; i++)
                site.listen_fd[i] = -1;
        const char *skip = sshd_make(&sshd, "");
        if (skip) {
                print_message("%s\n", skip);
                return 77;
        }
        sshd_start(&sshd, "AcceptEnv " BETWEEN_NODE);
        bool list_only = argc > 1 && strcmp(argv[1], "--list") == 0;
        const char *wanted = list_only ? "*" : argc > 1 ? argv[1] : NULL;
        for (size_t i = 0; i < ELEMENTS(profiles); i++) {
                const Profile *p = &profiles[i];
                if (!points_profile_wanted(wanted, p->name))
                        continue;
                /* Half of what takes long, the other half tomorrow. */
                if (p->still && !wanted && !getenv("KILL_POINTS") && (i + (size_t) time(NULL) / 86400) % 2)
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
                return group_teardown(NULL);
        print_message("# %zu of %zu points\n", n, known);
        return _cmocka_run_group_tests("link-kill", tests, n, NULL, group_teardown);
}
