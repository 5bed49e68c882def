/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/fake-agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/bridge.h"
#include "agent/version.h"
#include "tests/lib/fake-agent-impl.h"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeLink *l = userdata;
        FakeAgent *a = l->agent;
        uint8_t type;
        (void) error;
        const char *interface = sd_bus_message_get_interface(m), *member = sd_bus_message_get_member(m);
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL || !interface ||
            !member || strcmp(interface, "org.freedesktop.DBus.Peer") == 0)
                return 0;
        fake_call_count(a, member);
        if (strcmp(interface, BRIDGE) == 0 && strcmp(member, "Hello") == 0) {
                (void) sd_bus_reply_method_return(m, "sus", a->s.version ? a->s.version : EDGE_ROLL_VERSION,
                                                  a->s.protocol ? a->s.protocol : BRIDGE_PROTOCOL,
                                                  text_of(a->s.no_bus));
                return 1;
        }
        if (a->s.no_bus)
                (void) fake_refuse(m, "NoBus", a->s.no_bus);
        else if (a->s.answer_usec || a->dead)
                fake_call_wait(a, m, a->s.answer_usec);
        else
                fake_call_dispatch(a, m);
        return 1;
}

/* ---- links ---- */

static void link_free(FakeLink *l)
{
        for (FakeLink **p = &l->agent->links; *p; p = &(*p)->next)
                if (*p == l) {
                        *p = l->next;
                        break;
                }
        for (FakeCall *c = l->agent->calls, *next; c; c = next) {
                next = c->next;
                if (sd_bus_message_get_bus(c->m) == l->bus)
                        fake_call_free(c);
        }
        (void) sd_bus_detach_event(l->bus);
        sd_bus_close(l->bus);
        (void) sd_bus_unref(l->bus);
        free(l);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) m;
        (void) error;
        link_free(userdata);
        return 0;
}

/* Takes @fd. */
static int link_new(FakeAgent *a, int fd)
{
        FakeLink *l = calloc(1, sizeof(*l));
        sd_id128_t id;
        *l = (FakeLink){ .agent = a, .next = a->links, .raw = fd };
        a->links = l;
        int r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&l->bus);
        if (r >= 0)
                r = sd_bus_set_fd(l->bus, fd, fd);
        if (r >= 0)
                r = sd_bus_set_server(l->bus, true, id);
        if (r >= 0)
                r = sd_bus_set_anonymous(l->bus, true);
        if (r >= 0)
                r = sd_bus_start(l->bus);
        if (r >= 0)
                r = sd_bus_attach_event(l->bus, a->event, 0);
        if (r >= 0)
                r = sd_bus_add_filter(l->bus, NULL, on_message, l);
        if (r >= 0)
                r = sd_bus_match_signal(l->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, l);
        return r;
}

int fake_agent_on_bus(FakeAgent *a)
{
        FakeLink *l = calloc(1, sizeof(*l));
        *l = (FakeLink){ .agent = a, .next = a->links, .raw = -1 };
        a->links = l;
        int r = sd_bus_open_system(&l->bus);
        if (r >= 0)
                r = sd_bus_attach_event(l->bus, a->event, 0);
        if (r >= 0)
                r = sd_bus_add_filter(l->bus, NULL, on_message, l);
        if (r >= 0)
                r = sd_bus_match_signal(l->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, l);
        if (r >= 0)
                r = sd_bus_request_name(l->bus, AGENT, 0);
        return r;
}

int fake_agent_open(void *agent)
{
        FakeAgent *a = agent;
        int pair[2];
        if (a->s.open_errno)
                return -a->s.open_errno;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        int r = link_new(a, pair[0]);
        if (r < 0) {
                (void) close(pair[1]);
                return r;
        }
        if (a->frozen)
                (void) sd_bus_detach_event(a->links->bus);
        return pair[1];
}

static int on_accept(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        (void) s;
        (void) revents;
        if (one >= 0)
                (void) link_new(userdata, one);
        return 0;
}

static int address_of(const char *path, struct sockaddr_un *ret)
{
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        (void) snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path);
        return 0;
}

int fake_agent_listen(FakeAgent *a, const char *path)
{
        struct sockaddr_un un;
        int r = address_of(path, &un);
        if (r < 0)
                return r;
        a->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (a->listen_fd < 0 || bind(a->listen_fd, (struct sockaddr *) &un, sizeof(un)) < 0 ||
            listen(a->listen_fd, 16) < 0)
                return -errno;
        (void) snprintf(a->path, sizeof(a->path), "%s", un.sun_path);
        return sd_event_add_io(a->event, &a->listen_source, a->listen_fd, EPOLLIN, on_accept, a);
}

int fake_agent_connect(const char *path)
{
        struct sockaddr_un un;
        int r = address_of(path, &un), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (r < 0 || fd < 0 || connect(fd, (struct sockaddr *) &un, sizeof(un)) < 0) {
                r = r < 0 ? r : -errno;
                closep(&fd);
                return r;
        }
        return fd;
}

void fake_agent_cut(FakeAgent *a)
{
        while (a->links)
                link_free(a->links);
}

void fake_agent_half(FakeAgent *a)
{
        /* The head of an answer of 1000 bytes, and no more. */
        static const unsigned char head[] = { 'l', 2, 1, 1, 0xe8, 3, 0, 0, 77, 0, 0, 0, 16, 0, 0, 0 };
        for (FakeLink *l = a->links; l; l = l->next)
                (void) !send(l->raw, head, sizeof(head), MSG_NOSIGNAL);
        fake_agent_cut(a);
}

