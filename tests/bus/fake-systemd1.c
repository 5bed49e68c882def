/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bus/fake-systemd1.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"

#define NAME    "org.freedesktop.systemd1"
#define PATH    "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNITS   PATH "/unit"

#define METHODS_MAX 64

typedef struct FakeUnit {
        FakeSystemd1 *fake;
        struct FakeUnit *next;
        char name[256];
        char load[32], active[32], result[32], control_group[256];
        uint32_t main_pid;
        bool transient, referenced;

        uint32_t job; /* 0: none */
        char method[64];
        FakeJob how;
        sd_event_source *timer;

        char **argv, **env;
        uint64_t limit;
        int out, err;
        pid_t pid;
        sd_event_source *child, *limit_timer;
        int32_t exec_code, exec_status;
} FakeUnit;

struct FakeSystemd1 {
        sd_event *e;
        sd_bus *bus;
        sd_event_source *hang_up;
        FakeUnit *units;
        uint32_t last_job;
        FakeJob how;
        bool mute;
        FakeJobFn job_fn;
        FakeRunFn run_fn;
        void *job_userdata, *run_userdata;
        struct {
                char method[32];
                unsigned n;
        } calls[METHODS_MAX];
};

static void must(bool ok, const char *what)
{
        if (ok)
                return;
        (void) fprintf(stderr, "fake-systemd1: %s: %s\n", what, strerror(errno));
        abort();
}

static void copy(char *to, size_t size, const char *from)
{
        if (from)
                must((size_t) snprintf(to, size, "%s", from) < size, "a text is too long");
}

static void words_free(char **words)
{
        for (char **w = words; w && *w; w++)
                free(*w);
        free(words);
}

/* ---- units ---- */

static FakeUnit *unit_get(FakeSystemd1 *f, const char *name)
{
        for (FakeUnit *u = f->units; u; u = u->next)
                if (strcmp(u->name, name) == 0)
                        return u;
        FakeUnit *u = calloc(1, sizeof(*u));
        must(u, "memory");
        u->fake = f;
        u->out = u->err = -1;
        copy(u->name, sizeof(u->name), name);
        copy(u->load, sizeof(u->load), "not-found");
        copy(u->active, sizeof(u->active), "inactive");
        copy(u->result, sizeof(u->result), "success");
        u->next = f->units;
        f->units = u;
        return u;
}

static void unit_stop_command(FakeUnit *u)
{
        u->child = sd_event_source_unref(u->child);
        u->limit_timer = sd_event_source_unref(u->limit_timer);
        if (u->pid > 0) {
                (void) kill(-u->pid, SIGKILL);
                (void) waitpid(u->pid, NULL, 0);
        }
        u->pid = 0;
        closep(&u->out);
        closep(&u->err);
        u->out = u->err = -1;
}

static void unit_free(FakeUnit *u)
{
        FakeUnit **at = &u->fake->units;
        while (*at != u)
                at = &(*at)->next;
        *at = u->next;
        unit_stop_command(u);
        sd_event_source_unref(u->timer);
        words_free(u->argv);
        words_free(u->env);
        free(u);
}

/* A transient unit without job, command and reference is unloaded. */
static void unit_collect(FakeUnit *u)
{
        if (u->transient && !u->referenced && !u->job && u->pid == 0)
                unit_free(u);
}

static int unit_find(sd_bus *bus _unused_, const char *path, const char *interface _unused_, void *userdata,
                     void **ret, sd_bus_error *ret_error _unused_)
{
        _cleanup_(freep) char *name = NULL;
        int r = sd_bus_path_decode(path, UNITS, &name);
        if (r <= 0)
                return r;
        *ret = unit_get(userdata, name);
        return 1;
}

