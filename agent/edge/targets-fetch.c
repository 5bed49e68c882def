/* SPDX-License-Identifier: GPL-3.0-or-later */

/* All target servers of an environment. */

#include "agent/edge/targets.h"

#include <stdlib.h>
#include <string.h>

#include "agent/edge/fetch.h"
#include "probes/edge-json.h"

TargetRows *targets_rows_free(TargetRows *t)
{
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n; i++)
                target_free(t->rows[i].target);
        free(t->rows);
        free(t);
        return NULL;
}

static void rows_on_answer(const char *name, const ApiAnswer *answer, void *userdata)
{
        TargetRows *t = userdata;
        Err why = { 0 };
        if (answer->kind == API_ABSENT)
                return;
        TargetRow *row = &t->rows[t->n++];
        (void) snprintf(row->name, sizeof(row->name), "%s", name);
        if (answer->kind != API_OK)
                (void) snprintf(row->trouble, sizeof(row->trouble), "%s", answer->text);
        else if (target_read(answer->body, answer->body_len, &row->target, &why) < 0)
                (void) snprintf(row->trouble, sizeof(row->trouble), "%.470s", why.text);
        t->n_troubles += !row->target;
}

static int rows_compare(const void *a, const void *b)
{
        return strcmp(((const TargetRow *) a)->name, ((const TargetRow *) b)->name);
}

int targets_fetch(Api *api, const char *org, const char *env, TargetRows **ret, ApiAnswer *answer, Err *err)
{
        _cleanup_(edge_list_freep) char **names = NULL;
        _cleanup_(targets_rows_freep) TargetRows *t = NULL;
        _cleanup_(freep) char *path = NULL;
        size_t n = 0;

        *ret = NULL;
        int r = api_path(&path, API_SEGMENTS("o", org, "e", env, "targetservers"), err);
        if (r >= 0)
                r = fetch_names(api, path, &names, answer, err);
        if (r < 0 || !names)
                return r;
        while (names[n])
                n++;
        t = calloc(1, sizeof(*t));
        if (t)
                t->rows = calloc(n + 1, sizeof(*t->rows));
        if (!t || !t->rows)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", n);
        r = fetch_each(api, path, names, rows_on_answer, t, err);
        if (r < 0)
                return r;
        qsort(t->rows, t->n, sizeof(*t->rows), rows_compare);
        *ret = TAKE_PTR(t);
        return 0;
}
