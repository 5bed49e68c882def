/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/archive-dl.h"

#define BUNDLE_CHUNK 65536

typedef struct Reading {
        const BundleHandlers *handlers;
        void *userdata;
        size_t documents, files;
        char *buffer; /* BUNDLE_DOCUMENT_MAX + 1 bytes, made when first needed */
} Reading;

static int tell(Reading *rd, const char *path, const char *problem)
{
        return rd->handlers->problem(path, problem, rd->userdata);
}

static bool ends_in(const char *text, const char *tail)
{
        size_t n = strlen(text), t = strlen(tail);
        return n > t && strcasecmp(text + n - t, tail) == 0;
}

/* ---- which paths ---- */

static bool part_is(const char *part, size_t len, const char *name)
{
        return len == strlen(name) && memcmp(part, name, len) == 0;
}

/* The folder in which a file of XML may name target servers. */
static bool folder_wanted(const char *name, size_t len)
{
        return part_is(name, len, "targets") || part_is(name, len, "policies") ||
               part_is(name, len, "targetservers");
}

int bundle_wants(const char *path)
{
        const char *folder = NULL, *part = path;
        size_t folder_len = 0;

        if (*path == '/' || *path == '\0' || strchr(path, '\\'))
                return -EINVAL;
        for (;;) {
                size_t len = strcspn(part, "/");
                if (part_is(part, len, ".."))
                        return -EINVAL;
                if (part[len] == '\0')
                        return folder && folder_wanted(folder, folder_len) && ends_in(part, ".xml");
                folder = part;
                folder_len = len;
                part += len + 1;
        }
}

/* ---- a zip ---- */

typedef struct Zip {
        const ArchiveDl *dl;
        struct archive *archive;
} Zip;

static void zip_done(Zip *z)
{
        if (z->archive)
                (void) z->dl->read_free(z->archive);
}

static int reading_buffer(Reading *rd, Err *err)
{
        if (!rd->buffer && !(rd->buffer = malloc(BUNDLE_DOCUMENT_MAX + 1)))
                return err_set(err, -ENOMEM, "Out of memory");
        return 0;
}

/* What libarchive says is of its own and the zip's making: as a problem it is made ASCII by err_set(). */
static int zip_trouble(Reading *rd, const Zip *z, const char *path, const char *what)
{
        const char *said = z->dl->error_string(z->archive);
        Err e = { 0 };
        (void) err_set(&e, -EBADMSG, "%s: %.200s", what, said ? said : "no reason is given");
        return tell(rd, path, e.text);
}

/* The whole entry or a problem; its size is what comes out, not what its header says. @total: what comes out
 * is added, read or not. @ret: -1: it is not read, and a problem was told, unless @total is too much. */
static int zip_entry_text(Reading *rd, const Zip *z, const char *shown, size_t *total, ssize_t *ret, Err *err)
{
        size_t n = 0;
        int r = reading_buffer(rd, err);
        if (r < 0)
                return r;
        *ret = -1;
        for (;;) {
                la_ssize_t got = z->dl->read_data(z->archive, rd->buffer + n, BUNDLE_DOCUMENT_MAX + 1 - n);
                if (got < 0)
                        return zip_trouble(rd, z, shown, "it cannot be unpacked");
                if (got == 0)
                        break;
                n += (size_t) got;
                *total += (size_t) got;
                if (*total > BUNDLE_XML_MAX)
                        return 0;
                if (n > BUNDLE_DOCUMENT_MAX)
                        return tell(rd, shown, "it unpacks to more than 1 MiB and is not read");
        }
        *ret = (ssize_t) n;
        return 0;
}

static int zip_entry(Reading *rd, const Zip *z, const char *path, struct archive_entry *entry, size_t *total,
                     Err *err)
{
        char shown[BUNDLE_PATH_MAX];
        ssize_t len;
        const char *name = z->dl->entry_pathname(entry);
        if (!name)
                name = z->dl->entry_pathname_utf8(entry);
        if (!name)
                return tell(rd, path, "an entry has a name that is in no known encoding; it is not read");
        (void) snprintf(shown, sizeof(shown), "%s/%s", path, name);
        int wanted = bundle_wants(name);
        if (wanted < 0)
                return tell(rd, shown, "the name of this entry leaves the bundle; it is not read");
        if (wanted == 0 || z->dl->entry_filetype(entry) != AE_IFREG)
                return 0;
        if (z->dl->entry_is_data_encrypted(entry))
                return tell(rd, shown, "it is encrypted and cannot be read");
        int r = zip_entry_text(rd, z, shown, total, &len, err);
        if (r >= 0 && *total > BUNDLE_XML_MAX)
                return tell(rd, shown,
                            "the bundle has more than 64 MiB of XML; this and what follows is not read");
        if (r < 0 || len < 0)
                return r;
        rd->documents++;
        return rd->handlers->document(shown, rd->buffer, (size_t) len, rd->userdata);
}

