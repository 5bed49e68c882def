/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An agent and a bridge that lie: any answers, of any type, to what a coordinator asks, and signals that
 * nobody asked for; over a real connection of the bus library. What is told of it is the follower's handlers'
 * business.
 */

#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "agent/bridge.h"
#include "agent/cluster/follow.h"
#include "agent/cluster/look.h"
#include "tests/fuzz/fuzz-bus.h"
#include "tests/fuzz/fuzz.h"

#define JOB_PATH "/org/edgeroll/Agent1/job/3"

typedef struct World {
        Fuzz script;
        sd_event *event;
        sd_bus *far;
        int near_fd;
        Follow *follow;
        bool over;
        unsigned calls;
} World;

/* ---- the far end ---- */

static int answer_fill(World *w, sd_bus_message *m, unsigned kind)
{
        _cleanup_(freep) char *text = NULL;
        int r;

        switch (kind) {
        case 0:
                text = fuzz_text(&w->script, NULL);
                return sd_bus_message_append(m, "s", text);
        case 1:
                return sd_bus_message_append(m, "o", JOB_PATH);
        case 2:
                r = sd_bus_message_append(m, "t", fuzz_u64(&w->script));
                return r < 0 ? r : fuzz_append_texts(&w->script, m);
        case 3:
                text = fuzz_text(&w->script, NULL);
                return sd_bus_message_append(m, "sus", text, fuzz_u32(&w->script), "");
        case 4:
                return sd_bus_message_append(m, "ttt", fuzz_u64(&w->script), fuzz_u64(&w->script),
                                             (uint64_t) 7);
        case 5:
                return sd_bus_message_append(m, "a{sv}", 1, "x", "as", 1, "y");
        default:
                return 0;
        }
}

static void signal_send(World *w)
{
        static const struct {
                const char *path, *interface, *name;
        } signals[] = {
                { JOB_PATH, REMOTE_JOB_INTERFACE, "Event" },
                { REMOTE_AGENT_PATH, REMOTE_AGENT_INTERFACE, "Pulse" },
                { REMOTE_BRIDGE_PATH, REMOTE_BRIDGE_INTERFACE, "Agent" },
                { JOB_PATH, REMOTE_JOB_INTERFACE, "Pulse" },
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(freep) char *text = fuzz_text(&w->script, NULL);
        unsigned which = fuzz_byte(&w->script) % ELEMENTS(signals);

        if (sd_bus_message_new_signal(w->far, &m, signals[which].path, signals[which].interface,
                                      signals[which].name) < 0)
                return;
        int r = which == 0   ? sd_bus_message_append(m, "ts", (uint64_t) fuzz_byte(&w->script), text)
                : which == 1 ? sd_bus_message_append(m, "ss", "router", text)
                             : sd_bus_message_append(m, "s", text);
        if (r >= 0)
                (void) sd_bus_send(w->far, m, NULL);
}

static void answer_send(World *w, sd_bus_message *call)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        unsigned kind = fuzz_byte(&w->script);

        if (kind >= 0xf0)
                return; /* none at all */
        if (kind >= 0xe0) {
                _cleanup_(freep) char *name = fuzz_text(&w->script, NULL),
                                      *text = fuzz_text(&w->script, NULL);
                if (sd_bus_reply_method_errorf(call, name, "%s", text) < 0)
                        (void) sd_bus_reply_method_errorf(call, "org.edgeroll.Error.NoJob", "none");
                return;
        }
        if (sd_bus_message_new_method_return(call, &m) < 0)
                return;
        if (answer_fill(w, m, kind % 7) < 0)
                (void) sd_bus_reply_method_errorf(call, "org.edgeroll.Error.Failed", "none");
        else
                (void) sd_bus_send(w->far, m, NULL);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        World *w = userdata;
        uint8_t type;

        (void) error;
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        w->calls++;
        if (w->script.left == 0)
                return 1;
        /* Else few would ever get past it. */
        if (sd_bus_message_is_method_call(m, REMOTE_BRIDGE_INTERFACE, "Hello") &&
            fuzz_byte(&w->script) < 0xf0)
                (void) sd_bus_reply_method_return(m, "sus", "1", BRIDGE_PROTOCOL, "");
        else
                answer_send(w, m);
        if (w->script.left > 0 && *w->script.at < 0x40)
                signal_send(w);
        return 1;
}

