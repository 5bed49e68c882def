/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bundles: real zips, written by libarchive and broken by hand; folders with everything a folder can have. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/bundle.h"
#include "tests/lib/wrapped.h"

/* ---- what is read ---- */

typedef struct Seen {
        char documents[4000], problems[8000]; /* a line each, without the folder of the test */
        size_t n, skip;
        int answer; /* of each document */
} Seen;

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        Seen *s = userdata;
        size_t n = strlen(s->documents);
        (void) snprintf(s->documents + n, sizeof(s->documents) - n, "%s=%.*s\n", path + s->skip,
                        (int) (len < 20 ? len : 20), text);
        s->n++;
        return s->answer;
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        Seen *s = userdata;
        size_t n = strlen(s->problems);
        (void) snprintf(s->problems + n, sizeof(s->problems) - n, "%s: %s\n", path + s->skip, problem);
        return 0;
}

static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };

/* ---- where it is ---- */

static char folder[64];

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
                      struct FTW *ftw _unused_)
{
        return remove(path);
}

static int setup(void **state _unused_)
{
        (void) snprintf(folder, sizeof(folder), "/tmp/edge-roll-bundle.XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state _unused_)
{
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *at(const char *name)
{
        static char path[4][4200];
        static unsigned turn;
        char *p = path[turn++ % 4];
        (void) snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
        return p;
}

static void put(const char *name, const char *text)
{
        char path[4200];
        (void) snprintf(path, sizeof(path), "%s", at(name));
        for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = '\0';
                (void) mkdir(path, 0700);
                *slash = '/';
        }
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        (void) fclose(f);
}

static Seen seen(const char *name, int expected)
{
        Seen s = { .skip = strlen(folder) + 1 };
        Err err = { 0 };
        int r = bundle_read(at(name), &handlers, &s, &err);
        if (r != expected)
                fail_msg("%s: %d (%s)\n%s%s", name, r, err.text, s.documents, s.problems);
        return s;
}

/* ---- zips ---- */

typedef struct Entry {
        const char *name, *text;
        size_t len; /* 0: of @text */
        unsigned type;
} Entry;

static bool stored; /* the next ones are not compressed */

static void zip(const char *name, const Entry *entries, size_t n)
{
        struct archive *a = archive_write_new();
        assert_int_equal(archive_write_set_format_zip(a), ARCHIVE_OK);
        if (stored)
                assert_int_equal(archive_write_zip_set_compression_store(a), ARCHIVE_OK);
        assert_int_equal(archive_write_open_filename(a, at(name)), ARCHIVE_OK);
        for (size_t i = 0; i < n; i++) {
                size_t len = entries[i].len ? entries[i].len : strlen(entries[i].text);
                struct archive_entry *e = archive_entry_new();
                archive_entry_set_pathname(e, entries[i].name);
                archive_entry_set_filetype(e, entries[i].type ? entries[i].type : AE_IFREG);
                archive_entry_set_size(e, (la_int64_t) len);
                archive_entry_set_perm(e, 0644);
                if (entries[i].type == AE_IFLNK)
                        archive_entry_set_symlink(e, entries[i].text);
                assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
                if (entries[i].type != AE_IFLNK && len > 0)
                        assert_int_equal(archive_write_data(a, entries[i].text, len), len);
                archive_entry_free(e);
        }
        assert_int_equal(archive_write_close(a), ARCHIVE_OK);
        (void) archive_write_free(a);
}

static void test_zip(void **state _unused_)
{
        static const Entry entries[] = {
                { "apiproxy/billing.xml", "<APIProxy/>", 0, 0 },
                { "apiproxy/policies/call.xml", "<ServiceCallout/>", 0, 0 },
                { "apiproxy/policies/notes.txt", "text", 0, 0 },
                { "apiproxy/proxies/default.xml", "<ProxyEndpoint/>", 0, 0 },
                { "apiproxy/resources/jsc/targets.js", "//", 0, 0 },
                { "apiproxy/targets/default.xml", "<TargetEndpoint/>", 0, 0 },
                { "apiproxy/targets/OTHER.XML", "<TargetEndpoint/>", 0, 0 },
        };
        zip("b.zip", entries, ELEMENTS(entries));
        Seen s = seen("b.zip", 3);
        assert_string_equal(s.documents, "b.zip/apiproxy/policies/call.xml=<ServiceCallout/>\n"
                                         "b.zip/apiproxy/targets/default.xml=<TargetEndpoint/>\n"
                                         "b.zip/apiproxy/targets/OTHER.XML=<TargetEndpoint/>\n");
        assert_string_equal(s.problems, "");
}

static void test_paths_that_leave(void **state _unused_)
{
        static const Entry entries[] = {
                { "../targets/a.xml", "<a/>", 0, 0 },
                { "/etc/targets/a.xml", "<a/>", 0, 0 },
                { "apiproxy/targets/../../../b.xml", "<a/>", 0, 0 },
                { "apiproxy\\targets\\a.xml", "<a/>", 0, 0 },
                { "apiproxy/targets/link.xml", "/etc/passwd", 0, AE_IFLNK },
                { "apiproxy/targets/good.xml", "<a/>", 0, 0 },
        };
        zip("b.zip", entries, ELEMENTS(entries));
        /* Backslashes are how some programs for Windows write "/". */
        Seen s = seen("b.zip", 2);
        assert_string_equal(s.documents, "b.zip/apiproxy/targets/a.xml=<a/>\n"
                                         "b.zip/apiproxy/targets/good.xml=<a/>\n");
        assert_non_null(
                strstr(s.problems, "b.zip/../targets/a.xml: the name of this entry leaves the bundle"));
        assert_non_null(strstr(s.problems, "b.zip//etc/targets/a.xml: the name"));
        assert_non_null(strstr(s.problems, "../../../b.xml: the name"));
}

/* 64 MiB of blanks in 64 KiB; and what is not wanted is not even unpacked. */
static void test_bomb(void **state _unused_)
{
        size_t len = 64 * 1024 * 1024;
        char *blanks = malloc(len);
        assert_non_null(blanks);
        memset(blanks, ' ', len);
        const Entry entries[] = {
                { "apiproxy/resources/java/big.jar", blanks, len, 0 },
                { "apiproxy/targets/big.xml", blanks, len, 0 },
                { "apiproxy/targets/most.xml", blanks, BUNDLE_DOCUMENT_MAX, 0 },
                { "apiproxy/targets/more.xml", blanks, BUNDLE_DOCUMENT_MAX + 1, 0 },
                { "apiproxy/targets/small.xml", "<a/>", 0, 0 },
        };
        zip("b.zip", entries, ELEMENTS(entries));
        Seen s = seen("b.zip", 2);
        assert_non_null(strstr(s.documents, "b.zip/apiproxy/targets/most.xml="));
        assert_non_null(strstr(s.documents, "b.zip/apiproxy/targets/small.xml="));
        assert_non_null(strstr(s.problems, "b.zip/apiproxy/targets/big.xml: it unpacks to more than 1 MiB"));
        assert_non_null(strstr(s.problems, "b.zip/apiproxy/targets/more.xml: it unpacks to more than 1 MiB"));
        free(blanks);
}

static void test_more_xml_than_is_read(void **state _unused_)
{
        static Entry entries[70];
        static char names[70][40];
        char *blanks = malloc(BUNDLE_DOCUMENT_MAX);
        assert_non_null(blanks);
        memset(blanks, ' ', BUNDLE_DOCUMENT_MAX);
        for (size_t i = 0; i < ELEMENTS(entries); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "apiproxy/targets/%zu.xml", i);
                entries[i] = (Entry){ names[i], blanks, BUNDLE_DOCUMENT_MAX, 0 };
        }
        zip("b.zip", entries, ELEMENTS(entries));
        Seen s = seen("b.zip", 64);
        assert_non_null(
                strstr(s.problems, "b.zip/apiproxy/targets/64.xml: the bundle has more than 64 MiB of XML"));
        assert_null(strstr(s.problems, "65.xml"));
        free(blanks);
}

/* Each of them unpacks to more than is read of one; unpacked they were all the same. */
static void test_many_bombs(void **state _unused_)
{
        static Entry entries[70];
        static char names[70][40];
        size_t len = BUNDLE_DOCUMENT_MAX + 1;
        char *blanks = malloc(len);
        assert_non_null(blanks);
        memset(blanks, ' ', len);
        for (size_t i = 0; i < ELEMENTS(entries); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "apiproxy/targets/%zu.xml", i);
                entries[i] = (Entry){ names[i], blanks, len, 0 };
        }
        zip("b.zip", entries, ELEMENTS(entries));
        Seen s = seen("b.zip", 0);
        assert_non_null(strstr(s.problems,
                               "b.zip/apiproxy/targets/62.xml: it unpacks to more than 1 MiB and is not"));
        assert_non_null(
                strstr(s.problems, "b.zip/apiproxy/targets/63.xml: the bundle has more than 64 MiB of XML"));
        assert_null(strstr(s.problems, "64.xml"));
        free(blanks);
}

