/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The agent with one allocation failing, and then all behind it: it starts or says that it cannot, answers or
 * refuses, never crashes; and an unfinished job's record, which it could not read for want of memory, is left
 * for the next one. OOM_ALL=1: at each place that asks for memory (oom.h); OOM_ONE=N: at that one; else at
 * some, others each day.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/config-seen.h"
#include "agent/hold.h"
#include "agent/known.h"
#include "agent/leases.h"
#include "agent/places.h"
#include "agent/pool.h"
#include "agent/served.h"
#include "agent/state.h"
#include "agent/tickets.h"
#include "probes/json.h"
#include "tests/lib/bus.h"
#include "tests/lib/ns.h"
#include "tests/lib/oom.h"

#define CALL_USEC (20 * USEC_PER_SEC)
#define SOME      12 /* of the places, without OOM_ALL */

/* What fails in a life of an agent; all zeros: nothing. */
typedef struct Failure {
        uint64_t nth;   /* that allocation, */
        uint64_t place; /* or the first one there, */
        size_t number;  /* which is the place of that number, for people; */
        bool from;      /* and all behind it */
} Failure;

/* What an agent has seen, written by itself when it comes to its end. */
static struct Told {
        uint64_t n;  /* allocations; 0: it did not come to its end */
        bool failed; /* one of them */
        size_t n_places;
        uint64_t places[OOM_PLACES];
        void *frames[64]; /* of a crash */
        int n_frames;
} * told;

/*
 * Told of a life in which nothing fails. It has its memory before that one begins: then libraries that are
 * loaded come to the same addresses in all of them, and places have the same numbers.
 */
static struct Told calm;

static TestBus bus;
static char dir[64], config_file[96], record[96];
static bool healing; /* not the agent, but heal */
static bool lack;    /* of memory, for SHORT_USEC, and not for good */

static void put_config(void)
{
        FILE *f = fopen(config_file, "we");
        assert_non_null(f);
        (void) fprintf(f, "[agent]\nstate_dir = %s\n", dir);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
        (void) state;
        strcpy(dir, "/tmp/edge-roll-oom-XXXXXX");
        assert_non_null(mkdtemp(dir));
        (void) snprintf(config_file, sizeof(config_file), "%s/conf", dir);
        (void) snprintf(record, sizeof(record), "%s/job.json", dir);
        put_config();
        bus_make(&bus);
        told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(told != MAP_FAILED);
        return 0;
}

static void dir_empty(void)
{
        char **names = NULL, path[400];
        assert_int_equal(state_list(dir, "", &names, NULL), 0);
        for (size_t i = 0; names[i]; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                (void) unlink(path);
        }
        (void) state_list_free(names);
}

static int teardown(void **state)
{
        (void) state;
        bus_remove(&bus);
        dir_empty();
        (void) unlink(config_file);
        (void) rmdir(dir);
        (void) munmap(told, sizeof(*told));
        return 0;
}

/* For a message. */
static const char *failing(const Failure *f)
{
        static char text[64];
        (void) snprintf(text, sizeof(text), "%s %llu%s", f->place ? "place" : "allocation",
                        (unsigned long long) (f->place ? f->number : f->nth),
                        f->from ? " and all behind it" : "");
        return text;
}

#define SHORT_USEC (400 * USEC_PER_MSEC)

static void on_memory(int sig)
{
        (void) sig;
        (void) oom_disarm();
}

/* Is it the library that ends the process? Behind the frames of the handler come those of glibc, and then who
 * has called abort(), or has crashed. */
static bool is_of(const char *library)
{
        void *frames[32];
        const int n = backtrace(frames, ELEMENTS(frames));
        bool glibc = false;
        for (int i = 0; i < n; i++) {
                Dl_info info;
                if (!dladdr(frames[i], &info) || !info.dli_fname)
                        return false;
                if (glibc && !strstr(info.dli_fname, "/libc."))
                        return strstr(info.dli_fname, library) != NULL;
                glibc = glibc || strstr(info.dli_fname, "/libc.");
        }
        return false;
}

/*
 * glibc 2.36 asserts in nss_database.c that it has memory, and libsystemd 252 in bus_free() that nothing is
 * left of the path of an object that it had no memory to publish: there is no answer to that but another
 * life.
 */
