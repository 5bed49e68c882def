/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only where tests/lib/oom.c is linked. */
void oom_spare(bool on) __attribute__((weak));

static char dir[64];
static pid_t dir_owner;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_one(data, size);
        return 0;
}

_Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
        (void) fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
        abort();
}

static uint64_t number(Fuzz *f, size_t bytes)
{
        uint64_t n = 0;

        for (size_t i = 0; i < bytes && f->left > 0; i++, f->at++, f->left--)
                n |= (uint64_t) *f->at << (8 * i);
        return n;
}

uint8_t fuzz_byte(Fuzz *f)
{
        return (uint8_t) number(f, 1);
}

uint16_t fuzz_u16(Fuzz *f)
{
        return (uint16_t) number(f, 2);
}

uint32_t fuzz_u32(Fuzz *f)
{
        return (uint32_t) number(f, 4);
}

uint64_t fuzz_u64(Fuzz *f)
{
        return number(f, 8);
}

static uint8_t *part(Fuzz *f, size_t *ret_len, size_t more)
{
        const uint8_t *cut = f->left > 0 ? memchr(f->at, FUZZ_CUT, f->left) : NULL;
        size_t len = cut ? (size_t) (cut - f->at) : f->left;

        /* Not the product's allocation: it does not fail. */
        if (oom_spare)
                oom_spare(true);
        uint8_t *copy = malloc(len + more > 0 ? len + more : 1);
        if (oom_spare)
                oom_spare(false);
        if (!copy)
                abort();
        if (len > 0)
                memcpy(copy, f->at, len);
        memset(copy + len, 0, more);
        f->at += len + (cut != NULL);
        f->left -= len + (cut != NULL);
        if (ret_len)
                *ret_len = len;
        return copy;
}

uint8_t *fuzz_part(Fuzz *f, size_t *ret_len)
{
        return part(f, ret_len, 0);
}

char *fuzz_text(Fuzz *f, size_t *ret_len)
{
        return (char *) part(f, ret_len, 1);
}

static void dir_remove(void)
{
        DIR *d = dir_owner == getpid() ? opendir(dir) : NULL;

        for (const struct dirent *e; d && (e = readdir(d));)
                if (*e->d_name != '.' || strlen(e->d_name) > 2)
                        (void) unlinkat(dirfd(d), e->d_name, 0);
        if (d) {
                (void) closedir(d);
                (void) rmdir(dir);
        }
}

const char *fuzz_dir(void)
{
        if (dir_owner != getpid()) {
                (void) snprintf(dir, sizeof(dir), "/dev/shm/edge-roll-fuzz-XXXXXX");
                if (!mkdtemp(dir)) {
                        perror(dir);
                        exit(1);
                }
                dir_owner = getpid();
                (void) atexit(dir_remove);
        }
        return dir;
}

const char *fuzz_file(const char *name, const void *bytes, size_t n)
{
        static char path[PATH_MAX];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bytes, n) != (ssize_t) n) {
                perror(path);
                exit(1);
        }
        (void) close(fd);
        return path;
}

FILE *fuzz_nowhere(void)
{
        static FILE *f;

        if (!f)
                f = fopen("/dev/null", "we");
        return f;
}

bool fuzz_is_clean(const char *text, const char *allowed)
{
        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                if ((*p < 0x20 && !strchr(allowed, *p)) || *p == 0x7f ||
                    (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
                        return false;
        return true;
}

bool fuzz_is_ascii(const char *text)
{
        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p >= 0x7f)
                        return false;
        return true;
}
