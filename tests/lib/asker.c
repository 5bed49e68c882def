/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Calls methods of the agent, one after another, and says how each was answered.
 *   asker MODE [COMMAND ARGUMENT...] -- METHOD SIGNATURE [METHOD SIGNATURE]...
 * MODE "system": over the system bus; "peer": over the standard input and output of COMMAND, which is a
 * bridge. The first text of each call is "nonesuch", so that nothing is done even where it may be; others are
 * "why", numbers 0, lists and options empty. A METHOD may be written INTERFACE/METHOD@PATH. Prints "METHOD
 * ok" or "METHOD NAME-OF-THE-ERROR" a line. Exit status: 0 when every call was answered.
 * With ASKER_TEXT in the environment that is each text, and the name and value of the one option and each
 * field of the one member that the lists then have; the message of an error is printed behind its name.
 * With ASKER_FIRST too, that is the first text of each call.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME      "org.edgeroll.Agent1"
#define PATH      "/org/edgeroll/Agent1"
#define CALL_USEC 20000000U

static int peer_open(sd_bus **ret, char **argv)
{
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        pid_t pid = fork();
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(pair[1], STDIN_FILENO);
                (void) dup2(pair[1], STDOUT_FILENO);
                (void) execvp(argv[0], argv);
                _exit(127);
        }
        (void) close(pair[1]);
        int r = pid < 0 ? -1 : sd_bus_new(ret);
        if (r >= 0)
                r = sd_bus_set_fd(*ret, pair[0], pair[0]);
        if (r >= 0)
                r = sd_bus_set_anonymous(*ret, true);
        if (r >= 0)
                r = sd_bus_start(*ret);
        /* Answered when the bridge has its bus. */
        return r < 0 ? r
                     : sd_bus_call_method(*ret, NAME, "/org/edgeroll/Bridge1", "org.edgeroll.Bridge1",
                                          "Hello", NULL, NULL, "su", "asker", 1U);
}

/* a(sss) or a{sv}, @inner without the a: with nothing in it, or once with @text wherever a text can be. */
static int append_list(sd_bus_message *m, const char *inner, const char *text)
{
        int r = sd_bus_message_open_container(m, 'a', inner);
        if (r >= 0 && text)
                r = *inner == '{' ? sd_bus_message_append(m, inner, text, "s", text)
                                  : sd_bus_message_append(m, inner, text, text, text);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append(sd_bus_message *m, const char *signature)
{
        const char *given = getenv("ASKER_TEXT"), *first = getenv("ASKER_FIRST");
        const char *text = given && first ? first : given ? given : "nonesuch";
        int r = 0;
        for (const char *p = signature; *p && r >= 0; p++)
                switch (*p) {
                case 's':
                        r = sd_bus_message_append(m, "s", text);
                        text = given ? given : "why";
                        break;
                case 't':
                        r = sd_bus_message_append(m, "t", (uint64_t) 0);
                        break;
                case 'u':
                        r = sd_bus_message_append(m, "u", 0U);
                        break;
                case 'a': {
                        char inner[16];
                        size_t n = strcspn(p + 1, ")}") + 1;
                        (void) snprintf(inner, sizeof(inner), "%.*s", (int) n, p + 1);
                        r = append_list(m, inner, given);
                        p += n;
                        break;
                }
                default:
                        r = -1;
                }
        return r;
}

static int ask(sd_bus *bus, const char *what, const char *signature)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL, *reply = NULL;
        char interface[128] = NAME, member[128], path[128] = PATH;
        const char *slash = strchr(what, '/'), *at = strchr(what, '@');

        if (slash && at) {
                (void) snprintf(interface, sizeof(interface), "%.*s", (int) (slash - what), what);
                (void) snprintf(member, sizeof(member), "%.*s", (int) (at - slash - 1), slash + 1);
                (void) snprintf(path, sizeof(path), "%s", at + 1);
        } else
                (void) snprintf(member, sizeof(member), "%s", what);
        int r = sd_bus_message_new_method_call(bus, &m, NAME, path, interface, member);
        if (r >= 0)
                r = append(m, signature);
        if (r >= 0)
                r = sd_bus_call(bus, m, CALL_USEC, &error, &reply);
        (void) printf("%s %s", member, r >= 0 ? "ok" : error.name ? error.name : strerror(-r));
        (void) printf("%s%s\n", getenv("ASKER_TEXT") && error.message ? " " : "",
                      getenv("ASKER_TEXT") && error.message ? error.message : "");
        int answered = r >= 0 || sd_bus_error_is_set(&error);
        sd_bus_error_free(&error);
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return answered;
}

int main(int argc, char **argv)
{
        sd_bus *bus = NULL;
        int i = 1, answered = 1;
        while (i < argc && strcmp(argv[i], "--") != 0)
                i++;
        if (i < 2 || i == argc)
                return 2;
        argv[i] = NULL;
        int r = strcmp(argv[1], "system") == 0 ? sd_bus_open_system(&bus) : peer_open(&bus, argv + 2);
        if (r < 0) {
                (void) fprintf(stderr, "asker: no connection: %s\n", strerror(-r));
                return 1;
        }
        for (i++; i + 1 < argc; i += 2)
                answered = ask(bus, argv[i], argv[i + 1]) && answered;
        sd_bus_flush_close_unref(bus);
        return answered ? 0 : 1;
}
