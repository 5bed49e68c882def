/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A TargetServer, however it is written: XML or JSON, from a file or from Edge's management API. Pure.
 *
 * In JSON `port` may be a string, `isEnabled`, `enabled`, `clientAuthEnabled` and `ignoreValidationErrors`
 * may be the words "true" and "false"; unknown keys are kept where the object is sent again. Whatever it was
 * read from it is an EdgeTargetServer; `line` is 1 for everything that is there in JSON.
 *
 * Source: Apigee "Load balancing across backend servers"; the answers of /v1/o/ORG/e/ENV/targetservers.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "probes/edge-xml.h"

#define TARGET_MAX       (256 * 1024) /* bytes of one, written */
#define TARGETS_PER_ENV  500          /* Apigee "Limits" */
#define TARGET_WORDS_MAX 256          /* protocols, ciphers */

typedef struct Target {
        EdgeTargetServer server; /* its texts belong to this */
        bool is_xml;
        struct cJSON *json; /* unless is_xml */
        EdgeXml *xml;       /* if is_xml; its findings are worth telling */
        EdgeText *lists[2];
} Target;

/*
 * target_read() - XML where the first character is '<', else JSON. @ret: to be freed with target_free();
 * written only on success. What is missing is missing in it: target_check() says so. Return: 0; -EBADMSG
 * (neither, or of something else: what was found; a key of the wrong type: which); -E2BIG; errors of
 * edge_xml_read(); -ENOMEM.
 */
int target_read(const char *text, size_t len, Target **ret, Err *err) _must_check_;
Target *target_free(Target *t);
DEFINE_CLEANUP(Target, target_free);

/*
 * target_name_ok() - can a TargetServer be called so? Letters, digits, '-', '_', '.' and blanks within;
 * Apigee documents letters and digits, and has a blank in an example.
 */
bool target_name_ok(const char *name);

/*
 * target_check() - can it be sent to Edge as it is? A name, a host without protocol, port and path, a port.
 * Return: 0; -EINVAL (what is wrong with it, and what is accepted).
 */
int target_check(const EdgeTargetServer *s, Err *err) _must_check_;

/*
 * target_differs() - what of @want is not so in @have, in one line: "port 8080, is 80; TLS on, is off".
 * @buf: cut where it is too small. Return: false when all means the same.
 */
bool target_differs(const EdgeTargetServer *want, const EdgeTargetServer *have, char *buf, size_t size);

/*
 * target_changes() - the same of all that is written in @want, also of what is not read: in JSON a key that
 * is not known here is compared as it is, and one that only @have has is not (Edge adds some); in XML
 * CRLStore, CommonName, CertAlias and KeyHsm count as changed, as their shape in an answer is not documented.
 */
bool target_changes(const Target *want, const Target *have, char *buf, size_t size);

/*
 * target_strange() - keys of the JSON that Edge does not document, one by one: it takes them without a word,
 * and a misspelt one has no effect. @i: from 0 on. @ret_meant: the key that differs only in its letters'
 * size, or NULL. Return: "sSLInfo.xyz" in @buf; false: there is no @i-th one.
 */
bool target_strange(const Target *t, size_t i, char *buf, size_t size, const char **ret_meant);

/*
 * target_switched() - the object, whole, with isEnabled changed and all else as it was, as JSON.
 * @ret: to be freed. Return: 0; -ENOTSUP (XML with elements that would be lost); -ENOMEM.
 */
int target_switched(const Target *t, bool enabled, char **ret, Err *err) _must_check_;

/* target_to_json() - in the shape of Edge's answers. Return: NULL when there is no memory. */
struct cJSON *target_to_json(const EdgeTargetServer *s);
