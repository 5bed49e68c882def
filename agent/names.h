/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the user database of this machine says, never waited for longer than NAMES_USEC. It may be kept by a
 * directory server, and the libc's functions wait for one that hangs as long as that likes: the event loop
 * would, too. So the files of the machine are read first, and everything else is asked in a child that is
 * killed when its time is over. Answers are kept for a while, a missing one as well.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/time.h"

#define NAMES_USEC      (300 * USEC_PER_MSEC)
#define NAMES_KEPT_USEC (60 * USEC_PER_SEC)
/* After an answer that did not come nobody is asked for so long: a hundred callers cost no more than one. */
#define NAMES_PAUSE_USEC (10 * USEC_PER_SEC)

typedef struct NamesAnswer {
        char user[64];  /* "": there is no such user */
        bool has_group; /* there is such a group */
        gid_t group;    /* ... its number */
        bool member;    /* ... and this user belongs to it */
} NamesAnswer;

/* Asks the user database itself, and may hang. Runs in the child. @ret: zeroed before. */
typedef void (*NamesAskFn)(uid_t uid, const char *group, NamesAnswer *ret);

typedef struct Names Names;

/*
 * names_new() - @group: the one that names_member() is about; copied. @passwd, @groups: the files, NULL for
 * /etc/passwd and /etc/group. @ask: NULL for the libc's functions. Return: 0; -ENOMEM.
 */
int names_new(Names **ret, const char *group, const char *passwd, const char *groups,
              NamesAskFn ask) _must_check_;
Names *names_free(Names *names);
DEFINE_CLEANUP(Names, names_free);

/* names_user() - the name of @uid; "?" when there is none, or nobody said it in time. Owned by @names, good
 * until the next call. */
const char *names_user(Names *names, uid_t uid);

/*
 * names_member() - does @uid belong to the group? @gids: the groups that the kernel has noted for his
 * connection, and then they decide: whoever was made a member since then logs in again. NULL: the bus is too
 * old to tell them, and the user database decides. No answer in time: no.
 */
bool names_member(Names *names, uid_t uid, const gid_t *gids, size_t n_gids);
