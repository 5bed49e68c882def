/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/inventory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS   "\t "
#define WORDS(n) (((n) + 63) / 64)

/* The variables that count. The order is that of Var.value. */
typedef enum VarName { VAR_HOST, VAR_USER, VAR_PORT, VAR_CONNECTION, VAR_BRIDGE, VAR_KEY, VAR_COUNT } VarName;

static const struct {
        const char *name, *old;
} var_table[] = {
        [VAR_HOST] = { "ansible_host", "ansible_ssh_host" },
        [VAR_USER] = { "ansible_user", "ansible_ssh_user" },
        [VAR_PORT] = { "ansible_port", "ansible_ssh_port" },
        [VAR_CONNECTION] = { "ansible_connection", NULL },
        [VAR_BRIDGE] = { "edge_roll_bridge", NULL },
        [VAR_KEY] = { "ansible_ssh_private_key_file", "ansible_private_key_file" },
};
_Static_assert(ELEMENTS(var_table) == VAR_COUNT, "every variable has a row");

/* They would change how ssh gets there, and do not: whoever set them must know. */
static const char *const vars_not_used[] = {
        "ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args",
        "ansible_ssh_executable",  "ansible_password",       "ansible_ssh_pass",
};

typedef struct Vars {
        char *value[VAR_COUNT]; /* NULL: not set */
        unsigned line[VAR_COUNT];
} Vars;

typedef struct Group {
        char *name;
        Vars vars;
        uint64_t hosts[WORDS(INVENTORY_HOSTS_MAX)]; /* sets of indices */
        uint64_t children[WORDS(INVENTORY_GROUPS_MAX)];
        bool declared;      /* it has a section of its own that may declare it */
        unsigned line;      /* where it was first named */
        unsigned depth;     /* 0: all */
        unsigned char mark; /* of the search for cycles */
} Group;

typedef struct Host {
        char *name;
        Vars vars;
        unsigned line;
} Host;

typedef enum Section { SECTION_HOSTS, SECTION_CHILDREN, SECTION_VARS } Section;

typedef struct Parser {
        const char *file;
        unsigned line;
        Group *groups;
        size_t n_groups;
        Host *hosts;
        size_t n_hosts, size_hosts;
        size_t *by_name, size_by_name; /* hash of host names: index + 1; 0: free */
        size_t group;                  /* of the section */
        Section section;
        Inventory *out;
        Err *err;
} Parser;

#define GROUP_ALL       0
#define GROUP_UNGROUPED 1

static int bad(Parser *p, unsigned line, int code, const char *fmt, ...) _printf_(4, 5);

static int bad(Parser *p, unsigned line, int code, const char *fmt, ...)
{
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return err_set(p->err, code, "%.100s:%u: %s", p->file, line, text);
}

static int no_memory(Parser *p)
{
        return err_set(p->err, -ENOMEM, "Out of memory for the inventory %.100s", p->file);
}

static int note(Parser *p, const char *fmt, ...) _printf_(2, 3);

static int note(Parser *p, const char *fmt, ...)
{
        Inventory *o = p->out;
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        for (size_t i = 0; i < o->n_notes; i++)
                if (strcmp(o->notes[i], text) == 0)
                        return 0;
        if (o->n_notes >= INVENTORY_NOTES_MAX)
                return 0;
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        o->notes[o->n_notes] = strdup(text);
        return o->notes[o->n_notes++] ? 0 : no_memory(p);
}

static void vars_done(Vars *v)
{
        for (size_t i = 0; i < VAR_COUNT; i++)
                free(v->value[i]);
}

static void parser_done(Parser *p)
{
        for (size_t i = 0; i < p->n_groups; i++) {
                vars_done(&p->groups[i].vars);
                free(p->groups[i].name);
        }
        for (size_t i = 0; i < p->n_hosts; i++) {
                vars_done(&p->hosts[i].vars);
                free(p->hosts[i].name);
        }
        free(p->groups);
        free(p->hosts);
        free(p->by_name);
        (void) inventory_free(p->out);
}

