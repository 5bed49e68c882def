/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/nodes.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"

#define NODES_NOTES_MAX 64

static int nodes_no_memory(Err *err)
{
        return err_set(err, -ENOMEM, "Out of memory for the list of nodes");
}

static int nodes_note(Nodes *n, const char *fmt, ...) _printf_(2, 3);

static int nodes_note(Nodes *n, const char *fmt, ...)
{
        char text[400];
        size_t have = 0;
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        while (n->notes[have])
                have++;
        if (have >= NODES_NOTES_MAX)
                return 0;
        n->notes[have] = strdup(text);
        return n->notes[have] ? 0 : -ENOMEM;
}

int nodes_new(Nodes **ret, const char *source, Err *err)
{
        _cleanup_(nodes_freep) Nodes *n = calloc(1, sizeof(*n));
        if (n)
                n->notes = calloc(NODES_NOTES_MAX + 1, sizeof(char *));
        if (!n || !n->notes)
                return nodes_no_memory(err);
        (void) snprintf(n->source, sizeof(n->source), "%s", source);
        *ret = TAKE_PTR(n);
        return 0;
}

static void node_done(Node *node)
{
        free(node->name);
        free(node->host);
        free(node->user);
        free(node->bridge);
        free(node->key);
        (void) inventory_names_free(node->groups);
}

Nodes *nodes_free(Nodes *n)
{
        if (!n)
                return NULL;
        for (size_t i = 0; i < n->n; i++)
                node_done(&n->nodes[i]);
        free(n->nodes);
        (void) inventory_names_free(n->notes);
        free(n->datastores);
        free(n);
        return NULL;
}

Node *nodes_find(const Nodes *n, const char *name)
{
        for (size_t i = 0; i < n->n; i++)
                if (strcmp(n->nodes[i].name, name) == 0)
                        return &n->nodes[i];
        return NULL;
}

/* A new node, selected, reached by its name. @ret: valid until the next one is added. */
static int nodes_add(Nodes *n, const char *name, const char *host, Node **ret, Err *err)
{
        if (n->n >= NODES_MAX)
                return err_set(err, -E2BIG, "More than %d nodes", NODES_MAX);
        if (n->n == n->size) {
                size_t size = n->size ? 2 * n->size : 16;
                Node *nodes = realloc(n->nodes, size * sizeof(Node));
                if (!nodes)
                        return nodes_no_memory(err);
                n->nodes = nodes;
                n->size = size;
        }
        Node *node = &n->nodes[n->n];
        *node = (Node){ .name = strdup(name), .host = strdup(host), .groups = calloc(1, sizeof(char *)) };
        if (!node->name || !node->host || !node->groups) {
                node_done(node);
                return nodes_no_memory(err);
        }
        node->selected = true;
        n->n++;
        *ret = node;
        return 0;
}

int nodes_add_member(Nodes *n, const char *name, Err *err)
{
        Node *node = nodes_find(n, name);
        if (node)
                return err_set(err, -EEXIST, "%.100s is known already", name);
        if (!inventory_host_ok(name))
                return err_set(err, -EINVAL, "\"%.60s\" is no name of a host", name);
        int r = nodes_add(n, name, name, &node, err);
        if (r >= 0)
                node->selected = false;
        return r;
}

/* ---- names on the command line ---- */

typedef struct Word {
        char text[600];
        const char *user, *host;
        uint16_t port;
} Word;

typedef struct Pattern {
        const char *text;
        bool glob;
} Pattern;

static bool pattern_fits(const Pattern *p, const char *what)
{
        return p->glob ? fnmatch(p->text, what, 0) == 0 : strcmp(p->text, what) == 0;
}

static bool pattern_matches(const Pattern *p, const Node *node)
{
        if (strcmp(p->text, "all") == 0 || pattern_fits(p, node->name) || pattern_fits(p, node->host))
                return true;
        for (size_t i = 0; node->groups[i]; i++)
                if (pattern_fits(p, node->groups[i]))
                        return true;
        for (size_t i = 0; i < node->n_servers; i++)
                if (*node->servers[i].uuid && pattern_fits(p, node->servers[i].uuid))
                        return true;
        return strcmp(p->text, "ungrouped") == 0 && !node->groups[0] && node->n_servers == 0;
}

/* "r[1:3]" is a range, where a shell sees one of '1', ':' and '3'. */
static bool word_is_range(const char *word)
{
        for (const char *c = strchr(word, '['); c; c = strchr(c + 1, '['))
                if (memchr(c, ':', strcspn(c, "]")))
                        return true;
        return false;
}

