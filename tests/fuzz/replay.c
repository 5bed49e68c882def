/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzz target on its corpus, once as it is and once for each allocation that can fail.
 *
 *   fuzz-NAME [--all] [--seconds N] [--input FILE [--nth N]] CORPUS-DIRECTORY
 *
 * A target has no say in whether the operation succeeds: it must not crash, and must have freed what it took.
 * Without --all some inputs and some allocations of each are tried, others each day, for N seconds; --all
 * tries every allocation of every input. TAP; exit 0: all good.
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

static struct {
        const char *input;
        uint64_t nth;
} now;

static uint64_t inputs, tries, leaks;

/* What can be said when it has crashed. */
static void on_crash(int sig)
{
        char text[512];
        int n = snprintf(text, sizeof(text), "not ok 1 - signal %d on %s, allocation %llu\n1..1\n", sig,
                         now.input, (unsigned long long) now.nth);
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
                      (long long) (oom_live() - before), now.input, (unsigned long long) now.nth);
}

static void try_nth(const uint8_t *bytes, size_t size, uint64_t nth, bool from)
{
        int64_t before = oom_live();

        now.nth = nth;
        oom_arm(nth, from);
        fuzz_one(bytes, size);
        (void) oom_disarm();
        tries++;
        leaked(before);
}

/* Which allocations are tried: all, or some that are spread, beginning elsewhere each day. */
static void sweep(const char *path, bool all, uint64_t only, Usec until)
{
        size_t size;
        _cleanup_(freep) uint8_t *bytes = input_read(path, &size);

        now.input = path;
        now.nth = 0;
        fuzz_one(bytes, size); /* what is loaded or made once */
        int64_t before = oom_live();
        oom_arm(0, false);
        fuzz_one(bytes, size);
        uint64_t n = oom_disarm(), step = all || n <= SOME ? 1 : n / SOME;
        leaked(before);
        inputs++;
        if (only > 0) {
                try_nth(bytes, size, only, false);
                return;
        }
        for (uint64_t i = 1 + (uint64_t) time(NULL) / 86400 % step; i <= n && time_now() < until; i += step) {
                try_nth(bytes, size, i, false);
                if (i % 8 == 1)
                        try_nth(bytes, size, i, true);
        }
}

/* Begins at another input each day; what the time is too short for has its day, too. */
static void sweep_dir(const char *dir, bool all, Usec until)
{
        struct dirent **entries = NULL;
        int n = scandir(dir, &entries, NULL, alphasort), first;

        if (n < 0) {
                perror(dir);
                exit(2);
        }
        first = all || n == 0 ? 0 : (int) ((uint64_t) time(NULL) / 86400 * 7 % (uint64_t) n);
        for (int i = 0; i < n; i++) {
                const struct dirent *e = entries[(first + i) % n];
                char path[PATH_MAX];
                if (*e->d_name == '.')
                        continue;
                (void) snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
                sweep(path, all, 0, until);
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
        bool all = false;

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--all") == 0)
                        all = true;
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
        const Usec until = seconds > 0 ? time_now() + seconds * USEC_PER_SEC : USEC_INFINITY;
        if (input)
                sweep(input, true, nth, until);
        else if (dir)
                sweep_dir(dir, all, until);
        else {
                (void) fprintf(stderr, "%s: which corpus?\n", argv[0]);
                return 2;
        }
        (void) printf("%sok 1 - %llu inputs, %llu failed allocations, %llu leaks\n1..1\n",
                      leaks ? "not " : "", (unsigned long long) inputs, (unsigned long long) tries,
                      (unsigned long long) leaks);
        return leaks > 0 || inputs == 0;
}
