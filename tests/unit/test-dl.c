/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Libraries that are loaded when they are needed: any table, and then the four of the program in a process of
 * their own, where the library is missing, is no library, or lacks a function. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/zk-dl.h"
#include "base/dl.h"
#include "probes/archive-dl.h"
#include "probes/curl-dl.h"
#include "probes/xml-dl.h"
#include "tests/lib/wrapped.h"

/* ---- any table ---- */

typedef struct Maths {
        double (*sine)(double);
        double (*root)(double);
        int refused;
} Maths;

static const DlSymbol good[] = { DL_SYMBOL(Maths, sine, sin), DL_SYMBOL(Maths, root, sqrt) },
                      bad[] = { DL_SYMBOL(Maths, sine, sin), DL_SYMBOL(Maths, root, no_such_function) };

static int refuse_once(void *functions, Err *err)
{
        Maths *m = functions;
        assert_true(m->root(16) > 3.9 && m->root(16) < 4.1);
        return m->refused++ == 0 ? err_set(err, -ENOTSUP, "not on a Sunday") : 0;
}

static void test_load(void **state _unused_)
{
        Maths m = { 0 };
        DlLibrary l = { .what = "libm",
                        .names = { "libm.so.6" },
                        .package = "libc6",
                        .symbols = good,
                        .n_symbols = ELEMENTS(good),
                        .functions = &m };
        Err err = { 0 };
        assert_int_equal(dl_load(&l, NULL, &err), 0);
        assert_true(l.loaded && m.sine(0) < 0.1 && m.root(16) > 3.9);
        /* It is not looked for again. */
        l.names[0] = "libnothing.so.1";
        assert_int_equal(dl_load(&l, NULL, &err), 0);
}

static void test_the_second_name(void **state _unused_)
{
        Maths m = { 0 };
        DlLibrary l = { .what = "libm",
                        .names = { "libnothing.so.1", "libm.so.6" },
                        .package = "libc6",
                        .symbols = good,
                        .n_symbols = ELEMENTS(good),
                        .functions = &m };
        Err err = { 0 };
        assert_int_equal(dl_load(&l, NULL, &err), 0);
        assert_true(m.root(16) > 3.9);
}

static void test_not_there(void **state _unused_)
{
        Maths m = { 0 };
        DlLibrary l = { .what = "libnothing",
                        .names = { "libnothing.so.1", "libnothing.so.2" },
                        .package = "libnothing1 (Debian)",
                        .symbols = good,
                        .n_symbols = ELEMENTS(good),
                        .functions = &m };
        Err err = { 0 };
        assert_int_equal(dl_load(&l, "this needs it", &err), -ELIBACC);
        assert_false(l.loaded);
        assert_null(m.sine);
        assert_non_null(strstr(err.text, "libnothing cannot be loaded (this needs it) (libnothing.so.1: "));
        assert_non_null(strstr(err.text, "; where it is missing, install the package libnothing1 (Debian)"));
        /* Installed meanwhile. */
        l.names[0] = "libm.so.6";
        assert_int_equal(dl_load(&l, "this needs it", &err), 0);
}

/* How often the program holds it: not at all once it was refused. */
static bool is_open(const char *name)
{
        void *handle = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
        if (handle)
                (void) dlclose(handle);
        return handle;
}

static void test_a_function_is_missing(void **state _unused_)
{
        static const DlSymbol symbols[] = { DL_SYMBOL(Maths, root, archive_version_number),
                                            DL_SYMBOL(Maths, sine, archive_of_the_future) };
        Maths m = { 0 };
        DlLibrary l = { .what = "libm",
                        .names = { "libm.so.6" },
                        .package = "libc6",
                        .symbols = bad,
                        .n_symbols = ELEMENTS(bad),
                        .functions = &m };
        Err err = { 0 };
        assert_int_equal(dl_load(&l, NULL, &err), -ELIBACC);
        assert_false(l.loaded);
        assert_string_equal(
                err.text, "libm has no function no_such_function: it is too old; install the package libc6");
        l = (DlLibrary){ .what = "libarchive",
                         .names = { "libarchive.so.13" },
                         .package = "libarchive13",
                         .symbols = symbols,
                         .n_symbols = ELEMENTS(symbols),
                         .functions = &m };
        assert_false(is_open("libarchive.so.13"));
        assert_int_equal(dl_load(&l, NULL, &err), -ELIBACC);
        assert_non_null(strstr(err.text, "archive_of_the_future"));
        assert_false(is_open("libarchive.so.13"));
}

static void test_the_last_word(void **state _unused_)
{
        Maths m = { 0 };
        DlLibrary l = { .what = "libm",
                        .names = { "libm.so.6" },
                        .package = "libc6",
                        .symbols = good,
                        .n_symbols = ELEMENTS(good),
                        .check = refuse_once,
                        .functions = &m };
        Err err = { 0 };
        assert_int_equal(dl_load(&l, NULL, &err), -ENOTSUP);
        assert_string_equal(err.text, "not on a Sunday");
        assert_false(l.loaded);
        assert_int_equal(dl_load(&l, NULL, &err), 0);
        assert_int_equal(m.refused, 2);
}

/* ---- the four ---- */

