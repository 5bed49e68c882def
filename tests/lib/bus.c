/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/bus.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void bus_start(TestBus *bus)
{
        char option[128], line[256];
        int out[2];
        (void) snprintf(option, sizeof(option), "--config-file=%s/bus.conf", bus->root);
        assert_int_equal(pipe(out), 0);
        bus->pid = fork();
        assert_true(bus->pid >= 0);
        if (bus->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(out[1], STDOUT_FILENO);
                /* It complains that it may not raise its own file limit. */
                if (!freopen("/dev/null", "w", stderr))
                        _exit(127);
                (void) execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
                              "--print-address", NULL);
                _exit(127);
        }
        (void) close(out[1]);
        /* The address is printed when it listens. */
        assert_true(read(out[0], line, sizeof(line)) > 0);
        (void) close(out[0]);
}

void bus_kill(TestBus *bus)
{
        if (bus->pid > 0) {
                (void) kill(bus->pid, SIGKILL);
                (void) waitpid(bus->pid, NULL, 0);
        }
        bus->pid = -1;
}

void bus_make(TestBus *bus)
{
        bus_make_with(bus, "");
}

void bus_make_with(TestBus *bus, const char *more)
{
        char config[96];
        *bus = (TestBus){ .pid = -1 };
        (void) snprintf(bus->root, sizeof(bus->root), "/tmp/edge-roll-bus-XXXXXX");
        assert_non_null(mkdtemp(bus->root));
        /* An sshd's children of another user get to it, too. */
        assert_int_equal(chmod(bus->root, 0755), 0);
        (void) snprintf(config, sizeof(config), "%s/bus.conf", bus->root);
        (void) snprintf(bus->address, sizeof(bus->address), "unix:path=%s/bus", bus->root);
        FILE *f = fopen(config, "we");
        assert_non_null(f);
        (void) fprintf(f,
                       "<busconfig><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                       "<allow user=\"*\"/><allow send_destination=\"*\" eavesdrop=\"true\"/>"
                       "<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>%s</busconfig>",
                       bus->address, more);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address, 1), 0);
        bus_start(bus);
}

void bus_remove(TestBus *bus)
{
        char path[96];
        bus_kill(bus);
        (void) snprintf(path, sizeof(path), "%s/bus.conf", bus->root);
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "%s/bus", bus->root);
        (void) unlink(path);
        (void) rmdir(bus->root);
}
