/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The keys that a configuration may have, and the words that some of them take. */

#include <string.h>

#include "agent/config-impl.h"
#include "agent/lock-spec.h"
#include "drain/block.h"

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
static const ConfigKey agent_keys[] = {
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

static const ConfigKey pool_keys[] = {
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
static const ConfigKey cluster_keys[] = {
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

static const ConfigKey targets_keys[] = {
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

static const ConfigKey monit_keys[] = {
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

/* The defaults of aliases, units and monit_check depend on the name, too: see component_defaults() of config.c. */
const ConfigKey config_component_keys[] = {
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
const size_t config_n_component_keys = ELEMENTS(config_component_keys);

const ConfigSection config_sections[] = {
        { "agent", agent_keys, ELEMENTS(agent_keys) },
        { "pool", pool_keys, ELEMENTS(pool_keys) },
        { "cluster", cluster_keys, ELEMENTS(cluster_keys) },
        { "targets", targets_keys, ELEMENTS(targets_keys) },
        { "monit", monit_keys, ELEMENTS(monit_keys) },
};
const size_t config_n_sections = ELEMENTS(config_sections);

bool config_has_limit(Phase phase)
{
        return phase > PHASE_NONE && phase < PHASE_END;
}

ConfigKey config_limit_key(Phase phase)
{
        return (ConfigKey){
                .type = TYPE_USEC,
                .offset = offsetof(Component, limit_usec) + (size_t) phase * sizeof(Usec),
                .min = 10 * MS,
                .max = DAY,
        };
}

int config_choice(const char *const *choices, const char *name)
{
        for (int i = 0; name && choices[i]; i++)
                if (strcmp(choices[i], name) == 0)
                        return i;
        return -EINVAL;
}

ComponentKind config_kind_from_name(const char *name)
{
        return (ComponentKind) config_choice(kind_names, name);
}

const char *persistent_name(Persistent p)
{
        return p >= 0 && p < PERSISTENT_COUNT ? persistent_names[p] : "invalid";
}

Persistent persistent_from_name(const char *name)
{
        return (Persistent) config_choice(persistent_names, name);
}

const char *mp_leave_name(MpLeave l)
{
        return l >= 0 && l < MP_LEAVE_COUNT ? mp_leave_names[l] : "invalid";
}

MpLeave mp_leave_from_name(const char *name)
{
        return (MpLeave) config_choice(mp_leave_names, name);
}

const char *block_kind_name(BlockKind b)
{
        return b >= 0 && b < BLOCK_KIND_COUNT ? block_names[b] : "invalid";
}

BlockKind block_kind_from_name(const char *name)
{
        return (BlockKind) config_choice(block_names, name);
}

const char *at_cap_name(AtCap a)
{
        return a >= 0 && a < AT_CAP_COUNT ? at_cap_names[a] : "invalid";
}

AtCap at_cap_from_name(const char *name)
{
        return (AtCap) config_choice(at_cap_names, name);
}
