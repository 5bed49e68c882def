/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/manager.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define MANAGER_SOCKET    "unix:path=/run/systemd/private"
#define ANSWER_USEC       (2 * USEC_PER_SEC)

static void messagep(sd_bus_message **m)
{
        sd_bus_message_unref(*m);
}

static void busp(sd_bus **bus)
{
        sd_bus_close_unref(*bus);
}

int manager_bus(sd_bus **ret)
{
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        if ((r = sd_bus_set_address(bus, MANAGER_SOCKET)) < 0 || (r = sd_bus_start(bus)) < 0) {
                sd_bus_close_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

static int manager_open(sd_bus **ret)
{
        return manager_bus(ret) == 0 ? 0 : sd_bus_open_system(ret);
}

/* @ret_text: of the property's one string, or object path behind a number, cut to @size. */
static int manager_get(sd_bus *bus, const char *path, const char *interface, const char *name,
                       const char *type, char *ret_text, size_t size)
{
        _cleanup_(messagep) sd_bus_message *m = NULL, *reply = NULL;
        const char *text = NULL;
        uint32_t number = 0;

        int r = sd_bus_message_new_method_call(bus, &m, MANAGER_NAME, path, "org.freedesktop.DBus.Properties",
                                               "Get");
        if (r < 0 || (r = sd_bus_message_append(m, "ss", interface, name)) < 0 ||
            (r = sd_bus_call(bus, m, ANSWER_USEC, NULL, &reply)) < 0)
                return r;
        if (strcmp(type, "s") == 0)
                r = sd_bus_message_read(reply, "v", "s", &text);
        else
                r = sd_bus_message_read(reply, "v", "(uo)", &number, &text);
        if (r < 0)
                return r;
        (void) snprintf(ret_text, size, "%s", text);
        return 0;
}

Stopping manager_why_stopped(const char *unit)
{
        _cleanup_(busp) sd_bus *bus = NULL;
        _cleanup_(freep) char *path = NULL;
        char job[256], word[32];

        if (manager_open(&bus) < 0)
                return STOPPING_UNKNOWN;
        if (manager_get(bus, MANAGER_PATH, MANAGER_INTERFACE, "SystemState", "s", word, sizeof(word)) == 0 &&
            strcmp(word, "stopping") == 0)
                return STOPPING_SHUTDOWN;
        if (sd_bus_path_encode(MANAGER_PATH "/unit", unit, &path) < 0 ||
            manager_get(bus, path, "org.freedesktop.systemd1.Unit", "Job", "(uo)", job, sizeof(job)) < 0 ||
            strncmp(job, MANAGER_PATH "/job/", strlen(MANAGER_PATH "/job/")) != 0 ||
            manager_get(bus, job, "org.freedesktop.systemd1.Job", "JobType", "s", word, sizeof(word)) < 0)
                return STOPPING_UNKNOWN;
        return strcmp(word, "stop") == 0 ? STOPPING_UNIT : STOPPING_RESTART;
}

bool manager_left_down(const char *unit)
{
        static const char *const interface = "org.freedesktop.systemd1.Unit";
        _cleanup_(busp) sd_bus *bus = NULL;
        _cleanup_(freep) char *path = NULL;
        char job[256], active[32];

        return manager_open(&bus) == 0 && sd_bus_path_encode(MANAGER_PATH "/unit", unit, &path) >= 0 &&
               manager_get(bus, path, interface, "Job", "(uo)", job, sizeof(job)) == 0 &&
               strcmp(job, "/") == 0 &&
               manager_get(bus, path, interface, "ActiveState", "s", active, sizeof(active)) == 0 &&
               (strcmp(active, "inactive") == 0 || strcmp(active, "failed") == 0);
}

static int manager_call(const char *method, const char *unit, const char *mode, Err *err)
{
        _cleanup_(busp) sd_bus *bus = NULL;
        _cleanup_(messagep) sd_bus_message *m = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = manager_open(&bus);
        if (r < 0)
                return err_errno(err, r, "systemd cannot be reached");
        r = sd_bus_message_new_method_call(bus, &m, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, method);
        if (r >= 0)
                r = mode ? sd_bus_message_append(m, "ss", unit, mode) : sd_bus_message_append(m, "s", unit);
        if (r >= 0)
                r = sd_bus_call(bus, m, ANSWER_USEC, &error, NULL);
        if (r < 0 && !mode && sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
                r = 0;
        if (r < 0)
                r = err_set(err, r, "%s of %s: %s", method, unit,
                            error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        return r < 0 ? r : 0;
}

int manager_start(const char *unit, Err *err)
{
        return manager_call("StartUnit", unit, "replace", err);
}

int manager_reset_failed(const char *unit, Err *err)
{
        return manager_call("ResetFailedUnit", unit, NULL, err);
}
