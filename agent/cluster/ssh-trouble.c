/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/ssh-trouble.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/cluster/ssh.h"
#include "base/cleanup.h"
#include "base/result.h"

#define ANY        (-1) /* any exit status */
#define SSH_ITSELF 255  /* the exit status of ssh when it is not that of the command */
#define LINE       200
#define EDGE_ERROR "org.edgeroll.Error."
#define BUS_ERROR  "org.freedesktop.DBus.Error."

static const char *const trouble_names[] = {
        [REMOTE_REACH] = "reach",
        [REMOTE_HOST_KEY] = "host-key",
        [REMOTE_AUTH] = "auth",
        [REMOTE_NO_PROGRAM] = "no-program",
        [REMOTE_OTHER_VERSION] = "other-version",
        [REMOTE_NO_BUS] = "no-bus",
        [REMOTE_FOREIGN] = "foreign",
        [REMOTE_SILENT] = "silent",
        [REMOTE_CUT] = "cut",
        [REMOTE_PERMISSION] = "permission",
};
_Static_assert(ELEMENTS(trouble_names) == REMOTE_TROUBLE_COUNT, "every trouble has a name");

const char *remote_trouble_name(RemoteTrouble t)
{
        return t >= 0 && t < REMOTE_TROUBLE_COUNT ? trouble_names[t] : "invalid";
}

/* What to try: %c the ssh command as typed, %k its host as ssh-keygen names it, %b the bridge, %B the same
 * without sudo. */
#define TRY          "try: %c true"
#define HINT_NAME    "is the name in DNS, /etc/hosts or ssh_config? " TRY
#define HINT_PORT    "is sshd running there, on that port? " TRY
#define HINT_NETWORK "is the node up, and may this machine reach it? " TRY
#define HINT_BUSY \
        "its sshd may drop connections that come too fast (MaxStartups): lower at_once in [cluster]; " TRY
#define HINT_KEY_NEW \
        "compare its key with what the node says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then accept it: %c true"
#define HINT_KEY_NOT \
        "if the node was installed anew: ssh-keygen -R %k, then compare and accept the new key: %c true"
#define HINT_REVOKED  "somebody has marked it so in known_hosts: ask who, and why, before anything else"
#define HINT_AUTH     "the key must be in the node's authorized_keys; see which are offered: %c -v true"
#define HINT_IDENTITY "correct the key file, then " TRY
#define HINT_CONFIG   "correct the ssh configuration, then " TRY
#define HINT_PROGRAM \
        "install edge-roll there, or name its path as bridge in [cluster]; look: %c command -v edge-roll"
#define HINT_EXEC    "is it executable for this user? try: %c ls -l '$(command -v edge-roll)'"
#define HINT_VERSION "install the same release there; look: %c edge-roll --version"
#define HINT_SUDO \
        "allow it on the node with visudo: %u ALL=(root) NOPASSWD: /usr/bin/edge-roll bridge; try: %c %b"
#define HINT_SUDO_NONE \
        "install sudo there, or put the user into the node's group edge-roll and set bridge = %B in [cluster]"
#define HINT_ACCOUNT    "log in by hand to see what the account wants: %c"
#define HINT_BRIDGE     "try: %c %b"
#define HINT_ALGORITHMS "the two have no algorithm in common; see which: %c -v true"

/*
 * The first row that matches any line wins, so the telling comes before what only follows from it (a jump
 * host's refusal before "Connection closed by UNKNOWN"). @second: must be in the same line; NULL: nothing.
 */