static int property_get(sd_bus *bus _unused_, const char *path _unused_, const char *interface _unused_,
                        const char *property, sd_bus_message *reply, void *userdata,
                        sd_bus_error *ret_error _unused_)
{
        static const uint8_t invocation[16] = { 0xab, 0x01, [15] = 0xff };
        const FakeUnit *u = userdata;
        bool running = strcmp(u->active, "active") == 0;
        char job[64] = "/";

        if (u->job)
                (void) snprintf(job, sizeof(job), PATH "/job/%u", u->job);
        if (strcmp(property, "Id") == 0)
                return sd_bus_message_append(reply, "s", u->name);
        if (strcmp(property, "LoadState") == 0)
                return sd_bus_message_append(reply, "s", u->load);
        if (strcmp(property, "ActiveState") == 0)
                return sd_bus_message_append(reply, "s", u->active);
        if (strcmp(property, "SubState") == 0)
                return sd_bus_message_append(reply, "s", running ? "running" : "dead");
        if (strcmp(property, "Result") == 0)
                return sd_bus_message_append(reply, "s", u->result);
        if (strcmp(property, "Type") == 0)
                return sd_bus_message_append(reply, "s", "oneshot");
        if (strcmp(property, "ControlGroup") == 0)
                return sd_bus_message_append(reply, "s", u->control_group);
        if (strcmp(property, "Job") == 0)
                return sd_bus_message_append(reply, "(uo)", u->job, job);
        if (strcmp(property, "InvocationID") == 0)
                return sd_bus_message_append_array(reply, 'y', invocation, running ? 16 : 0);
        if (strcmp(property, "MainPID") == 0)
                return sd_bus_message_append(reply, "u", u->main_pid);
        if (strcmp(property, "NRestarts") == 0)
                return sd_bus_message_append(reply, "u", 2);
        if (strcmp(property, "StartLimitBurst") == 0)
                return sd_bus_message_append(reply, "u", 5);
        if (strcmp(property, "StartLimitIntervalUSec") == 0)
                return sd_bus_message_append(reply, "t", (uint64_t) 10000000);
        if (strcmp(property, "TimeoutStopUSec") == 0)
                return sd_bus_message_append(reply, "t", (uint64_t) 90000000);
        if (strcmp(property, "RemainAfterExit") == 0)
                return sd_bus_message_append(reply, "b", 1);
        if (strcmp(property, "ExecMainCode") == 0)
                return sd_bus_message_append(reply, "i", u->exec_code);
        return sd_bus_message_append(reply, "i", u->exec_status);
}

/* ---- jobs ---- */

static void hang_up(FakeSystemd1 *f)
{
        if (!f->bus)
                return;
        sd_bus_close(f->bus);
        f->bus = sd_bus_unref(f->bus);
        /* References are those of connections. */
        for (FakeUnit *u = f->units, *next; u; u = next) {
                next = u->next;
                u->referenced = false;
                unit_collect(u);
        }
}

static int on_hang_up(sd_event_source *source _unused_, void *userdata)
{
        FakeSystemd1 *f = userdata;
        hang_up(f);
        return 0;
}

static void hang_up_soon(FakeSystemd1 *f)
{
        /* Not at once: the connection is in the middle of calling us. */
        sd_event_source_unref(f->hang_up);
        must(sd_event_add_defer(f->e, &f->hang_up, on_hang_up, f) >= 0, "defer");
}

static void job_signal(FakeSystemd1 *f, uint32_t id, const char *unit, const char *result)
{
        char path[64];
        (void) snprintf(path, sizeof(path), PATH "/job/%u", id);
        if (f->bus)
                must(sd_bus_emit_signal(f->bus, PATH, MANAGER, "JobRemoved", "uoss", id, path, unit,
                                        result) >= 0,
                     "JobRemoved");
}

static void job_end(FakeUnit *u, const char *result)
{
        uint32_t id = u->job;

        if (!id)
                return;
        u->job = 0;
        u->timer = sd_event_source_unref(u->timer);
        if (u->how.order != FAKE_SIGNAL_LOST)
                job_signal(u->fake, id, u->name, result);
        unit_collect(u);
}

static void unit_run(FakeUnit *u);

static void job_effect(FakeUnit *u)
{
        FakeSystemd1 *f = u->fake;

        if (u->transient) {
                unit_run(u);
                return;
        }
        bool stops = strcmp(u->method, "StopUnit") == 0;
        copy(u->active, sizeof(u->active), u->how.active ? u->how.active : stops ? "inactive" : "active");
        if (f->job_fn)
                f->job_fn(u->method, u->name, f->job_userdata);
        job_end(u, u->how.result ? u->how.result : "done");
}

