/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whether a restart is needed: the verdict on every set of findings; files on a real file system against
 * made-up start times (no clock is set); what a process uses, by the process of this test; certificates.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/mapped.h"
#include "agent/needed-files.h"
#include "agent/needed.h"
#include "agent/procs.h"
#include "agent/served.h"

/* ---- the verdict ---- */

/* Every combination of what the five sources can say, each of them silent, or saying no, yes, unseen. */
static void test_verdict(void **state _unused_)
{
        unsigned of[NEEDED_VERDICT_COUNT] = { 0 };
        for (unsigned code = 0; code < 1024; code++) {
                Needed *n;
                bool yes = false, unseen = false, silent = false;
                assert_int_equal(needed_new(&n), 0);
                for (int s = 0; s < NEEDED_SOURCE_COUNT; s++) {
                        unsigned what = code >> 2 * s & 3;
                        if (what < NEEDED_ANSWER_COUNT)
                                needed_add(n, (NeededSource) s, (NeededAnswer) what, "%s",
                                           needed_source_name(s));
                        yes = yes || what == NEEDED_SAYS_YES;
                        unseen = unseen || what == NEEDED_UNSEEN;
                        if (s == NEEDED_PROCESSES || s == NEEDED_FILES)
                                silent = silent || what == NEEDED_ANSWER_COUNT;
                }
                NeededVerdict v = needed_verdict(n);
                assert_int_equal(v, yes ? NEEDED_YES : unseen || silent ? NEEDED_UNKNOWN : NEEDED_NO);
                of[v]++;
                needed_free(n);
        }
        /* "no" is the seldom one: processes and files must say it, and the three others no or nothing. */
        assert_int_equal(of[NEEDED_NO], 8);
}

static void test_what_is_not_kept_counts(void **state _unused_)
{
        Needed *n;
        assert_int_equal(needed_new(&n), 0);
        needed_add(n, NEEDED_PROCESSES, NEEDED_SAYS_NO, "processes");
        for (unsigned i = 0; i < 2 * NEEDED_FINDINGS_MAX; i++)
                needed_add(n, NEEDED_FILES, NEEDED_SAYS_NO, "file %u", i);
        assert_int_equal(needed_verdict(n), NEEDED_NO);
        needed_add(n, NEEDED_CERTIFICATE, NEEDED_UNSEEN, "the certificate");
        assert_int_equal(needed_verdict(n), NEEDED_UNKNOWN);
        needed_add(n, NEEDED_CODE, NEEDED_SAYS_YES, "a library");
        assert_int_equal(needed_verdict(n), NEEDED_YES);
        needed_free(n);
}

static void test_it_is_told(void **state _unused_)
{
        Needed *n;
        char text[512], small[20];
        assert_int_equal(needed_new(&n), 0);
        assert_non_null(strstr(needed_text(n, text, sizeof(text)), "nothing could be looked at"));
        needed_add(n, NEEDED_PROCESSES, NEEDED_SAYS_NO, "one process");
        needed_add(n, NEEDED_FILES, NEEDED_SAYS_NO, "two files\n\xff");
        assert_string_equal(needed_text(n, text, sizeof(text)), "not needed: one process; two files??");
        needed_add(n, NEEDED_FILES, NEEDED_UNSEEN, "a third");
        assert_string_equal(needed_text(n, text, sizeof(text)),
                            "not known whether it is needed, so it is: a third");
        needed_add(n, NEEDED_CODE, NEEDED_SAYS_YES, "a library");
        assert_string_equal(needed_text(n, text, sizeof(text)), "needed: a library");
        assert_string_equal(needed_text(n, small, sizeof(small)), "needed: a library");
        assert_int_equal(strlen(needed_text(n, small, 10)), 9);

        cJSON *o = cJSON_CreateObject();
        needed_json(n, o);
        assert_string_equal(cJSON_GetObjectItem(o, "needed")->valuestring, "yes");
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "reasons")), 1);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "seen")), 2);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "unseen")), 1);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "beyond")), 1);
        cJSON_Delete(o);
        needed_free(n);
}

/* ---- clocks ---- */