/* Every cut of a zip, and every byte of it changed: no crash, no more documents than there are, and a cut one
 * is told. */
static void test_broken_zips(void **state _unused_)
{
        static const Entry entries[] = {
                { "apiproxy/targets/default.xml",
                  "<TargetEndpoint name=\"default\"><HTTPTargetConnection/></TargetEndpoint>", 0, 0 },
                { "apiproxy/policies/call.xml", "<ServiceCallout/>", 0, 0 },
        };
        zip("whole.zip", entries, ELEMENTS(entries));
        static unsigned char whole[4096];
        int fd = open(at("whole.zip"), O_RDONLY | O_CLOEXEC);
        ssize_t len = read(fd, whole, sizeof(whole));
        (void) close(fd);
        assert_true(len > 100);
        for (ssize_t i = 4; i < len * 2; i++) {
                unsigned char bytes[sizeof(whole)];
                ssize_t n = i < len ? i : len;
                memcpy(bytes, whole, (size_t) len);
                if (i >= len)
                        bytes[i - len] ^= 0xff;
                fd = open(at("b.zip"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                assert_int_equal(write(fd, bytes, (size_t) n), n);
                (void) close(fd);
                Seen s = { .skip = strlen(folder) + 1 };
                Err err = { 0 };
                int r = bundle_read(at("b.zip"), &handlers, &s, &err);
                assert_true(r <= 2);
                if (i < len && r >= 0 && s.n < 2)
                        assert_true(s.problems[0]);
        }
}

static void test_a_zip_that_is_none(void **state _unused_)
{
        put("b.zip", "PK\003\004 and then nothing of a zip");
        Seen s = seen("b.zip", 0);
        assert_non_null(strstr(s.problems, "b.zip: this zip cannot be read"));
        put("c.zip", "no zip at all");
        (void) seen("c.zip", -EINVAL);
}

/* ---- folders ---- */

static void test_folder(void **state _unused_)
{
        static const Entry entries[] = { { "apiproxy/targets/default.xml", "<z/>", 0, 0 } };
        put("p/one/apiproxy/targets/default.xml", "<one/>");
        put("p/one/apiproxy/policies/call.xml", "<call/>");
        put("p/one/apiproxy/proxies/default.xml", "<no/>");
        put("p/one/pom.xml", "<no/>");
        put("p/two/apiproxy/targets/default.xml", "<two/>");
        zip("p/zipped.zip", entries, 1);
        assert_int_equal(symlink("/etc", at("p/one/apiproxy/targets/out")), 0);
        assert_int_equal(symlink("../../../two/apiproxy/targets/default.xml",
                                 at("p/one/apiproxy/targets/link.xml")),
                         0);
        assert_int_equal(mkfifo(at("p/one/apiproxy/targets/pipe.xml"), 0600), 0);
        Seen s = seen("p", 4);
        assert_string_equal(s.documents, "p/one/apiproxy/policies/call.xml=<call/>\n"
                                         "p/one/apiproxy/targets/default.xml=<one/>\n"
                                         "p/two/apiproxy/targets/default.xml=<two/>\n"
                                         "p/zipped.zip/apiproxy/targets/default.xml=<z/>\n");
        assert_string_equal(s.problems, "");
        /* A folder of documents by itself, whatever slashes are behind it. */
        s = seen("p/one/apiproxy/targets//", 1);
        assert_string_equal(s.documents, "p/one/apiproxy/targets/default.xml=<one/>\n");
        s = seen("p/two/apiproxy/targets/default.xml", 1);
}

static void test_deep(void **state _unused_)
{
        char path[400] = "d";
        for (int i = 0; i < BUNDLE_DEPTH_MAX + 2; i++)
                (void) strcat(path, "/d");
        (void) strcat(path, "/targets/a.xml");
        put(path, "<a/>");
        Seen s = seen("d", 0);
        assert_non_null(strstr(s.problems, "folders deep and is not read"));
}

static void test_a_file_that_is_too_large(void **state _unused_)
{
        put("targets/a.xml", "<a/>");
        assert_int_equal(truncate(at("targets/a.xml"), 1024L * 1024 * 1024), 0);
        put("targets/b.xml", "<b/>");
        Seen s = seen("targets", 1);
        assert_string_equal(s.documents, "targets/b.xml=<b/>\n");
        assert_non_null(strstr(s.problems, "targets/a.xml: it is larger than 1 MiB"));
}

/* ---- limits: the last that is read, and the first that is not ---- */

/* A zip of exactly @size bytes: an entry that is not wanted and not packed takes up what is left. */
static void zip_of_size(const char *name, size_t size)
{
        char *filler = calloc(1, size);
        Entry entries[] = { { "targets/a.xml", "<a/>", 0, 0 }, { "filler", filler, 1, 0 } };
        struct stat st;

        assert_non_null(filler);
        stored = true;
        zip(name, entries, ELEMENTS(entries));
        assert_int_equal(stat(at(name), &st), 0);
        entries[1].len = size - (size_t) st.st_size + 1;
        zip(name, entries, ELEMENTS(entries));
        stored = false;
        assert_int_equal(stat(at(name), &st), 0);
        assert_int_equal(st.st_size, size);
        free(filler);
}

static void zip_of_entries(const char *name, size_t n)
{
        Entry *entries = calloc(n, sizeof(*entries));
        char(*names)[40] = calloc(n, sizeof(*names));

        assert_true(entries && names);
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(names[i], sizeof(names[i]), i == n - 1 ? "targets/%zu.xml" : "other/%zu", i);
                entries[i] = (Entry){ names[i], "<a/>", 0, 0 };
        }
        zip(name, entries, n);
        free(names);
        free(entries);
}

static void zip_of_xml(const char *name, size_t bytes)
{
        static char names[70][40];
        char *blanks = malloc(BUNDLE_DOCUMENT_MAX);
        Entry entries[ELEMENTS(names)];
        size_t n = 0;

        assert_non_null(blanks);
        memset(blanks, ' ', BUNDLE_DOCUMENT_MAX);
        for (; bytes > 0; n++) {
                size_t len = bytes < BUNDLE_DOCUMENT_MAX ? bytes : BUNDLE_DOCUMENT_MAX;
                (void) snprintf(names[n], sizeof(names[n]), "targets/%zu.xml", n);
                entries[n] = (Entry){ names[n], blanks, len, 0 };
                bytes -= len;
        }
        zip(name, entries, n);
        free(blanks);
}

static void zip_of_document(const char *name, size_t bytes)
{
        char *blanks = malloc(bytes);
        assert_non_null(blanks);
        memset(blanks, ' ', bytes);
        zip(name, &(Entry){ "targets/a.xml", blanks, bytes, 0 }, 1);
        free(blanks);
}

static void file_of_size(const char *name, size_t bytes)
{
        put(name, "");
        assert_int_equal(truncate(at(name), (off_t) bytes), 0);
}

/* Folders below the one that is read. */
static void folder_of_depth(const char *name, size_t depth)
{
        char path[400];
        size_t n = (size_t) snprintf(path, sizeof(path), "%s", name);
        for (size_t i = 1; i < depth; i++)
                n += (size_t) snprintf(path + n, sizeof(path) - n, "/d");
        (void) snprintf(path + n, sizeof(path) - n, "/targets/a.xml");
        put(path, "<a/>");
}

static void test_limits(void **state _unused_)
{
        static const struct {
                const char *name;
                void (*make)(const char *name, size_t n);
                size_t limit;
                int at, over;        /* documents that are read */
                const char *refusal; /* one over */
        } limits[] = {
                { "a.xml", file_of_size, BUNDLE_DOCUMENT_MAX, 1, 0, "larger than 1 MiB and is not read" },
                { "b.zip", zip_of_document, BUNDLE_DOCUMENT_MAX, 1, 0, "unpacks to more than 1 MiB" },
                { "c.zip", zip_of_xml, BUNDLE_XML_MAX, 64, 64, "more than 64 MiB of XML" },
                { "d.zip", zip_of_size, BUNDLE_ZIP_MAX, 1, 0, "larger than 32 MiB" },
                { "e.zip", zip_of_entries, BUNDLE_ENTRIES_MAX, 1, 0, "more than 20000 entries" },
                { "f", folder_of_depth, BUNDLE_DEPTH_MAX, 1, 1, "more than 32 folders deep" },
        };
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                limits[i].make(limits[i].name, limits[i].limit);
                Seen s = seen(limits[i].name, limits[i].at);
                if (*s.problems)
                        fail_msg("%s at its limit: %s", limits[i].name, s.problems);
                limits[i].make(limits[i].name, limits[i].limit + 1);
                s = seen(limits[i].name, limits[i].over);
                if (!strstr(s.problems, limits[i].refusal))
                        fail_msg("%s beyond its limit: %s", limits[i].name, s.problems);
        }
}

