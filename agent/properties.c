/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/properties.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct Entry {
        char *key;
        char *value;
        const char *source; /* one of Properties.sources */
} Entry;

struct Properties {
        Entry *entries; /* in the order they were read */
        size_t n, size;
        char **sources;
        size_t n_sources;
};

int properties_new(Properties **ret, Err *err)
{
        Properties *p = calloc(1, sizeof(*p));
        if (!p)
                return err_set(err, -ENOMEM, "Out of memory for properties");
        *ret = p;
        return 0;
}

static void properties_truncate(Properties *p, size_t n)
{
        while (p->n > n) {
                p->n--;
                free(p->entries[p->n].key);
                free(p->entries[p->n].value);
        }
}

Properties *properties_free(Properties *p)
{
        if (!p)
                return NULL;
        properties_truncate(p, 0);
        for (size_t i = 0; i < p->n_sources; i++)
                free(p->sources[i]);
        free(p->sources);
        free(p->entries);
        free(p);
        return NULL;
}

/* --- java.util.Properties --- */

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
        return c == '\n' || c == '\r';
}

/*
 * The next logical line: comments and empty lines skipped, continued lines joined, leading blanks dropped;
 * escapes are left in. @line: room for the whole text.
 * Return: false at the end of the text.
 */
static bool next_line(const char **p, const char *end, char *line, size_t *ret_len)
{
        size_t len = 0;

        for (;;) {
                while (*p < end && (is_blank(**p) || (len == 0 && is_line_end(**p))))
                        (*p)++;
                if (*p == end)
                        break;
                if (len == 0 && (**p == '#' || **p == '!')) {
                        while (*p < end && !is_line_end(**p))
                                (*p)++;
                        continue;
                }

                bool escaped = false;
                for (; *p < end && !is_line_end(**p); (*p)++) {
                        escaped = **p == '\\' && !escaped;
                        line[len++] = **p;
                }
                if (!escaped)
                        break;
                len--; /* the backslash before the line's end joins it with the next */
                if (*p < end) {
                        bool cr = **p == '\r';
                        (*p)++;
                        if (cr && *p < end && **p == '\n')
                                (*p)++;
                }
                if (len == 0)
                        break;
        }
        *ret_len = len;
        return len > 0 || *p < end;
}

/* \uXXXX as UTF-8. Return: bytes written to @out (1 to 3), 0 if these are not four hexadecimal digits. */
static size_t unicode(const char *s, const char *end, char *out)
{
        unsigned code = 0;

        if (end - s < 4)
                return 0;
        for (int i = 0; i < 4; i++) {
                if (!isxdigit((unsigned char) s[i]))
                        return 0;
                code = code * 16 +
                       (unsigned) (isdigit((unsigned char) s[i]) ? s[i] - '0' : tolower(s[i]) - 'a' + 10);
        }
        if (code < 0x80) {
                out[0] = (char) (code > 0 ? code : '?'); /* our strings end at NUL */
                return 1;
        }
        if (code < 0x800) {
                out[0] = (char) (0xc0 | code >> 6);
                out[1] = (char) (0x80 | (code & 0x3f));
                return 2;
        }
        out[0] = (char) (0xe0 | code >> 12);
        out[1] = (char) (0x80 | (code >> 6 & 0x3f));
        out[2] = (char) (0x80 | (code & 0x3f));
        return 3;
}

/* @s without its escapes; never longer than it was. Return: NULL when out of memory. */
static char *unescape(const char *s, const char *end)
{
        char *out = malloc((size_t) (end - s) + 1), *o = out;
        if (!out)
                return NULL;
        while (s < end) {
                if (*s != '\\' || s + 1 == end) {
                        *o++ = *s ? *s : '?';
                        s++;
                        continue;
                }
                char c = s[1];
                s += 2;
                size_t n = c == 'u' ? unicode(s, end, o) : 0;
                if (n > 0) {
                        o += n;
                        s += 4;
                } else
                        *o++ = c == 't'   ? '\t'
                               : c == 'n' ? '\n'
                               : c == 'r' ? '\r'
                               : c == 'f' ? '\f'
                               : c        ? c
                                          : '?';
        }
        *o = '\0';
        return out;
}

/* Where the key ends: at the first '=', ':' or blank that no backslash protects. */
static const char *key_end(const char *s, const char *end)
{
        for (; s < end && *s != '=' && *s != ':' && !is_blank(*s); s++)
                if (*s == '\\' && s + 1 < end)
                        s++;
        return s;
}