static int load_curl(Err *err)
{
        const CurlDl *dl = NULL;
        int r = curl_dl_load(&dl, err);
        return r < 0 ? r : dl->version && dl->easy_init && dl->multi_cleanup ? 0 : -EIO;
}

static int load_xml(Err *err)
{
        const XmlDl *dl = NULL;
        int r = xml_dl_load("what is asked", &dl, err);
        return r < 0 ? r : dl->ReadMemory && dl->FreeParserCtxt ? 0 : -EIO;
}

static int load_archive(Err *err)
{
        const ArchiveDl *dl = NULL;
        int r = archive_dl_load(&dl, err);
        return r < 0 ? r : dl->read_new && dl->entry_is_data_encrypted ? 0 : -EIO;
}

static int load_zk(Err *err)
{
#ifdef ZK_DL_BUILT
        const ZkDl *dl = NULL;
        int r = zk_dl_load(&dl, err);
        return r < 0 ? r : dl->zookeeper_init2 && dl->zerror ? 0 : -EIO;
#else
        return err_set(err, -EOPNOTSUPP, "built without");
#endif
}

static const struct {
        const char *name;
        int (*load)(Err *err);
        const char *files[2]; /* by which it is looked for */
        const char *function; /* the first of its table */
        const char *package;
} four[] = {
        { "libcurl", load_curl, { "libcurl.so.4", "libcurl-gnutls.so.4" }, "curl_global_init", "libcurl4" },
        { "libxml2", load_xml, { "libxml2.so.2" }, "xmlReadMemory", "libxml2" },
        { "libarchive", load_archive, { "libarchive.so.13" }, "archive_read_new", "libarchive13" },
#ifdef ZK_DL_BUILT
        { "libzookeeper_st", load_zk, { "libzookeeper_st.so.2" }, "zookeeper_init2", "libzookeeper-st2" },
#endif
};

/* Another process, which finds its libraries in @folder first. @said: what it wrote. */
static int elsewhere(const char *folder, const char *name, char *said, size_t size)
{
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) dup2(ends[1], STDOUT_FILENO);
                (void) setenv("LD_LIBRARY_PATH", folder, 1);
                (void) execl("/proc/self/exe", "test-dl", name, (char *) NULL);
                _exit(99);
        }
        (void) close(ends[1]);
        size_t n = 0;
        for (ssize_t got = 1; got > 0 && n<size - 1; n += got> 0 ? (size_t) got : 0)
                got = read(ends[0], said + n, size - 1 - n);
        said[n] = '\0';
        (void) close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The file by which this program has libm, which has none of the functions. */
static int find_libm(struct dl_phdr_info *info, size_t size _unused_, void *userdata)
{
        if (!strstr(info->dlpi_name, "libm.so.6"))
                return 0;
        (void) snprintf(userdata, 300, "%s", info->dlpi_name);
        return 1;
}

static void test_the_four(void **state _unused_)
{
        char folder[] = "/tmp/edge-roll-dl.XXXXXX", path[400], said[800], other[300] = "", want[200];
        SKIP_IF_WRAPPED();
        assert_non_null(mkdtemp(folder));
        assert_int_equal(dl_iterate_phdr(find_libm, other), 1);
        for (size_t i = 0; i < ELEMENTS(four); i++) {
                if (elsewhere(folder, four[i].name, said, sizeof(said)) != 0)
                        fail_msg("%s: %s", four[i].name, said);
                for (int kind = 0; kind < 2; kind++) { /* no library; another one */
                        for (size_t k = 0; k < ELEMENTS(four[i].files) && four[i].files[k]; k++) {
                                (void) snprintf(path, sizeof(path), "%s/%s", folder, four[i].files[k]);
                                if (kind == 0) {
                                        FILE *f = fopen(path, "we");
                                        assert_non_null(f);
                                        (void) fclose(f);
                                } else {
                                        (void) unlink(path);
                                        assert_int_equal(symlink(other, path), 0);
                                }
                        }
                        if (elsewhere(folder, four[i].name, said, sizeof(said)) != 1)
                                fail_msg("%s: %s", four[i].name, said);
                        (void) snprintf(want, sizeof(want),
                                        kind == 0 ? "%s cannot be loaded" : "%s has no function %s",
                                        four[i].name, four[i].function);
                        if (!strstr(said, want) || !strstr(said, four[i].package))
                                fail_msg("%s, not %s", said, want);
                }
                for (size_t k = 0; k < ELEMENTS(four[i].files) && four[i].files[k]; k++) {
                        (void) snprintf(path, sizeof(path), "%s/%s", folder, four[i].files[k]);
                        (void) unlink(path);
                }
        }
        assert_int_equal(rmdir(folder), 0);
}

/* What elsewhere() runs. */
static int one_of_four(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(four); i++) {
                Err err = { 0 };
                if (strcmp(four[i].name, name) != 0)
                        continue;
                if (four[i].load(&err) == 0)
                        return 0;
                (void) puts(err.text);
                return err.code == -ELIBACC ? 1 : 3;
        }
        return 2;
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_load),          cmocka_unit_test(test_the_second_name),
                cmocka_unit_test(test_not_there),     cmocka_unit_test(test_a_function_is_missing),
                cmocka_unit_test(test_the_last_word), cmocka_unit_test(test_the_four),
        };
        return argc > 1 ? one_of_four(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