/* Return: true: it is a name, a group or a pattern of what is there, and those are selected. */
static bool word_chooses(Nodes *n, const char *word)
{
        const Pattern p = { .text = word, .glob = strpbrk(word, "*?[") && !word_is_range(word) };
        bool any = false;
        for (size_t i = 0; i < n->n; i++)
                if (pattern_matches(&p, &n->nodes[i]))
                        n->nodes[i].selected = any = true;
        return any;
}

/* "user@r[1:3]:22" to its parts; the host may still be a range. */
static int word_split(Word *w, const char *option, Err *err)
{
        char *at = strrchr(w->text, '@');
        w->user = NULL;
        w->host = w->text;
        w->port = 0;
        if (at) {
                *at = '\0';
                w->user = w->text;
                w->host = at + 1;
                if (!inventory_user_ok(w->user))
                        return err_set(
                                err, -EINVAL,
                                "%s: \"%.60s\" cannot be a user: letters, digits and ._-+@\\ are accepted",
                                option, w->user);
        }
        /* A port follows the only colon outside of a range; an IPv6 address has more of them. */
        char *host = w->text + (w->host - w->text), *colon = NULL;
        unsigned colons = 0, inside = 0;
        for (char *c = host; *c; c++) {
                inside += *c == '[';
                inside -= *c == ']' && inside > 0;
                if (*c == ':' && !inside) {
                        colons++;
                        colon = c;
                }
        }
        if (colons == 1) {
                *colon = '\0';
                if (!inventory_port(colon + 1, &w->port))
                        return err_set(err, -EINVAL, "%s: \"%.40s\" is no port from 1 to 65535", option,
                                       colon + 1);
        }
        return 0;
}

static int nodes_add_word(Nodes *n, Word *w, const char *option, Err *err)
{
        _cleanup_(inventory_names_freep) char **names = NULL;
        int r = word_split(w, option, err);
        if (r < 0)
                return r;
        r = inventory_expand(w->host, NODES_MAX, &names, err);
        if (r < 0)
                return err_prefix(err, r, "%s", option);
        for (size_t i = 0; names[i]; i++) {
                if (!inventory_host_ok(names[i]))
                        return err_set(err, -EINVAL,
                                       "%s: \"%.60s\" cannot be the name of a host; accepted: r1,r2, "
                                       "admin@r1:22, r[01:12]",
                                       option, names[i]);
                Node *node = nodes_find(n, names[i]);
                r = node ? 0 : nodes_add(n, names[i], names[i], &node, err);
                if (r < 0)
                        return r;
                node->selected = node->named = true;
                if (w->port)
                        node->port = w->port;
                if (w->user) {
                        char *user = strdup(w->user);
                        if (!user)
                                return nodes_no_memory(err);
                        free(node->user);
                        node->user = user;
                }
        }
        return 0;
}

/* @patterns: a word is first looked for among the nodes and groups that are there. */
static int words_each(Nodes *n, const char *option, const char *words, bool patterns, Err *err)
{
        Word w;
        size_t found = 0;

        for (size_t i = 0; i < n->n; i++)
                n->nodes[i].selected = false;
        for (const char *p = words; *p;) {
                size_t len = strcspn(p, ",");
                const char *next = p + len + (p[len] == ',');
                while (len > 0 && strchr(" \t\n", *p)) {
                        p++;
                        len--;
                }
                while (len > 0 && strchr(" \t\n", p[len - 1]))
                        len--;
                if (len >= sizeof(w.text))
                        return err_set(err, -EINVAL, "%s: a name of %zu characters", option, len);
                (void) snprintf(w.text, sizeof(w.text), "%.*s", (int) len, p);
                p = next;
                if (len == 0)
                        continue;
                found++;
                if (patterns && word_chooses(n, w.text))
                        continue;
                int r = nodes_add_word(n, &w, option, err);
                if (r < 0)
                        return r;
        }
        if (found == 0)
                return err_set(err, -EINVAL, "%s names no node; accepted: r1,r2, admin@r1:22, r[01:12]",
                               option);
        return 0;
}

int nodes_add_words(Nodes *n, const char *words, Err *err)
{
        return words_each(n, "--nodes", words, false, err);
}

int nodes_choose(Nodes *n, const char *option, const char *words, Err *err)
{
        return words_each(n, option, words, true, err);
}

