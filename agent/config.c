/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <ini.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/bound.h"
#include "agent/lock-spec.h"
#include "agent/needed-files.h"
#include "agent/served.h"
#include "base/addr.h"
#include "base/secret.h"
#include "base/text.h"
#include "drain/block.h"

#define CONFIG_FILE_LINES 10000 /* a file with more is none of ours */
#define CONFIG_NAME_LEN   32    /* of a component: it is part of unit names, file names and bus paths */

/*
 * One assignment as it was read; a key set again later in the order of the files wins. An entry without key
 * is the head of a section, kept for the place of errors about the section as a whole.
 */
typedef struct ConfigOrigin {
        char *section;
        char *key;
        char *value;
        char *file;
        unsigned line;
} ConfigOrigin;

typedef enum KeyType {
        TYPE_TEXT,
        TYPE_NAMES, /* component names */
        TYPE_WORDS,
        TYPE_UNITS,
        TYPE_PATH,
        TYPE_PATHS,
        TYPE_PATTERNS, /* paths, with wildcards in the last part */
        TYPE_CERTIFICATES,
        TYPE_ADDRESSES, /* and the word auto */
        TYPE_URL,
        TYPE_COMMAND, /* "", "auto" or a command line */
        TYPE_PORT,    /* one, or auto */
        TYPE_PORTS,
        TYPE_USEC,
        TYPE_COUNT,
        TYPE_CHOICE, /* an int: the index in `choices` */
        TYPE_SWITCH, /* a bool: `choices` has the words for false and for true */
} KeyType;

typedef struct Key {
        const char *name;
        KeyType type;
        bool may_be_empty;
        bool may_be_auto;
        bool may_have_user; /* TYPE_URL: it is not shown then */
        size_t offset;
        const char *value[KIND_COUNT]; /* default; [component]: by kind; elsewhere the first */
        const char *what;
        const char *const *choices; /* NULL-terminated */
        bool (*valid)(
                const char *text); /* TYPE_TEXT: NULL, or whether it is one; then `accepts` says what is */
        const char *accepts;
        Usec min, max; /* durations and counts */
} Key;

static const char *const kind_names[] = { [KIND_ROUTER] = "router", [KIND_MP] = "message-processor", NULL };
static const char *const persistent_names[] = {
        [PERSISTENT_CLOSE] = "close",
        [PERSISTENT_WAIT] = "wait",
        [PERSISTENT_GIVE_BACK] = "give-back",
        NULL,
};
static const char *const at_cap_names[] = {
        [AT_CAP_GIVE_BACK] = "give-back", [AT_CAP_GO_ON] = "go-on", NULL
};
static const char *const targets_source_names[] = {
        [TARGETS_AUTO] = "auto", [TARGETS_OFF] = "off", [TARGETS_FILES] = "files", [TARGETS_API] = "api", NULL
};
static const char *const tcp_tls[] = { "tcp", "tls", NULL };
static const char *const monit_stop_names[] = {
        [MONIT_STOP_AUTO] = "auto", [MONIT_STOP_YES] = "yes", [MONIT_STOP_NO] = "no", NULL
};
static const char *const block_names[] = {
        [BLOCK_WHOLE] = "whole",
        [BLOCK_SYN] = "syn",
        [BLOCK_ROUTERS] = "routers",
        [BLOCK_AUTO] = "auto",
        NULL,
};
static const char *const mp_leave_names[] = {
        [MP_LEAVE_BLOCK] = "block", [MP_LEAVE_GRACEFUL] = "graceful", [MP_LEAVE_AUTO] = "auto", NULL
};
static const char *const tls_names[] = { [TLS_NO] = "no", [TLS_YES] = "yes", [TLS_AUTO] = "auto", NULL };
static const char *const owner_names[] = {
        [BLOCK_OWNER_NONE] = "none",
        [BLOCK_OWNER_SOCKET] = "owner",
        [BLOCK_OWNER_PERSIST] = "auto",
        NULL,
};
static const char *const off_auto[] = { "off", "auto", NULL };
static const char *const off_on[] = { "off", "on", NULL };
_Static_assert(ELEMENTS(kind_names) == KIND_COUNT + 1, "every kind has a name");
_Static_assert(ELEMENTS(persistent_names) == PERSISTENT_COUNT + 1, "every value of persistent has a name");
_Static_assert(ELEMENTS(at_cap_names) == AT_CAP_COUNT + 1, "every value of at_cap has a name");
_Static_assert(ELEMENTS(targets_source_names) == TARGETS_SOURCE_COUNT + 1,
               "every value of source has a name");
_Static_assert(ELEMENTS(monit_stop_names) == MONIT_STOP_COUNT + 1, "every value of stop has a name");
_Static_assert(ELEMENTS(block_names) == BLOCK_KIND_COUNT + 1, "every kind of block has a name");
_Static_assert(ELEMENTS(mp_leave_names) == MP_LEAVE_COUNT + 1, "every value of mp_leave has a name");
_Static_assert(ELEMENTS(tls_names) == TLS_COUNT + 1, "every value of tls has a name");
_Static_assert(ELEMENTS(owner_names) == BLOCK_OWNER_COUNT + 1, "every owner has a name");
_Static_assert(sizeof(ComponentKind) == sizeof(int) && sizeof(Persistent) == sizeof(int) &&
                       sizeof(AtCap) == sizeof(int) && sizeof(MonitStop) == sizeof(int) &&
                       sizeof(TargetsSource) == sizeof(int) && sizeof(BlockKind) == sizeof(int) &&
                       sizeof(Tls) == sizeof(int) && sizeof(MpLeave) == sizeof(int),
               "a choice is stored as int");

static bool text_of(const char *text, size_t len, const char *others)
{
        for (size_t i = 0; i < len; i++)
                if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                      (text[i] >= '0' && text[i] <= '9') || strchr(others, text[i])))
                        return false;
        return len > 0;
}

/* It becomes part of paths. */
static bool pool_name_valid(const char *text)
{
        return strlen(text) < 64 && text[0] != '.' && text_of(text, strlen(text), "._-");
}