static void on_abort(int sig)
{
        (void) sig;
        _exit(strstr(oom_failed_in(), "/libc.") || is_of("/libsystemd.") ? 98 : 97);
}

static void on_crash(int sig)
{
        told->n_frames = backtrace(told->frames, ELEMENTS(told->frames));
        (void) signal(sig, SIG_DFL);
        (void) raise(sig);
}

/* The agent in a child of its own; what it has to say is not for a test's output. */
static pid_t agent_start(const Failure *f)
{
        told->n = told->n_places = 0;
        told->failed = false;
        told->n_frames = 0;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void) dup2(null, STDERR_FILENO);
        (void) dup2(null, STDOUT_FILENO);
        /* cmocka's would go on with the tests, in the child. */
        static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                (void) signal(signals[i], on_crash);
        void *frame;
        (void) backtrace(&frame, 1); /* loads what it needs, while there is memory */
        (void) signal(SIGABRT, on_abort);
        Config *config = NULL;
        if (config_load(&config, config_file, "/nonexistent", NULL) < 0)
                _exit(99);
        if (lack) {
                const struct itimerval lasts = { .it_value.tv_usec = SHORT_USEC };
                (void) signal(SIGALRM, on_memory);
                (void) setitimer(ITIMER_REAL, &lasts, NULL);
        }
        if (f->nth)
                oom_arm(f->nth, f->from);
        else
                oom_arm_place(f->place, f->from);
        int status = healing ? heal_main(config, "") : agent_main(config, "");
        const uint64_t n = oom_disarm();
        const uint64_t *places;
        told->failed = oom_failed() > 0;
        told->n_places = oom_places(&places);
        memcpy(told->places, places, told->n_places * sizeof(*places));
        told->n = n;
        _exit(status);
}

static bool over(pid_t pid, int *ret_status)
{
        return waitpid(pid, ret_status, WNOHANG) == pid;
}

/* Whether the child has ended; it stays to be waited for. */
static bool has_ended(pid_t pid)
{
        siginfo_t info = { 0 };
        return waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Whether somebody has the name, asked of the bus itself. */
static bool has_name(sd_bus *b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int there = 0;
        return sd_bus_call_method(b, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "NameHasOwner", NULL, &reply, "s", AGENT_BUS_NAME) >= 0 &&
               sd_bus_message_read(reply, "b", &there) > 0 && there;
}

/*
 * Any answer but none. That the bus says the agent has gone is one: where the library could not keep a
 * message it gives the connection up, and the agent makes another one. Who has no memory at all any more
 * cannot answer.
 */
static void ask(sd_bus *b, pid_t pid, const Failure *f, const char *method, const char *component)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const Usec begin = time_now();
        int r = component ? sd_bus_call_method(b, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE, method, &error,
                                               &reply, "s", component)
                          : sd_bus_call_method(b, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE, method, &error,
                                               &reply, "");
        sd_bus_message_unref(reply);
        sd_bus_error_free(&error);
        if (r == -ETIMEDOUT && !f->from && time_now() - begin >= CALL_USEC)
                fail_msg("%s: %s was not answered", failing(f), method);
        while (r == -ETIMEDOUT && !f->from && !has_name(b) && !has_ended(pid))
                if (time_now() - begin > CALL_USEC)
                        fail_msg("%s: the agent has not come back to the bus", failing(f));
}

/* A fork of this process has the addresses of this one. */
static void crashed(const Failure *f, int sig)
{
        backtrace_symbols_fd(told->frames, told->n_frames, STDERR_FILENO);
        fail_msg("%s: signal %d", failing(f), sig);
}

