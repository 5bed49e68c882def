/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Lists of names from Edge's management API, and each of the things that they name. Runs the loop meanwhile.
 */

#include "agent/edge/api.h"

/*
 * fetch_names() - @path: of the list. @ret: as edge_list_parse() gives it; NULL unless @answer is API_OK.
 * @answer: how it ended; to be released with api_answer_done(). Return: 0; errors of api_call().
 */
int fetch_names(Api *api, const char *path, char ***ret, ApiAnswer *answer, Err *err) _must_check_;

/* @answer: valid during the callback; whatever its kind. */
typedef void (*FetchFn)(const char *name, const ApiAnswer *answer, void *userdata);

/*
 * fetch_each() - GET of @path/NAME for each of @names (NULL-terminated), several at once; @fn is called for
 * each, in any order. Return: 0; -EINVAL (a name that cannot be one: nothing was asked); errors of
 * api_start(), api_run().
 */
int fetch_each(Api *api, const char *path, char *const *names, FetchFn fn, void *userdata,
               Err *err) _must_check_;
