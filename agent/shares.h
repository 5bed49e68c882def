/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Calls that are answered later, and of which only so many can be worked on at once: who has how many of
 * them. Nobody takes all of them, and those who may change nothing never keep out those who may. Pure.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

#define SHARES_MAX 64 /* the largest limit of all */

/* @all: at once; @strangers: of them, those of all who may change nothing; @person: those of one person, but
 * for root, whom nothing here could keep from anything. */
typedef struct SharesLimits {
        unsigned all, strangers, person;
} SharesLimits;

/* A static one is empty. */
typedef struct Shares {
        SharesLimits limits;
        struct {
                bool taken, stranger;
                char who[96]; /* as in BusCaller */
        } one[SHARES_MAX];
} Shares;

typedef enum SharesAnswer {
        SHARES_OK,
        SHARES_ALL,       /* the limit of all is reached */
        SHARES_STRANGERS, /* ... of those who may change nothing */
        SHARES_PERSON,    /* ... of this person */
        SHARES_ANSWER_COUNT,
        SHARES_ANSWER_INVALID = -EINVAL,
} SharesAnswer;

/*
 * shares_take() - one more for @who. @root: the limit of a person is not his; @stranger: he may change
 * nothing.
 * @ret_share: for shares_give(), never 0; written only with SHARES_OK.
 */
SharesAnswer shares_take(Shares *s, const char *who, bool root, bool stranger,
                         size_t *ret_share) _must_check_;

/* shares_give() - it has been answered. @share: 0: none was taken. */
void shares_give(Shares *s, size_t share);