/* One life of an agent; what it has seen is in `told`. */
static void life(const Failure *f)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *b = NULL;
        int status = 0;

        assert_true(sd_bus_open_system(&b) >= 0);
        assert_true(sd_bus_set_method_call_timeout(b, f->from ? 200 * USEC_PER_MSEC : CALL_USEC) >= 0);
        pid_t pid = agent_start(f);
        /* One that waits for memory is told to end. */
        const Usec end = time_add(time_now(), (f->from ? 1 : 20) * USEC_PER_SEC);
        bool gone = false, there = false;
        while (!(gone = over(pid, &status)) && !(there = has_name(b)) && time_now() <= end)
                (void) poll(NULL, 0, 5);
        if (there) {
                ask(b, pid, f, "Status", NULL);
                ask(b, pid, f, "Look", "router");
                ask(b, pid, f, "Discover", "router");
                ask(b, pid, f, "CurrentJob", "router");
        }
        if (!gone) {
                (void) kill(pid, SIGTERM);
                assert_int_equal(waitpid(pid, &status, 0), pid);
        }
        /* It may just be ending by itself when it is told to. */
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                crashed(f, WTERMSIG(status));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 97)
                fail_msg("%s: aborted", failing(f));
        if (!f->nth && !f->place)
                assert_true(there && told->n > 0);
}

/* Which places are tried: from the first on, each so many further. */
static void which(size_t n_places, size_t *ret_first, size_t *ret_step)
{
        const char *all = getenv("OOM_ALL"), *one = getenv("OOM_ONE");
        *ret_step = n_places <= SOME ? 1 : n_places / SOME;
        *ret_first = (size_t) time(NULL) / 86400 % *ret_step;
        if (one) {
                assert_int_equal(sscanf(one, "%zu", ret_first), 1);
                *ret_step = SIZE_MAX - *ret_first;
        } else if (all) {
                assert_int_equal(sscanf(all, "%zu/%zu", ret_first, ret_step), 2);
                assert_true(*ret_first < *ret_step);
        }
}

/* At each of those places, as they are in a life in which nothing fails. */
static void each(void (*check)(const Failure *f))
{
        size_t first, step;
        unsigned lives = 0, unharmed = 0;
        life(&(Failure){ 0 });
        calm = *told;
        which(calm.n_places, &first, &step);
        for (size_t i = first; i < calm.n_places; i += step, lives += 2) {
                Failure f = { .place = calm.places[i], .number = i };
                check(&f);
                unharmed += told->n > 0 && !told->failed;
                f.from = true;
                check(&f);
        }
        print_message("%llu allocations at %zu places, %u lives, %u of them never came there\n",
                      (unsigned long long) calm.n, calm.n_places, lives, unharmed);
        assert_true(lives > 0 && unharmed <= lives / 4);
}

static void it_starts_or_says_that_it_cannot(void **state)
{
        (void) state;
        each(life);
        dir_empty();
}

/* A job that was in front of everything: with memory it is ended, and its record goes. */
static void put_record(void)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "id", 7);
        cJSON_AddStringToObject(o, "component", "router");
        cJSON_AddStringToObject(o, "kind", "restart");
        cJSON_AddStringToObject(o, "phase", "discover");
        cJSON_AddObjectToObject(o, "changes");
        cJSON_AddStringToObject(o, "by", "uid 0 (root)");
        assert_int_equal(state_write(dir, "job.json", o, NULL), 0);
        cJSON_Delete(o);
}

static void with_record(const Failure *f)
{
        char path[128];
        dir_empty();
        put_record();
        life(f);
        (void) snprintf(path, sizeof(path), "%s/unreadable-job.json", dir);
        if (access(path, F_OK) == 0)
                fail_msg("%s: the record of a job was given up", failing(f));
}

static void a_record_that_cannot_be_read_now_is_not_given_up(void **state)
{
        (void) state;
        put_record();
        each(with_record);
        dir_empty();
}

/* ---- memory that comes back ---- */

/* The agent finds a record, all allocations from the nth on fail, and a while later none does. Return: its
 * wait status. */
static int life_with_a_lack(uint64_t nth)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *b = NULL;
        const Failure f = { .nth = nth, .from = true };
        int status = 0;
        dir_empty();
        put_record();
        assert_true(sd_bus_open_system(&b) >= 0);
        lack = true;
        pid_t pid = agent_start(&f);
        lack = false;
        const Usec end = time_add(time_now(), 20 * USEC_PER_SEC);
        while (!has_ended(pid) && (healing || access(record, F_OK) == 0 || !has_name(b)) && time_now() < end)
                (void) poll(NULL, 0, 10);
        if (time_now() >= end)
                fail_msg("%s for a while: nothing has come of it", failing(&f));
        (void) kill(pid, SIGTERM);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

/* systemd starts another one at once, which has no more memory than this one, and gives up after 60 of them.
 */