static bool far_begin(World *w)
{
        const sd_id128_t id = { .qwords = { 1, 2 } };
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                abort();
        w->near_fd = fds[1];
        if (sd_bus_new(&w->far) < 0) {
                (void) close(fds[0]);
                return false;
        }
        if (sd_bus_set_fd(w->far, fds[0], fds[0]) < 0) {
                (void) close(fds[0]);
                return false;
        }
        return sd_bus_set_server(w->far, true, id) >= 0 && sd_bus_set_anonymous(w->far, true) >= 0 &&
               sd_bus_add_filter(w->far, NULL, on_call, w) >= 0 && sd_bus_start(w->far) >= 0 &&
               sd_bus_attach_event(w->far, w->event, 0) >= 0;
}

/* ---- our end ---- */

static void on_event(const char *json, void *userdata)
{
        (void) userdata;
        fuzz_check(json);
}

static void on_ended(const cJSON *result, void *userdata)
{
        World *w = userdata;

        fuzz_check(!w->over && cJSON_IsObject(result));
        w->over = true;
}

static void on_lost(const char *text, void *userdata)
{
        World *w = userdata;

        fuzz_check(!w->over && *text);
        w->over = true;
}

static void on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool will_retry,
                    void *userdata)
{
        (void) r;
        (void) will_retry;
        (void) userdata;
        fuzz_check(trouble >= 0 && trouble < REMOTE_TROUBLE_COUNT);
        fuzz_check(fuzz_is_ascii(text) && fuzz_is_ascii(hint));
}

static void on_look(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        _cleanup_(look_freep) NodeLook *look = NULL;
        const char *json;

        (void) name;
        (void) text;
        (void) userdata;
        if (r == 0 && sd_bus_message_read(m, "s", &json) >= 0)
                fuzz_any(look_parse(json, strlen(json), &look, NULL));
}

static void near_run(World *w)
{
        static const FollowHandlers follow = { .event = on_event, .ended = on_ended, .lost = on_lost };
        static const RemoteHandlers handlers = { .down = on_down };
        /* Times that are never over, but for those that are waited for. */
        const RemoteOptions options = { .tries = 1,
                                        .connect_usec = USEC_PER_SEC,
                                        .beat_usec = 60 * USEC_PER_SEC,
                                        .silent_usec = 60 * USEC_PER_SEC };
        _cleanup_(remote_pool_freep) RemotePool *pool = NULL;
        _cleanup_(remote_freep) Remote *remote = NULL;

        if (remote_pool_new(&pool, w->event, &options, NULL) < 0) {
                (void) close(w->near_fd);
                return;
        }
        if (remote_new_fd(&remote, pool, "r1", w->near_fd, &handlers, w, NULL) < 0)
                return;
        if (follow_new(&w->follow, remote, "router", "20261128T184512-router-3f2a", 3, &follow, w, NULL) < 0)
                return;
        fuzz_any(remote_call(remote, NULL, NULL, NULL, "Look", 0, on_look, w, NULL, "s", "router"));
        for (unsigned idle = 0, turns = 0; idle < 3 && turns < 500 && !w->over; turns++) {
                int r = sd_event_run(w->event, 0);
                if (r < 0)
                        break;
                idle = r == 0 ? idle + 1 : 0;
        }
        w->follow = follow_free(w->follow);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        World w = { .script = { data, size }, .near_fd = -1 };

        if (sd_event_new(&w.event) < 0)
                return;
        if (far_begin(&w))
                near_run(&w);
        else
                (void) close(w.near_fd);
        if (w.far)
                (void) sd_bus_close_unref(w.far);
        (void) sd_event_unref(w.event);
}