Inventory *inventory_free(Inventory *o)
{
        if (!o)
                return NULL;
        for (size_t i = 0; i < o->n_hosts; i++) {
                free(o->hosts[i].name);
                free(o->hosts[i].host);
                free(o->hosts[i].user);
                free(o->hosts[i].bridge);
                free(o->hosts[i].key);
                (void) inventory_names_free(o->hosts[i].groups);
        }
        free(o->hosts);
        (void) inventory_names_free(o->notes);
        free(o);
        return NULL;
}

/* ---- groups and hosts ---- */

/* @ret: index. */
static int group_get(Parser *p, const char *name, size_t *ret)
{
        for (size_t i = 0; i < p->n_groups; i++)
                if (strcmp(p->groups[i].name, name) == 0) {
                        *ret = i;
                        return 0;
                }
        if (p->n_groups >= INVENTORY_GROUPS_MAX)
                return bad(p, p->line, -E2BIG, "more than %d groups", INVENTORY_GROUPS_MAX);
        if (strlen(name) > INVENTORY_NAME_MAX)
                return bad(p, p->line, -EINVAL, "the name of the group \"%.40s...\" is too long", name);
        Group *g = &p->groups[p->n_groups];
        g->name = strdup(name);
        g->line = p->line;
        if (!g->name)
                return no_memory(p);
        *ret = p->n_groups++;
        return 0;
}

static void set_add(uint64_t *set, size_t what)
{
        set[what / 64] |= (uint64_t) 1 << (what % 64);
}

static bool set_has(const uint64_t *set, size_t what)
{
        return set[what / 64] >> (what % 64) & 1;
}

static size_t hash_name(const char *s)
{
        size_t h = 5381;
        for (; *s; s++)
                h = h * 33 + (unsigned char) *s;
        return h;
}

static int host_get(Parser *p, const char *name, size_t *ret)
{
        size_t slot = hash_name(name) % p->size_by_name;
        for (; p->by_name[slot]; slot = (slot + 1) % p->size_by_name)
                if (strcmp(p->hosts[p->by_name[slot] - 1].name, name) == 0) {
                        *ret = p->by_name[slot] - 1;
                        return 0;
                }
        if (p->n_hosts >= INVENTORY_HOSTS_MAX)
                return bad(p, p->line, -E2BIG, "more than %d hosts", INVENTORY_HOSTS_MAX);
        if (p->n_hosts == p->size_hosts) {
                size_t size = p->size_hosts ? p->size_hosts * 2 : 64;
                Host *hosts = realloc(p->hosts, size * sizeof(Host));
                if (!hosts)
                        return no_memory(p);
                p->hosts = hosts;
                p->size_hosts = size;
        }
        p->hosts[p->n_hosts] = (Host){ .name = strdup(name), .line = p->line };
        if (!p->hosts[p->n_hosts].name)
                return no_memory(p);
        p->by_name[slot] = p->n_hosts + 1;
        *ret = p->n_hosts++;
        return 0;
}

/* ---- variables ---- */

static bool var_find(const char *key, VarName *ret)
{
        for (int i = 0; i < VAR_COUNT; i++)
                if (strcmp(key, var_table[i].name) == 0 ||
                    (var_table[i].old && strcmp(key, var_table[i].old) == 0)) {
                        *ret = (VarName) i;
                        return true;
                }
        return false;
}