#ifndef __SANITIZE_ADDRESS__ /* it keeps what is freed */
/* The directory of a zip is kept by libarchive, and nothing else is in this one. */
static void test_memory_of_a_directory(void **state _unused_)
{
        static const char line[46 + 1] =
                "PK\001\002\036\003\024\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0\0\0\0\0\0\0\0\0\244\201";
        char end[22] = "PK\005\006\0\0\0\0\377\377\377\377";
        uint32_t n = (BUNDLE_ZIP_MAX - sizeof(end)) / sizeof(line), size = n * (uint32_t) sizeof(line);
        struct rusage before, after;
        SKIP_IF_WRAPPED();

        FILE *f = fopen(at("b.zip"), "we");
        assert_non_null(f);
        for (uint32_t i = 0; i < n; i++) {
                char one[sizeof(line)];
                memcpy(one, line, sizeof(line));
                memcpy(one + 42, &i, sizeof(i)); /* where it is: else they were all one */
                one[46] = 'a';
                assert_int_equal(fwrite(one, sizeof(one), 1, f), 1);
        }
        memcpy(end + 12, &size, sizeof(size));
        assert_int_equal(fwrite(end, sizeof(end), 1, f), 1);
        assert_int_equal(fclose(f), 0);
        /* The peak of what was before is forgotten (proc(5)). */
        f = fopen("/proc/self/clear_refs", "we");
        assert_non_null(f);
        assert_true(fputs("5", f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
        Seen s = seen("b.zip", 0);
        assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
        assert_true(s.problems[0]);
        long grown = after.ru_maxrss - before.ru_maxrss;
        if (grown > 5L * BUNDLE_ZIP_MAX / 1024)
                fail_msg("%ld KB more for a zip of %d KB", grown, BUNDLE_ZIP_MAX / 1024);
}
#endif

static void test_what_is_nothing(void **state _unused_)
{
        (void) seen("absent", -ENOENT);
        put("a.txt", "text");
        (void) seen("a.txt", -EINVAL);
        assert_int_equal(mkfifo(at("pipe.xml"), 0600), 0);
        (void) seen("pipe.xml", -EINVAL);
        assert_int_equal(mkdir(at("empty"), 0700), 0);
        (void) seen("empty", 0);
}

static void test_a_handler_ends_it(void **state _unused_)
{
        put("targets/a.xml", "<a/>");
        put("targets/b.xml", "<b/>");
        Seen s = { .skip = 0, .answer = -ECANCELED };
        Err err = { 0 };
        assert_int_equal(bundle_read(at("targets"), &handlers, &s, &err), -ECANCELED);
        assert_int_equal(s.n, 1);
}

static void test_wants(void **state _unused_)
{
        static const struct {
                const char *path;
                int wanted;
        } cases[] = {
                { "apiproxy/targets/a.xml", 1 },
                { "targets/a.xml", 1 },
                { "sharedflowbundle/policies/a.xml", 1 },
                { "a/targetservers/a.xml", 1 },
                { "apiproxy/targets/a/b.xml", 0 },
                { "targets", 0 },
                { "targets/", 0 },
                { "a.xml", 0 },
                { "apiproxy/mytargets/a.xml", 0 },
                { "apiproxy/targets/.xml", 0 },
                { "apiproxy/targets/a.xmlx", 0 },
                { "", -EINVAL },
                { "/targets/a.xml", -EINVAL },
                { "..", -EINVAL },
                { "targets/../a.xml", -EINVAL },
                { "targets\\..\\a.xml", -EINVAL },
                { "targets/..a.xml", 1 },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (bundle_wants(cases[i].path) != cases[i].wanted)
                        fail_msg("%s", cases[i].path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_zip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_paths_that_leave, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bomb, setup, teardown),
                cmocka_unit_test_setup_teardown(test_more_xml_than_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_bombs, setup, teardown),
                cmocka_unit_test_setup_teardown(test_broken_zips, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_zip_that_is_none, setup, teardown),
                cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_file_that_is_too_large, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
#ifndef __SANITIZE_ADDRESS__
                cmocka_unit_test_setup_teardown(test_memory_of_a_directory, setup, teardown),
#endif
                cmocka_unit_test_setup_teardown(test_what_is_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_handler_ends_it, setup, teardown),
                cmocka_unit_test(test_wants),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
