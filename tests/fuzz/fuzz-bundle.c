/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A bundle as a zip. What begins with "PK" is one as it is; all else is a list of entries of which a zip is
 * made whose directory and checksums are right, so that what is in it is reached: a byte of flags, the name,
 * the content.
 */

#include "probes/bundle.h"
#include "tests/fuzz/fuzz.h"

#define ENTRIES_MAX 64
#define NAME        "b.zip"

enum {
        FLAG_DEFLATED = 1,  /* the content is what comes out of deflate */
        FLAG_LIES = 2,      /* about the size that it unpacks to */
        FLAG_LINK = 4,      /* a symbolic link */
        FLAG_UTF8 = 8,      /* so it says of its name */
        FLAG_ENCRYPTED = 16 /* so it says */
};

/* ---- a zip is made (PKWARE's APPNOTE, 4.3) ---- */

/* Without an allocation, which would be no business of the product's. What does not fit is left out. */
typedef struct Bytes {
        uint8_t at[256 * 1024];
        size_t n;
} Bytes;

static void put_bytes(Bytes *b, const void *bytes, size_t n)
{
        n = MIN(n, sizeof(b->at) - b->n);
        memcpy(b->at + b->n, bytes, n);
        b->n += n;
}

static void put_u16(Bytes *b, uint32_t n)
{
        put_bytes(b, (uint8_t[]){ n & 0xff, n >> 8 & 0xff }, 2);
}

static void put_u32(Bytes *b, uint32_t n)
{
        put_u16(b, n & 0xffff);
        put_u16(b, n >> 16);
}

static uint32_t checksum(const uint8_t *bytes, size_t n)
{
        uint32_t crc = UINT32_MAX;
        for (size_t i = 0; i < n; i++) {
                crc ^= bytes[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
        }
        return ~crc;
}

/* What the header of an entry and its line in the directory have in common. */
static void put_common(Bytes *b, unsigned flags, const uint8_t *content, size_t len, size_t name_len)
{
        put_u16(b, 20);
        put_u16(b, (flags & FLAG_UTF8 ? 0x800 : 0) | (flags & FLAG_ENCRYPTED ? 1 : 0));
        put_u16(b, flags & FLAG_DEFLATED ? 8 : 0);
        put_u32(b, 0x00210000);
        put_u32(b, checksum(content, len));
        put_u32(b, (uint32_t) len);
        put_u32(b, (uint32_t) len + (flags & FLAG_LIES ? 1000000 : 0));
        put_u16(b, (uint32_t) name_len);
        put_u16(b, 0);
}

static void put_entry(Bytes *zip, Bytes *directory, Fuzz *in)
{
        unsigned flags = fuzz_byte(in);
        size_t name_len, len;
        _cleanup_(freep) uint8_t *name = fuzz_part(in, &name_len), *content = fuzz_part(in, &len);
        size_t at = zip->n;

        put_u32(zip, 0x04034b50);
        put_common(zip, flags, content, len, name_len);
        put_bytes(zip, name, name_len);
        put_bytes(zip, content, len);
        put_u32(directory, 0x02014b50);
        put_u16(directory, 0x031e); /* made on Unix, so that the mode counts */
        put_common(directory, flags, content, len, name_len);
        put_u16(directory, 0);
        put_u16(directory, 0);
        put_u16(directory, 0);
        put_u32(directory, (flags & FLAG_LINK ? 0120777U : 0100644U) << 16);
        put_u32(directory, (uint32_t) at);
        put_bytes(directory, name, name_len);
}

/* Return: its path. */
static const char *made(Fuzz *in)
{
        static Bytes zip, directory;
        unsigned n;

        zip.n = directory.n = 0;
        for (n = 0; in->left > 0 && n < ENTRIES_MAX; n++)
                put_entry(&zip, &directory, in);
        size_t at = zip.n;
        put_bytes(&zip, directory.at, directory.n);
        put_u32(&zip, 0x06054b50);
        put_u32(&zip, 0);
        put_u16(&zip, n);
        put_u16(&zip, n);
        put_u32(&zip, (uint32_t) directory.n);
        put_u32(&zip, (uint32_t) at);
        put_u16(&zip, 0);
        return fuzz_file(NAME, zip.at, zip.n);
}

/* ---- and read ---- */

typedef struct Seen {
        const char *path; /* of the zip */
        size_t documents, bytes;
} Seen;

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        Seen *s = userdata;
        size_t n = strlen(s->path);

        fuzz_check(strncmp(path, s->path, n) == 0 && path[n] == '/');
        /* A name that is shown cut was looked at whole. */
        fuzz_check(strlen(path) >= BUNDLE_PATH_MAX - 1 || bundle_wants(path + n + 1) == 1);
        fuzz_check(len <= BUNDLE_DOCUMENT_MAX);
        for (size_t i = 0; i < len; i += 4096)
                fuzz_any(text[i]);
        s->documents++;
        s->bytes += len;
        return 0;
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        const Seen *s = userdata;
        fuzz_check(strncmp(path, s->path, strlen(s->path)) == 0);
        fuzz_check(*problem && fuzz_is_ascii(problem));
        return 0;
}

void fuzz_one(const uint8_t *data, size_t size)
{
        static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };
        Fuzz in = { data, size };
        const char *path =
                size > 1 && data[0] == 'P' && data[1] == 'K' ? fuzz_file(NAME, data, size) : made(&in);
        Seen seen = { .path = path };
        Err err = { 0 };

        int r = bundle_read(path, &handlers, &seen, &err);
        if (r < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        else
                fuzz_check((size_t) r == seen.documents && seen.bytes <= BUNDLE_XML_MAX);
}
