/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The configuration: text to Config. One table of keys (name, type, default, meaning) drives parsing, the
 * `config` verb and the check that edge-roll.conf(5) names every key. Read by the agent and by the client.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/phase.h"
#include "base/err.h"
#include "base/time.h"
#include "base/words.h"

#define CONFIG_FILE       "/etc/edge-roll/edge-roll.conf"
#define CONFIG_DIR        "/etc/edge-roll/edge-roll.conf.d"
#define CONFIG_PORTS_MAX  64
#define CONFIG_COMPONENTS 16

typedef enum ComponentKind { KIND_ROUTER, KIND_MP, KIND_COUNT, KIND_INVALID = -EINVAL } ComponentKind;
typedef enum Persistent {
        PERSISTENT_CLOSE,
        PERSISTENT_WAIT,
        PERSISTENT_GIVE_BACK,
        PERSISTENT_COUNT,
        PERSISTENT_INVALID = -EINVAL,
} Persistent;
typedef enum AtCap { AT_CAP_GIVE_BACK, AT_CAP_GO_ON, AT_CAP_COUNT, AT_CAP_INVALID = -EINVAL } AtCap;
/* Where the target servers come from that are checked from a node. auto: files where the folder is there,
 * else the Management Server where its URL is set. */
typedef enum TargetsSource {
        TARGETS_AUTO,
        TARGETS_OFF,
        TARGETS_FILES,
        TARGETS_API,
        TARGETS_SOURCE_COUNT
} TargetsSource;
typedef enum MonitStop { MONIT_STOP_AUTO, MONIT_STOP_YES, MONIT_STOP_NO, MONIT_STOP_COUNT } MonitStop;
typedef enum BlockKind {
        BLOCK_WHOLE,   /* everything on the health port */
        BLOCK_SYN,     /* new connections to it */
        BLOCK_ROUTERS, /* everything on it that comes from a router */
        BLOCK_AUTO,    /* routers: whole; message processors: routers behind TLS, else syn */
        BLOCK_KIND_COUNT,
        BLOCK_KIND_INVALID = -EINVAL
} BlockKind;
typedef enum MpLeave {
        MP_LEAVE_BLOCK,
        MP_LEAVE_GRACEFUL,
        MP_LEAVE_AUTO,
        MP_LEAVE_COUNT,
        MP_LEAVE_INVALID = -EINVAL
} MpLeave;
typedef enum Tls { TLS_NO, TLS_YES, TLS_AUTO, TLS_COUNT, TLS_INVALID = -EINVAL } Tls;

/* Names as written in the file and as D-Bus options; NULL-safe: invalid for NULL or unknown. */
const char *persistent_name(Persistent p);
Persistent persistent_from_name(const char *name);
const char *at_cap_name(AtCap a);
AtCap at_cap_from_name(const char *name);
const char *mp_leave_name(MpLeave l);
MpLeave mp_leave_from_name(const char *name);
const char *block_kind_name(BlockKind b);
BlockKind block_kind_from_name(const char *name);

typedef struct PortList {
        uint16_t ports[CONFIG_PORTS_MAX]; /* host byte order */
        size_t n;
        bool automatic; /* the word "auto": found at run time */
} PortList;

/* A section [component NAME]. Strings are never NULL ("" when unset). */
typedef struct Component {
        char *name;
        Words aliases;
        ComponentKind kind;
        Words units;          /* accepted unit names; the first that exists is started by --start */
        PortList health_port; /* one port, or auto (MP: the tag http.port) */
        BlockKind block; /* whole: no API traffic on it; syn: it carries the traffic itself; routers: others
                            need it */
        Words routers;   /* who is refused on it, for BLOCK_ROUTERS: addresses, or the word auto */
        char *self_url, *up_url, *reachable_url; /* reachable_url "": not probed */
        char *runtime_url;                       /* what is loaded (MP); "": nothing to compare */
        char *organizations;                     /* "": asked of the component */
        PortList traffic_ports;   /* auto: listening sockets of the component's cgroup, without the others */
        PortList other_ports;     /* management, RPC, JMX: never traffic */
        PortList next_tier_ports; /* of its own connections to the next tier (paired); none: unpaired */
        Tls tls;                  /* the traffic ports speak TLS or HTTP/2; auto: as the properties say */
        Usec check_interval_usec; /* 0: auto (learned) */
        unsigned check_fall, check_rise;
        Usec watch_max_usec, quiet_usec, drain_max_usec;
        Usec request_limit_usec; /* 0: auto (from the properties, else 57 s) */
        Persistent persistent;
        AtCap at_cap;
        MpLeave mp_leave;  /* of message processors */
        Words properties;  /* files that may name read timeouts, TLS, what is retried */
        Words restart_on;  /* files that need a restart when they change: see needed-files.h */
        Words certificate; /* certificates that must be served: see served.h */
        char *nginx_dir;   /* nginx files that may name proxy_read_timeout; "": none */
        unsigned ready_count;
        Usec ready_interval_usec;
        Usec loaded_wait_usec;        /* for what was loaded before to load again, once the probes are good */
        char *stop_command;           /* command, for one that no unit of its own holds; "": none */
        char *wait_for_ready;         /* command (absolute path and arguments); "": none */
        char *partner;                /* restarted together with it by `restart rmp`; "": none */
        char *monit_check;            /* the name of its monit check; "": the component has none */
        Usec limit_usec[PHASE_COUNT]; /* 0: the default of phase.h */
} Component;

