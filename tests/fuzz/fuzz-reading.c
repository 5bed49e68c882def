/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What systemd answers about a unit (GetAll): properties of any names, types and values, in a real message.
 */

#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "agent/systemd-impl.h"
#include "tests/fuzz/fuzz.h"

#define PROPERTIES_MAX 24

static const char *const names[] = { "Id",
                                     "LoadState",
                                     "ActiveState",
                                     "SubState",
                                     "Result",
                                     "Type",
                                     "ControlGroup",
                                     "MainPID",
                                     "NRestarts",
                                     "RemainAfterExit",
                                     "TimeoutStopUSec",
                                     "StartLimitIntervalUSec",
                                     "StartLimitBurst",
                                     "ActiveEnterTimestamp",
                                     "ActiveEnterTimestampMonotonic",
                                     "ExecMainCode",
                                     "ExecMainStatus",
                                     "Job",
                                     "InvocationID" };

static sd_bus *bus; /* messages are made for one; nothing is sent */

static void world_end(void)
{
        bus = sd_bus_close_unref(bus);
}

static void world_begin(void)
{
        const sd_id128_t id = { .qwords = { 1, 2 } };
        int fds[2];

        fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        fuzz_check(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0 &&
                   sd_bus_set_server(bus, true, id) >= 0 && sd_bus_start(bus) >= 0);
        (void) close(fds[1]);
        (void) atexit(world_end);
}

static int append_value(Fuzz *f, sd_bus_message *m)
{
        uint8_t kind = fuzz_byte(f);
        _cleanup_(freep) char *text = NULL;
        _cleanup_(freep) uint8_t *bytes = NULL;
        size_t n;
        int r;

        switch (kind % 9) {
        case 0:
                text = fuzz_text(f, NULL);
                return sd_bus_message_append(m, "v", "s", text);
        case 1:
                return sd_bus_message_append(m, "v", "u", fuzz_u32(f));
        case 2:
                return sd_bus_message_append(m, "v", "b", kind & 0x80);
        case 3:
                return sd_bus_message_append(m, "v", "t", fuzz_u64(f));
        case 4:
                return sd_bus_message_append(m, "v", "i", (int32_t) fuzz_u32(f));
        case 5:
                text = fuzz_text(f, NULL);
                return sd_bus_message_append(m, "v", "(uo)", fuzz_u32(f), text);
        case 6:
                bytes = fuzz_part(f, &n);
                r = sd_bus_message_open_container(m, 'v', "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', bytes, n);
                return r < 0 ? r : sd_bus_message_close_container(m);
        case 7:
                return sd_bus_message_append(m, "v", "a(ssb)", 1, "x", "y", 1);
        default:
                return sd_bus_message_append(m, "v", "as", 0);
        }
}

static int append_property(Fuzz *f, sd_bus_message *m)
{
        uint8_t which = fuzz_byte(f);
        _cleanup_(freep) char *other = which < ELEMENTS(names) ? NULL : fuzz_text(f, NULL);

        int r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", other ? other : names[which]);
        if (r >= 0)
                r = append_value(f, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int message_make(Fuzz *f, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (unsigned n = 0; n < PROPERTIES_MAX && f->left > 0 && r >= 0; n++)
                r = append_property(f, m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_seal(m, 1, 0);
        return r < 0 ? r : sd_bus_message_rewind(m, true);
}

#define ends(text) fuzz_check(memchr(text, '\0', sizeof(text)))

void fuzz_one(const uint8_t *data, size_t size)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Fuzz f = { data, size };
        Reading reading = { 0 };

        if (!bus)
                world_begin();
        if (sd_bus_message_new_signal(bus, &m, "/x", "x.y", "Z") < 0 || message_make(&f, m) < 0)
                return;
        int r = systemd_reading_parse(m, &reading);
        const UnitState *s = &reading.state;
        ends(s->unit);
        ends(s->load);
        ends(s->active);
        ends(s->sub);
        ends(s->result);
        ends(s->type);
        ends(s->control_group);
        ends(s->invocation_id);
        ends(reading.job);
        fuzz_check(r == 0 || r == -ENOMEM);
        fuzz_check(r < 0 || s->loaded == (strcmp(s->load, "loaded") == 0));
        fuzz_check(s->job_pending == (*reading.job != '\0'));
        fuzz_check(strlen(s->invocation_id) == 0 || strlen(s->invocation_id) == 32);
}