static void test_clock(void **state _unused_)
{
        const int64_t then = INT64_C(1700000000) * 1000000;
        const int64_t step = NEEDED_STEP_USEC;
        assert_true(needed_clock_stands(then, then));
        assert_true(needed_clock_stands(then, then + step));
        assert_true(needed_clock_stands(then, then - step));
        assert_false(needed_clock_stands(then, then + step + 1));
        assert_false(needed_clock_stands(then, then - step - 1));
        assert_false(needed_clock_stands(then, then + INT64_C(3600) * 1000000));
        /* A wall clock that was set to before the boot. */
        assert_false(needed_clock_stands(then, -5000000));
}

static void test_file_against_start(void **state _unused_)
{
        const Usec start = 1000 * USEC_PER_SEC, now = 2000 * USEC_PER_SEC;
        assert_int_equal(needed_file_says(start - NEEDED_SLACK_USEC, start, now), NEEDED_SAYS_NO);
        assert_int_equal(needed_file_says(start - NEEDED_SLACK_USEC + 1, start, now), NEEDED_SAYS_YES);
        assert_int_equal(needed_file_says(start, start, now), NEEDED_SAYS_YES);
        assert_int_equal(needed_file_says(now, start, now), NEEDED_SAYS_YES);
        assert_int_equal(needed_file_says(now + NEEDED_SLACK_USEC, start, now), NEEDED_SAYS_YES);
        assert_int_equal(needed_file_says(now + NEEDED_SLACK_USEC + 1, start, now), NEEDED_UNSEEN);
        assert_int_equal(needed_file_says(0, start, now), NEEDED_SAYS_NO);
}

static void test_start_of_a_process(void **state _unused_)
{
        Proc p;
        long ticks = sysconf(_SC_CLK_TCK);
        Proc hour = { .start = (uint64_t) ticks * 3600 + (uint64_t) ticks / 4 };
        assert_int_equal(procs_started(&hour), UINT64_C(3600250000));
        assert_true(procs_get(NULL, getpid(), &p));
        assert_true(procs_started(&p) <= time_boot());
        assert_true(time_boot() - procs_started(&p) < 300 * USEC_PER_SEC);
        assert_false(procs_get("/nonexistent", getpid(), &p));
}

/* ---- files ---- */

static char *dir;
static Usec now, later, before;

static const char *in_dir(const char *name)
{
        static char paths[4][4096];
        static unsigned at;
        char *path = paths[at++ % ELEMENTS(paths)];
        (void) snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
        return path;
}

static void write_file(const char *name)
{
        _cleanup_(fclosep) FILE *f = fopen(in_dir(name), "we");
        assert_non_null(f);
        assert_true(fputs("text\n", f) >= 0);
}

static int set_up(void **state _unused_)
{
        /* Not in /tmp, which the agent does not see. */
        char *cwd = getcwd(NULL, 0);
        if (!cwd || asprintf(&dir, "%s/build/needed-test-%d", cwd, (int) getpid()) < 0)
                return -1;
        free(cwd);
        if (needed_hidden(dir)) {
                free(dir);
                if (asprintf(&dir, "/var/cache/edge-roll-needed-test-%d", (int) getpid()) < 0)
                        return -1;
        }
        if (mkdir(dir, 0700) < 0)
                return -1;
        write_file("a.properties");
        write_file("b.properties");
        if (mkdir(in_dir("keys"), 0700) < 0)
                return -1;
        write_file("keys/one.jks");
        if (symlink("a.properties", in_dir("link")) < 0 || symlink("loop", in_dir("loop")) < 0)
                return -1;
        /* All of it has just been changed: a process that started an hour ago, or will in an hour. */
        now = time_wall();
        later = now + 3600 * USEC_PER_SEC;
        before = now - 3600 * USEC_PER_SEC;
        return 0;
}

static int tear_down(void **state _unused_)
{
        char command[5000];
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        int r = system(command);
        free(dir);
        return r;
}

static Needed *files(const char *words, Usec started, Usec at)
{
        Words list = NULL;
        Needed *n;
        assert_int_equal(words_split(words, &list), 0);
        assert_int_equal(needed_new(&n), 0);
        const Words lists[] = { NULL, list };
        needed_files(n, lists, ELEMENTS(lists), started, at);
        words_free(list);
        /* Where only files are asked, these make the verdict theirs alone. */
        needed_add(n, NEEDED_PROCESSES, NEEDED_SAYS_NO, "processes");
        return n;
}