static int on_job_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        FakeUnit *u = userdata;
        u->timer = sd_event_source_unref(u->timer);
        job_effect(u);
        return 0;
}

/* Makes the job and answers @m as the test wants it. */
static int job_make(FakeSystemd1 *f, FakeUnit *u, sd_bus_message *m, const char *method)
{
        char path[64];

        if (!u->job)
                u->job = ++f->last_job;
        u->how = f->how;
        copy(u->method, sizeof(u->method), method);
        (void) snprintf(path, sizeof(path), PATH "/job/%u", u->job);
        if (u->how.order == FAKE_HANG_UP_LATE)
                hang_up_soon(f);
        else if (u->how.order == FAKE_SIGNAL_FIRST) {
                job_effect(u);
                return sd_bus_reply_method_return(m, "o", path);
        }
        if (u->how.after_usec != USEC_INFINITY && !u->timer) {
                must(sd_event_add_time(f->e, &u->timer, CLOCK_MONOTONIC, time_now() + u->how.after_usec, 1,
                                       on_job_timer, u) >= 0,
                     "timer");
        }
        return u->how.order == FAKE_HANG_UP_LATE ? 1 : sd_bus_reply_method_return(m, "o", path);
}

static void count_call(FakeSystemd1 *f, const char *method)
{
        unsigned i = 0;
        while (i < METHODS_MAX && f->calls[i].n > 0 && strcmp(f->calls[i].method, method) != 0)
                i++;
        must(i < METHODS_MAX, "too many methods");
        copy(f->calls[i].method, sizeof(f->calls[i].method), method);
        f->calls[i].n++;
}

/* Return: 0 when the method is to be done; 1 when it was dealt with here. */
static int method_begin(FakeSystemd1 *f, sd_bus_message *m, bool job, sd_bus_error *ret_error)
{
        count_call(f, sd_bus_message_get_member(m));
        if (f->mute)
                return 1;
        if (job && f->how.order == FAKE_HANG_UP) {
                hang_up_soon(f);
                return 1;
        }
        if (f->how.order == FAKE_NO_NAME)
                return sd_bus_error_set(ret_error, SD_BUS_ERROR_SERVICE_UNKNOWN, "no such name on this bus");
        if (job && f->how.error)
                return sd_bus_error_set(ret_error, f->how.error, "refused by the test");
        return 0;
}

static int method_unit_job(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        FakeSystemd1 *f = userdata;
        const char *unit, *mode;
        int r = method_begin(f, m, true, ret_error);
        if (r != 0)
                return r;
        must(sd_bus_message_read(m, "ss", &unit, &mode) > 0, "arguments");
        must(strcmp(mode, "replace") == 0, "the mode of a job");
        return job_make(f, unit_get(f, unit), m, sd_bus_message_get_member(m));
}

static int method_load_unit(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        FakeSystemd1 *f = userdata;
        _cleanup_(freep) char *path = NULL;
        const char *unit;
        int r = method_begin(f, m, false, ret_error);
        if (r != 0)
                return r;
        must(sd_bus_message_read(m, "s", &unit) > 0, "arguments");
        must(sd_bus_path_encode(UNITS, unit, &path) >= 0, "path");
        return sd_bus_reply_method_return(m, "o", path);
}

static int method_reset_failed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        FakeSystemd1 *f = userdata;
        const char *unit;
        int r = method_begin(f, m, true, ret_error);
        if (r != 0)
                return r;
        must(sd_bus_message_read(m, "s", &unit) > 0, "arguments");
        FakeUnit *u = unit_get(f, unit);
        if (strcmp(u->load, "loaded") != 0)
                return sd_bus_error_set(ret_error, "org.freedesktop.systemd1.NoSuchUnit", "not loaded");
        if (strcmp(u->active, "failed") == 0)
                copy(u->active, sizeof(u->active), "inactive");
        return sd_bus_reply_method_return(m, NULL);
}

static int method_unref(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        FakeSystemd1 *f = userdata;
        const char *unit;
        int r = method_begin(f, m, false, ret_error);
        if (r != 0)
                return r;
        must(sd_bus_message_read(m, "s", &unit) > 0, "arguments");
        FakeUnit *u = unit_get(f, unit);
        must(u->transient, "the reference of a unit that was never started");
        u->referenced = false;
        unit_collect(u);
        return sd_bus_reply_method_return(m, NULL);
}

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        int r = method_begin(userdata, m, false, ret_error);
        return r != 0 ? r : sd_bus_reply_method_return(m, NULL);
}

