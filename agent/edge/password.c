/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

char *password_free(char *password)
{
        if (password)
                explicit_bzero(password, strlen(password));
        free(password);
        return NULL;
}
DEFINE_CLEANUP(char, password_free);

/* One line, with or without its end. Works in place. */
static int password_line(char *text, size_t len, const char *from, Err *err)
{
        if (len > 0 && text[len - 1] == '\n')
                text[--len] = '\0';
        if (len > 0 && text[len - 1] == '\r')
                text[--len] = '\0';
        if (len == 0)
                return err_set(err, -EINVAL, "The password of the Management Server is empty in %.200s",
                               from);
        if (len > PASSWORD_MAX || strlen(text) != len || strpbrk(text, "\r\n"))
                return err_set(err, -EINVAL,
                               "%.200s is no password: one line of at most %d characters is expected", from,
                               PASSWORD_MAX);
        return 0;
}

/* @private: nobody else may be able to read it. @ret: NULL when the file is not there and @may_miss. */
static int password_read(const char *path, bool private, bool may_miss, char **ret, Err *err)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char text[PASSWORD_MAX + 4];
        struct stat st;
        size_t len = 0;
        int r = 0;

        if (fd < 0 && errno == ENOENT && may_miss) {
                *ret = NULL;
                return 0;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "Cannot read the password of the Management Server from %.200s",
                                 path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, -EINVAL, "%.200s is no ordinary file, it holds no password", path);
        if (private && (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
                return err_set(
                        err, -EACCES,
                        "%.200s can be read or written by others (mode %03o), so what is in it is no secret: "
                        "chmod 600 or 640",
                        path, st.st_mode & 0777);
        while (len < sizeof(text) - 1) {
                ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        r = err_errno(err, -errno,
                                      "Cannot read the password of the Management Server from %.200s", path);
                if (got <= 0)
                        break;
                len += (size_t) got;
        }
        text[len] = '\0';
        if (r >= 0)
                r = password_line(text, len, path, err);
        if (r >= 0) {
                *ret = strdup(text);
                if (!*ret)
                        r = err_set(err, -ENOMEM, "Out of memory for a password");
        }
        explicit_bzero(text, sizeof(text));
        return r;
}

static char hidden[PASSWORD_MAX + 4];

void password_hide(void)
{
        char *env = getenv(PASSWORD_ENV);
        if (!env)
                return;
        secret_held();
        /* One that does not fit is none, and is found to be none. */
        (void) snprintf(hidden, sizeof(hidden), "%s", *env ? env : "\n");
        explicit_bzero(env, strlen(env));
        (void) unsetenv(PASSWORD_ENV);
}

int password_find(const char *file, char **ret, char *from, size_t size, Err *err)
{
        const char *env = *hidden ? hidden : getenv(PASSWORD_ENV), *dir = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_(password_freep) char *password = NULL;
        char path[512];
        int r = 0;

        secret_held();
        if (env) {
                (void) snprintf(from, size, "$%s", PASSWORD_ENV);
                password = strdup(env);
                if (!password)
                        return err_set(err, -ENOMEM, "Out of memory for a password");
                r = password_line(password, strlen(password), from, err);
        } else {
                if (dir) {
                        (void) snprintf(path, sizeof(path), "%.400s/%s", dir, PASSWORD_CREDENTIAL);
                        (void) snprintf(from, size, "%s", path);
                        r = password_read(path, false, true, &password, err);
                }
                if (r >= 0 && !password && file && *file) {
                        (void) snprintf(from, size, "%s", file);
                        r = password_read(file, true, false, &password, err);
                }
        }
        if (r < 0)
                return r;
        if (!password)
                from[0] = '\0';
        *ret = TAKE_PTR(password);
        return 0;
}
