/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BEGIN_LINE "-----BEGIN CERTIFICATE-----"
#define END_LINE   "-----END CERTIFICATE-----"

static int base64_value(char c)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c ? strchr(alphabet, c) : NULL;
        return at ? (int) (at - alphabet) : -1;
}

/* Return: bytes written to @ret (3/4 of @len is room enough), -1 when it is not base64. */
static ssize_t base64_decode(const char *text, size_t len, unsigned char *ret)
{
        size_t n = 0, chars = 0, padding = 0;
        unsigned bits = 0;

        for (size_t i = 0; i < len; i++) {
                if (strchr(" \t\r\n", text[i]) && text[i])
                        continue;
                chars++;
                if (text[i] == '=') {
                        padding++;
                        continue;
                }
                int value = base64_value(text[i]);
                if (value < 0 || padding > 0)
                        return -1;
                bits = bits << 6 | (unsigned) value;
                if (chars % 4 != 1)
                        ret[n++] = (unsigned char) (bits >> (6 - 2 * ((chars - 1) % 4)));
        }
        return chars == 0 || chars % 4 != 0 || padding > 2 ? -1 : (ssize_t) n;
}

int pem_fingerprint(const char *pem, size_t len, char *ret, Err *err)
{
        if (len > PEM_MAX)
                return err_set(err, -E2BIG, "more than %d bytes", PEM_MAX);
        const char *begin = memmem(pem, len, BEGIN_LINE, strlen(BEGIN_LINE));
        if (!begin)
                return err_set(err, -ENOENT, "there is no certificate in it (%s)", BEGIN_LINE);
        begin += strlen(BEGIN_LINE);
        const char *end = memmem(begin, (size_t) (pem + len - begin), END_LINE, strlen(END_LINE));
        if (!end)
                return err_set(err, -EBADMSG, "the first certificate has no end (%s)", END_LINE);
        _cleanup_(freep) unsigned char *der = malloc((size_t) (end - begin) + 1);
        if (!der)
                return err_set(err, -ENOMEM, "out of memory");
        ssize_t n = base64_decode(begin, (size_t) (end - begin), der);
        if (n <= 0)
                return err_set(err, -EBADMSG, "the first certificate is not base64");
        uint8_t digest[SHA256_BYTES];
        sha256(der, (size_t) n, digest);
        sha256_text(digest, ret);
        return 0;
}

int pem_fingerprint_file(const char *path, char *ret, Err *err)
{
        struct stat st;
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "%.200s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, -EINVAL, "%.200s is no regular file", path);
        if (st.st_size > PEM_MAX)
                return err_set(err, -E2BIG, "%.200s has more than %d bytes", path, PEM_MAX);
        _cleanup_(freep) char *text = malloc(PEM_MAX);
        if (!text)
                return err_set(err, -ENOMEM, "out of memory");
        size_t len = 0;
        for (ssize_t n; len < PEM_MAX && (n = read(fd, text + len, PEM_MAX - len)) != 0;) {
                if (n < 0 && errno != EINTR)
                        return err_errno(err, -errno, "%.200s", path);
                len += n > 0 ? (size_t) n : 0;
        }
        int r = pem_fingerprint(text, len, ret, err);
        return r < 0 ? err_prefix(err, r, "%.200s", path) : 0;
}