static int var_check(Parser *p, VarName var, const char *value)
{
        uint16_t port;
        const char *name = var_table[var].name;

        if (strstr(value, "{{") || strstr(value, "{%"))
                return bad(
                        p, p->line, -EINVAL,
                        "%s is the template \"%.60s\"; templates are not evaluated: write the value itself",
                        name, value);
        switch (var) {
        case VAR_HOST:
                if (!inventory_host_ok(value))
                        return bad(p, p->line, -EINVAL, "%s is \"%.60s\", expected a host name or an address",
                                   name, value);
                break;
        case VAR_USER:
                if (!inventory_user_ok(value))
                        return bad(p, p->line, -EINVAL,
                                   "%s is \"%.60s\", expected letters, digits and ._-+@\\", name, value);
                break;
        case VAR_PORT:
                if (!inventory_port(value, &port))
                        return bad(p, p->line, -EINVAL, "%s is \"%.60s\", expected a port from 1 to 65535",
                                   name, value);
                break;
        case VAR_BRIDGE:
                if (!*value || strlen(value) > INVENTORY_VALUE_MAX)
                        return bad(
                                p, p->line, -EINVAL,
                                "%s is %s, expected the command of the bridge, as \"sudo -n edge-roll bridge\"",
                                name, *value ? "too long" : "empty");
                if (!inventory_bridge_ok(value))
                        return bad(p, p->line, -EINVAL, "%s holds characters other than printable ASCII",
                                   name);
                break;
        case VAR_KEY:
                if (!inventory_key_ok(value))
                        return bad(p, p->line, -EINVAL,
                                   "%s is \"%.60s\", expected the absolute path of a key", name, value);
                break;
        case VAR_CONNECTION:
        case VAR_COUNT:
                break;
        }
        return 0;
}

static int var_set(Parser *p, Vars *vars, const char *key, const char *value)
{
        VarName var;

        if (!var_find(key, &var)) {
                for (size_t i = 0; i < ELEMENTS(vars_not_used); i++)
                        if (strcmp(key, vars_not_used[i]) == 0)
                                return note(
                                        p,
                                        "%.100s:%u: %s is not used: what ssh needs belongs into ssh_config",
                                        p->file, p->line, key);
                return 0;
        }
        int r = var_check(p, var, value);
        if (r < 0)
                return r;
        char *copy = strdup(value);
        if (!copy)
                return no_memory(p);
        free(vars->value[var]);
        vars->value[var] = copy;
        vars->line[var] = p->line;
        return 0;
}

/* ---- lines ---- */

/*
 * The next word of @rest as a shell would have it: quotes group, a backslash takes the next character as it
 * is, '#' begins a comment. Works in place. @ret: NULL at the end.
 */
static int next_word(Parser *p, char **rest, char **ret)
{
        char *in = *rest + strspn(*rest, BLANKS), *out = in;
        char quote = '\0';

        *ret = NULL;
        if (!*in || *in == '#') {
                *rest = in + strlen(in);
                return 0;
        }
        *ret = out;
        for (; *in && (quote || !strchr(BLANKS, *in)); in++) {
                if (!quote && *in == '#') {
                        *in = '\0';
                        break;
                }
                if (quote && *in == quote)
                        quote = '\0';
                else if (!quote && (*in == '\'' || *in == '"'))
                        quote = *in;
                else if (*in == '\\' && quote != '\'' && in[1] && (!quote || in[1] == '"' || in[1] == '\\'))
                        *out++ = *++in;
                else
                        *out++ = *in;
        }
        if (quote)
                return bad(p, p->line, -EINVAL, "a %c without its second one", quote);
        *rest = *in ? in + 1 : in;
        *out = '\0';
        return 0;
}

/* "name:22" to both; an IPv6 address has more than one colon. */
static int host_split_port(Parser *p, char *name, const char **ret_port)
{
        char *colon = strrchr(name, ':'), *bracket = strrchr(name, ']');
        uint16_t port;

        *ret_port = NULL;
        if (!colon || (bracket && bracket > colon))
                return 0;
        /* Colons within ranges do not count. */
        unsigned colons = 0, in_brackets = 0;
        for (const char *c = name; *c; c++) {
                in_brackets += *c == '[';
                in_brackets -= *c == ']' && in_brackets > 0;
                colons += *c == ':' && !in_brackets;
        }
        if (colons != 1)
                return 0;
        if (!inventory_port(colon + 1, &port))
                return bad(p, p->line, -EINVAL,
                           "\"%.60s\": behind the ':' a port from 1 to 65535 is expected", name);
        *colon = '\0';
        *ret_port = colon + 1;
        return 0;
}