static void the_same_agent_waits_for_memory_and_goes_on(void **state)
{
        (void) state;
        unsigned went_on = 0, tries = 0;
        dir_empty();
        put_record();
        life(&(Failure){ 0 });
        const uint64_t n = told->n;
        for (uint64_t i = n / 40; i < n; i += 1 + n / 40, tries++) {
                int status = life_with_a_lack(i);
                if (WIFEXITED(status) && WEXITSTATUS(status) == AGENT_EXIT_RESTART)
                        fail_msg("allocation %llu: it ended for want of memory", (unsigned long long) i);
                went_on += access(record, F_OK) != 0;
        }
        print_message("%u of %u have ended the job\n", went_on, tries);
        assert_true(went_on > tries / 4);
        dir_empty();
}

/* Behind it there is nobody. */
static void heal_waits_for_memory_and_ends_the_job(void **state)
{
        (void) state;
        unsigned ended = 0, tries = 0;
        healing = true;
        /* From where it takes the job up on; before that its unit starts it again. */
        for (uint64_t i = 60; i < 400; i += 9, tries++) {
                int status = life_with_a_lack(i);
                /* Any other status is how a job has ended, and leads to no other life. */
                if (access(record, F_OK) == 0 &&
                    !(WIFEXITED(status) && WEXITSTATUS(status) == AGENT_EXIT_RESTART))
                        fail_msg("allocation %llu: status %#x with the job unfinished",
                                 (unsigned long long) i, (unsigned) status);
                ended += access(record, F_OK) != 0;
        }
        healing = false;
        print_message("%u of %u have ended the job\n", ended, tries);
        assert_true(ended > tries / 4);
        dir_empty();
}

/* ---- what writes records ---- */

static Config *config;
static const Component *router;
static Leases *leases;
static ConfigSeen seen;

static int write_place(Err *err)
{
        PlaceOptions o = { .pool = "pool",
                           .uuid = "u-1",
                           .id = "0123456789abcdef",
                           .name = "r1",
                           .address = "r1:15999",
                           .by = "root",
                           .reason = "a reason" };
        int r = lock_spec_parse("zookeeper://zk1:2181", &o.zk.spec, err);
        return r < 0 ? r : places_write(dir, "router", &o, "/etc/auth", err);
}

static int write_pool(Err *err)
{
        PoolMember members[] = { { "u-1", "r1", "10.0.0.1" }, { "u-2", "r2", "10.0.0.2" } };
        const Pool pool = { .members = members,
                            .n_members = ELEMENTS(members),
                            .by = "root",
                            .wall_usec = 5 * USEC_PER_SEC,
                            .uuid = "u-1",
                            .region = "dc-1",
                            .pod = "gateway" };
        return pool_write(dir, "router", &pool, err);
}

static int write_lease(Err *err)
{
        const Lease lease = { .epoch = 2, .held = true, .holder = "roll-1", .by = "root", .ttl_usec = 7 };
        return leases_write(leases, leases_slot(leases, "router"), &lease, err);
}

static int write_ticket(Err *err)
{
        const Ticket ticket = { .component = "router", .by = "root", .reason = "a reason" };
        Ticket now;
        bool fresh;
        /* One that is there counts up. */
        int r = tickets_remove(dir, "router", err);
        return r < 0 ? r : tickets_put(dir, &ticket, &now, &fresh, err);
}

static int write_cut(Err *err)
{
        KnownCut cut = { .cut = 3, .in_flight = 4, .wall_usec = 1 };
        assert_true(addr_parse("10.0.0.1", &cut.addr));
        return known_cut_write(config, router, &cut, err);
}

static int write_known(Err *err)
{
        return known_write(config, router, 15999, NULL, err);
}

static int write_served(Err *err)
{
        ServedList list = { .n = 2 };
        for (size_t i = 0; i < list.n; i++)
                list.items[i] = (Served){ .name = "a.example.org",
                                          .port = (uint16_t) (443 + i),
                                          .fingerprint = "ab" };
        return served_write(config, router, &list, err);
}

static int write_seen(Err *err)
{
        char text[256];
        (void) err;
        config_seen_done(&seen);
        return config_seen(config, &seen, text, sizeof(text));
}

