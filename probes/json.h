/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* JSON that somebody else wrote: bounded before it is parsed, read key by key. Pure; cJSON behind it. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

#define JSON_DEPTH_MAX  32    /* cJSON itself recurses up to 1000 */
#define JSON_VALUES_MAX 65536 /* each costs 80 bytes once parsed, however short it is in the text */

/* Bytes of what an agent tells of itself, or a pool mate keeps in ZooKeeper. Both carry no more in one
 * message. */
#define JSON_MESSAGE_MAX (1024 * 1024)

/*
 * json_open() - parse @len bytes at @text (no NUL needed). Size, depth and number of values are checked
 * before cJSON sees it; white space may follow the value, nothing else.
 * @ret: to be freed with cJSON_Delete(), e.g. by _cleanup_(json_closep); written only on success.
 * Return: 0; -E2BIG (over @max_bytes, JSON_DEPTH_MAX, JSON_VALUES_MAX); -EBADMSG (not JSON: says where);
 * -ENOMEM, which says nothing about the text.
 */
int json_open(const char *text, size_t len, size_t max_bytes, cJSON **ret, Err *err) _must_check_;

/* json_open_large() - the same with @max_values in place of JSON_VALUES_MAX. */
int json_open_large(const char *text, size_t len, size_t max_bytes, size_t max_values, cJSON **ret,
                    Err *err) _must_check_;

/*
 * json_object() - an object in @text, within the same bounds. @text: NULL allowed. Return: to be freed; NULL:
 * it is none (too big, nested too deep, something else, no memory).
 */
cJSON *json_object(const char *text, size_t max_bytes) _must_check_;

/*
 * json_get() - a member of an object, by its exact name. Absent and null are the same: Java writes both.
 * @ret: owned by @object; NULL when absent.
 * Return: 0; -EBADMSG (@object has the key more than once: which one would the sender mean?).
 */
int json_get(const cJSON *object, const char *key, const cJSON **ret, Err *err) _must_check_;

/*
 * json_get_text() - a string member that fits @size, printable ASCII: a name that is cut would be compared as
 * if it were whole. @ret: unchanged when absent. Return: 0; -EBADMSG.
 */
int json_get_text(const cJSON *object, const char *key, char *ret, size_t size, Err *err) _must_check_;

/* json_get_flag() - true, false, or these words as a string, as Edge writes them in places. @ret: unchanged
 * when absent. Return: 0; -EBADMSG. */
int json_get_flag(const cJSON *object, const char *key, bool *ret, Err *err) _must_check_;

/*
 * json_whole() - a whole number from @least to @most, which is at most JSON_WHOLE_MAX: beyond it not every
 * one is exact in JSON. @name: what an error calls @value. json_get_whole() - a member, from 0. @ret:
 * unchanged when absent. Return: 0; -EBADMSG (says which, what it is, and what belongs there).
 */
#define JSON_WHOLE_MAX (UINT64_C(1) << 53)
int json_whole(const cJSON *value, const char *name, uint64_t least, uint64_t most, uint64_t *ret,
               Err *err) _must_check_;
int json_get_whole(const cJSON *object, const char *key, uint64_t most, uint64_t *ret, Err *err) _must_check_;

/* json_get_seconds() - a member that is a number of seconds from 0 to @most_sec, at most JSON_SECONDS_MAX.
 * @ret: in microseconds; unchanged when absent. Return: 0; -EBADMSG. */
#define JSON_SECONDS_MAX 10000000000000u /* in microseconds it still fits */
int json_get_seconds(const cJSON *object, const char *key, uint64_t most_sec, Usec *ret,
                     Err *err) _must_check_;

/* json_port() - 1 to 65535, as a whole number or a string of nothing but its digits. Return: 0 when it is
 * none. */
uint16_t json_port(const cJSON *value);

/* json_show() - a value as it is written, cut to @size, in ASCII, for an error sentence. Return: @buf. */
const char *json_show(const cJSON *value, char *buf, size_t size);

/*
 * Forgiving readers, for what is only shown or has a default: what is missing or of another type is as if it
 * were not there. json_text() - never NULL. json_number() - finite. json_count() - a whole number from 0 to
 * 10^15. json_true() - only true is true. @object may be NULL.
 */
const char *json_text(const cJSON *object, const char *key);
double json_number(const cJSON *object, const char *key, double otherwise);
uint64_t json_count(const cJSON *object, const char *key);
bool json_true(const cJSON *object, const char *key);

/*
 * Building. cJSON leaves out what it has no memory for, and what could not be added to its parent is
 * nobody's. json_put(), json_append() - cJSON_AddItemToObject() and ...ToArray(); @item: consumed, NULL
 * allowed. json_lost() - has cJSON been out of memory since this was last asked? What was built since may
 * lack something, and is neither to be kept nor believed. json_record() - an empty object, with which
 * something that is kept begins: what was lost before has nothing to do with it. Source: cJSON_InitHooks().
 */
cJSON *json_record(void);
void json_put(cJSON *object, const char *key, cJSON *item);
void json_append(cJSON *array, cJSON *item);
bool json_lost(void);

static inline void json_closep(cJSON **json)
{
        cJSON_Delete(*json);
}
