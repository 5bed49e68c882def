/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Text for people, as all displays write it. Whatever text came from elsewhere goes through put_clean() or
 * put_wrapped(): control characters never reach the terminal. Colours are only an extra: what they say is
 * said by a word, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PUT_WIDTH_DEFAULT 80

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_GOOD,
        COLOUR_BAD,
        COLOUR_WARN,
        COLOUR_STRONG,
        COLOUR_DIM,
        COLOUR_COUNT
} Colour;

/* put_clean() - @text with '?' for each control character (C0, DEL, and C1 in UTF-8). */
void put_clean(FILE *f, const char *text);

/* put_seconds() - "0.42 s" below one second, then "14.2 s". */
void put_seconds(FILE *f, double seconds);

/*
 * put_wrapped() - @text, clean, in lines of @width columns; those behind the first begin with @indent blanks;
 * the first is at @column already. @width 0: one line.
 */
void put_wrapped(FILE *f, const char *text, unsigned column, unsigned indent, unsigned width);

/* put_colour(), put_plain() - switch a colour on, and all colours off. Nothing when not @on. */
void put_colour(FILE *f, bool on, Colour colour);
void put_plain(FILE *f, bool on);

/*
 * put_columns() - how many columns @text takes at most: 1 a character, 2 for those that some terminals draw
 * wide, 1 for each byte that is no UTF-8.
 */
size_t put_columns(const char *text);

/* put_cut() - cut @text so that it takes at most @columns; a character of several bytes is never cut apart.
 */
void put_cut(char *text, size_t columns);

/* put_field() - @text, clean, cut or filled with blanks to exactly @columns. */
void put_field(FILE *f, const char *text, size_t columns);

/* put_word() - a word of a command line, clean: quoted where a shell would read it as something else. */
void put_word(FILE *f, const char *word);

/* put_dest() - [USER@]HOST[:PORT] as an argument of ssh(1), which takes a port only in a URI. */
void put_dest(FILE *f, const char *dest);