static int add_line(Properties *p, const char *line, size_t len, const char *source, Err *err)
{
        const char *end = line + len, *key = key_end(line, end), *value = key;

        while (value < end && is_blank(*value))
                value++;
        if (value < end && (*value == '=' || *value == ':'))
                value++;
        while (value < end && is_blank(*value))
                value++;
        while (end > value && is_blank(end[-1]))
                end--;

        if (p->n == PROPERTIES_ENTRIES_MAX)
                return err_set(err, -E2BIG, "%.200s: more than %d properties", source,
                               PROPERTIES_ENTRIES_MAX);
        if (p->n == p->size) {
                size_t more = MAX(p->size * 2, (size_t) 64);
                Entry *entries = realloc(p->entries, more * sizeof(*entries));
                if (!entries)
                        return err_set(err, -ENOMEM, "%.200s: out of memory", source);
                p->entries = entries;
                p->size = more;
        }
        Entry entry = { .key = unescape(line, key), .value = unescape(value, end), .source = source };
        if (!entry.key || !entry.value) {
                free(entry.key);
                free(entry.value);
                return err_set(err, -ENOMEM, "%.200s: out of memory", source);
        }
        p->entries[p->n++] = entry;
        return 0;
}

static int add_source(Properties *p, const char *source, Err *err)
{
        char **sources = realloc(p->sources, (p->n_sources + 1) * sizeof(*sources));
        char *copy = strdup(source);

        if (sources)
                p->sources = sources;
        if (!sources || !copy) {
                free(copy);
                return err_set(err, -ENOMEM, "%.200s: out of memory", source);
        }
        sources[p->n_sources++] = copy;
        return 0;
}

int properties_parse(Properties *p, const char *text, size_t len, const char *source, Err *err)
{
        size_t n_before = p->n, line_len;

        if (len > PROPERTIES_FILE_MAX)
                return err_set(err, -E2BIG, "%.200s: more than %d bytes", source, PROPERTIES_FILE_MAX);
        _cleanup_(freep) char *line = malloc(len + 1);
        if (!line)
                return err_set(err, -ENOMEM, "%.200s: out of memory", source);
        int r = add_source(p, source, err);

        const char *at = text;
        while (r >= 0 && next_line(&at, text + len, line, &line_len))
                if (line_len > 0)
                        r = add_line(p, line, line_len, p->sources[p->n_sources - 1], err);
        if (r < 0)
                properties_truncate(p, n_before);
        return r;
}

/* --- files --- */

/* A whole regular file. @dir: directory descriptor or AT_FDCWD. @ret: to be freed. */
static PropertiesAnswer read_file(int dir, const char *path, char **ret, size_t *ret_len, Err *why)
{
        /* O_NONBLOCK: a FIFO in its place must not stop the agent. */
        _cleanup_(closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        size_t len = 0;

        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return PROPERTIES_ABSENT;
        if (fd < 0 || fstat(fd, &st) < 0) {
                (void) err_errno(why, -errno, "%.200s", path);
                return PROPERTIES_UNREADABLE;
        }
        if (!S_ISREG(st.st_mode)) {
                (void) err_set(why, -EBADF, "%.200s is not a regular file", path);
                return PROPERTIES_UNREADABLE;
        }
        if (st.st_size > PROPERTIES_FILE_MAX) {
                (void) err_set(why, -E2BIG, "%.200s: more than %d bytes", path, PROPERTIES_FILE_MAX);
                return PROPERTIES_UNREADABLE;
        }
        _cleanup_(freep) char *text = malloc((size_t) st.st_size + 1);
        if (!text) {
                (void) err_errno(why, -ENOMEM, "%.200s", path);
                return PROPERTIES_UNREADABLE;
        }
        while (len < (size_t) st.st_size) {
                ssize_t n = read(fd, text + len, (size_t) st.st_size - len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        (void) err_errno(why, -errno, "%.200s", path);
                        return PROPERTIES_UNREADABLE;
                }
                if (n == 0)
                        break;
                len += (size_t) n;
        }
        text[len] = '\0';
        *ret = TAKE_PTR(text);
        *ret_len = len;
        return PROPERTIES_FOUND;
}

PropertiesAnswer properties_read(Properties *p, const char *path, Err *why)
{
        _cleanup_(freep) char *text = NULL;
        size_t len;

        PropertiesAnswer answer = read_file(AT_FDCWD, path, &text, &len, why);
        if (answer == PROPERTIES_FOUND && properties_parse(p, text, len, path, why) < 0)
                return PROPERTIES_UNREADABLE;
        return answer;
}

/* --- values --- */

/* Is @s the text @prefix @file @middle @key, whole? */
static bool is_spelled(const char *s, const char *prefix, const char *file, const char *middle,
                       const char *key)
{
        const char *const parts[] = { prefix, file, middle };

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                size_t n = strlen(parts[i]);
                if (strncmp(s, parts[i], n) != 0)
                        return false;
                s += n;
        }
        return strcmp(s, key) == 0;
}

