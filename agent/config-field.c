/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Text of one value, and back. */

#include <ctype.h>
#include <string.h>

#include "agent/config-impl.h"
#include "agent/needed-files.h"
#include "agent/served.h"
#include "base/addr.h"
#include "base/secret.h"
#include "base/text.h"

void config_field_free(const ConfigKey *k, void *base)
{
        void *field = (char *) base + k->offset;
        switch (k->type) {
        case TYPE_TEXT:
        case TYPE_PATH:
        case TYPE_URL:
        case TYPE_COMMAND:
                freep(field);
                *(char **) field = NULL;
                break;
        case TYPE_NAMES:
        case TYPE_WORDS:
        case TYPE_UNITS:
        case TYPE_PATHS:
        case TYPE_PATTERNS:
        case TYPE_CERTIFICATES:
        case TYPE_ADDRESSES:
                *(Words *) field = words_free(*(Words *) field);
                break;
        case TYPE_PORT:
        case TYPE_PORTS:
        case TYPE_USEC:
        case TYPE_COUNT:
        case TYPE_CHOICE:
        case TYPE_SWITCH:
                break;
        }
}

bool config_name_valid(const char *s)
{
        size_t len = strlen(s);
        if (len == 0 || len > CONFIG_NAME_LEN || s[0] == '-')
                return false;
        return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool unit_valid(const char *s)
{
        static const char suffix[] = ".service";
        size_t len = strlen(s), tail = sizeof(suffix) - 1;
        if (len <= tail || len > 255 || strcmp(s + len - tail, suffix) != 0)
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr(":-_.\\@", *s))
                        return false;
        return true;
}

static bool url_valid(const char *s)
{
        const char *host = NULL;
        if (strncmp(s, "http://", 7) == 0)
                host = s + 7;
        else if (strncmp(s, "https://", 8) == 0)
                host = s + 8;
        if (!host || !*host || *host == '/')
                return false;
        for (; *s; s++)
                if ((unsigned char) *s <= ' ' || *s == 0x7f)
                        return false;
        return true;
}

static int ports_parse(const char *text, PortList *ret, Err *err)
{
        PortList list = { 0 };
        for (const char *p = text + strspn(text, " \t"); *p; p += strspn(p, " \t")) {
                unsigned long port = 0;
                size_t len = strcspn(p, " \t");
                size_t digits = strspn(p, "0123456789");
                if (digits == len && len <= 5)
                        port = strtoul(p, NULL, 10);
                if (port < 1 || port > UINT16_MAX)
                        return err_set(err, -EINVAL, "\"%.*s\" is not a port (1 to 65535)",
                                       (int) MIN(len, 40), p);
                for (size_t i = 0; i < list.n; i++)
                        if (list.ports[i] == port)
                                return err_set(err, -EINVAL, "port %lu is there twice", port);
                if (list.n == CONFIG_PORTS_MAX)
                        return err_set(err, -EINVAL, "more than %d ports", CONFIG_PORTS_MAX);
                list.ports[list.n++] = (uint16_t) port;
                p += len;
        }
        *ret = list;
        return 0;
}