void fake_agent_freeze(FakeAgent *a, bool frozen)
{
        if (a->frozen == frozen)
                return;
        a->frozen = frozen;
        for (FakeLink *l = a->links; l; l = l->next)
                if (frozen)
                        (void) sd_bus_detach_event(l->bus);
                else
                        (void) sd_bus_attach_event(l->bus, a->event, 0);
        if (frozen)
                return;
        for (FakeCall *c = a->calls; c; c = c->next)
                (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
        if (a->job && !a->job->over)
                fake_job_timer_set(a);
}

static int on_back(sd_event_source *s, uint64_t usec, void *userdata)
{
        FakeAgent *a = userdata;
        char owner[16];
        (void) s;
        (void) usec;
        a->dead = false;
        (void) snprintf(owner, sizeof(owner), ":1.%u", ++a->process);
        /* It goes on under a number of its own, from the begin of the phase; what has ended is only written
         * down. */
        FakeJob *j = a->job;
        if (j && !j->over && !a->s.forgets) {
                FakeJob before = *j;
                FakeJob *next = calloc(1, sizeof(*next));
                *next = before;
                next->events = NULL;
                next->n_events = 0;
                next->id = ++a->last_id;
                next->resumed = true;
                a->job = next;
                fake_job_free(j);
                fake_job_tell_begin(a);
                if (next->phase != PHASE_NONE)
                        fake_job_tell_phase(a, "begin");
                fake_job_timer_set(a);
        } else {
                fake_job_free(j);
                a->job = NULL;
        }
        fake_signal(a, "/org/edgeroll/Bridge1", BRIDGE, "Agent", 0, owner, NULL);
        for (FakeCall *c = a->calls; c; c = c->next)
                (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
        return 0;
}

void fake_agent_die(FakeAgent *a, Usec back_usec)
{
        a->dead = true;
        a->job_timer = sd_event_source_unref(a->job_timer);
        while (a->calls) {
                (void) sd_bus_reply_method_errorf(
                        a->calls->m, SD_BUS_ERROR_NO_REPLY,
                        "Message recipient disconnected from message bus without replying");
                fake_call_free(a->calls);
        }
        fake_signal(a, "/org/edgeroll/Bridge1", BRIDGE, "Agent", 0, "", NULL);
        a->back_timer = sd_event_source_unref(a->back_timer);
        (void) sd_event_add_time(a->event, &a->back_timer, CLOCK_MONOTONIC, time_add(time_now(), back_usec),
                                 1, on_back, a);
}

void fake_agent_no_bus(FakeAgent *a, const char *why)
{
        char owner[16] = "";
        a->s.no_bus = why;
        if (!why)
                (void) snprintf(owner, sizeof(owner), ":1.%u", a->process);
        fake_signal(a, "/org/edgeroll/Bridge1", BRIDGE, "Agent", 0, owner, NULL);
}

/* ---- the whole ---- */

int fake_agent_new(FakeAgent **ret, sd_event *event, const FakeScript *script)
{
        FakeAgent *a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->event = sd_event_ref(event);
        a->s = *script;
        a->listen_fd = -1;
        a->process = 1;
        a->last_id = 100;
        int r = sd_event_add_time(event, &a->pulse_timer, CLOCK_MONOTONIC,
                                  time_add(time_now(),
                                           script->pulse_usec ? script->pulse_usec : 5 * USEC_PER_SEC),
                                  0, fake_on_pulse, a);
        if (r < 0) {
                (void) fake_agent_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

FakeAgent *fake_agent_free(FakeAgent *a)
{
        if (!a)
                return NULL;
        fake_agent_cut(a);
        while (a->calls)
                fake_call_free(a->calls);
        fake_job_free(a->job);
        for (size_t i = 0; i < ELEMENTS(a->slots); i++)
                cJSON_Delete(a->slots[i].last);
        a->job_timer = sd_event_source_unref(a->job_timer);
        a->pulse_timer = sd_event_source_unref(a->pulse_timer);
        a->back_timer = sd_event_source_unref(a->back_timer);
        a->listen_source = sd_event_source_unref(a->listen_source);
        closep(&a->listen_fd);
        if (*a->path)
                (void) unlink(a->path);
        a->event = sd_event_unref(a->event);
        free(a);
        return NULL;
}

FakeScript *fake_agent_script(FakeAgent *a)
{
        return &a->s;
}

void fake_agent_last(FakeAgent *a, const char *component, cJSON *last)
{
        FakeSlot *slot = fake_slot(a, component);
        cJSON_Delete(slot->last);
        slot->last = last;
}

unsigned fake_agent_calls(const FakeAgent *a, const char *member)
{
        unsigned n = 0;
        for (size_t i = 0; i < MEMBERS; i++)
                if (*a->members[i].name && (!member || strcmp(a->members[i].name, member) == 0))
                        n += a->members[i].n;
        return n;
}

const char *fake_agent_phase(const FakeAgent *a)
{
        return a->job && !a->job->over && a->job->phase != PHASE_NONE ? phase_name(a->job->phase) : "";
}

bool fake_agent_is_busy(const FakeAgent *a)
{
        return a->job && !a->job->over;
}

bool fake_agent_is_out(const FakeAgent *a)
{
        for (size_t i = 0; i < a->s.n_parts; i++)
                if (a->slots[i].held)
                        return true;
        return fake_placed(a->job);
}

unsigned fake_agent_restarts(const FakeAgent *a)
{
        return a->restarts;
}

const Lease *fake_agent_lease(const FakeAgent *a, const char *component)
{
        for (size_t i = 0; i < a->s.n_parts; i++)
                if (strcmp(a->s.parts[i].component, component) == 0)
                        return &a->slots[i].lease;
        return NULL;
}
