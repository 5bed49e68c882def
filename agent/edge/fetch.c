/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "probes/edge-json.h"

int fetch_names(Api *api, const char *path, char ***ret, ApiAnswer *answer, Err *err)
{
        Err why = { 0 };
        *ret = NULL;
        int r = api_call(api, &(ApiRequest){ .path = path, .max_bytes = EDGE_JSON_MAX }, answer, err);
        if (r < 0 || answer->kind != API_OK)
                return r;
        if (edge_list_parse(answer->body, answer->body_len, ret, &why) < 0) {
                api_answer_done(answer);
                api_foreign(answer, why.text);
                answer->body = NULL;
        }
        return 0;
}

typedef struct FetchOne {
        const char *name;
        FetchFn fn;
        void *userdata;
} FetchOne;

static void fetch_on_answer(const ApiAnswer *answer, void *userdata)
{
        const FetchOne *one = userdata;
        one->fn(one->name, answer, one->userdata);
}

static int fetch_one(Api *api, const char *path, FetchOne *one, Err *err)
{
        _cleanup_(freep) char *segment = NULL, *whole = NULL;
        int r = api_path(&segment, API_SEGMENTS(one->name), err);
        if (r >= 0 && asprintf(&whole, "%s%s", path, segment + strlen("/v1")) < 0)
                r = err_set(err, -ENOMEM, "Out of memory for a path");
        return r < 0 ? r : api_start(api, &(ApiRequest){ .path = whole }, fetch_on_answer, one, err);
}

int fetch_each(Api *api, const char *path, char *const *names, FetchFn fn, void *userdata, Err *err)
{
        _cleanup_(freep) FetchOne *ones = NULL;
        size_t n = 0;
        int r = 0;

        while (names[n])
                n++;
        ones = calloc(n + 1, sizeof(*ones));
        if (!ones)
                return err_set(err, -ENOMEM, "Out of memory for %zu requests", n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                ones[i] = (FetchOne){ .name = names[i], .fn = fn, .userdata = userdata };
                r = fetch_one(api, path, &ones[i], err);
        }
        /* Those that were begun are waited for all the same: they refer to what goes with this function. */
        int end = api_run(api, r < 0 ? NULL : err);
        return r < 0 ? r : end;
}