/* Whether its servers can be reached is not a matter of the text. */
static bool lock_valid(const char *text)
{
        LockSpec spec;
        return lock_spec_parse(text, &spec, NULL) == 0;
}

#define MS              USEC_PER_MSEC
#define SEC             USEC_PER_SEC
#define HOUR            (3600 * USEC_PER_SEC)
#define DAY             (24 * HOUR)
#define AT(type, field) .offset = offsetof(type, field)

/* clang-format off */
static const Key agent_keys[] = {
        { "state_dir", TYPE_PATH, AT(Config, state_dir), { "/var/lib/edge-roll" },
          "where records of jobs and holds are kept" },
        { "idle_exit", TYPE_USEC, AT(Config, idle_exit_usec), { "10s" },
          "the agent leaves after that time without a job", .min = 100 * MS, .max = DAY },
        { "nft_owner", TYPE_CHOICE, AT(Config, nft_owner), { "auto" },
          "the strongest table owner to use where the kernel has it", .choices = owner_names },
        { "cgroup_ids", TYPE_SWITCH, AT(Config, cgroup_ids), { "auto" },
          "find the owner of a port by the cgroup id of its socket", .choices = off_auto },
        { "hooks_dir", TYPE_PATH, AT(Config, hooks_dir), { "/etc/edge-roll/hooks.d" },
          "where the hooks are: before-block, verify, after-return and on-hold below it" },
        { "hook_limit", TYPE_USEC, AT(Config, hook_limit_usec), { "30s" },
          "how long one hook may take", .min = 100 * MS, .max = HOUR },
};

static const Key pool_keys[] = {
        { "name", TYPE_TEXT, AT(Config, pool_name), { "auto" },
          "what its pool is called, behind the component's name; auto: region and pod of the component",
          .valid = pool_name_valid, .accepts = "auto, or at most 63 letters, digits, '.', '_' and '-'" },
        { "members", TYPE_WORDS, AT(Config, pool_members), { "" },
          "the other nodes of the pool: server ids, names or addresses; none: unknown", .may_be_empty = true },
        { "lock", TYPE_TEXT, AT(Config, lock), { "auto" }, "what keeps two nodes from going out at once",
          .valid = lock_valid, .accepts = "auto, none, lease or zookeeper://HOST[:PORT][,HOST[:PORT]...][/PATH]" },
        { "lock_auth_file", TYPE_TEXT, AT(Config, lock_auth_file), { "" },
          "a file with user:password for ZooKeeper's scheme digest; none: no authentication", .may_be_empty = true },
        { "lock_session", TYPE_USEC, AT(Config, lock_session_usec), { "10s" },
          "how long ZooKeeper waits for a node that has fallen silent", .min = 2 * SEC, .max = 60 * SEC },
        { "lock_files", TYPE_PATHS, AT(Config, lock_files), {
          "/opt/apigee/customer/application/zookeeper.properties "
          "/opt/apigee/edge-router/conf/zookeeper.properties "
          "/opt/apigee/edge-message-processor/conf/zookeeper.properties" },
          "lock = auto: property files in which Edge's ZooKeeper may be named", .may_be_empty = true },
        { "lock_keys", TYPE_WORDS, AT(Config, lock_keys), { "zookeeper.connect zookeeper.servers zookeeper.hosts" },
          "lock = auto: by which property there; the first that is set", .may_be_empty = true },
};

#define ROLLS_DIR "/var/lib/edge-roll/rolls"

/* Of the machine from which a cluster is rolled. */
static const Key cluster_keys[] = {
        { "inventory", TYPE_PATH, AT(Config, cluster_inventory), { "" },
          "Ansible inventory (INI) that names the nodes", .may_be_empty = true },
        { "management_url", TYPE_URL, AT(Config, cluster_management_url), { "" },
          "Management Server that knows the nodes, as http://10.0.0.9:8080", .may_be_empty = true },
        { "management_user", TYPE_TEXT, AT(Config, cluster_management_user), { "" },
          "who asks the Management Server: a system administrator's e-mail address", .may_be_empty = true },
        { "management_password_file", TYPE_PATH, AT(Config, cluster_management_password_file), { "" },
          "file with that password; or the environment, or a systemd credential", .may_be_empty = true },
        { "management_ca", TYPE_PATH, AT(Config, cluster_management_ca), { "" },
          "certificates (PEM) the Management Server is checked by; empty: the system's", .may_be_empty = true },
        { "management_checks", TYPE_SWITCH, AT(Config, cluster_management_checks), { "on" },
          "on: before a roll it is asked for target servers that do not answer and errors in what is deployed",
          .choices = off_on },
        { "management_limit", TYPE_USEC, AT(Config, cluster_management_usec), { "20s" },
          "how long all of that may take", .min = 100 * MS, .max = HOUR },
        { "ssh", TYPE_WORDS, AT(Config, cluster_ssh), { "ssh" }, "the command that reaches a node, and its arguments" },
        { "bridge", TYPE_WORDS, AT(Config, cluster_bridge), { "edge-roll bridge" },
          "what is run on the node; sudo -n edge-roll bridge for users that are not in its group edge-roll" },
        { "connect_limit", TYPE_USEC, AT(Config, cluster_connect_usec), { "15s" },
          "how long one attempt to connect to a node may take", .min = 100 * MS, .max = HOUR },
        { "answer_limit", TYPE_USEC, AT(Config, cluster_answer_usec), { "30s" },
          "how long a node may take to answer one question", .min = 100 * MS, .max = HOUR },
        { "at_once", TYPE_COUNT, AT(Config, cluster_at_once), { "8" },
          "how many connections are being made at the same time", .min = 1, .max = 1000 },
        { "max_unavailable", TYPE_TEXT, AT(Config, cluster_max_unavailable), { "1" },
          "how many nodes of a pool may be out at once: a number, or a share like 25%" },
        { "soak_low", TYPE_USEC, AT(Config, cluster_soak_low_usec), { "10s" },
          "how long a node that is back is watched at least", .min = 0, .max = 24 * HOUR },
        { "soak_high", TYPE_USEC, AT(Config, cluster_soak_high_usec), { "120s" },
          "a node that is not good by then has failed", .min = 0, .max = 24 * HOUR },
        { "lost_limit", TYPE_USEC, AT(Config, cluster_lost_usec), { "120s" },
          "how long a node whose job runs may be out of reach", .min = SEC, .max = 24 * HOUR },
        { "journal_dir", TYPE_PATH, AT(Config, cluster_journal_dir), { "auto" },
          "where the journals of rolls are; auto: " ROLLS_DIR " for root", .may_be_auto = true },
};