/* Hosts of a line, then their variables. */
static int line_hosts(Parser *p, char *line)
{
        _cleanup_(inventory_names_freep) char **names = NULL;
        const char *port;
        char *word, *rest = line;
        Err why = { 0 };
        size_t n = 0;

        int r = next_word(p, &rest, &word);
        if (r < 0 || !word)
                return r;
        size_t len = strlen(word);
        if (len > 0 && word[len - 1] == ':')
                return bad(p, p->line, -EINVAL,
                           "\"%.60s\" looks like YAML; only the INI form of inventories is read", word);
        if (strchr(word, '='))
                return bad(
                        p, p->line, -EINVAL,
                        "\"%.60s\" is a variable; a line begins with a host, variables of a group stand in [GROUP:vars]",
                        word);
        r = host_split_port(p, word, &port);
        if (r >= 0 && inventory_expand(word, INVENTORY_HOSTS_MAX, &names, &why) < 0)
                r = bad(p, p->line, why.code, "%.300s", why.text);
        if (r < 0)
                return r;

        while (names[n])
                n++;
        _cleanup_(freep) size_t *hosts = calloc(n + 1, sizeof(*hosts));
        if (!hosts)
                return no_memory(p);
        for (size_t i = 0; i < n; i++) {
                if (!inventory_host_ok(names[i]))
                        return bad(
                                p, p->line, -EINVAL,
                                "\"%.60s\" cannot be the name of a host: letters, digits and .-_ are accepted",
                                names[i]);
                r = host_get(p, names[i], &hosts[i]);
                if (r < 0)
                        return r;
                set_add(p->groups[p->group].hosts, hosts[i]);
                if (port)
                        r = var_set(p, &p->hosts[hosts[i]].vars, var_table[VAR_PORT].name, port);
                if (r < 0)
                        return r;
        }
        for (;;) {
                r = next_word(p, &rest, &word);
                if (r < 0 || !word)
                        return r;
                char *equals = strchr(word, '=');
                if (!equals || equals == word)
                        return bad(p, p->line, -EINVAL,
                                   "\"%.60s\" is no variable; behind a host only NAME=VALUE is accepted",
                                   word);
                *equals = '\0';
                for (size_t i = 0; i < n; i++) {
                        r = var_set(p, &p->hosts[hosts[i]].vars, word, equals + 1);
                        if (r < 0)
                                return r;
                }
        }
}

static char *trim(char *s)
{
        s += strspn(s, BLANKS);
        size_t len = strlen(s);
        while (len > 0 && strchr(BLANKS, s[len - 1]))
                s[--len] = '\0';
        return s;
}

/* A comment behind a value, outside quotes; then the quotes around the whole value. */
static char *value_of(char *s)
{
        char quote = '\0';
        for (char *c = s; *c; c++) {
                if (quote)
                        quote = *c == quote ? '\0' : quote;
                else if (*c == '\'' || *c == '"')
                        quote = *c;
                else if (*c == '#' && (c == s || strchr(BLANKS, c[-1]))) {
                        *c = '\0';
                        break;
                }
        }
        s = trim(s);
        size_t len = strlen(s);
        if (len >= 2 && (*s == '"' || *s == '\'') && s[len - 1] == *s) {
                s[len - 1] = '\0';
                s++;
        }
        return s;
}

static int line_var(Parser *p, char *line)
{
        char *equals = strchr(line, '=');
        if (!equals)
                return bad(p, p->line, -EINVAL, "\"%.60s\": in [%.60s:vars] NAME=VALUE is expected", line,
                           p->groups[p->group].name);
        *equals = '\0';
        return var_set(p, &p->groups[p->group].vars, trim(line), value_of(trim(equals + 1)));
}

