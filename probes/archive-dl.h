/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The few functions of libarchive that are used, loaded when first needed: only who reads a zip pays for it.
 * Only bundle.c includes this.
 */

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"

#define ARCHIVE_DL_FUNCTIONS(X)             \
        X(read_new)                         \
        X(read_free)                        \
        X(read_support_format_zip_seekable) \
        X(read_open_fd)                     \
        X(read_next_header)                 \
        X(read_data)                        \
        X(read_has_encrypted_entries)       \
        X(error_string)                     \
        X(entry_pathname)                   \
        X(entry_pathname_utf8)              \
        X(entry_filetype)                   \
        X(entry_is_data_encrypted)

typedef struct ArchiveDl {
#define ARCHIVE_DL_MEMBER(name) __typeof__(archive_##name) *name;
        ARCHIVE_DL_FUNCTIONS(ARCHIVE_DL_MEMBER)
#undef ARCHIVE_DL_MEMBER
} ArchiveDl;

/*
 * archive_dl_load() - load libarchive at the first call; later calls cost nothing. Never unloaded. Not for
 * several threads.
 * @ret: owned by this file, valid to the end of the process; written only on success.
 * Return: 0; -ELIBACC (not installed, or a function is missing: the sentence says what to install).
 */
int archive_dl_load(const ArchiveDl **ret, Err *err) _must_check_;
