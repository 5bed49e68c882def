/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why a node cannot be reached: from how ssh ended and what it complained of (LC_ALL=C) to a kind, a sentence
 * and what to try. Pure. Texts known: OpenSSH 8.0 to 9.8, sudo 1.8 to 1.9.
 */

#include <errno.h>
#include <stdbool.h>

typedef enum RemoteTrouble {
        REMOTE_REACH,         /* no connection to the host */
        REMOTE_HOST_KEY,      /* its host key is unknown or has changed */
        REMOTE_AUTH,          /* it does not let us in */
        REMOTE_NO_PROGRAM,    /* edge-roll is not there */
        REMOTE_OTHER_VERSION, /* it is, too old or too new */
        REMOTE_NO_BUS,        /* its system bus is gone */
        REMOTE_FOREIGN,       /* something else than the bridge answers */
        REMOTE_SILENT,        /* the connection is there, and nothing comes over it */
        REMOTE_CUT,           /* the connection was there, and has ended */
        REMOTE_PERMISSION,    /* let in, but not to do this */
        REMOTE_TROUBLE_COUNT,
        REMOTE_TROUBLE_INVALID = -EINVAL,
} RemoteTrouble;

/* remote_trouble_name() - "reach", "host-key", ... as in JSON; never NULL. */
const char *remote_trouble_name(RemoteTrouble t);

typedef struct SshTrouble {
        RemoteTrouble kind;
        bool retry;     /* may be another story in a while */
        char text[320]; /* never "", printable ASCII, whatever the far end said */
        char hint[320]; /* "" when there is nothing to say; a command where there is one */
} SshTrouble;

/* What was tried; for the sentence and the hint. Strings are never NULL. */
typedef struct SshTried {
        const char *command; /* "ssh -p 2222 -l edge r1": what a person would type before the command */
        const char *host;    /* as given to ssh */
        unsigned port;       /* 0: not given */
        const char *user;    /* "": not given */
        const char *bridge;  /* "sudo -n edge-roll bridge" */
        bool was_up;         /* the bridge had answered before */
} SshTried;

/*
 * ssh_trouble() - @status: as of waitpid(2); -1: it has not ended (the limit to connect has passed: @limit is
 * that limit as text). @complaint: its standard error, in lines.
 */
void ssh_trouble(int status, const char *complaint, const char *limit, const SshTried *tried,
                 SshTrouble *ret);

/* ssh_foreign() - the far end answered, with @line, which is not D-Bus. */
void ssh_foreign(const char *line, const SshTried *tried, SshTrouble *ret);

/*
 * remote_error_trouble() - is the error @name that an agent or bridge answered about the way to the agent?
 * @ret: what it means. Return: false when it is about the request itself.
 */
bool remote_error_trouble(const char *name, const char *text, const SshTried *tried, SshTrouble *ret);
