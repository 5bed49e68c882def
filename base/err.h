/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The error contract of the whole program.
 *
 * A function that can fail returns a negative errno and fills an Err exactly once, at the origin: where it
 * happened and one sentence a person can act on. Callers forward the number and may only put a prefix before
 * the sentence; they never match on a number that is not their own. An answer that is expected ("not there",
 * "still busy") is not an error: it comes through a documented out-parameter.
 */

#include <errno.h>

#include "base/cleanup.h"

typedef struct Err {
        int code;       /* negative errno; 0 while nothing failed */
        char text[512]; /* one sentence, no newline */
} Err;

/*
 * err_negative() - a number of which it is known that it is negative, and now to the compiler as well: gcc
 * -fanalyzer sees no function of another file, and would follow each caller with an error that reads as
 * success.
 */
static inline int err_negative(int code)
{
        return code < 0 ? code : -EIO;
}

/*
 * err_set() - record an error.
 * @e: may be NULL (the sentence is then dropped). @code: negative errno (a positive one is negated, 0 becomes
 * -EIO, so that a failure never reads as success). @fmt: the sentence; anything but printable ASCII becomes
 * '?'. Return: the negative errno, so that `return err_set(...)` is the idiom.
 */
int err_set(Err *e, int code, const char *fmt, ...) _printf_(3, 4);
#define err_set(...) err_negative((err_set) (__VA_ARGS__))

/*
 * err_errno() - the same, with ": " and strerror(code) behind the sentence.
 */
int err_errno(Err *e, int code, const char *fmt, ...) _printf_(3, 4);
#define err_errno(...) err_negative((err_errno) (__VA_ARGS__))

/*
 * err_prefix() - put a prefix and ": " before the recorded sentence. @e: may be NULL.
 * Return: @code unchanged.
 */
int err_prefix(Err *e, int code, const char *fmt, ...) _printf_(3, 4);