static void assert_files(const char *words, Usec started, Usec at, NeededVerdict wanted, const char *text)
{
        char told[2048];
        Needed *n = files(words, started, at);
        if (needed_verdict(n) != wanted || !strstr(needed_text(n, told, sizeof(told)), text))
                fail_msg("%s: wanted %s with \"%s\": %s", words, needed_verdict_name(wanted), text, told);
        needed_free(n);
}

static void test_files(void **state _unused_)
{
        const char *file = in_dir("a.properties");
        assert_files("", before, now, NEEDED_NO, "0 files");
        assert_files(file, before, now, NEEDED_YES, "a.properties was changed at");
        assert_files(file, later, later, NEEDED_NO, "1 files");
        /* The clock was set back since, so that the file's time is still to come. */
        assert_files(file, before, before, NEEDED_UNKNOWN, "yet to come");
        assert_files(in_dir("link"), before, now, NEEDED_YES, "a link leads to");
        assert_files(in_dir("link"), later, later, NEEDED_NO, "2 files");
        assert_files(in_dir("loop"), later, later, NEEDED_UNKNOWN, "loop leads to is not known");
}

static void test_directories_and_patterns(void **state _unused_)
{
        char pattern[5000];
        assert_files(in_dir("keys"), before, now, NEEDED_YES, "keys/one.jks was changed");
        assert_files(in_dir("keys"), later, later, NEEDED_NO, "2 files");
        (void) snprintf(pattern, sizeof(pattern), "%s/*.properties", dir);
        assert_files(pattern, before, now, NEEDED_YES, "b.properties was changed");
        assert_files(pattern, later, later, NEEDED_NO, "3 files");
        /* Nothing fits, and the directory was changed: there may have been something. */
        (void) snprintf(pattern, sizeof(pattern), "%s/*.p12", dir);
        assert_files(pattern, before, now, NEEDED_UNKNOWN, "may have been taken away");
        assert_files(pattern, later, later, NEEDED_NO, "1 files");
        (void) snprintf(pattern, sizeof(pattern), "%s/none/*.p12", dir);
        assert_files(pattern, before, now, NEEDED_UNKNOWN, "may have been taken away");
}

static void test_what_is_not_there(void **state _unused_)
{
        assert_files(in_dir("absent"), before, now, NEEDED_UNKNOWN, "may have been taken away");
        assert_files(in_dir("absent"), later, later, NEEDED_NO, "1 files");
        assert_files(in_dir("no/such/file"), before, now, NEEDED_UNKNOWN, dir);
        assert_files(in_dir("a.properties/file"), later, later, NEEDED_NO, "1 files");
        assert_files("/home/somebody/file", later, later, NEEDED_UNKNOWN, "sandbox hides it");
}

static void test_too_deep(void **state _unused_)
{
        char path[4096];
        size_t n = (size_t) snprintf(path, sizeof(path), "%s", in_dir("deep"));
        assert_int_equal(mkdir(path, 0700), 0);
        for (int i = 0; i <= NEEDED_TREE_DEPTH; i++) {
                n += (size_t) snprintf(path + n, sizeof(path) - n, "/d");
                assert_int_equal(mkdir(path, 0700), 0);
        }
        Usec at = time_wall() + 3600 * USEC_PER_SEC;
        assert_files(in_dir("deep"), at, at, NEEDED_UNKNOWN, "levels of directories");
}

static void test_patterns(void **state _unused_)
{
        static const char *const good[] = { "/a", "/a/*.jks", "/a/b[12]?", "/*" };
        static const char *const bad[] = { "a",       "*.jks", "/a/*/b",     "/a?/b*",
                                           "/home/x", "/root", "/tmp/*.jks", "/dev/null" };
        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(needed_pattern_valid(good[i]));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(needed_pattern_valid(bad[i]));
        assert_false(needed_hidden("/homes/x"));
}

/* ---- what a process uses ---- */

