/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Edge's *.properties files: what the administrator has set. Read to learn how long a request may take, and
 * on which port. A file that is not there, or may not be read, is an answer: defaults and other sources
 * follow.
 *
 * Names come in three spellings, all of which occur in the field:
 *   conf_load_balancing_load.balancing.driver.proxy.read.timeout=57          customer file, conf_FILE_KEY
 *   conf/message-processor-communication.properties+local.http.port=8443     customer file, by path
 *   local.http.port=8998                                                     the component's own file
 * Source: java.util.Properties.load(); Apigee "Configuring Router timeout", "Configuring I/O timeout on
 * Message Processors", "Configuring TLS between Router and Message Processor"; ngx_http_proxy_module
 * proxy_read_timeout.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/time.h"

#define PROPERTIES_FILE_MAX    (1024 * 1024) /* bytes of one file */
#define PROPERTIES_ENTRIES_MAX 20000         /* in all files together */
#define PROPERTIES_NGINX_FILES 1000          /* files looked at in a directory */

typedef struct Properties Properties;

typedef enum PropertiesAnswer {
        PROPERTIES_FOUND,
        PROPERTIES_ABSENT,     /* no such file or directory; nothing like that in it */
        PROPERTIES_UNREADABLE, /* there, but not (all of it) readable: permission, size, kind, no memory */
        PROPERTIES_ANSWER_COUNT,
        PROPERTIES_ANSWER_INVALID = -EINVAL,
} PropertiesAnswer;

/* properties_new() - an empty set. Return: 0 or -ENOMEM. */
int properties_new(Properties **ret, Err *err) _must_check_;

/* properties_free() - NULL allowed. Return: NULL. */
Properties *properties_free(Properties *p);
DEFINE_CLEANUP(Properties, properties_free);

/*
 * properties_parse() - add the entries of a text to the set, behind those that are there. Pure. Any bytes are
 * legal; as in Java, an escape that means nothing stands for its last character. Unlike in Java, blanks at
 * the end of a value are dropped. @source: named in error sentences; copied. Return: 0; -E2BIG (more than
 * PROPERTIES_FILE_MAX or PROPERTIES_ENTRIES_MAX; nothing is added); -ENOMEM.
 */
int properties_parse(Properties *p, const char *text, size_t len, const char *source, Err *err) _must_check_;

/*
 * properties_read() - the same of a file.
 * @why: with PROPERTIES_UNREADABLE one sentence that says why, else untouched. May be NULL.
 */
PropertiesAnswer properties_read(Properties *p, const char *path, Err *why) _must_check_;

/*
 * properties_get() - the value of @key in any of its three spellings; of several the one that was added last.
 * @file: the properties file the key belongs to, without ".properties", e.g. "load_balancing".
 * Return: the value (owned by @p, good until the next change), NULL if there is none.
 */
const char *properties_get(const Properties *p, const char *file, const char *key);

/*
 * properties_router_timeout() - the longest time a router waits for a message processor:
 * load.balancing.driver.proxy.read.timeout and load.balancing.driver.nginx.upstream_next_timeout of
 * load_balancing, in nginx's units. @ret: the larger; 0 when neither is set; written only on success.
 * Return: 0; -EINVAL or -ERANGE (a value that is no such duration: the sentence names file, key and value).
 */
int properties_router_timeout(const Properties *p, Usec *ret, Err *err) _must_check_;

/* properties_mp_timeout() - the same of a message processor: HTTPTransport.io.timeout.millis of http, in ms.
 */
int properties_mp_timeout(const Properties *p, Usec *ret, Err *err) _must_check_;

/*
 * properties_mp_tls() - do the routers speak TLS to a message processor: local.http.ssl of
 * message-processor-communication, a Boolean of Java ("true" in any case). @ret: false when it is not set;
 * written only on success. Return: 0; -EINVAL (neither true nor false: file, key and value are named).
 */
int properties_mp_tls(const Properties *p, bool *ret, Err *err) _must_check_;

/*
 * properties_nginx_timeout() - the largest `proxy_read_timeout VALUE;` in the regular files of a directory
 * such as /opt/nginx/conf.d (not below it) and in what they include by an absolute path; what virtual hosts
 * set for themselves is only found there.
 * @ret: written unless the answer is PROPERTIES_ABSENT. With PROPERTIES_UNREADABLE (a file or the directory
 * could not be read, too many files, a value that is no duration) it is what the rest says, 0 if nothing.
 * @why: as with properties_read().
 */
PropertiesAnswer properties_nginx_timeout(const char *directory, Usec *ret, Err *why) _must_check_;