/* ---- transient services ---- */

static void transient_property(FakeUnit *u, sd_bus_message *m, const char *name)
{
        const char *text;
        int value;

        if (strcmp(name, "ExecStart") == 0) {
                must(sd_bus_message_enter_container(m, 'v', "a(sasb)") > 0 &&
                             sd_bus_message_enter_container(m, 'a', "(sasb)") > 0 &&
                             sd_bus_message_enter_container(m, 'r', "sasb") > 0 &&
                             sd_bus_message_read(m, "s", &text) > 0 &&
                             sd_bus_message_read_strv(m, &u->argv) >= 0 &&
                             sd_bus_message_read(m, "b", &value) > 0 && u->argv &&
                             strcmp(u->argv[0], text) == 0,
                     "ExecStart");
                for (int i = 0; i < 3; i++)
                        must(sd_bus_message_exit_container(m) >= 0, "ExecStart");
        } else if (strcmp(name, "Environment") == 0) {
                must(sd_bus_message_enter_container(m, 'v', "as") > 0 &&
                             sd_bus_message_read_strv(m, &u->env) >= 0 &&
                             sd_bus_message_exit_container(m) >= 0,
                     "Environment");
        } else if (strcmp(name, "StandardOutputFileDescriptor") == 0 ||
                   strcmp(name, "StandardErrorFileDescriptor") == 0) {
                must(sd_bus_message_read(m, "v", "h", &value) > 0, "descriptor");
                must((fcntl(value, F_GETFL) & O_NONBLOCK) == 0, "a command's output must block");
                *(name[8] == 'O' ? &u->out : &u->err) = fcntl(value, F_DUPFD_CLOEXEC, 3);
        } else if (strcmp(name, "TimeoutStartUSec") == 0) {
                must(sd_bus_message_read(m, "v", "t", &u->limit) > 0, "TimeoutStartUSec");
        } else if (strcmp(name, "AddRef") == 0) {
                must(sd_bus_message_read(m, "v", "b", &value) > 0, "AddRef");
                u->referenced = value;
        } else if (strcmp(name, "Type") == 0) {
                must(sd_bus_message_read(m, "v", "s", &text) > 0 && strcmp(text, "oneshot") == 0, "Type");
        } else if (strcmp(name, "CollectMode") == 0) {
                must(sd_bus_message_read(m, "v", "s", &text) > 0 && strcmp(text, "inactive-or-failed") == 0,
                     "CollectMode");
        } else {
                must(strcmp(name, "Description") == 0 || strcmp(name, "TimeoutStopUSec") == 0, name);
                must(sd_bus_message_skip(m, "v") >= 0, name);
        }
}

static int method_transient(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        FakeSystemd1 *f = userdata;
        const char *unit, *mode, *name;
        int r = method_begin(f, m, true, ret_error);
        if (r != 0)
                return r;
        must(sd_bus_message_read(m, "ss", &unit, &mode) > 0, "arguments");
        FakeUnit *u = unit_get(f, unit);
        if (u->transient || strcmp(u->load, "not-found") != 0)
                return sd_bus_error_setf(ret_error, "org.freedesktop.systemd1.UnitExists",
                                         "Unit %s was already loaded or has a fragment file.", unit);
        u->transient = true;
        u->limit = USEC_INFINITY;
        copy(u->load, sizeof(u->load), "loaded");
        copy(u->active, sizeof(u->active), "activating");
        must(sd_bus_message_enter_container(m, 'a', "(sv)") > 0, "properties");
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                must(sd_bus_message_read(m, "s", &name) > 0, "property");
                transient_property(u, m, name);
                must(sd_bus_message_exit_container(m) >= 0, "property");
        }
        must(u->argv && u->out >= 0 && u->err >= 0 && u->referenced, "a whole transient service");
        return job_make(f, u, m, "StartTransientUnit");
}