static int zip_read(Reading *rd, int fd, const char *path, Err *err)
{
        _cleanup_(zip_done) Zip z = { 0 };
        struct archive_entry *entry;
        size_t total = 0, n = 0;

        int r = archive_dl_load(&z.dl, err);
        if (r < 0)
                return r;
        if (!(z.archive = z.dl->read_new()))
                return err_set(err, -ENOMEM, "Out of memory");
        if (z.dl->read_support_format_zip_seekable(z.archive) != ARCHIVE_OK ||
            z.dl->read_open_fd(z.archive, fd, BUNDLE_CHUNK) != ARCHIVE_OK)
                return zip_trouble(rd, &z, path, "this zip cannot be read");
        for (;;) {
                int got = z.dl->read_next_header(z.archive, &entry);
                if (got == ARCHIVE_EOF)
                        return 0;
                if (got < ARCHIVE_WARN)
                        return zip_trouble(rd, &z, path,
                                           n ? "this zip is broken in the middle"
                                             : "this zip cannot be read");
                if (n++ == BUNDLE_ENTRIES_MAX)
                        return tell(rd, path,
                                    "this zip has more than 20000 entries; the others are not read");
                if ((r = zip_entry(rd, &z, path, entry, &total, err)) < 0)
                        return r;
                if (total > BUNDLE_XML_MAX)
                        return 0;
        }
}

/* ---- files ---- */

static int xml_read(Reading *rd, int fd, const char *path, Err *err)
{
        size_t n = 0;
        int r = reading_buffer(rd, err);
        if (r < 0)
                return r;
        for (;;) {
                ssize_t got = read(fd, rd->buffer + n, BUNDLE_DOCUMENT_MAX + 1 - n);
                if (got < 0) {
                        Err e = { 0 };
                        (void) err_errno(&e, -errno, "it cannot be read");
                        return tell(rd, path, e.text);
                }
                if (got == 0)
                        break;
                n += (size_t) got;
                if (n > BUNDLE_DOCUMENT_MAX)
                        return tell(rd, path, "it is larger than 1 MiB and is not read");
        }
        rd->documents++;
        return rd->handlers->document(path, rd->buffer, n, rd->userdata);
}

static int zip_file_read(Reading *rd, int fd, const char *path, Err *err)
{
        struct stat st;
        if (fstat(fd, &st) < 0 || st.st_size > BUNDLE_ZIP_MAX)
                return tell(rd, path, "this zip is larger than 32 MiB and is not read");
        return zip_read(rd, fd, path, err);
}

static bool is_zip(int fd)
{
        unsigned char magic[4];
        return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && magic[0] == 'P' && magic[1] == 'K' &&
               magic[2] < 9 && magic[3] < 9;
}

/* ---- folders ---- */

static int folder_read(Reading *rd, int fd, const char *path, bool wanted, unsigned depth, Err *err);

/* @fd: taken. */
static int member_read(Reading *rd, int fd, const char *path, const char *name, bool wanted, unsigned depth,
                       Err *err)
{
        _cleanup_(closep) int own = fd;
        struct stat st;
        if (fstat(fd, &st) < 0)
                return 0;
        if (S_ISDIR(st.st_mode))
                return folder_read(rd, TAKE_FD(own), path, folder_wanted(name, strlen(name)), depth + 1, err);
        if (!S_ISREG(st.st_mode))
                return 0;
        if (wanted && ends_in(name, ".xml"))
                return xml_read(rd, fd, path, err);
        return ends_in(name, ".zip") ? zip_file_read(rd, fd, path, err) : 0;
}

/* @name of the folder @dir; @path: the folder's. */
static int named_read(Reading *rd, int dir, const char *path, const char *name, bool wanted, unsigned depth,
                      Err *err)
{
        char member[BUNDLE_PATH_MAX * 4];

        if ((size_t) snprintf(member, sizeof(member), "%s/%s", path, name) >= sizeof(member))
                return tell(rd, path, "a path below it is too long and is not read");
        /* O_NONBLOCK: a pipe must not hold up the opening. */
        int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0)
                return member_read(rd, fd, member, name, wanted, depth, err);
        if (errno == ELOOP || errno == ENXIO)
                return 0;
        Err e = { 0 };
        (void) err_errno(&e, -errno, "it cannot be read");
        return tell(rd, member, e.text);
}