static const Entry *find(const Properties *p, const char *file, const char *key)
{
        for (size_t i = p->n; i > 0; i--) {
                const Entry *e = &p->entries[i - 1];
                if (strcmp(e->key, key) == 0 || is_spelled(e->key, "conf_", file, "_", key) ||
                    is_spelled(e->key, "conf/", file, ".properties+", key))
                        return e;
        }
        return NULL;
}

const char *properties_get(const Properties *p, const char *file, const char *key)
{
        const Entry *e = find(p, file, key);
        return e ? e->value : NULL;
}

static int explain(int r, const Entry *e, Err *err)
{
        return err_prefix(err, r, "%.80s: %.60s", e->source, e->key);
}

int properties_router_timeout(const Properties *p, Usec *ret, Err *err)
{
        static const char *const keys[] = {
                "load.balancing.driver.proxy.read.timeout",
                "load.balancing.driver.nginx.upstream_next_timeout",
        };
        Usec largest = 0;

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                const Entry *e = find(p, "load_balancing", keys[i]);
                Usec value;
                if (!e)
                        continue;
                int r = time_parse_nginx(e->value, &value, err);
                if (r < 0)
                        return explain(r, e, err);
                largest = MAX(largest, value);
        }
        *ret = largest;
        return 0;
}

int properties_mp_timeout(const Properties *p, Usec *ret, Err *err)
{
        const Entry *e = find(p, "http", "HTTPTransport.io.timeout.millis");
        Usec value = 0;

        if (e) {
                int r = time_parse(e->value, USEC_PER_MSEC, &value, err);
                if (r < 0)
                        return explain(r, e, err);
        }
        *ret = value;
        return 0;
}

int properties_mp_tls(const Properties *p, bool *ret, Err *err)
{
        const Entry *e = find(p, "message-processor-communication", "local.http.ssl");

        if (e && strcasecmp(e->value, "true") != 0 && strcasecmp(e->value, "false") != 0) {
                int r = err_set(err, -EINVAL, "\"%.40s\" is neither true nor false", e->value);
                return explain(r, e, err);
        }
        *ret = e && strcasecmp(e->value, "true") == 0;
        return 0;
}

/* --- nginx --- */

#define NGINX_DEPTH 8 /* of includes within includes: a file that includes itself ends there */

typedef enum NginxToken {
        NGINX_END,
        NGINX_WORD,
        NGINX_MARK, /* ';', '{' or '}' */
        NGINX_TOKEN_COUNT,
        NGINX_TOKEN_INVALID = -EINVAL,
} NginxToken;

/* The next word or mark; quotes are taken off, comments skipped. A word longer than @size is cut. */
static NginxToken nginx_next(const char **p, char *word, size_t size)
{
        size_t len = 0;
        char quote = 0;

        for (;;) {
                *p += strspn(*p, " \t\r\n");
                if (**p != '#')
                        break;
                *p += strcspn(*p, "\n");
        }
        if (!**p)
                return NGINX_END;
        if (strchr(";{}", **p)) {
                word[0] = *(*p)++;
                word[1] = '\0';
                return NGINX_MARK;
        }
        if (**p == '"' || **p == '\'')
                quote = *(*p)++;
        while (**p && (quote ? **p != quote : !strchr(" \t\r\n;{}", **p))) {
                if (**p == '\\' && (*p)[1])
                        (*p)++;
                if (len + 1 < size)
                        word[len++] = **p;
                (*p)++;
        }
        if (quote && **p)
                (*p)++;
        word[len] = '\0';
        return NGINX_WORD;
}

typedef struct NginxScan {
        Usec largest;
        unsigned files, depth; /* looked at; of includes */
} NginxScan;

static int nginx_include(NginxScan *scan, const char *pattern, Err *why);

/* The largest proxy_read_timeout of one file and what it includes. Return: values found; or -EINVAL, -ERANGE,
 * ..., with what is good in @scan. */