static void unit_ran(FakeUnit *u, int32_t code, int32_t status)
{
        bool late = u->limit_timer && sd_event_source_get_enabled(u->limit_timer, NULL) == 0;
        bool good = code == CLD_EXITED && status == 0 && !late;

        u->pid = 0;
        unit_stop_command(u);
        u->exec_code = code;
        u->exec_status = status;
        copy(u->result, sizeof(u->result),
             late                 ? "timeout"
             : good               ? "success"
             : code == CLD_EXITED ? "exit-code"
                                  : "signal");
        copy(u->active, sizeof(u->active), good ? "inactive" : "failed");
        job_end(u, good ? "done" : "failed");
}

static int on_child(sd_event_source *source _unused_, const siginfo_t *info, void *userdata)
{
        unit_ran(userdata, info->si_code, info->si_status);
        return 0;
}

static int on_limit(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        const FakeUnit *u = userdata;
        (void) kill(-u->pid, SIGTERM);
        return 0;
}

/* systemd's expansion of command lines, as far as it must not happen: "$$" is '$', a lone one an error. */
static void dollars(char *word)
{
        char *to = word;
        for (const char *from = word; *from; from++) {
                if (*from == '$')
                        must(*++from == '$', "a '$' that systemd would expand");
                *to++ = *from;
        }
        *to = '\0';
}

static void unit_run(FakeUnit *u)
{
        FakeSystemd1 *f = u->fake;

        for (char **w = u->argv; *w; w++)
                dollars(*w);
        if (f->run_fn) {
                unit_ran(u, CLD_EXITED, f->run_fn(u->argv, f->run_userdata));
                return;
        }
        u->pid = fork();
        must(u->pid >= 0, "fork");
        if (u->pid == 0) {
                sigset_t none;
                (void) sigemptyset(&none);
                (void) sigprocmask(SIG_SETMASK, &none, NULL);
                (void) setpgid(0, 0);
                if (dup2(u->out, STDOUT_FILENO) < 0 || dup2(u->err, STDERR_FILENO) < 0)
                        _exit(209);
                char *const nothing[] = { NULL };
                (void) execve(u->argv[0], u->argv, u->env ? u->env : nothing);
                _exit(203);
        }
        (void) setpgid(u->pid, u->pid);
        closep(&u->out);
        closep(&u->err);
        u->out = u->err = -1;
        must(sd_event_add_child(f->e, &u->child, u->pid, WEXITED, on_child, u) >= 0,
             "child (is SIGCHLD blocked?)");
        if (u->limit != USEC_INFINITY)
                must(sd_event_add_time(f->e, &u->limit_timer, CLOCK_MONOTONIC, time_now() + u->limit, 1,
                                       on_limit, u) >= 0,
                     "timer");
}

