/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What goes to a node that checks target servers for somebody else, and what comes back. Pure.
 *
 * To it: lines, each a target server in the shape of Edge's own answers (probes/target.h); the number of the
 * line, from 0 on, is how it is called afterwards. No credential goes there, and nothing of a proxy.
 *
 * From it: lines, each a JSON object, as each check ends:
 *   {"id":0,"layer":"connect","usec":1200,"notes":0,"text":"..."}
 * `notes` are ProbeNote bits, which keep their meaning from release to release; bits that are not known are
 * dropped. Neither side believes the other: sizes, types and ranges are checked.
 */

#include "agent/edge/checking.h"
#include "probes/target.h"

#define CHECK_ASK_MAX   (512 * 1024) /* bytes of one question */
#define CHECK_ASK_LINES 500          /* target servers in it */
#define CHECK_ITEM_MAX  (64 * 1024)  /* bytes of one of them */
#define CHECK_LINE_MAX  2048         /* bytes of an answer */

/*
 * check_item() - one line of a question, without its end. @ret: to be freed. Return: 0; -E2BIG, -EINVAL: it
 * cannot be sent (too long, not UTF-8); -ENOMEM.
 */
int check_item(const EdgeTargetServer *server, char **ret, Err *err) _must_check_;

/*
 * check_ask() - a question of as many @items as go into one. @ret: to be freed. Return: how many; -ENOMEM.
 */
int check_ask(char *const *items, size_t n, char **ret, Err *err) _must_check_;

typedef struct CheckAsked {
        Target **targets; /* NULL: see `trouble` of it */
        char (*trouble)[CHECKED_TEXT];
        size_t n;
} CheckAsked;

/* check_asked_read() - the question, at the other end. Return: 0; -E2BIG (too long, too many lines); -EBADMSG
 * (nothing in it, or a line without its end); -ENOMEM. */
int check_asked_read(const char *text, size_t len, CheckAsked *ret, Err *err) _must_check_;
void check_asked_done(CheckAsked *asked);

/* check_line() - an answer, with its end. @ret: to be freed. Return: 0; -ENOMEM. */
int check_line(size_t id, const Checked *checked, char **ret) _must_check_;

/*
 * check_line_read() - the answer, at the other end. @n: so many were asked about. Return: 0; -EBADMSG (no
 * answer to what was asked: what is wrong with it); -E2BIG; -ENOMEM.
 */
int check_line_read(const char *text, size_t len, size_t n, size_t *ret_id, Checked *ret,
                    Err *err) _must_check_;
