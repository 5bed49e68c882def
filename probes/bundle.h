/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The XML of API proxies, from wherever somebody has it: a bundle as a zip, a folder (a bundle, or many
 * bundles and zips below it), one XML file. Only what can name target servers is read: *.xml in folders
 * called "targets", "policies" and "targetservers"; all else is passed over unread. Nothing is ever written
 * or unpacked.
 *
 * Anybody's zip is safe here: only the format zip, by its directory at the end; what an entry unpacks to is
 * counted while it unpacks, whatever its header says; names that leave the bundle are problems, not paths. In
 * folders no symbolic link is followed. Memory is at most some 4 times BUNDLE_ZIP_MAX: libarchive keeps the
 * directory of a zip, which can be all of it.
 *
 * Source: Apigee "API proxy configuration reference" (layout of a bundle); libarchive(3).
 */

#include <errno.h>
#include <stddef.h>

#include "base/err.h"

#define BUNDLE_DOCUMENT_MAX (1024 * 1024)      /* bytes of one XML document */
#define BUNDLE_XML_MAX      (64 * 1024 * 1024) /* ... of all that are unpacked of one zip */
#define BUNDLE_ZIP_MAX      (32 * 1024 * 1024) /* bytes of a zip file; Edge itself takes 15 MB */
#define BUNDLE_ENTRIES_MAX  20000              /* entries of one zip */
#define BUNDLE_FILES_MAX    1000000            /* files below a folder */
#define BUNDLE_DEPTH_MAX    32                 /* folders in folders */
#define BUNDLE_PATH_MAX     1024               /* bytes of a path that is reported, cut */

typedef struct BundleHandlers {
        /*
         * A document. @path: of the zip and of the entry in it, or of the file; UTF-8 as it was found, so
         * with any control character a name can have. @text: @len bytes, valid during the call. Return: 0 to
         * go on; a negative errno ends the reading with it.
         */
        int (*document)(const char *path, const char *text, size_t len, void *userdata);
        /*
         * Something that cannot be read, or only in part; the reading goes on. @problem: one sentence, ASCII.
         * Return: as above.
         */
        int (*problem)(const char *path, const char *problem, void *userdata);
} BundleHandlers;

/*
 * bundle_read() - all documents at @path, in the order of their names (in a zip: of the zip). Zips in zips
 * are not read. Return: the number of documents; what a handler returned; -ENOENT, -EACCES, ... (@path itself
 * cannot be opened); -EINVAL (neither XML nor zip nor folder); -ELIBACC (a zip, but no libarchive); -ENOMEM.
 * What is wrong further in is a problem, told to its handler.
 */
int bundle_read(const char *path, const BundleHandlers *handlers, void *userdata, Err *err) _must_check_;

/*
 * bundle_read_zip() - the same for a zip that is open already. @fd: of a file, read from its beginning.
 * @shown: what stands in front of the paths. Return: as above.
 */
int bundle_read_zip(int fd, const char *shown, const BundleHandlers *handlers, void *userdata,
                    Err *err) _must_check_;

/*
 * bundle_wants() - is this the path of a document that would be read? @path: within a bundle, "/" between its
 * parts. Pure. Return: 1; 0; -EINVAL (it leaves the bundle: absolute, "..", a backslash, a NUL is not
 * possible).
 */
int bundle_wants(const char *path);