static const struct {
        int status;
        const char *part, *second;
        RemoteTrouble kind;
        bool retry;
        const char *text; /* NULL: the line itself */
        const char *hint;
} complaints[] = {
        { SSH_ITSELF, "REMOTE HOST IDENTIFICATION HAS CHANGED", NULL, REMOTE_HOST_KEY, false,
          "its host key has changed: either the node was installed anew, or this is another machine",
          HINT_KEY_NOT },
        { SSH_ITSELF, "REVOKED HOST KEY DETECTED", NULL, REMOTE_HOST_KEY, false,
          "its host key is marked as revoked", HINT_REVOKED },
        { SSH_ITSELF, "Host key verification failed", NULL, REMOTE_HOST_KEY, false,
          "its host key is not known here", HINT_KEY_NEW },
        { SSH_ITSELF, "host key is known for", NULL, REMOTE_HOST_KEY, false, "its host key is not known here",
          HINT_KEY_NEW },
        { SSH_ITSELF, "UNPROTECTED PRIVATE KEY FILE", NULL, REMOTE_AUTH, false,
          "the private key can be read by others, so ssh does not use it", HINT_IDENTITY },
        { SSH_ITSELF, "Too many authentication failures", NULL, REMOTE_AUTH, false,
          "too many keys were offered (Too many authentication failures)",
          "name the right key in ssh_config: IdentityFile and IdentitiesOnly yes; see: %c -v true" },
        { SSH_ITSELF, "Permission denied (", NULL, REMOTE_AUTH, false, NULL, HINT_AUTH },
        { SSH_ITSELF, "No supported authentication methods", NULL, REMOTE_AUTH, false, NULL, HINT_AUTH },
        { SSH_ITSELF, "no such identity", NULL, REMOTE_AUTH, false, NULL, HINT_IDENTITY },
        { SSH_ITSELF, "Bad configuration option", NULL, REMOTE_REACH, false, NULL, HINT_CONFIG },
        { SSH_ITSELF, "bad configuration options", NULL, REMOTE_REACH, false, NULL, HINT_CONFIG },
        { SSH_ITSELF, "Bad owner or permissions on", NULL, REMOTE_REACH, false, NULL, HINT_CONFIG },
        { SSH_ITSELF, "Can't open user config file", NULL, REMOTE_REACH, false, NULL, HINT_CONFIG },
        { SSH_ITSELF, "Unable to negotiate with", NULL, REMOTE_REACH, false, NULL, HINT_ALGORITHMS },
        { SSH_ITSELF, "Could not resolve hostname", "emporary failure", REMOTE_REACH, true, NULL, HINT_NAME },
        { SSH_ITSELF, "Could not resolve hostname", NULL, REMOTE_REACH, false, NULL, HINT_NAME },
        { SSH_ITSELF, "connect to host", "Connection refused", REMOTE_REACH, true, NULL, HINT_PORT },
        { SSH_ITSELF, "connect to host", NULL, REMOTE_REACH, true, NULL, HINT_NETWORK },
        { SSH_ITSELF, "open failed: connect failed", NULL, REMOTE_REACH, true, NULL, HINT_NETWORK },
        { SSH_ITSELF, "open failed: administratively prohibited", NULL, REMOTE_REACH, false, NULL,
          "the jump host does not pass connections on (AllowTcpForwarding); " TRY },
        { SSH_ITSELF, "Exceeded MaxStartups", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_ITSELF, "Not allowed at this time", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_ITSELF, "kex_exchange_identification:", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_ITSELF, "ssh_exchange_identification:", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_ITSELF, "banner exchange:", NULL, REMOTE_REACH, true, NULL, HINT_PORT },
        { SSH_ITSELF, "Timeout, server", NULL, REMOTE_SILENT, true, NULL, HINT_NETWORK },
        { SSH_ITSELF, "Connection reset by", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_ITSELF, "Connection closed by", NULL, REMOTE_REACH, true, NULL, HINT_BUSY },
        { SSH_NOT_RUN, "", NULL, REMOTE_REACH, false, NULL,
          "ssh in [cluster] names the command; is it installed?" },
        { 127, "sudo", "not found", REMOTE_PERMISSION, false, "there is no sudo on the node",
          HINT_SUDO_NONE },
        { ANY, "sudo: a password is required", NULL, REMOTE_PERMISSION, false, "sudo wants a password there",
          HINT_SUDO },
        { ANY, "sudo: a terminal is required", NULL, REMOTE_PERMISSION, false, "sudo wants a password there",
          HINT_SUDO },
        { ANY, "is not in the sudoers file", NULL, REMOTE_PERMISSION, false, NULL, HINT_SUDO },
        { ANY, "is not allowed to execute", NULL, REMOTE_PERMISSION, false, NULL, HINT_SUDO },
        { ANY, "may not run sudo on", NULL, REMOTE_PERMISSION, false, NULL, HINT_SUDO },
        { ANY, "sudo: sorry, you must have a tty", NULL, REMOTE_PERMISSION, false,
          "sudo wants a terminal there (requiretty)",
          "set on the node with visudo: Defaults:%u !requiretty" },
        { ANY, "sudo: ", "command not found", REMOTE_NO_PROGRAM, false, "sudo does not find edge-roll there",
          HINT_PROGRAM },
        { 127, "", NULL, REMOTE_NO_PROGRAM, false, "edge-roll is not there", HINT_PROGRAM },
        { 126, "", NULL, REMOTE_NO_PROGRAM, false, "edge-roll is there, and cannot be executed", HINT_EXEC },
        { ANY, "Password change required", NULL, REMOTE_AUTH, false,
          "the account's password has expired and must be changed first", HINT_ACCOUNT },
        { ANY, "account has expired", NULL, REMOTE_AUTH, false, "the account has expired", HINT_ACCOUNT },
        { ANY, "edge-roll: there is no verb \"bridge\"", NULL, REMOTE_OTHER_VERSION, false,
          "the edge-roll there is too old: it has no bridge", HINT_VERSION },
};

