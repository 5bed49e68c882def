/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll status --cluster`: what the agents of many nodes say, for people and for programs. Pure. */

#include <cjson/cJSON.h>
#include <stddef.h>

#include "agent/cluster/table.h"
#include "base/result.h"

/* One node, or one component of it. Strings are never NULL. */
typedef struct StatusNode {
        const char *name;
        const char *dest;      /* the host that ssh is given; "": the name */
        const char *user;      /* "" or NULL: as ssh_config(5) has it */
        unsigned port;         /* 0: as ssh_config(5) has it */
        const char *component; /* which was asked for; "": it could not be asked what there is */
        const cJSON *look;     /* the agent's answer to Look; NULL: it gave none */
        const char *trouble;   /* why not */
        const char *hint;      /* what to do about it */
} StatusNode;

/*
 * status_view_text() - a row for each, and below how many stand how, and what to do for those that need it.
 * @mode: live: lines are cut to its width; else they are as long as they are.
 * @ssh: the command that reaches a node. @wall: now, on the wall clock, for how long ago something was.
 * @ret: to be freed. Return: 0; -ENOMEM.
 */
int status_view_text(const StatusNode *nodes, size_t n, const TableMode *mode, const char *ssh, Usec wall,
                     char **ret) _must_check_;

/*
 * status_view_json() - one object in a line: nodes [{node, component, state, trouble, hint, look}], counts,
 * result, exit. Return: 0; -ENOMEM.
 */
int status_view_json(const StatusNode *nodes, size_t n, char **ret) _must_check_;

/* status_view_result() - RESULT_HELD when something is held, else RESULT_AGENT_UNREACHABLE when somebody
 * could not be asked, else RESULT_DONE. */
Result status_view_result(const StatusNode *nodes, size_t n);
