/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The answer of Needed(), as the result of `restart --if-needed --dry-run`. */

#include "agent/render.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/result.h"
#include "probes/json.h"

int render_needed(const char *json, char **ret, int *ret_exit, Err *err)
{
        cJSON *answer = json_object(json, JSON_MESSAGE_MAX);
        const char *needed = json_text(answer, "needed");
        bool known =
                strcmp(needed, "yes") == 0 || strcmp(needed, "no") == 0 || strcmp(needed, "unknown") == 0;
        if (!cJSON_IsObject(answer) || !known) {
                cJSON_Delete(answer);
                return err_set(err, -EBADMSG,
                               "the agent answered something that is no answer to Needed: %.80s", json);
        }
        Result result = strcmp(needed, "no") == 0 ? RESULT_NOT_NEEDED : RESULT_DONE;
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "result");
        cJSON_AddStringToObject(o, "component", json_text(answer, "component"));
        cJSON_AddStringToObject(o, "kind", "dry-run");
        cJSON_AddStringToObject(o, "result", result_name(result));
        cJSON_AddNumberToObject(o, "exit", result_exit_code(result));
        cJSON_AddStringToObject(o, "reason", json_text(answer, "text"));
        cJSON_AddStringToObject(o, "hint", "");
        /* A list, as in the result of a job: that of both components has two. */
        cJSON *list = cJSON_AddArrayToObject(o, "needed");
        if (!list || !cJSON_AddItemToArray(list, answer))
                cJSON_Delete(answer);
        char *text = o ? cJSON_PrintUnformatted(o) : NULL;
        cJSON_Delete(o);
        if (!text)
                return err_set(err, -ENOMEM, "out of memory");
        *ret = text;
        *ret_exit = result_exit_code(result);
        return 0;
}