/* ---- an inventory ---- */

static int node_copy(const char *text, char **ret, Err *err)
{
        if (!text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : nodes_no_memory(err);
}

static int nodes_add_host(Nodes *n, const InventoryHost *h, Err *err)
{
        size_t groups = 0;
        Node *node;
        if (nodes_find(n, h->name))
                return 0;
        int r = nodes_add(n, h->name, h->host ? h->host : h->name, &node, err);
        if (r >= 0)
                r = node_copy(h->user, &node->user, err);
        if (r >= 0)
                r = node_copy(h->bridge, &node->bridge, err);
        if (r >= 0)
                r = node_copy(h->key, &node->key, err);
        if (r < 0)
                return r;
        node->port = h->port;
        node->local = h->local;
        while (h->groups[groups])
                groups++;
        (void) inventory_names_free(node->groups);
        node->groups = calloc(groups + 1, sizeof(char *));
        if (!node->groups)
                return nodes_no_memory(err);
        for (size_t i = 0; i < groups && r >= 0; i++)
                r = node_copy(h->groups[i], &node->groups[i], err);
        return r;
}

int nodes_add_inventory(Nodes *n, const Inventory *inventory, Err *err)
{
        for (size_t i = 0; i < inventory->n_hosts; i++) {
                int r = nodes_add_host(n, &inventory->hosts[i], err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < inventory->n_notes; i++)
                if (nodes_note(n, "%s", inventory->notes[i]) < 0)
                        return nodes_no_memory(err);
        return 0;
}

static int nodes_slurp(const char *path, char **ret, size_t *ret_len, Err *err)
{
        /* Not blocking: a pipe without a writer would be waited for. */
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "Cannot read the inventory %.200s", path);
        if (S_ISDIR(st.st_mode))
                return err_set(err, -EISDIR, "The inventory %.200s is a directory; name one file of it",
                               path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, -EINVAL, "The inventory %.200s is no ordinary file", path);
        _cleanup_(freep) char *text = malloc(INVENTORY_MAX + 1);
        size_t len = 0;
        if (!text)
                return nodes_no_memory(err);
        for (;;) {
                ssize_t got = read(fd, text + len, INVENTORY_MAX + 1 - len);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_errno(err, -errno, "Cannot read the inventory %.200s", path);
                len += (size_t) got;
                if (got == 0 || len > INVENTORY_MAX)
                        break;
        }
        *ret = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

int nodes_read_inventory(Nodes *n, const char *path, Err *err)
{
        _cleanup_(inventory_freep) Inventory *inventory = NULL;
        _cleanup_(freep) char *text = NULL;
        size_t len = 0;

        int r = nodes_slurp(path, &text, &len, err);
        if (r >= 0)
                r = inventory_parse(text, len, path, &inventory, err);
        return r < 0 ? r : nodes_add_inventory(n, inventory, err);
}

/* ---- the Management Server ---- */

static Node *nodes_find_host(const Nodes *n, const char *host)
{
        for (size_t i = 0; *host && i < n->n; i++)
                if (strcasecmp(n->nodes[i].host, host) == 0)
                        return &n->nodes[i];
        return NULL;
}

static int nodes_add_datastore(Nodes *n, const Server *s, Err *err)
{
        NodesDatastore *more = realloc(n->datastores, (n->n_datastores + 1) * sizeof(NodesDatastore));
        if (!more)
                return nodes_no_memory(err);
        n->datastores = more;
        NodesDatastore *d = &more[n->n_datastores++];
        *d = (NodesDatastore){
                .has_up = s->has_up || s->has_reachable,
                .up = (s->up || !s->has_up) && (s->reachable || !s->has_reachable),
        };
        (void) snprintf(d->name, sizeof(d->name), "%.79s", *s->address ? s->address : s->hostname);
        (void) snprintf(d->types, sizeof(d->types), "%s", s->types);
        (void) snprintf(d->region, sizeof(d->region), "%s", s->region);
        return 0;
}

static int nodes_add_server(Nodes *n, const Server *s, Err *err)
{
        const char *host = *s->address ? s->address : s->hostname;
        if (!*host)
                return nodes_note(
                               n,
                               "%s %.63s has neither an address nor a host name that others can reach, it is "
                               "left out",
                               s->types, *s->uuid ? s->uuid : "without id") < 0
                               ? nodes_no_memory(err)
                               : 0;
        /* An inventory may know it by another name: by its address, or by its host name. */
        Node *node = nodes_find_host(n, host);
        if (!node)
                node = nodes_find_host(n, s->hostname);
        if (!node) {
                const char *name = *s->hostname && !nodes_find(n, s->hostname) ? s->hostname : host;
                int r = nodes_add(n, name, host, &node, err);
                if (r < 0)
                        return r;
        }
        if (node->n_servers == NODES_SERVERS_MAX)
                return nodes_note(n, "%.80s has more than %d servers; the rest is not looked at", node->name,
                                  NODES_SERVERS_MAX) < 0
                               ? nodes_no_memory(err)
                               : 0;
        NodeServer *o = &node->servers[node->n_servers++];
        *o = (NodeServer){
                .is_router = s->is_router,
                .is_mp = s->is_mp,
                .has_up = s->has_up || s->has_reachable,
                .up = (s->up || !s->has_up) && (s->reachable || !s->has_reachable),
        };
        (void) snprintf(o->uuid, sizeof(o->uuid), "%s", s->uuid);
        (void) snprintf(o->region, sizeof(o->region), "%s", s->region);
        (void) snprintf(o->pod, sizeof(o->pod), "%s", s->pod);
        return 0;
}

int nodes_add_servers(Nodes *n, const Servers *servers, Err *err)
{
        for (size_t i = 0; i < servers->n; i++) {
                const Server *s = &servers->rows[i];
                int r = 0;
                if (s->is_router || s->is_mp)
                        r = nodes_add_server(n, s, err);
                else if (s->is_datastore)
                        r = nodes_add_datastore(n, s, err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < servers->n_notes; i++)
                if (nodes_note(n, "%s", servers->notes[i]) < 0)
                        return nodes_no_memory(err);
        return 0;
}

/* ---- what the source says of a node ---- */

/* Whole words, with '-', '_' and '.' between them. */
static bool group_says(const char *group, const char *const *words)
{
        for (const char *p = group; *p;) {
                size_t len = strcspn(p, "-_.");
                for (size_t i = 0; words[i]; i++)
                        if (strlen(words[i]) == len && strncasecmp(words[i], p, len) == 0)
                                return true;
                p += len;
                p += strspn(p, "-_.");
        }
        return false;
}

static void groups_say(const Node *node, bool *router, bool *mp)
{
        static const char *const routers[] = { "router", "routers", "rtr", NULL };
        static const char *const mps[] = { "mp", "mps", "processor", "processors", NULL };
        static const char *const both[] = { "rmp", "rmps", NULL };
        for (size_t i = 0; node->groups[i]; i++) {
                bool rmp = group_says(node->groups[i], both);
                *router |= rmp || group_says(node->groups[i], routers);
                *mp |= rmp || group_says(node->groups[i], mps);
        }
}

NodeHint nodes_hint(const Node *node, const char *component)
{
        bool is_router = strcmp(component, "router") == 0,
             is_mp = strcmp(component, "message-processor") == 0;
        bool router = false, mp = false;

        if (!is_router && !is_mp)
                return NODE_HINT_NONE;
        for (size_t i = 0; i < node->n_servers; i++) {
                router |= node->servers[i].is_router;
                mp |= node->servers[i].is_mp;
        }
        if (node->n_servers == 0)
                groups_say(node, &router, &mp);
        if (!router && !mp)
                return NODE_HINT_NONE;
        return (is_router ? router : mp) ? NODE_HINT_YES : NODE_HINT_NO;
}

const NodeServer *nodes_server(const Node *node, const char *component)
{
        bool is_router = strcmp(component, "router") == 0,
             is_mp = strcmp(component, "message-processor") == 0;
        for (size_t i = 0; i < node->n_servers; i++)
                if ((is_router && node->servers[i].is_router) || (is_mp && node->servers[i].is_mp))
                        return &node->servers[i];
        return NULL;
}

const char *nodes_reach(const Node *node, char *buf, size_t size)
{
        char port[16] = "";
        if (node->port)
                (void) snprintf(port, sizeof(port), "-p %u ", node->port);
        (void) snprintf(buf, size, "ssh %s%s%s%s%s%s%s", node->key ? "-i " : "", node->key ? node->key : "",
                        node->key ? " " : "", port, node->user ? node->user : "", node->user ? "@" : "",
                        node->host);
        return buf;
}

static bool same_name(const char *a, const char *b)
{
        size_t la = strcspn(a, "."), lb = strcspn(b, ".");
        Addr addr;
        if (strcasecmp(a, b) == 0)
                return true;
        /* "r1" is "r1.example.com", but of two long names both must be whole, and addresses have no short
         * form. */
        if (addr_parse(a, &addr) || addr_parse(b, &addr) || (a[la] && b[lb]))
                return false;
        return la == lb && strncasecmp(a, b, la) == 0;
}

bool nodes_same_host(const Node *node, const char *name, const char *address)
{
        if (name && *name && (same_name(node->name, name) || same_name(node->host, name)))
                return true;
        return address && *address &&
               (strcasecmp(node->host, address) == 0 || strcasecmp(node->name, address) == 0);
}

/* ---- selection ---- */

static void nodes_show_names(const Nodes *n, char *buf, size_t size)
{
        size_t len = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < n->n && len + 40 < size; i++) {
                if (i == 8) {
                        (void) snprintf(buf + len, size - len, " and %zu more", n->n - i);
                        return;
                }
                len += (size_t) snprintf(buf + len, size - len, "%s%.30s", i ? ", " : "", n->nodes[i].name);
        }
}

/* Mark in @hit all nodes that a list of patterns means. */
static int patterns_apply(Nodes *n, const char *option, const char *list, bool *hit, Err *err)
{
        _cleanup_(freep) char *copy = strdup(list);
        char *rest = copy, *word;
        char known[300];
        size_t words = 0;

        if (!copy)
                return nodes_no_memory(err);
        while ((word = strsep(&rest, ",")) != NULL) {
                word += strspn(word, " \t\n");
                word[strcspn(word, " \t\n")] = '\0';
                if (!*word)
                        continue;
                Pattern p = { .text = word, .glob = strpbrk(word, "*?[") != NULL };
                bool any = false;
                for (size_t i = 0; i < n->n; i++)
                        if (pattern_matches(&p, &n->nodes[i])) {
                                hit[i] = any = true;
                                if (!p.glob && strcmp(word, n->nodes[i].name) == 0)
                                        n->nodes[i].named |= strcmp(option, "--limit") == 0;
                        }
                nodes_show_names(n, known, sizeof(known));
                if (!any)
                        return err_set(
                                err, -EINVAL,
                                "%s: \"%.60s\" is no node, no group and no server of %.80s, and as a pattern "
                                "it matches none; there are: %s",
                                option, word, n->source, known);
                words++;
        }
        if (words == 0)
                return err_set(err, -EINVAL,
                               "%s is empty; accepted: names, groups and patterns like 'r*', "
                               "with commas between them",
                               option);
        return 0;
}

/* Is it known to be elsewhere? A server whose region is not said is not. */
static bool node_elsewhere(const Node *node, const char *region, const char *pod)
{
        for (size_t i = 0; i < node->n_servers; i++) {
                const NodeServer *s = &node->servers[i];
                if ((!region || !*s->region || strcmp(s->region, region) == 0) &&
                    (!pod || !*s->pod || strcmp(s->pod, pod) == 0))
                        return false;
        }
        return node->n_servers > 0;
}

int nodes_select(Nodes *n, const NodesFilter *filter, Err *err)
{
        _cleanup_(freep) bool *limit = calloc(n->n + 1, sizeof(bool));
        _cleanup_(freep) bool *exclude = calloc(n->n + 1, sizeof(bool));
        size_t left = 0;

        if (!limit || !exclude)
                return nodes_no_memory(err);
        int r = filter->limit ? patterns_apply(n, "--limit", filter->limit, limit, err) : 0;
        if (r >= 0 && filter->exclude)
                r = patterns_apply(n, "--exclude", filter->exclude, exclude, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n->n; i++) {
                Node *node = &n->nodes[i];
                node->selected = node->selected && (!filter->limit || limit[i]) && !exclude[i] &&
                                 !node_elsewhere(node, filter->region, filter->pod);
                left += node->selected;
        }
        if (left == 0 && n->n == 0)
                return err_set(err, -EINVAL, "%.200s names no router and no message processor", n->source);
        if (left == 0)
                return err_set(err, -EINVAL, "Nothing is left of the %zu nodes of %.200s%s%s%s%s", n->n,
                               n->source, filter->limit ? " behind --limit" : "",
                               filter->exclude ? " behind --exclude" : "",
                               filter->region ? " behind --region" : "", filter->pod ? " behind --pod" : "");
        return 0;
}
