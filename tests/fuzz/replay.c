/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzz target on its corpus, once as it is and once for each allocation that can fail.
 *
 *   fuzz-NAME [--all | --seconds N] CORPUS-DIRECTORY
 *   fuzz-NAME --input FILE [--nth N]
 *
 * A target has no say in whether the operation succeeds: it must not crash, and must have freed what it took.
 * At each place that asks for memory (tests/lib/oom.h) the first allocation of all inputs fails, alone and
 * with all behind it. Then some allocations of some inputs, others each day, for N seconds; with --all every
 * one of every input. --input: every one of that, or the Nth. TAP; exit 0: all good.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/oom.h"

#define INPUT_MAX (1024 * 1024)
#define SOME      200 /* allocations of an input, without --all */

static const char *now; /* the input */
static bool every;      /* allocation, not a sample */
static Usec until;
static uint64_t inputs, tries, missed, leaks;

/* What can be said when it has crashed. */
static void on_crash(int sig)
{
        char text[512];
        int n = snprintf(text, sizeof(text), "not ok 1 - signal %d on %s, allocation %llu\n1..1\n", sig, now,
                         (unsigned long long) oom_failed());
        if (write(STDOUT_FILENO, text, (size_t) n) == n)
                _exit(1);
        _exit(2);
}

static uint8_t *input_read(const char *path, size_t *ret_size)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > INPUT_MAX) {
                (void) fprintf(stderr, "%s: %s\n", path, fd < 0 ? strerror(errno) : "too large");
                exit(2);
        }
        uint8_t *bytes = malloc((size_t) st.st_size + 1);
        if (!bytes || read(fd, bytes, (size_t) st.st_size) != st.st_size)
                exit(2);
        *ret_size = (size_t) st.st_size;
        return bytes;
}

/* libcurl 7.88 loses what it could not enter into a table of its own. */
static void leaked(int64_t before)
{
        if (oom_live() == before || strstr(oom_failed_in(), "/libcurl."))
                return;
        leaks++;
        (void) printf("# %lld allocations not freed: %s, allocation %llu\n",
                      (long long) (oom_live() - before), now, (unsigned long long) oom_failed());
}

/* What it is armed for. */
static void try(const uint8_t *bytes, size_t size, int64_t before)
{
        fuzz_one(bytes, size);
        (void) oom_disarm();
        tries++;
        leaked(before);
}

static void try_nth(const uint8_t *bytes, size_t size, uint64_t nth, bool from)
{
        const int64_t before = oom_live();
        oom_arm(nth, from);
        try(bytes, size, before);
}

static void try_place(const uint8_t *bytes, size_t size, uint64_t place, bool from)
{
        const int64_t before = oom_live();
        oom_arm_place(place, from);
        try(bytes, size, before);
        missed += oom_failed() == 0;
}

/* Once, so that what is loaded or made once is there. */
static uint8_t *input_begin(const char *path, size_t *ret_size)
{
        uint8_t *bytes = input_read(path, ret_size);
        now = path;
        inputs++;
        fuzz_one(bytes, *ret_size);
        return bytes;
}

/* The places that no input before this one has come to. */
static void sweep_places(const uint8_t *bytes, size_t size)
{
        const uint64_t *places;
        const size_t known = oom_places(&places);
        oom_arm_place(0, false);
        fuzz_one(bytes, size);
        (void) oom_disarm();
        const size_t n = oom_places(&places);
        for (size_t i = known; i < n; i++) {
                try_place(bytes, size, places[i], false);
                try_place(bytes, size, places[i], true);
        }
}

/* Which allocations are tried: all, or some that are spread, beginning elsewhere each day. */
static void sweep_allocations(const uint8_t *bytes, size_t size)
{
        const int64_t before = oom_live();
        oom_arm(0, false);
        fuzz_one(bytes, size);
        const uint64_t n = oom_disarm(), step = every || n <= SOME ? 1 : n / SOME;
        leaked(before);
        for (uint64_t i = 1 + (uint64_t) time(NULL) / 86400 % step; i <= n && time_now() < until; i += step) {
                try_nth(bytes, size, i, false);
                if (i % 8 == 1)
                        try_nth(bytes, size, i, true);
        }
}

/* @nth 0: every allocation. */
static void sweep_file(const char *path, uint64_t nth)
{
        size_t size;
        _cleanup_(freep) uint8_t *bytes = input_begin(path, &size);
        if (nth > 0)
                try_nth(bytes, size, nth, false);
        else
                sweep_allocations(bytes, size);
}

/* Begins at another input each day; what the time is too short for has its day, too. */
static void sweep_dir(const char *dir, void (*sweep)(const uint8_t *bytes, size_t size))
{
        struct dirent **entries = NULL;
        int n = scandir(dir, &entries, NULL, alphasort);

        if (n < 0) {
                perror(dir);
                exit(2);
        }
        const int first = n == 0 ? 0 : (int) ((uint64_t) time(NULL) / 86400 * 7 % (uint64_t) n);
        for (int i = 0; i < n; i++) {
                const struct dirent *e = entries[(first + i) % n];
                char path[PATH_MAX];
                if (*e->d_name == '.')
                        continue;
                (void) snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
                size_t size;
                _cleanup_(freep) uint8_t *bytes = input_begin(path, &size);
                sweep(bytes, size);
        }
        while (n > 0)
                free(entries[--n]);
        free(entries);
}

int main(int argc, char **argv)
{
        static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
        const char *dir = NULL, *input = NULL;
        uint64_t seconds = 0, nth = 0;

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--all") == 0)
                        every = true;
                else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
                        seconds = strtoull(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--input") == 0 && i + 1 < argc)
                        input = argv[++i];
                else if (strcmp(argv[i], "--nth") == 0 && i + 1 < argc)
                        nth = strtoull(argv[++i], NULL, 10);
                else
                        dir = argv[i];
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                (void) signal(signals[i], on_crash);
        every = every || input;
        until = every ? USEC_INFINITY : time_now() + seconds * USEC_PER_SEC;
        if (input)
                sweep_file(input, nth);
        else if (dir) {
                sweep_dir(dir, sweep_places);
                sweep_dir(dir, sweep_allocations);
        } else {
                (void) fprintf(stderr, "%s: which corpus?\n", argv[0]);
                return 2;
        }
        (void) printf("%sok 1 - %llu inputs, %llu failed allocations, %llu never came, %llu leaks\n1..1\n",
                      leaks ? "not " : "", (unsigned long long) inputs, (unsigned long long) tries,
                      (unsigned long long) missed, (unsigned long long) leaks);
        return leaks > 0 || inputs == 0 || missed > tries / 4;
}