static const Key targets_keys[] = {
        { "source", TYPE_CHOICE, AT(Config, targets_source), { "auto" },
          "where a message processor's target servers come from, to be checked from its node; auto: the folder if it "
          "is there, else the Management Server if management_url is set", .choices = targets_source_names },
        { "folder", TYPE_PATH, AT(Config, targets_folder), { "/etc/edge-roll/targets.d" },
          "files ORG/ENV/NAME.xml or .json below it, each a TargetServer" },
        { "names", TYPE_WORDS, AT(Config, targets_names), { "*" },
          "which are checked: shell patterns of ORG/ENV/NAME" },
        { "check", TYPE_SWITCH, AT(Config, targets_handshake), { "tcp" },
          "tcp: can a connection be opened; tls: and a handshake be done, where the target server has TLS",
          .choices = tcp_tls },
        { "max", TYPE_COUNT, AT(Config, targets_max), { "500" }, "how many are checked at most", .min = 1, .max = 10000 },
        { "connect_limit", TYPE_USEC, AT(Config, targets_connect_usec), { "5s" },
          "how long one may take to be connected to, or to do its handshake", .min = 100 * MS, .max = 60 * SEC },
        { "wait", TYPE_USEC, AT(Config, targets_wait_usec), { "20s" },
          "how long those that answered before the restart may take to answer again", .min = 0, .max = HOUR },
};

static const Key monit_keys[] = {
        { "units", TYPE_UNITS, AT(Config, monit_units), { "apigee-monit.service monit.service" },
          "names of monit's unit; the first that exists", .may_be_empty = true },
        { "stop", TYPE_CHOICE, AT(Config, monit_stop), { "auto" },
          "stop monit's unit as well; auto: only where the check cannot be proven off",
          .choices = monit_stop_names },
        { "status_url", TYPE_URL, AT(Config, monit_status_url),
          { "http://127.0.0.1:2812/_status?format=xml" }, "where monit tells its state",
          .may_be_empty = true, .may_have_user = true },
        { "unmonitor", TYPE_COMMAND, AT(Config, monit_unmonitor), { "auto" },
          "command that ends the watching of {check}", .may_be_empty = true },
        { "monitor", TYPE_COMMAND, AT(Config, monit_monitor), { "auto" },
          "command that starts the watching of {check} again", .may_be_empty = true },
};