static int line_child(Parser *p, char *line)
{
        size_t child, len = strcspn(line, BLANKS "#");
        char *rest = line + len + strspn(line + len, BLANKS);

        if ((*rest && *rest != '#') || strcspn(line, ":=[]") < len)
                return bad(p, p->line, -EINVAL, "\"%.60s\": in [%.60s:children] one group a line is expected",
                           line, p->groups[p->group].name);
        line[len] = '\0';
        int r = group_get(p, line, &child);
        if (r < 0)
                return r;
        if (child == GROUP_ALL)
                return bad(p, p->line, -EINVAL, "all is in no other group");
        set_add(p->groups[p->group].children, child);
        return 0;
}

static int line_section(Parser *p, char *line)
{
        char *close = strchr(line, ']'), *rest = close ? close + 1 + strspn(close + 1, BLANKS) : NULL;

        if (!close || (*rest && *rest != '#' && *rest != ';'))
                return bad(p, p->line, -EINVAL,
                           "\"%.60s\" is no section; accepted: [GROUP], [GROUP:children], [GROUP:vars]",
                           line);
        *close = '\0';
        char *name = line + 1, *kind = strchr(name, ':');
        if (kind)
                *kind++ = '\0';
        if (!*name || strpbrk(name, BLANKS "=[") || strchr(kind ? kind : "", ':'))
                return bad(p, p->line, -EINVAL, "\"%.60s\" cannot be the name of a group", name);
        if (!kind)
                p->section = SECTION_HOSTS;
        else if (strcmp(kind, "children") == 0)
                p->section = SECTION_CHILDREN;
        else if (strcmp(kind, "vars") == 0)
                p->section = SECTION_VARS;
        else
                return bad(p, p->line, -EINVAL, "[%.60s:%.60s]: behind the ':' children or vars is expected",
                           name, kind);
        int r = group_get(p, name, &p->group);
        if (r >= 0 && p->section != SECTION_VARS)
                p->groups[p->group].declared = true;
        return r;
}

static int parse_line(Parser *p, char *line)
{
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
                line[--len] = '\0';
        line = trim(line);
        if (!*line || *line == '#' || *line == ';')
                return 0;
        if (strcmp(line, "---") == 0 || *line == '{')
                return bad(p, p->line, -EINVAL,
                           "this looks like YAML or JSON; only the INI form of inventories is read");
        if (*line == '[')
                return line_section(p, line);
        switch (p->section) {
        case SECTION_HOSTS:
                return line_hosts(p, line);
        case SECTION_CHILDREN:
                return line_child(p, line);
        case SECTION_VARS:
                return line_var(p, line);
        }
        return 0;
}

static int parse_text(Parser *p, const char *text, size_t len)
{
        char line[INVENTORY_LINE_MAX + 1];

        if (len > INVENTORY_MAX)
                return err_set(p->err, -E2BIG, "%.100s has %zu bytes, at most %d are read", p->file, len,
                               INVENTORY_MAX);
        if (len >= 2 && memcmp(text, "#!", 2) == 0)
                return bad(
                        p, 1, -EINVAL,
                        "this is a program; only inventory files are read (ansible-inventory can write one)");
        if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
                text += 3;
                len -= 3;
        }
        for (const char *end = text + len; text < end;) {
                const char *eol = memchr(text, '\n', (size_t) (end - text));
                size_t n = (size_t) ((eol ? eol : end) - text);
                p->line++;
                if (n > INVENTORY_LINE_MAX)
                        return bad(p, p->line, -E2BIG, "a line of %zu bytes, at most %d are read", n,
                                   INVENTORY_LINE_MAX);
                if (memchr(text, '\0', n))
                        return bad(p, p->line, -EINVAL, "a NUL byte: this is no text");
                memcpy(line, text, n);
                line[n] = '\0';
                int r = parse_line(p, line);
                if (r < 0)
                        return r;
                text += n + 1;
        }
        return 0;
}

