/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/http1.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

void http1_init(Http1 *a, size_t body_max, HttpLineFn line, void *userdata)
{
        *a = (Http1){ .body_max = body_max, .line = line, .userdata = userdata };
}

void http1_done(Http1 *a)
{
        free(a->partial);
        *a = (Http1){ 0 };
}

/* ---- the answer ------------------------------------------------------------------------------------------
 */

/* "HTTP/1.1 200 OK" */
static bool read_status(Http1 *a, const char *line, size_t len)
{
        if (len < 12 || strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char) line[7]) ||
            line[8] != ' ')
                return false;
        for (size_t i = 9; i < 12; i++)
                if (!isdigit((unsigned char) line[i]))
                        return false;
        if (len > 12 && !strchr(" \r\n", line[12]))
                return false;
        a->status = (line[9] - '0') * 100L + (line[10] - '0') * 10L + (line[11] - '0');
        a->chunked = a->has_length = false;
        return a->status >= 100;
}

static bool is_header(const char *line, size_t len, const char *name, const char **value, size_t *value_len)
{
        size_t n = strlen(name);
        if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
                return false;
        const char *v = line + n + 1, *end = line + len;
        while (v < end && strchr(" \t", *v))
                v++;
        while (end > v && strchr(" \t\r\n", end[-1]))
                end--;
        *value = v;
        *value_len = (size_t) (end - v);
        return true;
}

static bool read_number(const char *text, size_t len, uint64_t *ret)
{
        *ret = 0;
        if (len == 0 || len > 18)
                return false;
        for (size_t i = 0; i < len; i++) {
                if (!isdigit((unsigned char) text[i]))
                        return false;
                *ret = *ret * 10 + (uint64_t) (text[i] - '0');
        }
        return true;
}

/* "5", or "5, 5", which RFC 9110 (8.6) lets pass. Two that differ mean that nobody knows where it ends. */
static bool read_length(Http1 *a, const char *value, size_t len)
{
        for (;;) {
                const char *comma = memchr(value, ',', len);
                size_t n = comma ? (size_t) (comma - value) : len;
                uint64_t length;
                while (n > 0 && strchr(" \t", value[n - 1]))
                        n--;
                if (!read_number(value, n, &length) || (a->has_length && a->left != length))
                        return false;
                a->left = length;
                a->has_length = true;
                if (!comma)
                        return true;
                len -= (size_t) (comma + 1 - value);
                value = comma + 1;
                for (; len > 0 && strchr(" \t", *value); len--)
                        value++;
        }
}

/* Return: false for what no answer may say. */
static bool read_header(Http1 *a, const char *line, size_t len)
{
        const char *value;
        size_t n;

        if (memchr(line, '\0', len)) {
                a->why = "a header with a NUL byte";
                return false;
        }
        if (is_header(line, len, "Content-Length", &value, &n)) {
                if (!read_length(a, value, n))
                        a->why = "a Content-Length that is no number, or two that differ";
                return !a->why;
        }
        if (is_header(line, len, "Transfer-Encoding", &value, &n))
                a->chunked = n >= 7 && strncasecmp(value + n - 7, "chunked", 7) == 0;
        return true;
}

/* The empty line: what kind of body follows? RFC 9112, section 6.3. */
static void header_over(Http1 *a)
{
        if (a->status < 200 && a->status != 101)
                a->state = HTTP1_STATUS; /* the answer itself comes behind it */
        else if (a->status == 101 || a->status == 204 || a->status == 304)
                a->state = HTTP1_OVER;
        else if (a->chunked)
                a->state = HTTP1_CHUNK_SIZE;
        else if (a->has_length)
                a->state = a->left > 0 ? HTTP1_BODY : HTTP1_OVER;
        else
                a->state = HTTP1_TO_THE_END;
}

static bool read_chunk_size(Http1 *a, const char *line, size_t len)
{
        uint64_t n = 0;
        size_t i = 0;
        for (; i < len && isxdigit((unsigned char) line[i]); i++) {
                int digit = isdigit((unsigned char) line[i]) ? line[i] - '0'
                                                             : tolower((unsigned char) line[i]) - 'a' + 10;
                if (i >= 15)
                        return false;
                n = n * 16 + (uint64_t) digit;
        }
        if (i == 0 || (i < len && !strchr(" \t;\r\n", line[i])))
                return false;
        a->left = n;
        a->state = n > 0 ? HTTP1_CHUNK : HTTP1_TRAILERS;
        return true;
}

static HttpOutcome broken_chunk(Http1 *a)
{
        a->why = "its chunks are not in order";
        return HTTP_TRUNCATED;
}

/* A whole line, with its end. Return: HTTP_ANSWER to go on, else how it ends. */
static HttpOutcome take_line(Http1 *a, const char *line, size_t len)
{
        bool empty = len <= 2 && (line[0] == '\n' || line[0] == '\r');

        a->header_bytes += len;
        if (a->header_bytes > HTTP1_HEADERS_MAX)
                return a->state >= HTTP1_BODY ? HTTP_TRUNCATED : HTTP_TOO_LARGE;
        if (a->line && a->state < HTTP1_BODY)
                a->line(line, len, a->userdata);
        switch (a->state) {
        case HTTP1_STATUS:
                if (!read_status(a, line, len))
                        return HTTP_PROTOCOL;
                a->state = HTTP1_HEADERS;
                break;
        case HTTP1_HEADERS:
                if (empty)
                        header_over(a);
                else if (!read_header(a, line, len))
                        return HTTP_PROTOCOL;
                break;
        case HTTP1_CHUNK_SIZE:
                if (!read_chunk_size(a, line, len))
                        return broken_chunk(a);
                a->header_bytes = 0; /* so many lines as there are chunks */
                break;
        case HTTP1_CHUNK_END:
                if (!empty)
                        return broken_chunk(a);
                a->state = HTTP1_CHUNK_SIZE;
                break;
        case HTTP1_TRAILERS:
                if (empty)
                        a->state = HTTP1_OVER;
                break;
        case HTTP1_BODY:
        case HTTP1_TO_THE_END:
        case HTTP1_CHUNK:
        case HTTP1_OVER:
                break;
        }
        return HTTP_ANSWER;
}