static void hint_put(char *buf, size_t size, const char *hint, const SshTried *t)
{
        size_t n = 0;
        buf[0] = '\0';
        for (; *hint && n + 1 < size; hint++) {
                char key[96];
                const char *put = NULL;
                if (*hint == '%' && hint[1] == 'c')
                        put = t->command;
                else if (*hint == '%' && hint[1] == 'b')
                        put = t->bridge;
                else if (*hint == '%' && hint[1] == 'B')
                        put = strstr(t->bridge, "edge-roll") ? strstr(t->bridge, "edge-roll") : t->bridge;
                else if (*hint == '%' && hint[1] == 'u')
                        put = *t->user ? t->user : "USER";
                else if (*hint == '%' && hint[1] == 'k') {
                        if (t->port && t->port != 22)
                                (void) snprintf(key, sizeof(key), "'[%.64s]:%u'", t->host, t->port);
                        else
                                (void) snprintf(key, sizeof(key), "%.64s", t->host);
                        put = key;
                }
                if (!put) {
                        buf[n++] = *hint;
                        buf[n] = '\0';
                        continue;
                }
                hint++;
                (void) snprintf(buf + n, size - n, "%s", put);
                n = strlen(buf);
        }
}

/* The next line of @p into @line, without what names the speaker. Return: what follows; NULL at the end. */
static const char *line_next(const char *p, char *line, size_t size)
{
        while (*p == '\n')
                p++;
        if (!*p)
                return NULL;
        size_t n = strcspn(p, "\n");
        (void) snprintf(line, size, "%.*s", (int) (n < size ? n : size - 1), p);
        return p + n;
}

static bool line_find(const char *complaint, const char *part, const char *second, char *line, size_t size)
{
        /* A row without a part is about the status alone. */
        if (!*part) {
                line[0] = '\0';
                return true;
        }
        for (const char *p = complaint; (p = line_next(p, line, size));)
                if (strstr(line, part) && (!second || strstr(line, second)))
                        return true;
        return false;
}

/* The last line says why; the ones before it may be a banner. */
static bool line_last(const char *complaint, char *line, size_t size)
{
        char next[LINE];
        line[0] = '\0';
        for (const char *p = complaint; (p = line_next(p, next, sizeof(next)));)
                if (next[strspn(next, " ")])
                        (void) snprintf(line, size, "%s", next);
        return line[0] != '\0';
}