const char *config_field_accepted(const ConfigKey *k, char *buf, size_t size)
{
        char min[32], max[32];
        size_t n = 0;

        buf[0] = '\0';
        switch (k->type) {
        case TYPE_TEXT:
        case TYPE_WORDS:
                (void) snprintf(buf, size, "text");
                break;
        case TYPE_NAMES:
                (void) snprintf(buf, size, "names of small letters, digits and '-', at most %d long",
                                CONFIG_NAME_LEN);
                break;
        case TYPE_UNITS:
                (void) snprintf(buf, size, "unit names that end in .service");
                break;
        case TYPE_PATH:
                (void) snprintf(buf, size, "an absolute path");
                break;
        case TYPE_PATHS:
                (void) snprintf(buf, size, "absolute paths");
                break;
        case TYPE_PATTERNS:
                (void) snprintf(
                        buf, size,
                        "absolute paths, with *, ? and [] in their last part only; nothing in /home, /root, /run/user, "
                        "/tmp, /var/tmp or /dev, which the agent's sandbox hides");
                break;
        case TYPE_CERTIFICATES:
                (void) snprintf(
                        buf, size,
                        "FILE, PORT=FILE or NAME:PORT=FILE, with absolute paths that the agent's sandbox does not hide");
                break;
        case TYPE_ADDRESSES:
                (void) snprintf(buf, size, "IP addresses, auto, or both");
                break;
        case TYPE_URL:
                (void) snprintf(buf, size, "a URL that begins with http:// or https://");
                break;
        case TYPE_COMMAND:
                (void) snprintf(buf, size, "auto, or a command that begins with an absolute path");
                break;
        case TYPE_PORT:
                (void) snprintf(buf, size, "one port from 1 to 65535");
                break;
        case TYPE_PORTS:
                (void) snprintf(buf, size, "ports from 1 to 65535");
                break;
        case TYPE_USEC:
                (void) snprintf(buf, size, "a duration from %s to %s such as 30s, 250ms, 2m",
                                time_format(k->min, min, sizeof(min)), time_format(k->max, max, sizeof(max)));
                break;
        case TYPE_COUNT:
                (void) snprintf(buf, size, "a number from %" PRIu64 " to %" PRIu64, k->min, k->max);
                break;
        case TYPE_CHOICE:
        case TYPE_SWITCH:
                break;
        }
        if (k->accepts)
                (void) snprintf(buf, size, "%s", k->accepts);
        for (size_t i = 0; k->choices && k->choices[i]; i++) {
                if (i == 0)
                        buf[0] = '\0';
                n = strlen(buf);
                (void) snprintf(buf + n, size - n, "%s%s",
                                i == 0              ? ""
                                : k->choices[i + 1] ? ", "
                                                    : " or ",
                                k->choices[i]);
        }
        n = strlen(buf);
        if (k->may_be_auto)
                (void) snprintf(buf + n, size - n, ", or auto");
        else if (k->may_be_empty)
                (void) snprintf(buf + n, size - n, ", or nothing");
        return buf;
}

static int field_text(const ConfigKey *k, char **field, const char *text, Err *err)
{
        if (k->type == TYPE_PATH && *text && text[0] != '/' && !(k->may_be_auto && strcmp(text, "auto") == 0))
                return err_set(err, -EINVAL, "not an absolute path");
        if (k->type == TYPE_URL && *text && !url_valid(text))
                return err_set(err, -EINVAL, "not a URL");
        if (k->type == TYPE_URL && !k->may_have_user && url_has_user(text))
                return err_set(err, -EINVAL, "a user or a password has no place in it");
        if (k->may_have_user && url_has_user(text))
                secret_held();
        if (k->type == TYPE_COMMAND && *text && text[0] != '/' && strcmp(text, "auto") != 0)
                return err_set(err, -EINVAL, "the command is not an absolute path");
        if (k->choices && config_choice(k->choices, text) < 0)
                return err_set(err, -EINVAL, "unknown value");
        if (k->valid && !k->valid(text))
                return err_set(err, -EINVAL, "unknown value");
        char *copy = strdup(text);
        if (!copy)
                return err_errno(err, -ENOMEM, "configuration");
        free(*field);
        *field = copy;
        return 0;
}

static int field_words(const ConfigKey *k, Words *field, const char *text, Err *err)
{
        _cleanup_(words_freep) Words w = NULL;
        if (words_split(text, &w) < 0)
                return err_errno(err, -ENOMEM, "configuration");
        for (size_t i = 0; w[i]; i++) {
                bool good = true;
                if (k->type == TYPE_UNITS)
                        good = unit_valid(w[i]);
                else if (k->type == TYPE_PATHS)
                        good = w[i][0] == '/';
                else if (k->type == TYPE_PATTERNS)
                        good = needed_pattern_valid(w[i]);
                else if (k->type == TYPE_CERTIFICATES) {
                        ServedWanted wanted;
                        good = served_wanted(w[i], &wanted) && !needed_hidden(wanted.file);
                } else if (k->type == TYPE_ADDRESSES) {
                        Addr addr;
                        good = strcmp(w[i], "auto") == 0 || addr_parse(w[i], &addr);
                } else if (k->type == TYPE_NAMES)
                        good = config_name_valid(w[i]);
                if (!good)
                        return err_set(err, -EINVAL, "\"%.60s\" is none", w[i]);
        }
        (void) words_free(*field);
        *field = TAKE_PTR(w);
        return 0;
}

static int field_ports(const ConfigKey *k, PortList *field, const char *text, Err *err)
{
        PortList list = { .automatic = strcmp(text, "auto") == 0 };
        if (list.automatic && !k->may_be_auto)
                return err_set(err, -EINVAL, "there is no auto for it");
        if (!list.automatic) {
                int r = ports_parse(text, &list, err);
                if (r < 0)
                        return r;
        }
        if (k->type == TYPE_PORT && list.n > 1)
                return err_set(err, -EINVAL, "%zu ports", list.n);
        *field = list;
        return 0;
}

