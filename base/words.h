/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Words separated by white space: lists and command lines of the configuration. No quoting, no shell. */

#include <stdbool.h>

#include "base/cleanup.h"

/* NULL-terminated array of strings. */
typedef char **Words;

/* words_split() - @ret: never NULL on success, free with words_free(). Return: 0 or -ENOMEM. */
int words_split(const char *text, Words *ret) _must_check_;

/*
 * words_clean() - '?' for each byte that is no printable ASCII: text of others on its way to a terminal, the
 * journal or a message. In place.
 */
void words_clean(char *text);

/*
 * words_utf8() - is @text what D-Bus and JSON take: no half characters, none written longer than need be, no
 * halves of a pair, nothing beyond U+10FFFF. Source: RFC 3629, 4.
 */
bool words_utf8(const char *text);

/* words_free() - NULL allowed. Return: NULL. */
Words words_free(Words w);

static inline void words_freep(Words *w)
{
        (void) words_free(*w);
}