static void put(SshTrouble *ret, RemoteTrouble kind, bool retry, const char *text, const char *hint,
                const SshTried *tried)
{
        *ret = (SshTrouble){ .kind = kind, .retry = retry };
        /* "ssh: connect to host ..." says itself who speaks; a final stop or CR would only be noise. */
        (void) snprintf(ret->text, sizeof(ret->text), "%s", text);
        for (char *p = ret->text; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        size_t n = strlen(ret->text);
        while (n > 0 && (ret->text[n - 1] == '.' || ret->text[n - 1] == ' '))
                ret->text[--n] = '\0';
        if (n == 0)
                (void) snprintf(ret->text, sizeof(ret->text), "no reason was given");
        hint_put(ret->hint, sizeof(ret->hint), hint, tried);
}

/* The link was there: whatever ssh says now is how it ended. */
static void trouble_cut(const char *line, const SshTried *tried, SshTrouble *ret)
{
        char text[LINE + 40];
        (void) snprintf(text, sizeof(text), "the connection has ended%s%s", *line ? ": " : "", line);
        put(ret, REMOTE_CUT, true, text, "", tried);
}

/* The program at the far end has ended by itself; its exit status is one of ours. */
static void trouble_bridge(int code, const char *line, const SshTried *tried, SshTrouble *ret)
{
        char text[LINE + 80];
        bool has = *line != '\0';
        if (code == result_exit_code(RESULT_NO_PERMISSION))
                put(ret, REMOTE_PERMISSION, false, has ? line : "no permission", HINT_BRIDGE, tried);
        else if (code == result_exit_code(RESULT_AGENT_UNREACHABLE))
                put(ret, REMOTE_NO_BUS, true, has ? line : "the system bus of the node is not there",
                    HINT_BRIDGE, tried);
        else {
                (void) snprintf(text, sizeof(text), "what was run there has ended with exit code %d%s%s",
                                code, has ? ": " : " and without a word", line);
                put(ret, REMOTE_FOREIGN, false, text, HINT_BRIDGE, tried);
        }
}

void ssh_trouble(int status, const char *complaint, const char *limit, const SshTried *tried, SshTrouble *ret)
{
        char line[LINE], text[LINE + 80];
        bool has = line_last(complaint, line, sizeof(line));
        int code = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;

        if (status < 0) {
                (void) snprintf(text, sizeof(text), "no connection within %s%s%s", limit, has ? ": " : "",
                                line);
                put(ret, REMOTE_REACH, true, text, HINT_NETWORK, tried);
                return;
        }
        if (tried->was_up && strstr(line, "Timeout, server")) {
                put(ret, REMOTE_SILENT, true, line, HINT_NETWORK, tried);
                return;
        }
        if (tried->was_up) {
                trouble_cut(line, tried, ret);
                return;
        }
        if (code < 0) {
                (void) snprintf(text, sizeof(text), "ssh was ended by signal %d", WTERMSIG(status));
                put(ret, REMOTE_REACH, true, text, "", tried);
                return;
        }
        for (size_t i = 0; i < ELEMENTS(complaints); i++) {
                bool fits = complaints[i].status == code ||
                            (complaints[i].status == ANY && code != SSH_ITSELF && code != SSH_NOT_RUN);
                char found[LINE];
                if (!fits ||
                    !line_find(complaint, complaints[i].part, complaints[i].second, found, sizeof(found)))
                        continue;
                if (code == SSH_NOT_RUN) {
                        (void) snprintf(text, sizeof(text), "cannot run %.60s: %s", tried->command, line);
                        put(ret, complaints[i].kind, complaints[i].retry, text, complaints[i].hint, tried);
                        return;
                }
                put(ret, complaints[i].kind, complaints[i].retry,
                    complaints[i].text ? complaints[i].text : found, complaints[i].hint, tried);
                return;
        }
        if (code == SSH_ITSELF) {
                (void) snprintf(text, sizeof(text), "ssh has failed%s%s", has ? ": " : " without a word",
                                line);
                put(ret, REMOTE_REACH, true, text, "see why: %c -v true", tried);
                return;
        }
        trouble_bridge(code, line, tried, ret);
}

void ssh_foreign(const char *line, const SshTried *tried, SshTrouble *ret)
{
        char text[LINE + 80];
        /* nologin(8) speaks on standard output. */
        if (strstr(line, "account is currently not available")) {
                put(ret, REMOTE_AUTH, false, "the account may not log in there (its shell is nologin)",
                    "name another user: ansible_user, USER@NODE or ssh_config", tried);
                return;
        }
        (void) snprintf(text, sizeof(text), "something else than edge-roll answers: \"%.160s\"", line);
        put(ret, REMOTE_FOREIGN, false, text,
            "what is run at login there must be silent without a terminal (~/.bashrc, /etc/profile.d, a "
            "forced command); see: %c %b </dev/null",
            tried);
}

bool remote_error_trouble(const char *name, const char *text, const SshTried *tried, SshTrouble *ret)
{
        static const struct {
                const char *name;
                RemoteTrouble kind;
                bool retry;
                const char *hint;
        } errors[] = {
                { EDGE_ERROR "NoBus", REMOTE_NO_BUS, true, "look at it: %c systemctl status dbus" },
                { EDGE_ERROR "NotForwarded", REMOTE_OTHER_VERSION, false, HINT_VERSION },
                { EDGE_ERROR "NoPermission", REMOTE_PERMISSION, false,
                  "put the user into the node's group edge-roll, or set bridge = sudo -n %B in [cluster]" },
                { BUS_ERROR "AccessDenied", REMOTE_PERMISSION, false,
                  "is share/dbus-1/system.d/org.edgeroll.Agent1.conf installed there?" },
                { BUS_ERROR "ServiceUnknown", REMOTE_NO_PROGRAM, false,
                  "edge-roll is not installed completely there; look: %c edge-roll status" },
                { BUS_ERROR "NameHasNoOwner", REMOTE_NO_PROGRAM, true, "look at it: %c edge-roll status" },
                { BUS_ERROR "UnknownMethod", REMOTE_OTHER_VERSION, false, HINT_VERSION },
                { BUS_ERROR "UnknownInterface", REMOTE_OTHER_VERSION, false, HINT_VERSION },
        };
        if (!text[strspn(text, " .")])
                text = name;
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (strcmp(errors[i].name, name) == 0) {
                        put(ret, errors[i].kind, errors[i].retry, text, errors[i].hint, tried);
                        return true;
                }
        /* Whatever else the bus or systemd says about our name is about starting the agent. */
        if (strncmp(name, BUS_ERROR "Spawn.", strlen(BUS_ERROR "Spawn.")) == 0 ||
            strncmp(name, "org.freedesktop.systemd1.", strlen("org.freedesktop.systemd1.")) == 0) {
                put(ret, REMOTE_NO_PROGRAM, true, text, "look at it: %c systemctl status edge-roll-agent",
                    tried);
                return true;
        }
        return false;
}