/* A line may come in pieces. Return: as take_line(); @used: how much of @data is done with. */
static HttpOutcome take_text(Http1 *a, const char *data, size_t len, size_t *used)
{
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t) (end - data) + 1 : len;

        *used = n;
        if (end && a->partial_len == 0)
                return take_line(a, data, n);
        if (a->header_bytes + a->partial_len + n > HTTP1_HEADERS_MAX)
                return HTTP_TOO_LARGE;
        if (a->partial_len + n > a->partial_size) {
                size_t size = MAX(a->partial_len + n, a->partial_size * 2);
                char *more = realloc(a->partial, size);
                if (!more)
                        return HTTP_INTERNAL;
                a->partial = more;
                a->partial_size = size;
        }
        memcpy(a->partial + a->partial_len, data, n);
        a->partial_len += n;
        /* What does not begin like an answer is not waited for. */
        if (a->state == HTTP1_STATUS && strncmp(a->partial, "HTTP/", MIN(a->partial_len, (size_t) 5)) != 0)
                return HTTP_PROTOCOL;
        if (!end)
                return HTTP_ANSWER;
        n = a->partial_len;
        a->partial_len = 0;
        return take_line(a, a->partial, n);
}

static size_t take_body(Http1 *a, size_t len)
{
        size_t n = a->state == HTTP1_TO_THE_END ? len : (size_t) MIN((uint64_t) len, a->left);

        a->cut = n > a->body_max - a->body_len;
        a->body_len += a->cut ? 0 : n;
        if (a->state != HTTP1_TO_THE_END && (a->left -= n) == 0)
                a->state = a->state == HTTP1_CHUNK ? HTTP1_CHUNK_END : HTTP1_OVER;
        return n;
}

bool http1_feed(Http1 *a, const char *data, size_t len, HttpOutcome *ret)
{
        a->heard = a->heard || len > 0;
        while (len > 0 && a->state != HTTP1_OVER && !a->cut) {
                size_t used;
                if (a->state == HTTP1_BODY || a->state == HTTP1_TO_THE_END || a->state == HTTP1_CHUNK)
                        used = take_body(a, len);
                else if ((*ret = take_text(a, data, len, &used)) != HTTP_ANSWER)
                        return true;
                data += used;
                len -= used;
        }
        *ret = HTTP_ANSWER;
        return a->state == HTTP1_OVER || a->cut;
}

HttpOutcome http1_stage(const Http1 *a, bool closed, bool sent)
{
        if (a->heard)
                return closed && a->state == HTTP1_TO_THE_END ? HTTP_ANSWER : HTTP_TRUNCATED;
        return sent ? HTTP_NO_ANSWER : HTTP_SEND;
}

HttpPart http1_part(const Http1 *a)
{
        return a->state >= HTTP1_BODY      ? HTTP_PART_BODY
               : a->state == HTTP1_HEADERS ? HTTP_PART_HEADER
                                           : HTTP_PART_STATUS;
}

/* ---- the request -----------------------------------------------------------------------------------------
 */

/* Is there a header of this name among those of the caller? */
static bool has_header(const HttpRequest *request, const char *name)
{
        size_t len = strlen(name);
        for (size_t i = 0; request->headers && request->headers[i]; i++)
                if (strncasecmp(request->headers[i], name, len) == 0 &&
                    strchr(":;", request->headers[i][len]))
                        return true;
        return false;
}

/* "Name: value", "Name;" without value, and "Name:", which is none at all. */
static void put_header(FILE *f, const char *header)
{
        size_t len = strlen(header);
        if (header[len - 1] == ';' && !strchr(header, ':'))
                (void) fprintf(f, "%.*s:\r\n", (int) len - 1, header);
        else if (header[len - 1] != ':')
                (void) fprintf(f, "%s\r\n", header);
}

int http1_request(const HttpRequest *r, char **ret, size_t *ret_len)
{
        const char *host = strstr(r->url, "://") + 3;
        size_t host_len = strcspn(host, "/?#");
        const char *path = host + host_len;
        size_t body = r->post_body ? strlen(r->post_body) : 0;
        const char *method = r->method ? r->method : body > 0 ? "POST" : "GET";
        FILE *f = text_open(ret, ret_len);

        if (!f)
                return -ENOMEM;
        (void) fprintf(f, "%s %s%.*s HTTP/1.1\r\n", method, *path == '/' ? "" : "/", (int) strcspn(path, "#"),
                       path);
        if (!has_header(r, "Host"))
                (void) fprintf(f, "Host: %.*s\r\n", (int) host_len, host);
        if (!has_header(r, "User-Agent"))
                (void) fputs("User-Agent: edge-roll\r\n", f);
        if (!has_header(r, "Accept"))
                (void) fputs("Accept: */*\r\n", f);
        for (size_t i = 0; r->headers && r->headers[i]; i++)
                put_header(f, r->headers[i]);
        if ((body > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) &&
            !has_header(r, "Content-Length"))
                (void) fprintf(f, "Content-Length: %zu\r\n", body);
        (void) fputs("\r\n", f);
        if (body > 0)
                (void) fwrite(r->post_body, 1, body, f);
        return text_close(f, ret);
}