static void test_lines_of_maps(void **state _unused_)
{
        static const struct {
                const char *line, *path;
                bool executable, deleted;
        } lines[] = {
                { "7f1e2d400000-7f1e2d5b2000 r-xp 00022000 fd:01 1835 /usr/lib/libc.so.6\n",
                  "/usr/lib/libc.so.6", true, false },
                { "7f1e2d400000-7f1e2d5b2000 r--s 00000000 00:2b 77                         /opt/a b/x.jar (deleted)",
                  "/opt/a b/x.jar", false, true },
                { "7ffd1-7ffd2 rw-p 00000000 00:00 0 \n", NULL, false, false },
                { "7ffd1-7ffd2 r-xp 00000000 00:00 0                          [vdso]\n", NULL, false, false },
                { "7ffd1-7ffd2 rwxs 00000000 00:00 0 anon_inode:[x]", NULL, false, false },
                { "\n", NULL, false, false },
                { "7f1 r /x", NULL, false, false },
        };
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                char line[256];
                MappedLine l;
                (void) snprintf(line, sizeof(line), "%s", lines[i].line);
                assert_int_equal(mapped_line(line, &l), lines[i].path != NULL);
                if (!lines[i].path)
                        continue;
                assert_string_equal(l.path, lines[i].path);
                assert_int_equal(l.executable, lines[i].executable);
                assert_int_equal(l.deleted, lines[i].deleted);
        }
}

static void test_what_is_code(void **state _unused_)
{
        static const struct {
                const char *path;
                bool executable, code;
        } files_used[] = {
                { "/usr/sbin/nginx", true, true },
                { "/usr/lib/locale/locale-archive", false, false },
                { "/opt/apigee/edge-router/lib/kernel.jar", false, true },
                { "/usr/lib/libssl.so.3", false, true },
                { "/usr/lib/jvm/lib/libjava.so", false, true },
                { "/opt/apigee/var/log/edge-router/logs/system.log", false, false },
                { "/tmp/jna-1/jna2.tmp", true, false },
                { "/opt/apigee/data/tmp/libnetty.so", true, false },
                { "/dev/zero", true, false },
                { "/memfd:jit", true, false },
                { "/SYSV00000000", true, false },
        };
        for (size_t i = 0; i < ELEMENTS(files_used); i++)
                if (mapped_is_code(files_used[i].path, files_used[i].executable) != files_used[i].code)
                        fail_msg("%s", files_used[i].path);
}

typedef struct Found {
        char text[4096];
} Found;

static void on_found(const char *what, const char *path, void *userdata)
{
        Found *f = userdata;
        size_t n = strlen(f->text);
        (void) snprintf(f->text + n, sizeof(f->text) - n, "%s %s\n", what, path);
}

static MappedAnswer scan(int pid, Usec since, Found *f)
{
        Mapped *m;
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        assert_int_equal(mapped_new(&m, NULL, out), 0);
        (void) !mapped_scan(m, pid, since);
        mapped_end(m);
        assert_int_equal(fclose(out), 0);
        mapped_free(m);
        *f = (Found){ 0 };
        MappedAnswer a = mapped_read(text, on_found, f);
        free(text);
        return a;
}

static void *map_code(const char *name)
{
        _cleanup_(closep) int fd = open(in_dir(name), O_RDWR | O_CREAT | O_CLOEXEC, 0700);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 4096), 0);
        void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        assert_true(p != MAP_FAILED);
        return p;
}

