/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "agent/cluster/remote-impl.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC)
#define BUS_ERROR  "org.freedesktop.DBus.Error."

struct RemoteCall {
        Remote *remote;
        RemoteCall *next;
        sd_bus_message *message;
        sd_bus_slot *slot;
        sd_event_source *again; /* timer: nothing was done, and it passes */
        Usec deadline;
        RemoteReplyFn fn;
        void *userdata;
};

static RemoteCall *call_free(RemoteCall *c)
{
        for (RemoteCall **p = &c->remote->calls; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        c->slot = sd_bus_slot_unref(c->slot);
        c->again = sd_event_source_unref(c->again);
        c->message = sd_bus_message_unref(c->message);
        free(c);
        return NULL;
}

RemoteCall *remote_call_cancel(RemoteCall *c)
{
        return c ? call_free(c) : NULL;
}

void remote_calls_drop(Remote *r)
{
        for (RemoteCall *c = r->calls; c; c = c->next) {
                c->slot = sd_bus_slot_unref(c->slot);
                c->again = sd_event_source_unref(c->again);
        }
}

void remote_calls_free(Remote *r)
{
        while (r->calls)
                (void) call_free(r->calls);
}

/* The call is gone before its owner hears of it. The last statement of whoever calls it. */
static void call_end(RemoteCall *c, int result, sd_bus_message *m, const char *name, const char *text)
{
        RemoteReplyFn fn = c->fn;
        void *userdata = c->userdata;
        (void) call_free(c);
        if (fn)
                fn(result, m, name ? name : "", text ? text : "", userdata);
}

bool remote_calls_tell(Remote *r)
{
        RemoteCall *c = r->calls;
        if (!c)
                return false;
        /* In the order in which they were made: the list has the youngest first. */
        while (c->next)
                c = c->next;
        call_end(c, -ENOTCONN, NULL, "", r->trouble.text);
        return true;
}

/* These come from a bus, ours or the node's, that waited in vain. */
static bool is_no_answer(const char *name)
{
        static const char *const names[] = {
                BUS_ERROR "NoReply",
                BUS_ERROR "Timeout",
                BUS_ERROR "TimedOut",
                BUS_ERROR "Disconnected",
        };
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error);

static int call_send(RemoteCall *c)
{
        Usec now = time_now();
        if (now >= c->deadline)
                return -ETIMEDOUT;
        int r = sd_bus_call_async(c->remote->bus, &c->slot, c->message, on_reply, c, c->deadline - now);
        bus_loop_touch(c->remote->loop);
        return r;
}

/* A sent message cannot be sent again: a copy goes. */
static int on_again(sd_event_source *s, uint64_t usec, void *userdata)
{
        RemoteCall *c = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *copy = NULL;
        (void) s;
        (void) usec;
        c->again = sd_event_source_unref(c->again);
        int r = sd_bus_message_new_method_call(c->remote->bus, &copy, NULL,
                                               sd_bus_message_get_path(c->message),
                                               sd_bus_message_get_interface(c->message),
                                               sd_bus_message_get_member(c->message));
        if (r >= 0)
                r = sd_bus_message_rewind(c->message, true);
        if (r >= 0)
                r = sd_bus_message_copy(copy, c->message, true);
        if (r >= 0) {
                (void) sd_bus_message_unref(c->message);
                c->message = TAKE_PTR(copy);
                r = call_send(c);
        }
        if (r < 0)
                call_end(c, -EREMOTE, NULL, REMOTE_ERROR "Leaving",
                         "it was to be asked again, and no time is left");
        return 0;
}

/* What was not done now may be in a moment: an agent that is just leaving, a bus that is just restarted. */
static bool call_again(RemoteCall *c, const char *name)
{
        if (strcmp(name, REMOTE_ERROR "Leaving") != 0 && strcmp(name, REMOTE_ERROR "NoBus") != 0)
                return false;
        Usec at = time_add(time_now(), AGAIN_USEC);
        return at < c->deadline &&
               sd_event_add_time(c->remote->pool->event, &c->again, CLOCK_MONOTONIC, at, 0, on_again, c) >= 0;
}

/* Who is told may end the link, and with it the bus. Behind an answer that did not come in time the library
 * looks at what it has still to send, which it may only do to a bus that is open, unless it hears that all
 * has been done. Source: process_timeout() in sd-bus.c. */
static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        RemoteCall *c = userdata;
        (void) error;
        c->slot = sd_bus_slot_unref(c->slot);
        if (!sd_bus_message_is_method_error(m, NULL)) {
                call_end(c, 0, m, "", "");
                return 1;
        }
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *name = e && e->name ? e->name : "", *text = e && e->message ? e->message : name;
        char clean[512];
        /* Others' text: one line, printable. */
        (void) snprintf(clean, sizeof(clean), "%s", text);
        for (char *p = clean; *p; p++)
                if ((unsigned char) *p < 0x20 || *p == 0x7f)
                        *p = ' ';
        if (call_again(c, name))
                return 1;
        call_end(c, is_no_answer(name) ? -ETIMEDOUT : -EREMOTE, NULL, name, clean);
        return 1;
}

int remote_message_new(Remote *r, sd_bus_message **ret, const char *path, const char *interface,
                       const char *method, Err *err)
{
        if (r->link != LINK_UP)
                return err_set(err, -ENOTCONN, "%.60s is not connected", r->name);
        int e = sd_bus_message_new_method_call(r->bus, ret, NULL, path ? path : REMOTE_AGENT_PATH,
                                               interface ? interface : REMOTE_AGENT_INTERFACE, method);
        return e < 0 ? err_errno(err, e, "cannot make a call for %.60s", r->name) : 0;
}

int remote_call_message(Remote *r, RemoteCall **ret, sd_bus_message *m, Usec limit, RemoteReplyFn fn,
                        void *userdata, Err *err)
{
        if (r->link != LINK_UP)
                return err_set(err, -ENOTCONN, "%.60s is not connected", r->name);
        RemoteCall *c = calloc(1, sizeof(*c));
        if (!c)
                return err_errno(err, -ENOMEM, "a call");
        *c = (RemoteCall){ .remote = r, .next = r->calls, .fn = fn, .userdata = userdata };
        c->message = sd_bus_message_ref(m);
        c->deadline = time_add(time_now(), limit ? limit : r->pool->o.answer_usec);
        r->calls = c;
        int e = call_send(c);
        if (e < 0) {
                (void) call_free(c);
                return err_errno(err, e, "cannot call %.60s", r->name);
        }
        if (ret)
                *ret = c;
        return 0;
}

int remote_call(Remote *r, RemoteCall **ret, const char *path, const char *interface, const char *method,
                Usec limit, RemoteReplyFn fn, void *userdata, Err *err, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int e = remote_message_new(r, &m, path, interface, method, err);
        if (e < 0)
                return e;
        if (types && *types) {
                va_list ap;
                va_start(ap, types);
                e = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
                if (e < 0)
                        return err_errno(err, e, "cannot make a call of %.40s", method);
        }
        return remote_call_message(r, ret, m, limit, fn, userdata, err);
}