typedef struct Config {
        char *state_dir;
        Usec idle_exit_usec;
        unsigned nft_owner; /* a BlockOwner as ceiling; auto is the highest */
        bool cgroup_ids;
        char *hooks_dir;
        Usec hook_limit_usec;
        char *pool_name;      /* "auto": region and pod of the component */
        Words pool_members;   /* other nodes of the pool, as far as this node knows */
        char *lock;           /* "auto", "none", "lease" or "zookeeper://..." */
        char *lock_auth_file; /* "": none */
        Usec lock_session_usec;
        Words lock_files, lock_keys;
        /* sources of the list of nodes; "": not set */
        char *cluster_inventory, *cluster_management_url, *cluster_management_user;
        char *cluster_management_password_file, *cluster_management_ca;
        bool cluster_management_checks;    /* ask it before a roll about what is in Edge */
        Usec cluster_management_usec;      /* for all of that */
        Words cluster_ssh, cluster_bridge; /* commands: how a node is reached, what is run on it */
        Usec cluster_connect_usec, cluster_answer_usec;
        unsigned cluster_at_once;      /* connections being made at the same time */
        char *cluster_max_unavailable; /* as written: "1", "25%" */
        Usec cluster_soak_low_usec, cluster_soak_high_usec;
        Usec cluster_lost_usec;
        char *cluster_journal_dir; /* or "auto" */
        TargetsSource targets_source;
        char *targets_folder;
        Words targets_names;    /* shell patterns of ORG/ENV/NAME */
        bool targets_handshake; /* TLS where the target server has it, not only a connection */
        unsigned targets_max;
        Usec targets_connect_usec, targets_wait_usec;
        Words monit_units;
        MonitStop monit_stop; /* whether monit's unit is stopped; auto: where the check is not proven off */
        char *monit_status_url;
        char *monit_unmonitor, *monit_monitor; /* commands with {check}; "auto", or "" for none */
        Component components[CONFIG_COMPONENTS];
        size_t n_components;
        struct ConfigOrigin *origins; /* where each key that is not at its default was set */
        size_t n_origins;
        unsigned n_more; /* who refers to it besides the first: config_ref() */
} Config;

/*
 * config_load() - defaults, then @file (may be absent), then @dir's *.conf in alphabetical order.
 * @file, @dir: NULL for CONFIG_FILE and CONFIG_DIR.
 * Return: 0; -EINVAL (the sentence says file, line, key, the value found, what is accepted; unknown sections
 * and keys are errors, with the nearest known name); -EACCES and other negative errno (unreadable).
 */
int config_load(Config **ret, const char *file, const char *dir, Err *err) _must_check_;
/* config_ref() - somebody else refers to @c, until he calls config_unref(). Return: @c. */
const Config *config_ref(const Config *c);

/* config_unref(), config_free() - one who refers to @c (NULL allowed) does so no longer; the last one frees
 * it. config_free() returns NULL. */
void config_unref(const Config *c);
Config *config_free(Config *c);
DEFINE_CLEANUP(Config, config_free);

/* config_component() - by name or alias. Return: NULL if there is none. Owned by @c. */
const Component *config_component(const Config *c, const char *name);

/*
 * config_rmp() - the router of `restart rmp`: the first one that has a partner. @ret_partner: the component
 * that is restarted while the router is out. NULL allowed. Return: NULL if there is none.
 */
#define CONFIG_RMP "rmp" /* what both together are called, unless a component has that name */
const Component *config_rmp(const Config *c, const Component **ret_partner);

/* config_was_set() - was @key of @component set in a file (be it to its default)? */
bool config_was_set(const Config *c, const Component *component, const char *key);

typedef enum ConfigForm {
        CONFIG_TEXT,
        CONFIG_JSON,
        CONFIG_KEPT, /* as text, and with the passwords that some URLs carry: for no eyes but root's */
} ConfigForm;

/* config_print() - every key in force with its value and where it comes from ("default" or FILE:LINE);
 * and the bound of a job on each component (CONFIG_JSON: "bounds", in seconds). */
int config_print(const Config *c, FILE *out, ConfigForm form) _must_check_;

/* component_limit() - the limit of @phase for @c: configured, else the default (watch: watch_max). */
Usec component_limit(const Component *c, Phase phase);
