/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Ansible inventories in INI form, from text to hosts and groups. Pure.
 *
 * Read: groups, [G:children], [G:vars], host variables with shell quoting, ranges r[01:12], r[a:c], r[1:9:2],
 * host:port, comments, the groups `all` and `ungrouped`. Of the variables ansible_host, ansible_user,
 * ansible_port (and their old names ansible_ssh_*), ansible_ssh_private_key_file, ansible_connection and
 * edge_roll_bridge count, with
 * Ansible's precedence: all, then groups from the outermost to the innermost (equals by name), then the host.
 * Others are skipped; those that would change how ssh gets there are named in `notes`. Templates are not
 * evaluated, group_vars and host_vars beside the file are not read.
 *
 * Source: Ansible "How to build your inventory", "Patterns: targeting hosts and groups".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define INVENTORY_MAX        (4 * 1024 * 1024) /* bytes of the text */
#define INVENTORY_LINE_MAX   8192
#define INVENTORY_HOSTS_MAX  5000
#define INVENTORY_GROUPS_MAX 1000
#define INVENTORY_DEPTH_MAX  32 /* children of children */
#define INVENTORY_NAME_MAX   253
#define INVENTORY_NOTES_MAX  32

typedef struct InventoryHost {
        char *name;
        char *host;    /* ansible_host; NULL: the name */
        char *user;    /* NULL: not said */
        char *bridge;  /* edge_roll_bridge; NULL */
        char *key;     /* ansible_ssh_private_key_file; NULL */
        uint16_t port; /* 0: not said */
        bool local;    /* ansible_connection=local */
        char **groups; /* all it is in, through children too; sorted, NULL-terminated, without all and
                          ungrouped */
        unsigned line; /* where it is named first */
} InventoryHost;

typedef struct Inventory {
        InventoryHost *hosts; /* in the order of the text */
        size_t n_hosts;
        char **notes; /* one sentence each; NULL-terminated */
        size_t n_notes;
} Inventory;

/*
 * inventory_parse() - @file: what errors call it. @ret: written only on success.
 * Return: 0; -EINVAL ("FILE:LINE: what is wrong, what is accepted"; also: no host at all); -E2BIG (a limit:
 * says which); -ENOMEM.
 */
int inventory_parse(const char *text, size_t len, const char *file, Inventory **ret, Err *err) _must_check_;
Inventory *inventory_free(Inventory *inventory);
DEFINE_CLEANUP(Inventory, inventory_free);

/*
 * inventory_expand() - the names a pattern of ranges stands for, in order; a name without ranges is itself.
 * @ret: NULL-terminated, free with inventory_names_free(). Return: 0; -EINVAL; -E2BIG (more than @max);
 * -ENOMEM.
 */
int inventory_expand(const char *pattern, size_t max, char ***ret, Err *err) _must_check_;
char **inventory_names_free(char **names);
static inline void inventory_names_freep(char ***names)
{
        (void) inventory_names_free(*names);
}

/*
 * inventory_host_ok() - may this be given to ssh as a host? Letters, digits, ".-_:%", not beginning with '-':
 * what is an option to ssh, or an expansion in a ProxyCommand, is no host.
 */
bool inventory_host_ok(const char *host);

/* inventory_user_ok() - the same for a user: letters, digits, "._-+@\\", not beginning with '-'. */
bool inventory_user_ok(const char *user);

/* inventory_key_ok() - the absolute path of a private key (or one that begins with ~), nothing that ssh
 * expands. inventory_bridge_ok() - the command of a bridge: printable ASCII, not empty; its words are split
 * at blanks. Both: at most INVENTORY_VALUE_MAX bytes. */
#define INVENTORY_VALUE_MAX 1024
bool inventory_key_ok(const char *key);
bool inventory_bridge_ok(const char *command);

/* inventory_port() - "22" to 22. Return: false if it is no port from 1 to 65535. */
bool inventory_port(const char *text, uint16_t *ret);
