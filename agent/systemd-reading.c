/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What systemd says about a unit: its properties, read. */

#include "agent/systemd-impl.h"

#include <stddef.h>
#include <string.h>

#define FIELD(name, type, member)                                                         \
        {                                                                                 \
                name, type, offsetof(Reading, member), sizeof(((Reading *) NULL)->member) \
        }
static const struct {
        const char *name;
        char type;
        size_t offset, size;
} unit_fields[] = {
        FIELD("Id", 's', state.unit),
        FIELD("LoadState", 's', state.load),
        FIELD("ActiveState", 's', state.active),
        FIELD("SubState", 's', state.sub),
        FIELD("Result", 's', state.result),
        FIELD("Type", 's', state.type),
        FIELD("ControlGroup", 's', state.control_group),
        FIELD("MainPID", 'u', state.main_pid),
        FIELD("NRestarts", 'u', state.n_restarts),
        FIELD("RemainAfterExit", 'b', state.remain_after_exit),
        FIELD("TimeoutStopUSec", 't', state.timeout_stop_usec),
        FIELD("StartLimitIntervalUSec", 't', state.start_limit_interval_usec),
        FIELD("StartLimitBurst", 'u', state.start_limit_burst),
        FIELD("ActiveEnterTimestamp", 't', state.active_wall_usec),
        FIELD("ActiveEnterTimestampMonotonic", 't', state.active_usec),
        FIELD("ExecMainCode", 'i', exec_code),
        FIELD("ExecMainStatus", 'i', exec_status),
};

static int reading_field(sd_bus_message *m, const char *name, const char *type, Reading *ret)
{
        for (size_t i = 0; i < ELEMENTS(unit_fields); i++) {
                if (strcmp(unit_fields[i].name, name) != 0 || type[0] != unit_fields[i].type || type[1])
                        continue;
                char *to = (char *) ret + unit_fields[i].offset;
                const char *text;
                int b, r;
                switch (type[0]) {
                case 's':
                        r = sd_bus_message_read_basic(m, 's', &text);
                        /* Half a name would be another name. */
                        if (r > 0 && strlen(text) < unit_fields[i].size)
                                memcpy(to, text, strlen(text) + 1);
                        return r;
                case 'b':
                        r = sd_bus_message_read_basic(m, 'b', &b);
                        if (r > 0)
                                *(bool *) to = b;
                        return r;
                default:
                        return sd_bus_message_read_basic(m, type[0], to);
                }
        }

        if (strcmp(name, "Job") == 0 && strcmp(type, "(uo)") == 0) {
                uint32_t id;
                const char *path;
                int r = sd_bus_message_read(m, "(uo)", &id, &path);
                if (r > 0 && id != 0) {
                        ret->state.job_pending = true;
                        (void) snprintf(ret->job, sizeof(ret->job), "%s", path);
                }
                return r;
        }
        if (strcmp(name, "InvocationID") == 0 && strcmp(type, "ay") == 0) {
                const void *bytes;
                size_t n;
                int r = sd_bus_message_read_array(m, 'y', &bytes, &n);
                if (r >= 0 && n == 16)
                        for (size_t i = 0; i < n; i++)
                                (void) snprintf(ret->state.invocation_id + 2 * i, 3, "%02x",
                                                ((const uint8_t *) bytes)[i]);
                return r;
        }
        return sd_bus_message_skip(m, type);
}

int systemd_reading_parse(sd_bus_message *m, Reading *ret)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name, *type;
                char kind;
                if ((r = sd_bus_message_read_basic(m, 's', &name)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &kind, &type)) < 0 ||
                    (r = sd_bus_message_enter_container(m, 'v', type)) < 0 ||
                    (r = reading_field(m, name, type, ret)) < 0 ||
                    (r = sd_bus_message_exit_container(m)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        ret->state.loaded = strcmp(ret->state.load, "loaded") == 0;
        return r;
}