/* The defaults of aliases, units and monit_check depend on the name, too: see component_defaults(). */
static const Key component_keys[] = {
        { "kind", TYPE_CHOICE, AT(Component, kind), { "router", "message-processor" },
          "what it is; decides the defaults of all other keys", .choices = kind_names },
        { "aliases", TYPE_NAMES, AT(Component, aliases), { "", "" }, "other names on the command line",
          .may_be_empty = true },
        { "units", TYPE_UNITS, AT(Component, units), { "", "" },
          "accepted names of its unit; the first that exists is started" },
        { "health_port", TYPE_PORT, AT(Component, health_port), { "15999", "auto" },
          "the port that its checkers ask; auto: the tag http.port of self_url, behind TLS the port of self_url",
          .may_be_auto = true },
        { "block", TYPE_CHOICE, AT(Component, block), { "whole", "auto" },
          "whole: reset everything on the health port; syn: refuse new connections only; routers: reset what "
          "comes from the routers; auto: routers behind TLS, else syn",
          .choices = block_names },
        { "routers", TYPE_ADDRESSES, AT(Component, routers), { "auto", "auto" },
          "who is refused with block = routers: addresses; auto: those that check the health port and connect "
          "to a traffic port" },
        { "self_url", TYPE_URL, AT(Component, self_url),
          { "http://127.0.0.1:8081/v1/servers/self", "http://127.0.0.1:8082/v1/servers/self" },
          "where it describes itself" },
        { "up_url", TYPE_URL, AT(Component, up_url), { "http://127.0.0.1:8081/v1/servers/self/up",
          "http://127.0.0.1:8082/v1/servers/self/up" }, "must answer 200 and true" },
        { "reachable_url", TYPE_URL, AT(Component, reachable_url),
          { "http://127.0.0.1:15999/v1/servers/self/reachable", "" }, "must answer 200; empty: not asked",
          .may_be_empty = true },
        { "runtime_url", TYPE_URL, AT(Component, runtime_url), { "", "http://127.0.0.1:8082/v1/runtime" },
          "lists what is loaded; empty: nothing to compare", .may_be_empty = true },
        { "organizations", TYPE_TEXT, AT(Component, organizations), { "", "" },
          "organizations to compare; empty: asked of the component", .may_be_empty = true },
        { "traffic_ports", TYPE_PORTS, AT(Component, traffic_ports), { "auto", "auto" },
          "ports that carry API traffic; auto: its listening sockets without other_ports",
          .may_be_auto = true },
        { "other_ports", TYPE_PORTS, AT(Component, other_ports), { "8081 4527 1100", "8082 4528 1101" },
          "management, RPC and JMX: never traffic", .may_be_empty = true },
        { "next_tier_ports", TYPE_PORTS, AT(Component, next_tier_ports), { "8998 8443", "" },
          "remote ports of its own connections to the next tier; empty: not looked at",
          .may_be_empty = true },
        { "tls", TYPE_CHOICE, AT(Component, tls), { "no", "auto" },
          "the traffic ports speak TLS or HTTP/2; auto: local.http.ssl of the properties",
          .choices = tls_names },
        { "check_interval", TYPE_USEC, AT(Component, check_interval_usec), { "auto", "5s" },
          "how often it is checked, when that cannot be learned; auto: it must be seen",
          .may_be_auto = true, .min = 10 * MS, .max = HOUR },
        { "check_fall", TYPE_COUNT, AT(Component, check_fall), { "3", "3" },
          "refused checks in a row after which a checker has marked it down", .min = 1, .max = 100 },
        { "check_rise", TYPE_COUNT, AT(Component, check_rise), { "2", "2" },
          "good checks in a row after which a checker sends traffic again", .min = 1, .max = 100 },
        { "watch_max", TYPE_USEC, AT(Component, watch_max_usec), { "12s", "12s" },
          "how long checkers are watched to learn their interval", .min = 10 * MS, .max = HOUR },
        { "quiet_time", TYPE_USEC, AT(Component, quiet_usec), { "5s", "5s" },
          "how long nothing may move on a connection that is not known to be idle", .min = 10 * MS,
          .max = HOUR },
        { "request_limit", TYPE_USEC, AT(Component, request_limit_usec), { "auto", "auto" },
          "the longest request; auto: from properties and nginx_dir, else 57 s", .may_be_auto = true,
          .min = 100 * MS, .max = DAY },
        { "drain_max", TYPE_USEC, AT(Component, drain_max_usec), { "120s", "120s" },
          "the drain never takes longer, whatever request_limit says", .min = 100 * MS, .max = DAY },
        { "persistent", TYPE_CHOICE, AT(Component, persistent), { "close", "close" },
          "what to do with kept connections that go on sending: close them between two requests, wait "
          "until they are gone, or give the node back",
          .choices = persistent_names },
        { "at_cap", TYPE_CHOICE, AT(Component, at_cap), { "give-back", "give-back" },
          "what happens when the drain reaches its limit", .choices = at_cap_names },
        { "mp_leave", TYPE_CHOICE, AT(Component, mp_leave), { "block", "auto" },
          "how a message processor leaves: block: new connections are refused; graceful: its own stop answers "
          "599 to new requests; auto: graceful if the routers are known not to retry refused connections",
          .choices = mp_leave_names },
        { "properties", TYPE_PATHS, AT(Component, properties),
          { "/opt/apigee/customer/application/router.properties",
          "/opt/apigee/customer/application/message-processor.properties" },
          "files that may name read timeouts, TLS and what routers retry", .may_be_empty = true },
        { "restart_on", TYPE_PATTERNS, AT(Component, restart_on), { "", "" },
          "files, directories and patterns that need a restart when they change, beside properties",
          .may_be_empty = true },
        { "certificate", TYPE_CERTIFICATES, AT(Component, certificate), { "", "" },
          "certificates that must be served: FILE, PORT=FILE or NAME:PORT=FILE; another one needs a restart",
          .may_be_empty = true },
        { "nginx_dir", TYPE_PATH, AT(Component, nginx_dir), { "/opt/nginx/conf.d", "" },
          "nginx files that may name proxy_read_timeout", .may_be_empty = true },
        { "ready_count", TYPE_COUNT, AT(Component, ready_count), { "3", "3" }, "good probes in a row",
          .min = 1, .max = 1000 },
        { "ready_interval", TYPE_USEC, AT(Component, ready_interval_usec), { "1s", "1s" },
          "time between two probes", .min = 10 * MS, .max = HOUR },
        { "stop_command", TYPE_COMMAND, AT(Component, stop_command), { "auto", "auto" },
          "command that stops it where no unit of its own holds it; auto: apigee-service COMPONENT stop, "
          "where that exists",
          .may_be_empty = true },
        { "loaded_wait", TYPE_USEC, AT(Component, loaded_wait_usec), { "30s", "30s" },
          "how long environments and proxies may take to load once the probes are good",
          .min = 10 * MS, .max = HOUR },
        { "wait_for_ready", TYPE_COMMAND, AT(Component, wait_for_ready), { "auto", "auto" },
          "command that must succeed before the probes count; auto: apigee-service COMPONENT "
          "wait_for_ready, where that exists",
          .may_be_empty = true },
        { "partner", TYPE_TEXT, AT(Component, partner), { "message-processor", "" },
          "the message processor beside this router: edge-roll restart rmp restarts both; empty: none",
          .may_be_empty = true },
        { "monit_check", TYPE_TEXT, AT(Component, monit_check), { "", "" },
          "the name of its check in monit", .may_be_empty = true },
};
/* clang-format on */

static const struct {
        const char *name;
        const Key *keys;
        size_t n_keys;
} plain_sections[] = {
        { "agent", agent_keys, ELEMENTS(agent_keys) },
        { "pool", pool_keys, ELEMENTS(pool_keys) },
        { "cluster", cluster_keys, ELEMENTS(cluster_keys) },
        { "targets", targets_keys, ELEMENTS(targets_keys) },
        { "monit", monit_keys, ELEMENTS(monit_keys) },
};

#define COMPONENT_SECTION "component "
#define LIMIT_PREFIX      "limit_"

/* The name's defaults for the two components that Edge has; others are called as their section. */
static const struct {
        const char *name;
        ComponentKind kind;
        const char *aliases, *service;
} built_in[] = {
        { "router", KIND_ROUTER, "", "edge-router" },
        { "message-processor", KIND_MP, "mp", "edge-message-processor" },
};

static int choice_index(const char *const *choices, const char *name)
{
        for (int i = 0; name && choices[i]; i++)
                if (strcmp(choices[i], name) == 0)
                        return i;
        return -EINVAL;
}

const char *persistent_name(Persistent p)
{
        return p >= 0 && p < PERSISTENT_COUNT ? persistent_names[p] : "invalid";
}

Persistent persistent_from_name(const char *name)
{
        return (Persistent) choice_index(persistent_names, name);
}

const char *mp_leave_name(MpLeave l)
{
        return l >= 0 && l < MP_LEAVE_COUNT ? mp_leave_names[l] : "invalid";
}

MpLeave mp_leave_from_name(const char *name)
{
        return (MpLeave) choice_index(mp_leave_names, name);
}