static void test_a_process(void **state _unused_)
{
        Found f;
        /* Its own, unchanged. */
        MappedAnswer a = scan(getpid(), USEC_INFINITY, &f);
        assert_true(a.whole);
        assert_int_equal(a.processes, 1);
        assert_true(a.files > 2);
        assert_string_equal(f.text, "");

        void *gone = map_code("libgone.so.1"), *kept = map_code("libkept.so.1"),
             *swapped = map_code("libswapped.so.1");
        _cleanup_(closep) int jar = open(in_dir("x.jar"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        _cleanup_(closep) int log = open(in_dir("x.log"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(jar >= 0 && log >= 0);
        assert_int_equal(unlink(in_dir("libgone.so.1")), 0);
        /* As package managers do it: a new file renamed over the old one. */
        write_file("libswapped.new");
        assert_int_equal(rename(in_dir("libswapped.new"), in_dir("libswapped.so.1")), 0);
        assert_int_equal(unlink(in_dir("x.jar")), 0);
        assert_int_equal(unlink(in_dir("x.log")), 0);
        a = scan(getpid(), USEC_INFINITY, &f);
        assert_true(a.whole);
        assert_non_null(strstr(f.text, "libgone.so.1\n"));
        assert_non_null(strstr(f.text, "libswapped.so.1\n"));
        assert_non_null(strstr(f.text, "x.jar\n"));
        assert_null(strstr(f.text, "libkept"));
        assert_null(strstr(f.text, "x.log"));
        assert_null(strstr(f.text, "changed"));

        /* Overwritten in place, or anything else that moves its ctime, since an hour ago. */
        a = scan(getpid(), before, &f);
        assert_true(a.whole);
        assert_non_null(strstr(f.text, "changed "));
        assert_non_null(strstr(f.text, "libkept.so.1\n"));
        a = scan(getpid(), later, &f);
        assert_null(strstr(f.text, "changed"));

        /* One that is not there is missing in the count. */
        a = scan(INT32_MAX, later, &f);
        assert_true(a.whole);
        assert_int_equal(a.processes, 0);
        (void) munmap(gone, 4096);
        (void) munmap(kept, 4096);
        (void) munmap(swapped, 4096);
}

static void test_an_answer_that_was_cut_off(void **state _unused_)
{
        char cut[] = "deleted /a.so\nchanged /b c.so\nmore 7\n", empty[] = "", bad[] = "end\nend x\n",
             whole[] = "end 3 40\n";
        Found f = { 0 };
        MappedAnswer a = mapped_read(cut, on_found, &f);
        assert_false(a.whole);
        assert_string_equal(f.text, "deleted /a.so\nchanged /b c.so\nmore 7\n");
        assert_false(mapped_read(empty, on_found, &f).whole);
        assert_false(mapped_read(bad, on_found, &f).whole);
        a = mapped_read(whole, on_found, &f);
        assert_true(a.whole);
        assert_int_equal(a.processes, 3);
        assert_int_equal(a.files, 40);
}

/* However many, it fits into what is kept of a command's output, and the end is there. */
static void test_many_findings(void **state _unused_)
{
        void *maps[MAPPED_TOLD_MAX + 5];
        char name[32];
        Found f;
        for (size_t i = 0; i < ELEMENTS(maps); i++) {
                (void) snprintf(name, sizeof(name), "libmany%zu.so", i);
                maps[i] = map_code(name);
                assert_int_equal(unlink(in_dir(name)), 0);
        }
        MappedAnswer a = scan(getpid(), USEC_INFINITY, &f);
        assert_true(a.whole);
        assert_non_null(strstr(f.text, "more 5\n"));
        assert_true(strlen(f.text) <= MAPPED_OUTPUT_MAX);
        for (size_t i = 0; i < ELEMENTS(maps); i++)
                (void) munmap(maps[i], 4096);
}

/* ---- certificates ---- */

static void test_words_of_certificate(void **state _unused_)
{
        static const struct {
                const char *word, *name, *file;
                uint16_t port;
        } good[] = {
                { "/etc/pki/a.pem", "", "/etc/pki/a.pem", 0 },
                { "/etc/pki/a=b:1=c.pem", "", "/etc/pki/a=b:1=c.pem", 0 },
                { "443=/a.pem", "", "/a.pem", 443 },
                { "api.example.com:9443=/a.pem", "api.example.com", "/a.pem", 9443 },
        };
        static const char *const bad[] = {
                "",         "a.pem",       "443",       "443=a.pem",  "0=/a.pem",
                "65536=/a", "x=/a.pem",    ":443=/a",   "a b:443=/a", "-x:443=/a",
                "a:b:1=/a", "443x=/a.pem", "a:=/a.pem", "=/a.pem",    "a/b:443=/a"
        };
        ServedWanted w;
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                assert_true(served_wanted(good[i].word, &w));
                assert_string_equal(w.name, good[i].name);
                assert_string_equal(w.file, good[i].file);
                assert_int_equal(w.port, good[i].port);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (served_wanted(bad[i], &w))
                        fail_msg("taken: \"%s\"", bad[i]);
}

static NeededVerdict judge(const char *words, const char *fingerprint, const ServedList *list)
{
        Words wanted = NULL;
        char prints[SERVED_MAX][SHA256_TEXT_SIZE] = { 0 }, why[SERVED_MAX][200] = { 0 };
        Needed *n;
        assert_int_equal(words_split(words, &wanted), 0);
        assert_int_equal(needed_new(&n), 0);
        for (size_t i = 0; wanted[i]; i++)
                (void) snprintf(prints[i], sizeof(prints[i]), "%s", fingerprint);
        needed_add(n, NEEDED_PROCESSES, NEEDED_SAYS_NO, "processes");
        needed_add(n, NEEDED_FILES, NEEDED_SAYS_NO, "files");
        served_judge(n, wanted, list, (const char(*)[SHA256_TEXT_SIZE]) prints, (const char(*)[200]) why);
        NeededVerdict v = needed_verdict(n);
        words_free(wanted);
        needed_free(n);
        return v;
}

static void test_certificates(void **state _unused_)
{
        const ServedList list = {
                .n = 4,
                .items = { { .port = 9001, .state = SERVED_NO_TLS, .text = "no TLS" },
                           { .port = 9443, .state = SERVED_KNOWN, .fingerprint = "AA:BB" },
                           { .port = 9443,
                             .name = "api.example.com",
                             .state = SERVED_KNOWN,
                             .fingerprint = "CC:DD" },
                           { .port = 9444, .state = SERVED_UNSEEN, .text = "connection refused" } },
        };
        const ServedList plain = { .n = 1,
                                   .items = { { .port = 9001, .state = SERVED_NO_TLS, .text = "no TLS" } } };

        assert_int_equal(judge("", "AA:BB", &list), NEEDED_NO);
        assert_int_equal(judge("9443=/f", "AA:BB", &list), NEEDED_NO);
        assert_int_equal(judge("9443=/f", "CC:DD", &list), NEEDED_YES);
        assert_int_equal(judge("api.example.com:9443=/f", "CC:DD", &list), NEEDED_NO);
        assert_int_equal(judge("api.example.com:9443=/f", "AA:BB", &list), NEEDED_YES);
        /* One that cannot be read, a port that does not answer, does not speak TLS, was not asked. */
        assert_int_equal(judge("9443=/f", "", &list), NEEDED_UNKNOWN);
        assert_int_equal(judge("9444=/f", "AA:BB", &list), NEEDED_UNKNOWN);
        assert_int_equal(judge("9001=/f", "AA:BB", &list), NEEDED_UNKNOWN);
        assert_int_equal(judge("443=/f", "AA:BB", &list), NEEDED_UNKNOWN);
        /* Without a port: all that speak TLS, and at least one. */
        assert_int_equal(judge("/f", "AA:BB", &list), NEEDED_UNKNOWN);
        assert_int_equal(judge("/f", "XX", &list), NEEDED_YES);
        assert_int_equal(judge("/f", "AA:BB", &plain), NEEDED_UNKNOWN);
        assert_int_equal(judge("9443=/f 9444=/f", "AA:BB", &list), NEEDED_UNKNOWN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdict),
                cmocka_unit_test(test_what_is_not_kept_counts),
                cmocka_unit_test(test_it_is_told),
                cmocka_unit_test(test_clock),
                cmocka_unit_test(test_file_against_start),
                cmocka_unit_test(test_start_of_a_process),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_directories_and_patterns),
                cmocka_unit_test(test_what_is_not_there),
                cmocka_unit_test(test_too_deep),
                cmocka_unit_test(test_patterns),
                cmocka_unit_test(test_lines_of_maps),
                cmocka_unit_test(test_what_is_code),
                cmocka_unit_test(test_a_process),
                cmocka_unit_test(test_an_answer_that_was_cut_off),
                cmocka_unit_test(test_many_findings),
                cmocka_unit_test(test_words_of_certificate),
                cmocka_unit_test(test_certificates),
        };
        return cmocka_run_group_tests_name("needed", tests, set_up, tear_down);
}