/* ---- the whole ---- */

static int check_declared(Parser *p)
{
        for (size_t i = 0; i < p->n_groups; i++)
                if (!p->groups[i].declared)
                        return bad(p, p->groups[i].line, -EINVAL,
                                   "there is no group \"%.60s\"; it needs a section [%.60s]",
                                   p->groups[i].name, p->groups[i].name);
        return 0;
}

/* How far below `all` a group is, by the longest way; a way that leads back to itself is an error. */
static int sink(Parser *p, size_t at, unsigned depth)
{
        Group *g = &p->groups[at];
        if (g->mark == 1)
                return bad(p, g->line, -EINVAL, "the group \"%.60s\" is among its own children", g->name);
        if (depth > INVENTORY_DEPTH_MAX)
                return bad(p, g->line, -E2BIG, "groups nested deeper than %d levels", INVENTORY_DEPTH_MAX);
        if (g->mark == 2 && g->depth >= depth)
                return 0;
        g->depth = MAX(g->depth, depth);
        g->mark = 1;
        for (size_t i = 0; i < p->n_groups; i++) {
                int r = set_has(g->children, i) ? sink(p, i, depth + 1) : 0;
                if (r < 0)
                        return r;
        }
        g->mark = 2;
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The later wins: outer before inner, equals by name. */
static int compare_groups(const void *a, const void *b)
{
        const Group *x = *(Group *const *) a, *y = *(Group *const *) b;
        if (x->depth != y->depth)
                return x->depth < y->depth ? -1 : 1;
        return strcmp(x->name, y->name);
}

/* Who is in a group's children is in the group. @sorted: outer before inner. */
static void spread(Parser *p, Group *const *sorted)
{
        for (size_t i = p->n_groups; i > 0; i--) {
                Group *g = sorted[i - 1];
                for (size_t c = 0; c < p->n_groups; c++)
                        for (size_t w = 0; set_has(g->children, c) && w < ELEMENTS(g->hosts); w++)
                                g->hosts[w] |= p->groups[c].hosts[w];
        }
}

/* @groups: those it is in, in the order in which they count. */
static const char *var_get(const Host *h, Group *const *groups, size_t n, VarName var)
{
        if (h->vars.value[var])
                return h->vars.value[var];
        for (size_t i = n; i > 0; i--)
                if (groups[i - 1]->vars.value[var])
                        return groups[i - 1]->vars.value[var];
        return NULL;
}

static int copy_text(Parser *p, const char *text, char **ret)
{
        if (!text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : no_memory(p);
}

static int emit_connection(Parser *p, const Host *h, const char *connection, InventoryHost *o)
{
        if (!connection)
                return 0;
        o->local = strcmp(connection, "local") == 0;
        if (o->local)
                return note(p, "%.60s has ansible_connection=local: it is reached by ssh like any other",
                            h->name);
        if (strcmp(connection, "ssh") != 0 && strcmp(connection, "smart") != 0 &&
            strcmp(connection, "paramiko") != 0 && strcmp(connection, "paramiko_ssh") != 0)
                return note(p, "%.60s has ansible_connection=%.40s: it is reached by ssh all the same",
                            h->name, connection);
        return 0;
}

/* @sorted: all groups; @in: room for as many. */
static int emit_host(Parser *p, size_t at, Group *const *sorted, Group **in)
{
        const Host *h = &p->hosts[at];
        InventoryHost *o = &p->out->hosts[p->out->n_hosts++];
        size_t n = 0, named = 0;

        for (size_t i = 0; i < p->n_groups; i++)
                if (sorted[i] == &p->groups[GROUP_ALL] || set_has(sorted[i]->hosts, at))
                        in[n++] = sorted[i];
        o->line = h->line;
        o->groups = calloc(n + 1, sizeof(char *));
        if (!o->groups)
                return no_memory(p);
        for (size_t i = 0; i < n; i++) {
                if (in[i] == &p->groups[GROUP_ALL] || in[i] == &p->groups[GROUP_UNGROUPED])
                        continue;
                int r = copy_text(p, in[i]->name, &o->groups[named++]);
                if (r < 0)
                        return r;
        }
        qsort(o->groups, named, sizeof(char *), compare_names);

        int r = copy_text(p, h->name, &o->name);
        if (r >= 0)
                r = copy_text(p, var_get(h, in, n, VAR_HOST), &o->host);
        if (r >= 0)
                r = copy_text(p, var_get(h, in, n, VAR_USER), &o->user);
        if (r >= 0)
                r = copy_text(p, var_get(h, in, n, VAR_BRIDGE), &o->bridge);
        if (r >= 0)
                r = copy_text(p, var_get(h, in, n, VAR_KEY), &o->key);
        const char *port = var_get(h, in, n, VAR_PORT);
        if (r >= 0 && port)
                (void) inventory_port(port, &o->port);
        return r < 0 ? r : emit_connection(p, h, var_get(h, in, n, VAR_CONNECTION), o);
}

static int emit(Parser *p)
{
        _cleanup_(freep) Group **sorted = calloc(p->n_groups + 1, sizeof(Group *));
        _cleanup_(freep) Group **in = calloc(p->n_groups + 1, sizeof(Group *));
        p->out->hosts = calloc(p->n_hosts + 1, sizeof(InventoryHost));
        if (!sorted || !in || !p->out->hosts)
                return no_memory(p);

        int r = sink(p, GROUP_ALL, 0);
        for (size_t i = GROUP_ALL + 1; i < p->n_groups && r >= 0; i++)
                r = sink(p, i, 1);
        for (size_t i = 0; i < p->n_groups; i++)
                sorted[i] = &p->groups[i];
        qsort(sorted, p->n_groups, sizeof(*sorted), compare_groups);
        if (r >= 0)
                spread(p, sorted);
        for (size_t i = 0; i < p->n_hosts && r >= 0; i++)
                r = emit_host(p, i, sorted, in);
        return r;
}

static int parser_init(Parser *p)
{
        size_t ignored;
        p->size_by_name = (size_t) INVENTORY_HOSTS_MAX * 2 + 1;
        p->groups = calloc(INVENTORY_GROUPS_MAX, sizeof(Group));
        p->by_name = calloc(p->size_by_name, sizeof(size_t));
        p->out = calloc(1, sizeof(*p->out));
        if (p->out)
                p->out->notes = calloc(INVENTORY_NOTES_MAX + 1, sizeof(char *));
        if (!p->groups || !p->by_name || !p->out || !p->out->notes)
                return no_memory(p);
        int r = group_get(p, "all", &ignored);
        if (r >= 0)
                r = group_get(p, "ungrouped", &ignored);
        if (r < 0)
                return r;
        p->groups[GROUP_ALL].declared = p->groups[GROUP_UNGROUPED].declared = true;
        p->group = GROUP_UNGROUPED;
        return 0;
}

int inventory_parse(const char *text, size_t len, const char *file, Inventory **ret, Err *err)
{
        _cleanup_(parser_done) Parser p = { .file = file, .section = SECTION_HOSTS, .err = err };

        int r = parser_init(&p);
        if (r >= 0)
                r = parse_text(&p, text, len);
        if (r >= 0)
                r = check_declared(&p);
        if (r >= 0 && p.n_hosts == 0)
                r = err_set(err, -EINVAL, "%.100s names no host", file);
        if (r >= 0)
                r = emit(&p);
        if (r >= 0)
                *ret = TAKE_PTR(p.out);
        return r;
}