static int field_usec(const ConfigKey *k, Usec *field, const char *text, Err *err)
{
        Usec usec = 0;
        if (strcmp(text, "auto") != 0 || !k->may_be_auto) {
                int r = time_parse(text, USEC_PER_SEC, &usec, err);
                if (r < 0)
                        return err_set(err, -EINVAL, r == -ERANGE ? "too long" : "not a duration");
                if (usec < k->min || usec > k->max)
                        return err_set(err, -EINVAL, usec < k->min ? "too short" : "too long");
        }
        *field = usec;
        return 0;
}

static int field_count(const ConfigKey *k, unsigned *field, const char *text, Err *err)
{
        size_t len = strlen(text);
        if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
                return err_set(err, -EINVAL, "not a number");
        unsigned long value = strtoul(text, NULL, 10);
        if (value < k->min || value > k->max)
                return err_set(err, -EINVAL, value < k->min ? "too small" : "too big");
        *field = (unsigned) value;
        return 0;
}
int config_field_set(const ConfigKey *k, void *base, const char *text, Err *err)
{
        void *field = (char *) base + k->offset;
        int i;

        if (!*text && !k->may_be_empty)
                return err_set(err, -EINVAL, "no value");
        switch (k->type) {
        case TYPE_TEXT:
        case TYPE_PATH:
        case TYPE_URL:
        case TYPE_COMMAND:
                return field_text(k, field, text, err);
        case TYPE_NAMES:
        case TYPE_WORDS:
        case TYPE_UNITS:
        case TYPE_PATHS:
        case TYPE_PATTERNS:
        case TYPE_CERTIFICATES:
        case TYPE_ADDRESSES:
                return field_words(k, field, text, err);
        case TYPE_PORT:
        case TYPE_PORTS:
                return field_ports(k, field, text, err);
        case TYPE_USEC:
                return field_usec(k, field, text, err);
        case TYPE_COUNT:
                return field_count(k, field, text, err);
        case TYPE_CHOICE:
                i = config_choice(k->choices, text);
                if (i < 0)
                        return err_set(err, -EINVAL, "unknown value");
                *(int *) field = i;
                return 0;
        case TYPE_SWITCH:
                i = config_choice(k->choices, text);
                if (i < 0)
                        return err_set(err, -EINVAL, "unknown value");
                *(bool *) field = i > 0;
                return 0;
        }
        return err_set(err, -EINVAL, "unknown type");
}

static void usec_print(FILE *f, Usec usec)
{
        if (usec == 0)
                (void) fputs("auto", f);
        else if (usec % USEC_PER_SEC == 0)
                (void) fprintf(f, "%" PRIu64 "s", usec / USEC_PER_SEC);
        else if (usec % USEC_PER_MSEC == 0)
                (void) fprintf(f, "%" PRIu64 "ms", usec / USEC_PER_MSEC);
        else
                (void) fprintf(f, "%" PRIu64 "us", usec);
}
int config_field_format(const ConfigKey *k, const void *base, char **ret)
{
        const void *field = (const char *) base + k->offset;
        char *text = NULL;
        size_t size = 0;
        FILE *f = text_open(&text, &size);
        if (!f)
                return -ENOMEM;

        switch (k->type) {
        case TYPE_TEXT:
        case TYPE_PATH:
        case TYPE_URL:
        case TYPE_COMMAND:
                (void) fputs(*(char *const *) field, f);
                break;
        case TYPE_NAMES:
        case TYPE_WORDS:
        case TYPE_UNITS:
        case TYPE_PATHS:
        case TYPE_PATTERNS:
        case TYPE_CERTIFICATES:
        case TYPE_ADDRESSES:
                for (char *const *w = *(const Words *) field; *w; w++)
                        (void) fprintf(f, "%s%s", w == *(const Words *) field ? "" : " ", *w);
                break;
        case TYPE_PORT:
        case TYPE_PORTS: {
                const PortList *list = field;
                if (list->automatic)
                        (void) fputs("auto", f);
                for (size_t i = 0; i < list->n; i++)
                        (void) fprintf(f, "%s%u", i ? " " : "", list->ports[i]);
                break;
        }
        case TYPE_USEC:
                usec_print(f, *(const Usec *) field);
                break;
        case TYPE_COUNT:
                (void) fprintf(f, "%u", *(const unsigned *) field);
                break;
        case TYPE_CHOICE:
                (void) fputs(k->choices[*(const int *) field], f);
                break;
        case TYPE_SWITCH:
                (void) fputs(k->choices[*(const bool *) field ? 1 : 0], f);
                break;
        }
        if (text_close(f, &text) < 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