typedef struct Name {
        char *text;
        unsigned char type; /* DT_... */
} Name;

typedef struct Names {
        Name *items;
        size_t n;
} Names;

static int by_name(const void *a, const void *b)
{
        return strcmp(((const Name *) a)->text, ((const Name *) b)->text);
}

static void names_done(Names *names)
{
        for (size_t i = 0; i < names->n; i++)
                free(names->items[i].text);
        free(names->items);
}

static int names_read(DIR *dir, Names *ret, Err *err)
{
        size_t room = 0;
        for (struct dirent *d; (d = readdir(dir));) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                if (ret->n == room) {
                        Name *more = reallocarray(ret->items, room = room ? room * 2 : 64, sizeof(*more));
                        if (!more)
                                return err_set(err, -ENOMEM, "Out of memory");
                        ret->items = more;
                }
                if (!(ret->items[ret->n].text = strdup(d->d_name)))
                        return err_set(err, -ENOMEM, "Out of memory");
                ret->items[ret->n++].type = d->d_type;
        }
        if (ret->n > 1)
                qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
        return 0;
}

static void dir_done(DIR **dir)
{
        if (*dir)
                (void) closedir(*dir);
}

/* Not every script and every picture of a bundle is worth an open(). */
static bool worth_opening(const Name *name, bool wanted)
{
        if (name->type == DT_REG)
                return ends_in(name->text, ".zip") || (wanted && ends_in(name->text, ".xml"));
        return name->type == DT_DIR || name->type == DT_UNKNOWN;
}

/* @fd: taken. @wanted: its XML files are read. */
static int folder_read(Reading *rd, int fd, const char *path, bool wanted, unsigned depth, Err *err)
{
        _cleanup_(closep) int own = fd;
        _cleanup_(names_done) Names names = { 0 };
        _cleanup_(dir_done) DIR *dir = NULL;

        if (depth > BUNDLE_DEPTH_MAX)
                return tell(rd, path, "it is more than 32 folders deep and is not read");
        if (!(dir = fdopendir(fd))) {
                Err e = { 0 };
                (void) err_errno(&e, -errno, "this folder cannot be read");
                return tell(rd, path, e.text);
        }
        (void) TAKE_FD(own);
        int r = names_read(dir, &names, err);
        for (size_t i = 0; i < names.n && r >= 0; i++) {
                if (rd->files == BUNDLE_FILES_MAX)
                        return tell(rd, path, "there are more than 1000000 files; the others are not read");
                rd->files++;
                if (worth_opening(&names.items[i], wanted))
                        r = named_read(rd, dirfd(dir), path, names.items[i].text, wanted, depth, err);
        }
        return r;
}

int bundle_read(const char *path, const BundleHandlers *handlers, void *userdata, Err *err)
{
        Reading rd = { .handlers = handlers, .userdata = userdata };
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        char shown[BUNDLE_PATH_MAX * 2];
        struct stat st;
        size_t n;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "%.300s cannot be opened", path);
        (void) snprintf(shown, sizeof(shown), "%s", path);
        for (n = strlen(shown); n > 1 && shown[n - 1] == '/'; n--)
                shown[n - 1] = '\0';
        if (S_ISDIR(st.st_mode)) {
                const char *slash = strrchr(shown, '/'), *name = slash ? slash + 1 : shown;
                r = folder_read(&rd, TAKE_FD(fd), shown, folder_wanted(name, strlen(name)), 0, err);
        } else if (!S_ISREG(st.st_mode))
                r = err_set(err, -EINVAL, "%.300s is neither a file nor a folder", path);
        else if (is_zip(fd))
                r = zip_file_read(&rd, fd, shown, err);
        else if (ends_in(path, ".xml"))
                r = xml_read(&rd, fd, shown, err);
        else
                r = err_set(err, -EINVAL, "%.300s is neither a zip nor a folder nor an XML file (*.xml)",
                            path);
        free(rd.buffer);
        return r < 0 ? r : (int) rd.documents;
}

int bundle_read_zip(int fd, const char *shown, const BundleHandlers *handlers, void *userdata, Err *err)
{
        Reading rd = { .handlers = handlers, .userdata = userdata };
        int r = is_zip(fd) ? zip_file_read(&rd, fd, shown, err) : tell(&rd, shown, "it is no zip");
        free(rd.buffer);
        return r < 0 ? r : (int) rd.documents;
}