/* ---- the peer ---- */

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", method_unit_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StopUnit", "ss", "o", method_unit_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RestartUnit", "ss", "o", method_unit_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ReloadOrRestartUnit", "ss", "o", method_unit_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ResetFailedUnit", "s", "", method_reset_failed, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LoadUnit", "s", "o", method_load_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("UnrefUnit", "s", "", method_unref, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", "", "", method_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", method_transient,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("LoadState", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("ActiveState", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("SubState", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("Job", "(uo)", property_get, 0, 0),
        SD_BUS_PROPERTY("InvocationID", "ay", property_get, 0, 0),
        SD_BUS_PROPERTY("StartLimitIntervalUSec", "t", property_get, 0, 0),
        SD_BUS_PROPERTY("StartLimitBurst", "u", property_get, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Type", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("Result", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("MainPID", "u", property_get, 0, 0),
        SD_BUS_PROPERTY("NRestarts", "u", property_get, 0, 0),
        SD_BUS_PROPERTY("ControlGroup", "s", property_get, 0, 0),
        SD_BUS_PROPERTY("RemainAfterExit", "b", property_get, 0, 0),
        SD_BUS_PROPERTY("TimeoutStopUSec", "t", property_get, 0, 0),
        SD_BUS_PROPERTY("ExecMainCode", "i", property_get, 0, 0),
        SD_BUS_PROPERTY("ExecMainStatus", "i", property_get, 0, 0),
        SD_BUS_VTABLE_END,
};

static void objects_add(FakeSystemd1 *f, sd_bus *bus)
{
        must(sd_bus_add_object_vtable(bus, NULL, PATH, MANAGER, manager_vtable, f) >= 0 &&
                     sd_bus_add_fallback_vtable(bus, NULL, UNITS, "org.freedesktop.systemd1.Unit",
                                                unit_vtable, unit_find, f) >= 0 &&
                     sd_bus_add_fallback_vtable(bus, NULL, UNITS, "org.freedesktop.systemd1.Service",
                                                service_vtable, unit_find, f) >= 0,
             "objects");
        f->bus = sd_bus_ref(bus);
}

sd_bus *fake_systemd1_connect(FakeSystemd1 *f)
{
        sd_bus *ours, *theirs;
        int fds[2];

        hang_up(f);
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0, "socketpair");
        must(sd_bus_new(&theirs) >= 0 && sd_bus_set_fd(theirs, fds[0], fds[0]) >= 0 &&
                     sd_bus_set_server(theirs, 1, (sd_id128_t){ .bytes = { 1 } }) >= 0 &&
                     sd_bus_set_anonymous(theirs, 1) >= 0 && sd_bus_negotiate_fds(theirs, 1) >= 0,
             "server");
        objects_add(f, theirs);
        must(sd_bus_start(theirs) >= 0 && sd_bus_attach_event(theirs, f->e, 0) >= 0, "server");
        sd_bus_unref(theirs);
        must(sd_bus_new(&ours) >= 0 && sd_bus_set_fd(ours, fds[1], fds[1]) >= 0 &&
                     sd_bus_negotiate_fds(ours, 1) >= 0 && sd_bus_start(ours) >= 0 &&
                     sd_bus_attach_event(ours, f->e, 0) >= 0,
             "client");
        return ours;
}

void fake_systemd1_serve(FakeSystemd1 *f, sd_bus *bus)
{
        hang_up(f);
        objects_add(f, bus);
        must(sd_bus_request_name(bus, NAME, 0) >= 0, "name");
}

FakeSystemd1 *fake_systemd1_new(sd_event *e)
{
        FakeSystemd1 *f = calloc(1, sizeof(*f));
        must(f, "memory");
        f->e = sd_event_ref(e);
        return f;
}

FakeSystemd1 *fake_systemd1_free(FakeSystemd1 *f)
{
        if (!f)
                return NULL;
        hang_up(f);
        sd_event_source_unref(f->hang_up);
        while (f->units)
                unit_free(f->units);
        sd_event_unref(f->e);
        free(f);
        return NULL;
}

void fake_systemd1_mute(FakeSystemd1 *f, bool mute)
{
        f->mute = mute;
}

void fake_systemd1_jobs(FakeSystemd1 *f, FakeJob how)
{
        f->how = how;
}

void fake_systemd1_unit(FakeSystemd1 *f, const char *unit, const char *load, const char *active)
{
        FakeUnit *u = unit_get(f, unit);
        copy(u->load, sizeof(u->load), load);
        copy(u->active, sizeof(u->active), active);
}

void fake_systemd1_cgroup(FakeSystemd1 *f, const char *unit, const char *control_group, uint32_t main_pid)
{
        FakeUnit *u = unit_get(f, unit);
        copy(u->control_group, sizeof(u->control_group), control_group);
        u->main_pid = main_pid;
}

const char *fake_systemd1_active(FakeSystemd1 *f, const char *unit)
{
        for (const FakeUnit *u = f->units; u; u = u->next)
                if (strcmp(u->name, unit) == 0)
                        return u->active;
        return "";
}

void fake_systemd1_on_job(FakeSystemd1 *f, FakeJobFn fn, void *userdata)
{
        f->job_fn = fn;
        f->job_userdata = userdata;
}

void fake_systemd1_on_run(FakeSystemd1 *f, FakeRunFn fn, void *userdata)
{
        f->run_fn = fn;
        f->run_userdata = userdata;
}

unsigned fake_systemd1_calls(const FakeSystemd1 *f, const char *method)
{
        for (unsigned i = 0; i < METHODS_MAX; i++)
                if (strcmp(f->calls[i].method, method) == 0)
                        return f->calls[i].n;
        return 0;
}
