/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A library that is loaded when it is first needed: dlopen(3), and its functions into a struct of pointers,
 * as a table says. Never unloaded once it is in use. Not for several threads.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct DlSymbol {
        const char *name;
        size_t offset; /* of the pointer to it, in the struct */
} DlSymbol;

/* DL_SYMBOL() - a row of the table. @type: of the struct. @symbol: without quotes. */
#define DL_SYMBOL(type, member, symbol)         \
        {                                       \
#symbol, offsetof(type, member) \
        }

#define DL_NAMES_MAX 2 /* the same ABI by several names: distributions differ */

typedef struct DlLibrary {
        const char *what;                /* "libcurl" */
        const char *names[DL_NAMES_MAX]; /* "libcurl.so.4": the first that is there; NULL: no more */
        const char *package;             /* what to install: "libcurl4 (Debian) or libcurl (RHEL)" */
        const DlSymbol *symbols;
        size_t n_symbols;
        /*
         * The last word, NULL: none: is it new enough, can it be initialised? @functions: all there. Return:
         * 0; a negative errno from err_set().
         */
        int (*check)(void *functions, Err *err);
        void *functions; /* the struct; to be used only when dl_load() has returned 0 */
        bool loaded;
} DlLibrary;

/*
 * dl_load() - later calls cost nothing once it was loaded; one that failed is tried again. @why: behind the
 * name in the sentence of an error, as in "libxml2 (monit's state is XML)"; NULL: nothing. Return: 0;
 * -ELIBACC (it is not there: says which package is missing; a function is missing: which); errors of
 * `check`.
 */
int dl_load(DlLibrary *library, const char *why, Err *err) _must_check_;
