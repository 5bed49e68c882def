/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Files to assignments. inih splits lines; the reader under it counts them, because inih tells its callback
 * no line. */

#include <ctype.h>
#include <dirent.h>
#include <ini.h>
#include <limits.h>
#include <string.h>

#include "agent/config-impl.h"
#include "base/addr.h"

#define CONFIG_FILE_LINES 10000 /* a file with more is none of ours */

const ConfigOrigin *config_origin_find(const Config *c, const char *section, const char *key)
{
        const ConfigOrigin *found = NULL;
        for (size_t i = 0; i < c->n_origins; i++) {
                const ConfigOrigin *o = &c->origins[i];
                if (strcmp(o->section, section) != 0)
                        continue;
                if (!key)
                        return o;
                if (o->key && strcmp(o->key, key) == 0)
                        found = o;
        }
        return found;
}

int config_origin_error(const ConfigOrigin *o, Err *err, const char *problem, const char *accept)
{
        char shown[128];
        return err_set(err, -EINVAL, "%.120s:%u: [%.50s] %.40s = \"%.60s\": %s%s%s", o->file, o->line,
                       o->section, o->key, url_shown(o->value, shown, sizeof(shown)), problem,
                       *accept ? "; accepted: " : "", accept);
}

typedef struct Reader {
        FILE *f;
        Config *config;
        const char *file;
        unsigned line;
        bool indented; /* the line in work begins with white space: it may go on with the value before */
        int r;         /* first error; reading ends with it */
        Err *err;
} Reader;

static int reader_fail(Reader *rd, const char *problem)
{
        if (rd->r == 0)
                rd->r = err_set(rd->err, -EINVAL, "%.200s:%u: %s", rd->file, rd->line, problem);
        return rd->r;
}

static int reader_add(Reader *rd, const char *section, const char *key, const char *value)
{
        Config *c = rd->config;
        ConfigOrigin *more = realloc(c->origins, (c->n_origins + 1) * sizeof(*more));
        if (!more)
                goto oom;
        c->origins = more;
        ConfigOrigin *o = &more[c->n_origins++];
        *o = (ConfigOrigin){
                .section = strdup(section),
                .key = key ? strdup(key) : NULL,
                .value = value ? strdup(value) : NULL,
                .file = strdup(rd->file),
                .line = rd->line,
        };
        if (o->section && o->file && (!key || o->key) && (!value || o->value))
                return 0;
oom:
        rd->r = err_errno(rd->err, -ENOMEM, "configuration");
        return rd->r;
}

/* "[component  router ]" to "component router". */
static void section_clean(const char *text, size_t len, char *buf, size_t size)
{
        size_t n = 0;
        bool blank = false;
        for (size_t i = 0; i < len && n + 2 < size; i++) {
                if (isspace((unsigned char) text[i])) {
                        blank = n > 0;
                        continue;
                }
                if (blank)
                        buf[n++] = ' ';
                blank = false;
                buf[n++] = text[i];
        }
        buf[n] = '\0';
}

static char *reader_line(char *buf, int size, void *userdata)
{
        Reader *rd = userdata;
        if (rd->r < 0 || !fgets(buf, size, rd->f)) {
                if (rd->r == 0 && ferror(rd->f))
                        rd->r = err_errno(rd->err, errno, "cannot read %.200s", rd->file);
                return NULL;
        }
        rd->line++;
        size_t len = strlen(buf);
        if (len == 0 || (buf[len - 1] != '\n' && !feof(rd->f))) {
                /* inih would take the rest of a long line for a line of its own. */
                if (len + 1 >= (size_t) size)
                        (void) reader_fail(rd,
                                           "the line is too long; a value may go on in the next line, behind "
                                           "white space");
                else
                        (void) reader_fail(rd, "the line has a zero byte: not a text file");
                return NULL;
        }
        if (rd->line > CONFIG_FILE_LINES) {
                (void) reader_fail(rd, "the file is too long to be a configuration");
                return NULL;
        }
        rd->indented = isspace((unsigned char) buf[0]) != 0;
        const char *start = buf;
        if (rd->line == 1 && strncmp(start, "\xef\xbb\xbf", 3) == 0)
                start += 3;
        const char *end = *start == '[' ? strchr(start, ']') : NULL;
        if (end) {
                char section[128];
                section_clean(start + 1, (size_t) (end - start - 1), section, sizeof(section));
                if (reader_add(rd, section, NULL, NULL) < 0)
                        return NULL;
        }
        return buf;
}

static int reader_key(void *userdata, const char *raw_section, const char *key, const char *value)
{
        Reader *rd = userdata;
        Config *c = rd->config;
        char section[128];

        if (rd->r < 0)
                return 0;
        if (!*raw_section)
                return reader_fail(rd, "a key before the first [section]") == 0;
        section_clean(raw_section, strlen(raw_section), section, sizeof(section));
        /* An indented head is one for inih, too, where there is no value to go on with. */
        if (c->n_origins == 0 || strcmp(c->origins[c->n_origins - 1].section, section) != 0)
                if (reader_add(rd, section, NULL, NULL) < 0)
                        return 0;
        ConfigOrigin *last = &c->origins[c->n_origins - 1];
        if (rd->indented && last->key && strcmp(last->key, key) == 0) {
                char *joined = NULL;
                if (asprintf(&joined, "%s%s%s", last->value, *last->value ? " " : "", value) < 0) {
                        rd->r = err_errno(rd->err, -ENOMEM, "configuration");
                        return 0;
                }
                free(last->value);
                last->value = joined;
                return 1;
        }
        const ConfigOrigin *before = config_origin_find(c, section, key);
        if (before && strcmp(before->file, rd->file) == 0) {
                rd->r = err_set(rd->err, -EINVAL,
                                "%.200s:%u: [%.50s] %.50s is set a second time (first in line %u)", rd->file,
                                rd->line, section, key, before->line);
                return 0;
        }
        return reader_add(rd, section, key, value) == 0;
}

int config_read_file(Config *c, const char *file, Err *err)
{
        _cleanup_(fclosep) FILE *f = fopen(file, "re");
        if (!f) {
                if (errno == ENOENT)
                        return 0;
                return err_errno(err, errno, "cannot open %.200s", file);
        }
        Reader rd = { .f = f, .config = c, .file = file, .err = err };
        int bad_line = ini_parse_stream(reader_line, &rd, reader_key, &rd);
        if (rd.r < 0)
                return rd.r;
        if (bad_line != 0) {
                rd.line = bad_line > 0 ? (unsigned) bad_line : 0;
                return reader_fail(&rd, "neither [section] nor key = value nor a comment");
        }
        return 0;
}

static int is_conf(const struct dirent *d)
{
        size_t len = strlen(d->d_name);
        return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

/* By bytes: alphasort() follows the locale, and the order must not depend on who calls. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

int config_read_dir(Config *c, const char *dir, Err *err)
{
        struct dirent **list = NULL;
        int n = scandir(dir, &list, is_conf, by_name);
        if (n < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "cannot read %.200s", dir);

        int r = 0;
        for (int i = 0; i < n; i++) {
                char path[PATH_MAX];
                (void) snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
                if (r == 0)
                        r = config_read_file(c, path, err);
                free(list[i]);
        }
        free(list);
        return r;
}