const char *block_kind_name(BlockKind b)
{
        return b >= 0 && b < BLOCK_KIND_COUNT ? block_names[b] : "invalid";
}

BlockKind block_kind_from_name(const char *name)
{
        return (BlockKind) choice_index(block_names, name);
}

const char *at_cap_name(AtCap a)
{
        return a >= 0 && a < AT_CAP_COUNT ? at_cap_names[a] : "invalid";
}

AtCap at_cap_from_name(const char *name)
{
        return (AtCap) choice_index(at_cap_names, name);
}

/* How far apart two short names are (Levenshtein), for "did you mean". */
static size_t name_distance(const char *a, const char *b)
{
        size_t row[64];
        size_t n = strlen(b);
        if (n >= ELEMENTS(row) || strlen(a) >= ELEMENTS(row))
                return SIZE_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t change = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

typedef struct Nearest {
        const char *word;
        char best[64];
        size_t distance;
} Nearest;

static void nearest_try(Nearest *n, const char *candidate)
{
        size_t d = name_distance(n->word, candidate);
        /* Beyond a third of the word a proposal is a guess that misleads. */
        if (d <= 1 + strlen(n->word) / 3 && (!n->best[0] || d < n->distance)) {
                (void) snprintf(n->best, sizeof(n->best), "%s", candidate);
                n->distance = d;
        }
}

/* Text of one value, and back. */

static void field_free(const Key *k, void *base)
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

static bool name_valid(const char *s)
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

static const char *accepted(const Key *k, char *buf, size_t size)
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

static int field_text(const Key *k, char **field, const char *text, Err *err)
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
        if (k->choices && choice_index(k->choices, text) < 0)
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

static int field_words(const Key *k, Words *field, const char *text, Err *err)
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
                        good = name_valid(w[i]);
                if (!good)
                        return err_set(err, -EINVAL, "\"%.60s\" is none", w[i]);
        }
        (void) words_free(*field);
        *field = TAKE_PTR(w);
        return 0;
}

static int field_ports(const Key *k, PortList *field, const char *text, Err *err)
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

static int field_usec(const Key *k, Usec *field, const char *text, Err *err)
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

static int field_count(const Key *k, unsigned *field, const char *text, Err *err)
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

/* Sets one field; the old value is given back only when the new one is good. */
static int field_set(const Key *k, void *base, const char *text, Err *err)
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
                i = choice_index(k->choices, text);
                if (i < 0)
                        return err_set(err, -EINVAL, "unknown value");
                *(int *) field = i;
                return 0;
        case TYPE_SWITCH:
                i = choice_index(k->choices, text);
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

/* The value as it could be written in the file. @ret: to be freed. */
static int field_format(const Key *k, const void *base, char **ret)
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

/* Sections and keys. */

static bool phase_has_limit(Phase phase)
{
        return phase > PHASE_NONE && phase < PHASE_END;
}

static Key limit_key(Phase phase)
{
        return (Key){
                .type = TYPE_USEC,
                .offset = offsetof(Component, limit_usec) + (size_t) phase * sizeof(Usec),
                .min = 10 * MS,
                .max = DAY,
        };
}

static const char *component_of_section(const char *section)
{
        if (strncmp(section, COMPONENT_SECTION, strlen(COMPONENT_SECTION)) != 0)
                return NULL;
        return section + strlen(COMPONENT_SECTION);
}

static Component *component_by_name(Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_components; i++)
                if (strcmp(c->components[i].name, name) == 0)
                        return &c->components[i];
        return NULL;
}

static int section_find(Config *c, const char *section, const Key **ret_keys, size_t *ret_n, void **ret_base)
{
        for (size_t i = 0; i < ELEMENTS(plain_sections); i++)
                if (strcmp(plain_sections[i].name, section) == 0) {
                        *ret_keys = plain_sections[i].keys;
                        *ret_n = plain_sections[i].n_keys;
                        *ret_base = c;
                        return 0;
                }
        const char *name = component_of_section(section);
        if (!name)
                return -ENOENT;
        *ret_keys = component_keys;
        *ret_n = ELEMENTS(component_keys);
        *ret_base = component_by_name(c, name);
        return *ret_base ? 0 : -ENOENT;
}

/* The assignment in force; NULL: at its default. @key NULL: the first head of the section. */
static const ConfigOrigin *origin_find(const Config *c, const char *section, const char *key)
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

static int origin_error(const ConfigOrigin *o, Err *err, const char *problem, const char *accept)
{
        char shown[128];
        return err_set(err, -EINVAL, "%.120s:%u: [%.50s] %.40s = \"%.60s\": %s%s%s", o->file, o->line,
                       o->section, o->key, url_shown(o->value, shown, sizeof(shown)), problem,
                       *accept ? "; accepted: " : "", accept);
}

/* Reading. inih splits lines; the reader under it counts them, because inih tells its callback no line. */

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
        const ConfigOrigin *before = origin_find(c, section, key);
        if (before && strcmp(before->file, rd->file) == 0) {
                rd->r = err_set(rd->err, -EINVAL,
                                "%.200s:%u: [%.50s] %.50s is set a second time (first in line %u)", rd->file,
                                rd->line, section, key, before->line);
                return 0;
        }
        return reader_add(rd, section, key, value) == 0;
}

static int file_read(Config *c, const char *file, Err *err)
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

static int dir_read(Config *c, const char *dir, Err *err)
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
                        r = file_read(c, path, err);
                free(list[i]);
        }
        free(list);
        return r;
}

/* From assignments to values. */

static int component_add(Config *c, const char *name, Err *err)
{
        char *copy = strdup(name);
        if (!copy)
                return err_errno(err, -ENOMEM, "configuration");
        c->components[c->n_components++] = (Component){ .name = copy, .kind = KIND_INVALID };
        return 0;
}

