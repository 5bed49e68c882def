/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Text that is written piece by piece through a stream. In place of open_memstream(3), which loses pieces, or
 * all of it, without a word when there is no memory (seen with glibc 2.36): half a text in a record is worse
 * than none.
 */

#include <stdio.h>

#include "base/cleanup.h"

/*
 * text_open() - a stream that grows *text, NUL-terminated; *size: its length without the NUL, as of the last
 * fflush(3). Both must live until text_close(). Return: NULL: out of memory.
 */
FILE *text_open(char **text, size_t *size) _must_check_;

/*
 * text_close() - @f: of text_open(), for this @text. Return: 0, and *text is to be freed; -ENOMEM, and *text
 * is NULL: not all of it could be kept.
 */
int text_close(FILE *f, char **text) _must_check_;