static int nginx_scan(const char *text, NginxScan *scan, Err *why)
{
        char word[256], mark[64];
        bool first = true; /* a directive's name is the first word of a statement */
        int found = 0, failed = 0;

        for (;;) {
                NginxToken token = nginx_next(&text, word, sizeof(word));
                if (token == NGINX_END)
                        return failed < 0 ? failed : found;
                bool ours = first && token == NGINX_WORD && strcmp(word, "proxy_read_timeout") == 0;
                bool include = first && token == NGINX_WORD && strcmp(word, "include") == 0;
                first = token == NGINX_MARK;
                if (include && nginx_next(&text, word, sizeof(word)) == NGINX_WORD) {
                        int r = nginx_include(scan, word, why);
                        if (r < 0)
                                failed = r;
                        else
                                found += r;
                }
                if (!ours)
                        continue;
                const char *value_at = text;
                if (nginx_next(&text, word, sizeof(word)) != NGINX_WORD) {
                        text = value_at;
                        failed = err_set(why, -EINVAL, "proxy_read_timeout without a value");
                        continue;
                }
                const char *mark_at = text;
                Usec value;
                if (nginx_next(&text, mark, sizeof(mark)) != NGINX_MARK || mark[0] != ';') {
                        text = mark_at;
                        failed = err_set(why, -EINVAL, "proxy_read_timeout %.40s does not end in ';'", word);
                        continue;
                }
                first = true;
                int r = time_parse_nginx(word, &value, why);
                if (r < 0) {
                        failed = err_prefix(why, r, "proxy_read_timeout");
                        continue;
                }
                scan->largest = MAX(scan->largest, value);
                found++;
        }
}

/* Source: ngx_core_module, include: a file or a pattern; one that matches nothing is no error. */
static int nginx_include(NginxScan *scan, const char *pattern, Err *why)
{
        _cleanup_(globfree) glob_t paths = { 0 };
        int found = 0, failed = 0;

        /* nginx takes a relative one from the folder of its main file, which is not known here. */
        if (pattern[0] != '/')
                return err_set(why, -EINVAL, "include %.100s is relative, and not followed", pattern);
        if (scan->depth == NGINX_DEPTH)
                return err_set(why, -ELOOP, "include %.100s: includes within includes, too deep", pattern);
        if (glob(pattern, 0, NULL, &paths) != 0)
                return 0;
        scan->depth++;
        for (size_t i = 0; i < paths.gl_pathc; i++) {
                _cleanup_(freep) char *text = NULL;
                size_t len;
                int r;
                if (scan->files++ >= PROPERTIES_NGINX_FILES) {
                        failed = err_set(why, -E2BIG, "more than %d files", PROPERTIES_NGINX_FILES);
                        break;
                }
                PropertiesAnswer file = read_file(AT_FDCWD, paths.gl_pathv[i], &text, &len, why);
                if (file == PROPERTIES_ABSENT)
                        continue;
                r = file == PROPERTIES_FOUND ? nginx_scan(text, scan, why) : -EBADMSG;
                if (r < 0)
                        failed = r;
                else
                        found += r;
        }
        scan->depth--;
        return failed < 0 ? failed : found;
}

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

PropertiesAnswer properties_nginx_timeout(const char *directory, Usec *ret, Err *why)
{
        _cleanup_(closedirp) DIR *dir = opendir(directory);
        PropertiesAnswer answer = PROPERTIES_ABSENT;
        bool unreadable = false;
        NginxScan scan = { 0 };

        if (!dir && (errno == ENOENT || errno == ENOTDIR))
                return PROPERTIES_ABSENT;
        if (!dir) {
                (void) err_errno(why, -errno, "%.200s", directory);
                *ret = 0;
                return PROPERTIES_UNREADABLE;
        }
        for (;;) {
                _cleanup_(freep) char *text = NULL;
                struct stat st;
                size_t len;

                errno = 0;
                const struct dirent *entry = readdir(dir);
                if (!entry && errno != 0) {
                        (void) err_errno(why, -errno, "%.200s", directory);
                        unreadable = true;
                }
                if (!entry)
                        break;
                if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
                        continue;
                if (scan.files++ >= PROPERTIES_NGINX_FILES) {
                        (void) err_set(why, -E2BIG, "%.200s: more than %d files", directory,
                                       PROPERTIES_NGINX_FILES);
                        unreadable = true;
                        break;
                }
                PropertiesAnswer file = read_file(dirfd(dir), entry->d_name, &text, &len, why);
                if (file == PROPERTIES_ABSENT)
                        continue; /* deleted meanwhile */
                if (file == PROPERTIES_UNREADABLE) {
                        (void) err_prefix(why, -EBADMSG, "%.100s", directory);
                        unreadable = true;
                        continue;
                }
                int r = nginx_scan(text, &scan, why);
                if (r < 0) {
                        (void) err_prefix(why, r, "%.100s/%.50s", directory, entry->d_name);
                        unreadable = true;
                } else if (r > 0)
                        answer = PROPERTIES_FOUND;
        }
        if (unreadable)
                answer = PROPERTIES_UNREADABLE;
        if (answer != PROPERTIES_ABSENT)
                *ret = scan.largest;
        return answer;
}