static int component_defaults(Component *p, Err *err)
{
        const char *aliases = "", *service = p->name;
        for (size_t i = 0; i < ELEMENTS(built_in); i++)
                if (strcmp(built_in[i].name, p->name) == 0) {
                        aliases = built_in[i].aliases;
                        service = built_in[i].service;
                }

        char units[2 * CONFIG_NAME_LEN + 64];
        (void) snprintf(units, sizeof(units), "%s.service edge-component@%s.service", service, service);
        for (size_t i = 0; i < ELEMENTS(component_keys); i++) {
                const Key *k = &component_keys[i];
                const char *value = k->value[p->kind];
                if (strcmp(k->name, "aliases") == 0)
                        value = aliases;
                else if (strcmp(k->name, "units") == 0)
                        value = units;
                else if (strcmp(k->name, "monit_check") == 0)
                        value = service;
                int r = field_set(k, p, value, err);
                if (r < 0)
                        return err_prefix(err, r, "default of %s", k->name);
        }
        return 0;
}

/* Which components there are, and of which kind: needed before any other key, because the kind decides the
 * defaults. */
static int components_find(Config *c, Err *err)
{
        for (size_t i = 0; i < ELEMENTS(built_in); i++) {
                int r = component_add(c, built_in[i].name, err);
                if (r < 0)
                        return r;
                c->components[i].kind = built_in[i].kind;
        }
        for (size_t i = 0; i < c->n_origins; i++) {
                const ConfigOrigin *o = &c->origins[i];
                const char *name = component_of_section(o->section);
                if (!name || component_by_name(c, name))
                        continue;
                if (!name_valid(name))
                        return err_set(
                                err, -EINVAL,
                                "%.200s:%u: [%.60s]: the name of a component has small letters, digits and "
                                "'-', at most %d",
                                o->file, o->line, o->section, CONFIG_NAME_LEN);
                if (c->n_components == CONFIG_COMPONENTS)
                        return err_set(err, -EINVAL, "%.200s:%u: more than %d components", o->file, o->line,
                                       CONFIG_COMPONENTS);
                int r = component_add(c, name, err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < c->n_components; i++) {
                Component *p = &c->components[i];
                char section[CONFIG_NAME_LEN + 16];
                (void) snprintf(section, sizeof(section), COMPONENT_SECTION "%s", p->name);
                const ConfigOrigin *o = origin_find(c, section, "kind");
                if (o) {
                        int kind = choice_index(kind_names, o->value);
                        if (kind < 0)
                                return origin_error(o, err, "unknown value", "router or message-processor");
                        p->kind = (ComponentKind) kind;
                }
                if (p->kind < 0) {
                        Nearest near = { .word = p->name };
                        o = origin_find(c, section, NULL);
                        for (size_t j = 0; j < ELEMENTS(built_in); j++)
                                nearest_try(&near, built_in[j].name);
                        return err_set(err, -EINVAL,
                                       "%.200s:%u: [%s]: a component of your own needs kind = router or "
                                       "message-processor%s%s%s",
                                       o->file, o->line, section,
                                       near.best[0] ? "; did you mean [component " : "", near.best,
                                       near.best[0] ? "]?" : "");
                }
                int r = component_defaults(p, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int section_unknown(const ConfigOrigin *o, Err *err)
{
        Nearest near = { .word = o->section };
        char known[64];
        for (size_t i = 0; i < ELEMENTS(plain_sections); i++)
                nearest_try(&near, plain_sections[i].name);
        for (size_t i = 0; i < ELEMENTS(built_in); i++) {
                Nearest bare = { .word = o->section };
                nearest_try(&bare, built_in[i].name);
                (void) snprintf(known, sizeof(known), COMPONENT_SECTION "%s", built_in[i].name);
                nearest_try(&near, known);
                if (bare.best[0])
                        (void) snprintf(near.best, sizeof(near.best), "%s", known);
        }
        return err_set(
                err, -EINVAL,
                "%.200s:%u: unknown section [%.60s]; known: [agent], [pool], [cluster], [targets], [monit], [component NAME]%s%s%s",
                o->file, o->line, o->section, near.best[0] ? "; did you mean [" : "", near.best,
                near.best[0] ? "]?" : "");
}

static int key_unknown(const ConfigOrigin *o, const Key *keys, size_t n, bool limits, Err *err)
{
        Nearest near = { .word = o->key };
        char name[64], elsewhere[128] = "";
        for (size_t i = 0; i < n; i++)
                nearest_try(&near, keys[i].name);
        for (int p = 0; limits && p < PHASE_COUNT; p++)
                if (phase_has_limit((Phase) p)) {
                        (void) snprintf(name, sizeof(name), LIMIT_PREFIX "%s", phase_name((Phase) p));
                        nearest_try(&near, name);
                }
        for (size_t i = 0; i < ELEMENTS(plain_sections); i++)
                for (size_t j = 0; j < plain_sections[i].n_keys; j++)
                        if (strcmp(plain_sections[i].keys[j].name, o->key) == 0)
                                (void) snprintf(elsewhere, sizeof(elsewhere), "; it is a key of [%s]",
                                                plain_sections[i].name);
        for (size_t j = 0; j < ELEMENTS(component_keys); j++)
                if (strcmp(component_keys[j].name, o->key) == 0)
                        (void) snprintf(elsewhere, sizeof(elsewhere), "; it is a key of [component NAME]");
        if (!elsewhere[0] && near.best[0])
                (void) snprintf(elsewhere, sizeof(elsewhere), "; did you mean %s?", near.best);
        return err_set(err, -EINVAL, "%.200s:%u: [%.50s] has no key %.50s%s%s", o->file, o->line, o->section,
                       o->key, elsewhere, elsewhere[0] ? "" : " (edge-roll.conf(5) has the list)");
}

static int origin_apply(Config *c, const ConfigOrigin *o, Err *err)
{
        const Key *keys, *key = NULL;
        Key limit;
        size_t n;
        void *base;

        if (section_find(c, o->section, &keys, &n, &base) < 0)
                return section_unknown(o, err);
        if (!o->key)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (strcmp(keys[i].name, o->key) == 0)
                        key = &keys[i];
        if (!key && keys == component_keys && strncmp(o->key, LIMIT_PREFIX, strlen(LIMIT_PREFIX)) == 0) {
                Phase phase = phase_from_name(o->key + strlen(LIMIT_PREFIX));
                if (phase_has_limit(phase)) {
                        limit = limit_key(phase);
                        key = &limit;
                }
        }
        if (!key)
                return key_unknown(o, keys, n, keys == component_keys, err);

        Err why = { 0 };
        char accept[256];
        int r = field_set(key, base, o->value, &why);
        if (r == -EINVAL)
                return origin_error(o, err, why.text, accepted(key, accept, sizeof(accept)));
        return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

/* Where a complaint about @key of @p belongs; what comes from defaults alone is never wrong. */
static int component_error(const Config *c, const Component *p, const char *key, Err *err,
                           const char *problem)
{
        char section[CONFIG_NAME_LEN + 16];
        (void) snprintf(section, sizeof(section), COMPONENT_SECTION "%s", p->name);
        const ConfigOrigin *o = origin_find(c, section, key);
        if (!o)
                o = origin_find(c, section, NULL);
        if (!o)
                return err_set(err, -EINVAL, "[%s] %s: %s", section, key, problem);
        return err_set(err, -EINVAL, "%.200s:%u: [%s] %s: %s", o->file, o->line, section, key, problem);
}

static bool ports_have(const PortList *list, uint16_t port)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->ports[i] == port)
                        return true;
        return false;
}

/* What no single key can say. */
static int component_check(const Config *c, const Component *p, Err *err)
{
        char text[160];
        if (p->health_port.automatic && p->kind == KIND_ROUTER)
                return component_error(
                        c, p, "health_port", err,
                        "auto is the tag http.port of a message processor; a router needs a number");
        uint16_t health = p->health_port.n ? p->health_port.ports[0] : 0;
        bool whole = p->block == BLOCK_WHOLE || p->block == BLOCK_ROUTERS;
        if (health && whole && ports_have(&p->traffic_ports, health)) {
                (void) snprintf(
                        text, sizeof(text),
                        "port %u carries traffic (traffic_ports): refused whole it would cut requests off; "
                        "set block = syn",
                        health);
                return component_error(c, p, "block", err, text);
        }
        if (p->kind == KIND_ROUTER && p->mp_leave != MP_LEAVE_BLOCK)
                return component_error(c, p, "mp_leave", err, "a router can only leave by block");
        for (size_t i = 0; i < p->traffic_ports.n; i++)
                if (ports_have(&p->other_ports, p->traffic_ports.ports[i])) {
                        (void) snprintf(text, sizeof(text), "port %u is in other_ports, too",
                                        p->traffic_ports.ports[i]);
                        return component_error(c, p, "traffic_ports", err, text);
                }
        const Component *partner = *p->partner ? config_component(c, p->partner) : NULL;
        if (*p->partner && (p->kind != KIND_ROUTER || !partner || partner->kind != KIND_MP)) {
                (void) snprintf(text, sizeof(text), "\"%.60s\": %s", p->partner,
                                p->kind != KIND_ROUTER
                                        ? "only a router has a partner"
                                        : "no component of kind message-processor is called so");
                return component_error(c, p, "partner", err, text);
        }
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *q = &c->components[i];
                for (size_t a = 0; p->aliases[a]; a++) {
                        bool taken = strcmp(q->name, p->aliases[a]) == 0;
                        for (size_t b = 0; q != p && q->aliases[b]; b++)
                                taken = taken || strcmp(q->aliases[b], p->aliases[a]) == 0;
                        if (taken) {
                                (void) snprintf(text, sizeof(text), "\"%s\" is the name of component %s",
                                                p->aliases[a], q->name);
                                return component_error(c, p, "aliases", err, text);
                        }
                }
        }
        return 0;
}

static int plain_defaults(Config *c, Err *err)
{
        for (size_t i = 0; i < ELEMENTS(plain_sections); i++)
                for (size_t j = 0; j < plain_sections[i].n_keys; j++) {
                        const Key *k = &plain_sections[i].keys[j];
                        int r = field_set(k, c, k->value[0], err);
                        if (r < 0)
                                return err_prefix(err, r, "default of %s", k->name);
                }
        return 0;
}

int config_load(Config **ret, const char *file, const char *dir, Err *err)
{
        _cleanup_(config_freep) Config *c = calloc(1, sizeof(*c));
        if (!c)
                return err_errno(err, -ENOMEM, "configuration");
        int r = plain_defaults(c, err);
        if (r == 0)
                r = file_read(c, file ? file : CONFIG_FILE, err);
        if (r == 0)
                r = dir_read(c, dir ? dir : CONFIG_DIR, err);
        if (r == 0)
                r = components_find(c, err);
        for (size_t i = 0; r == 0 && i < c->n_origins; i++)
                r = origin_apply(c, &c->origins[i], err);
        for (size_t i = 0; r == 0 && i < c->n_components; i++)
                r = component_check(c, &c->components[i], err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Config *config_free(Config *c)
{
        if (!c)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(plain_sections); i++)
                for (size_t j = 0; j < plain_sections[i].n_keys; j++)
                        field_free(&plain_sections[i].keys[j], c);
        for (size_t i = 0; i < c->n_components; i++) {
                for (size_t j = 0; j < ELEMENTS(component_keys); j++)
                        field_free(&component_keys[j], &c->components[i]);
                free(c->components[i].name);
        }
        for (size_t i = 0; i < c->n_origins; i++) {
                free(c->origins[i].section);
                free(c->origins[i].key);
                free(c->origins[i].value);
                free(c->origins[i].file);
        }
        free(c->origins);
        free(c);
        return NULL;
}

const Component *config_component(const Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *p = &c->components[i];
                if (strcmp(p->name, name) == 0)
                        return p;
                for (size_t a = 0; p->aliases[a]; a++)
                        if (strcmp(p->aliases[a], name) == 0)
                                return p;
        }
        return NULL;
}

const Component *config_rmp(const Config *c, const Component **ret_partner)
{
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *partner = config_component(c, c->components[i].partner);
                if (!partner)
                        continue;
                if (ret_partner)
                        *ret_partner = partner;
                return &c->components[i];
        }
        return NULL;
}

bool config_was_set(const Config *c, const Component *component, const char *key)
{
        char section[CONFIG_NAME_LEN + 16];
        (void) snprintf(section, sizeof(section), COMPONENT_SECTION "%s", component->name);
        return origin_find(c, section, key) != NULL;
}

Usec component_limit(const Component *c, Phase phase)
{
        if (!phase_has_limit(phase))
                return 0;
        if (c->limit_usec[phase])
                return c->limit_usec[phase];
        if (phase == PHASE_WATCH)
                return c->watch_max_usec;
        if (phase == PHASE_DRAIN)
                return c->drain_max_usec;
        return phase_info(phase)->limit_usec;
}

/* Printing. */

typedef struct Printer {
        const Config *config;
        FILE *out;
        ConfigForm form;
        cJSON *json; /* NULL: text */
} Printer;

static int print_value(const Printer *p, cJSON *object, const char *section, const char *key,
                       const char *value, const char *what)
{
        char from[PATH_MAX + 16] = "default";
        const ConfigOrigin *o = origin_find(p->config, section, key);
        if (o)
                (void) snprintf(from, sizeof(from), "%s:%u", o->file, o->line);
        if (!p->json) {
                char line[64];
                (void) snprintf(line, sizeof(line), "%s =", key);
                (void) fprintf(p->out, "%-19s %-36s ; %s\n", line, value, from);
                return 0;
        }
        cJSON *entry = cJSON_AddObjectToObject(object, key);
        if (!entry || !cJSON_AddStringToObject(entry, "value", value) ||
            !cJSON_AddStringToObject(entry, "origin", from) ||
            !cJSON_AddStringToObject(entry, "meaning", what))
                return -ENOMEM;
        return 0;
}

/* What is shown is seen by more than those who may read the file. */
static int value_hide(char **value)
{
        size_t size = strlen(*value) + sizeof("***");
        char *shown = malloc(size);
        if (!shown)
                return -ENOMEM;
        (void) url_shown(*value, shown, size);
        free(*value);
        *value = shown;
        return 0;
}

static int print_section(const Printer *p, const char *section, const Key *keys, size_t n, const void *base,
                         const Component *component)
{
        cJSON *object = NULL;
        if (p->json) {
                object = cJSON_AddObjectToObject(p->json, section);
                if (!object)
                        return -ENOMEM;
        } else
                (void) fprintf(p->out, "[%s]\n", section);

        for (size_t i = 0; i < n; i++) {
                _cleanup_(freep) char *value = NULL;
                int r = field_format(&keys[i], base, &value);
                if (r == 0 && keys[i].may_have_user && p->form != CONFIG_KEPT)
                        r = value_hide(&value);
                if (r == 0)
                        r = print_value(p, object, section, keys[i].name, value, keys[i].what);
                if (r < 0)
                        return r;
        }
        for (int i = 0; component && i < PHASE_COUNT; i++) {
                if (!phase_has_limit((Phase) i))
                        continue;
                char name[64], what[160];
                Component effective = { 0 };
                effective.limit_usec[i] = component_limit(component, (Phase) i);
                Key k = limit_key((Phase) i);
                _cleanup_(freep) char *value = NULL;
                (void) snprintf(name, sizeof(name), LIMIT_PREFIX "%s", phase_name((Phase) i));
                (void) snprintf(what, sizeof(what), "the longest the phase may take: %s",
                                phase_info((Phase) i)->what);
                int r = field_format(&k, &effective, &value);
                if (r == 0)
                        r = print_value(p, object, section, name, value, what);
                if (r < 0)
                        return r;
        }
        if (!p->json)
                (void) fputc('\n', p->out);
        return 0;
}

/* The longest a job of each kind may take with these limits. */
static int print_bounds(const Printer *p, const Component *c, cJSON *bounds)
{
        static const RollKind kinds[] = { ROLL_RESTART, ROLL_RESTART_HELD, ROLL_RESTART_NOW,
                                          ROLL_START,   ROLL_DRAIN,        ROLL_UNDRAIN };
        cJSON *object = bounds ? cJSON_AddObjectToObject(bounds, c->name) : NULL;
        char text[32];
        if (!p->json) {
                (void) fprintf(p->out, "; a restart of %s ends within %s, in a good or a bad end\n\n",
                               c->name, time_format(bound_usec(c, ROLL_RESTART), text, sizeof(text)));
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (!cJSON_AddNumberToObject(object, roll_kind_name(kinds[i]),
                                             time_sec(bound_usec(c, kinds[i]))))
                        return -ENOMEM;
        return 0;
}

int config_print(const Config *c, FILE *out, ConfigForm form)
{
        bool json = form == CONFIG_JSON;
        Printer p = { .config = c, .out = out, .form = form, .json = json ? cJSON_CreateObject() : NULL };
        int r = json && !p.json ? -ENOMEM : 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(plain_sections); i++)
                r = print_section(&p, plain_sections[i].name, plain_sections[i].keys,
                                  plain_sections[i].n_keys, c, NULL);
        for (size_t i = 0; r == 0 && i < c->n_components; i++) {
                char section[CONFIG_NAME_LEN + 16];
                (void) snprintf(section, sizeof(section), COMPONENT_SECTION "%s", c->components[i].name);
                r = print_section(&p, section, component_keys, ELEMENTS(component_keys), &c->components[i],
                                  &c->components[i]);
                if (r == 0 && !json)
                        r = print_bounds(&p, &c->components[i], NULL);
        }
        cJSON *bounds = r == 0 && json ? cJSON_AddObjectToObject(p.json, "bounds") : NULL;
        for (size_t i = 0; r == 0 && json && i < c->n_components; i++)
                r = bounds ? print_bounds(&p, &c->components[i], bounds) : -ENOMEM;
        if (r == 0 && json) {
                _cleanup_(freep) char *text = cJSON_PrintUnformatted(p.json);
                r = text ? 0 : -ENOMEM;
                if (text)
                        (void) fprintf(out, "%s\n", text);
        }
        cJSON_Delete(p.json);
        return r == 0 && ferror(out) ? -EIO : r;
}