static int write_hold(Err *err)
{
        Hold hold = { .component = "router", .by = "root", .reason = "drain by hand", .by_hand = true };
        hold.plan.whole_ports[hold.plan.n_whole++] = 15999;
        return hold_write(dir, &hold, err);
}

static const struct Writer {
        const char *record;
        int (*write)(Err *err);
} writers[] = {
        { "place-router.json", write_place },   { "pool-router.json", write_pool },
        { "lease-router.json", write_lease },   { "ticket-router.json", write_ticket },
        { "cut-router.json", write_cut },       { "known-router.json", write_known },
        { "served-router.json", write_served }, { CONFIG_SEEN, write_seen },
        { "hold-router.json", write_hold },
};

static size_t values_in(const cJSON *o)
{
        size_t n = 1;
        const cJSON *v;
        cJSON_ArrayForEach(v, o) n += values_in(v);
        return n;
}

/* How many values the record has; 0: there is none. */
static size_t record_size(const char *name)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        Err err = { 0 };
        if (state_read(dir, name, &o, NULL, &err) < 0)
                fail_msg("%s", err.text);
        return o ? values_in(o) : 0;
}

static void check_record(const struct Writer *w, uint64_t nth, bool from, size_t whole)
{
        Err err = { 0 };
        assert_int_equal(state_remove(dir, w->record, NULL), 0);
        oom_arm(nth, from);
        int r = w->write(&err);
        (void) oom_disarm();
        const size_t n = record_size(w->record);
        if (n != 0 && n != whole)
                fail_msg("%s, allocation %llu%s: a record with %zu of %zu values", w->record,
                         (unsigned long long) nth, from ? " and all behind it" : "", n, whole);
        if (r >= 0 && n != whole)
                fail_msg("%s, allocation %llu: not written, and nobody is told", w->record,
                         (unsigned long long) nth);
}

static void a_record_is_written_whole_or_not_at_all(void **state)
{
        (void) state;
        assert_int_equal(config_load(&config, config_file, "/nonexistent", NULL), 0);
        assert_non_null(router = config_component(config, "router"));
        assert_int_equal(leases_new(&leases, dir), 0);
        for (const struct Writer *w = writers; w < writers + ELEMENTS(writers); w++) {
                Err err = { 0 };
                if (w->write(&err) < 0)
                        fail_msg("%s: %s", w->record, err.text);
                const size_t whole = record_size(w->record);
                assert_true(whole > 3);
                uint64_t n = 1;
                for (bool failed = true; failed; n += n < 400 ? 1 : 50) {
                        check_record(w, n, false, whole);
                        failed = oom_failed() > 0;
                        check_record(w, n, true, whole);
                        /* What was lost then is of no matter to what is written now. */
                        if (w->write(&err) < 0)
                                fail_msg("%s, behind allocation %llu: %s", w->record, (unsigned long long) n,
                                         err.text);
                }
        }
        config_seen_done(&seen);
        leases = leases_free(leases);
        config_free(config);
        dir_empty();
}

static void what_was_lost_before_is_no_matter_of_a_record(void **state)
{
        (void) state;
        volatile size_t too_much = SIZE_MAX / 2;
        assert_int_equal(config_load(&config, config_file, "/nonexistent", NULL), 0);
        assert_non_null(router = config_component(config, "router"));
        assert_int_equal(leases_new(&leases, dir), 0);
        for (const struct Writer *w = writers; w < writers + ELEMENTS(writers); w++) {
                Err err = { 0 };
                assert_null(cJSON_malloc(too_much));
                if (w->write(&err) < 0)
                        fail_msg("%s: %s", w->record, err.text);
        }
        config_seen_done(&seen);
        leases = leases_free(leases);
        config_free(config);
        dir_empty();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_is_written_whole_or_not_at_all),
                cmocka_unit_test(what_was_lost_before_is_no_matter_of_a_record),
                cmocka_unit_test(it_starts_or_says_that_it_cannot),
                cmocka_unit_test(the_same_agent_waits_for_memory_and_goes_on),
                cmocka_unit_test(heal_waits_for_memory_and_ends_the_job),
                cmocka_unit_test(a_record_that_cannot_be_read_now_is_not_given_up),
        };
        const char *why = ns_enter();
        if (why) {
                (void) printf("%s\n", why);
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
