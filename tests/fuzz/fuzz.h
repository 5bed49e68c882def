/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the fuzz targets share. A target is one file, fuzz-NAME.c, with one function: it must take any bytes.
 * It is linked twice: with libFuzzer and the sanitizers (`make fuzz`, `make fuzz-smoke`), and with replay.c,
 * which gives it its corpus with the n-th allocation failing (`make oom`). So a target frees everything,
 * keeps nothing from one input to the next that grows, and takes -ENOMEM for an answer.
 *
 * An input with several parts has FUZZ_CUT between them; it is in no UTF-8 text.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FUZZ_CUT 0xffu

/* fuzz_one() - one input. */
void fuzz_one(const uint8_t *data, size_t size);

/* fuzz_check() - what must be true of an answer, whatever the input was. */
#define fuzz_check(condition) ((condition) ? (void) 0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* fuzz_any() - whatever was answered. */
static inline void fuzz_any(int r)
{
        (void) r;
}

/* What is left of an input. */
typedef struct Fuzz {
        const uint8_t *at;
        size_t left;
} Fuzz;

/* fuzz_byte(), fuzz_u16(), fuzz_u32(), fuzz_u64() - little endian; 0 for what is not there any more. */
uint8_t fuzz_byte(Fuzz *f);
uint16_t fuzz_u16(Fuzz *f);
uint32_t fuzz_u32(Fuzz *f);
uint64_t fuzz_u64(Fuzz *f);

/*
 * fuzz_part() - the bytes up to the next FUZZ_CUT, or the end, in memory of exactly their size, so that
 * reading one too far is seen. @ret_len: may be NULL. Return: to be freed; never NULL. fuzz_text() - the same
 * with a NUL behind, for what takes a string (one NUL more in the middle ends it).
 */
uint8_t *fuzz_part(Fuzz *f, size_t *ret_len);
char *fuzz_text(Fuzz *f, size_t *ret_len);

/* fuzz_dir() - a directory of this process in memory, made at the first call and gone at its end. */
const char *fuzz_dir(void);

/* fuzz_file() - @name in it has @bytes. Return: its path, valid until the next call. */
const char *fuzz_file(const char *name, const void *bytes, size_t n);

/* fuzz_nowhere() - a stream that takes everything and keeps nothing, for what prints. */
FILE *fuzz_nowhere(void);

/* fuzz_is_clean() - no control character but @allowed ones ("" for none): it may go to a terminal. */
bool fuzz_is_clean(const char *text, const char *allowed);

/* fuzz_is_ascii() - printable ASCII only: it may be a line of a log. */
bool fuzz_is_ascii(const char *text);
