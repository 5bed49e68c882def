/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the verbs about Edge's management API have in common: the connection, what is written where, the end.
 */

#include <cjson/cJSON.h>

#include "agent/cli.h"
#include "agent/config.h"
#include "agent/edge/api.h"
#include "base/result.h"

typedef struct SessionIo {
        FILE *out, *err;
        int in; /* where people answer; -1: nobody can be asked */
        void (*say)(void *userdata, bool warning,
                    const char *text); /* takes the lines for people; NULL: @out, @err */
        void *userdata;
} SessionIo;

typedef struct Session {
        const CliRequest *rq;
        const Config *config;
        const SessionIo *io;
        sd_event *event;
        Api *api;
        Usec until;  /* what is asked of others than the API ends by then, too; 0: no limit */
        bool warned; /* something was told that a person should know */
} Session;

/*
 * session_open() - the API as the command line and section [cluster] of the configuration say.
 * Return: 0; a negative errno when the session is at its end: @ret_exit is the exit status, all is told.
 */
int session_open(Session *s, const CliRequest *rq, const Config *config, const SessionIo *io, int *ret_exit);
void session_done(Session *s);

/*
 * session_connect() - the same without a word. @hint: what to do about a failure, or ""; @size bytes. Return:
 * 0; -EDESTADDRREQ (no Management Server is named); errors of api_new(). session_done() also after a failure.
 */
int session_connect(Session *s, const CliRequest *rq, const Config *config, const SessionIo *io, char *hint,
                    size_t size, Err *err) _must_check_;

/* session_end() - tells how it ended, once. @hint: what to do; "" or NULL: nothing. Return: the exit status.
 */
int session_end(Session *s, Result result, const char *hint, const char *fmt, ...) _printf_(4, 5);

/* session_end_answer() - the same for a bad answer of the API. @what: in front, "Target server a"; NULL. */
int session_end_answer(Session *s, const ApiAnswer *answer, const char *what);

/* session_end_err() - the same for an error. */
int session_end_err(Session *s, Result result, const Err *err);

/* session_warn() - {"event":"warning"} or a line on standard error. */
void session_warn(Session *s, const char *fmt, ...) _printf_(2, 3);

/* session_tell() - the same of what is no reason to worry: {"event":"progress"} or a line on the output. */
void session_tell(Session *s, const char *fmt, ...) _printf_(2, 3);

/*
 * session_live() - how far something has come, where somebody looks on: one line, in the place of the one
 * before; "": it is gone. Elsewhere nothing.
 */
void session_live(Session *s, const char *fmt, ...) _printf_(2, 3);

/* session_event() - a line of JSON; @object is freed. */
void session_event(Session *s, cJSON *object);

/*
 * session_ask() - "@question [y/N] ", where somebody can be asked. Return: true: yes, or --yes; false:
 * @ret_exit is the exit status, all is told.
 */
bool session_ask(Session *s, const char *question, int *ret_exit);
