/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One question about (or one act of a person on) the places of a pool, in a session of its own: who is out,
 * who waits, who belongs to it; take a place away; how many may be out. Needs no place and takes none.
 */

#include <cjson/cJSON.h>

#include "agent/place.h"

typedef struct PlaceAsk PlaceAsk;

typedef enum PlaceAskKind {
        PLACE_SHOW,
        PLACE_STEAL, /* what out/ and run/ have of one server goes */
        PLACE_SIZE,
} PlaceAskKind;

typedef struct PlaceQuestion {
        PlaceAskKind kind;
        ZkOptions zk;
        char pool[256];
        char name[128]; /* steal: the server's id, or the name it has given itself */
        unsigned size;  /* size: the new one */
        Usec limit_usec;
} PlaceQuestion;

/*
 * @r: 0; -ETIMEDOUT (no answer), -EACCES, -ENOENT (steal: nobody of that name), -EEXIST (steal: more than
 * one), -EIO. @text: one sentence, what went wrong. @show: with 0 the pool as it was found (before a steal or
 * a new size); the callee may detach what it likes. The PlaceAsk is gone after the call. {pool, size, open,
 * out: [{uuid, name, by, reason, since, working}], waiting: [{uuid, name, by, reason, since, position}],
 * members: [{uuid, name, address}], stolen: {the entry} }
 */
typedef void (*PlaceAskFn)(int r, const char *text, cJSON *show, void *userdata);

/* place_ask() - Return: 0; errors of zk_new(). */
int place_ask(PlaceAsk **ret, sd_event *event, const PlaceQuestion *question, PlaceAskFn fn, void *userdata,
              Err *err) _must_check_;

/* place_ask_cancel() - NULL allowed. Return: NULL. */
PlaceAsk *place_ask_cancel(PlaceAsk *a);
