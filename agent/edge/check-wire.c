/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/check-wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/words.h"
#include "probes/json.h"

#define USEC_MOST (3600 * USEC_PER_SEC) /* that a check can have taken */

/* ---- the question ---- */

int check_item(const EdgeTargetServer *server, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        _cleanup_(freep) char *text = NULL;
        EdgeTargetServer sent = *server;

        sent.description = (EdgeText){ 0 }; /* what people note there is none of a node's business */
        (void) json_lost();
        o = target_to_json(&sent);
        text = o ? cJSON_PrintUnformatted(o) : NULL;
        if (!text || json_lost())
                return err_set(err, -ENOMEM, "Out of memory for a target server");
        if (strlen(text) > CHECK_ITEM_MAX)
                return err_set(err, -E2BIG, "with %zu bytes it is too long to be sent to a node",
                               strlen(text));
        if (!words_utf8(text))
                return err_set(err, -EINVAL, "it is not UTF-8, and cannot be sent to a node");
        *ret = TAKE_PTR(text);
        return 0;
}

int check_ask(char *const *items, size_t n, char **ret, Err *err)
{
        char *text = NULL;
        size_t size = 0, len = 0;
        int put = 0;
        FILE *f = text_open(&text, &size);
        if (!f)
                return err_set(err, -ENOMEM, "Out of memory for a question");
        for (size_t i = 0; i < n && i < CHECK_ASK_LINES; i++) {
                len += strlen(items[i]) + 1;
                if (len > CHECK_ASK_MAX)
                        break;
                (void) fprintf(f, "%s\n", items[i]);
                put++;
        }
        if (text_close(f, &text) < 0)
                return err_set(err, -ENOMEM, "Out of memory for a question");
        *ret = text;
        return put;
}

void check_asked_done(CheckAsked *asked)
{
        for (size_t i = 0; asked->targets && i < asked->n; i++)
                (void) target_free(asked->targets[i]);
        free(asked->targets);
        free(asked->trouble);
        *asked = (CheckAsked){ 0 };
}

static int asked_line(CheckAsked *asked, const char *line, size_t len)
{
        Err why = { 0 };
        int r = len > CHECK_ITEM_MAX ? err_set(&why, -E2BIG, "it is too long")
                                     : target_read(line, len, &asked->targets[asked->n], &why);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                (void) snprintf(asked->trouble[asked->n], CHECKED_TEXT, "%.290s", why.text);
        asked->n++;
        return 0;
}

int check_asked_read(const char *text, size_t len, CheckAsked *ret, Err *err)
{
        _cleanup_(check_asked_done) CheckAsked asked = { 0 };
        size_t lines = 0;

        if (len > CHECK_ASK_MAX)
                return err_set(err, -E2BIG, "a question of more than %d bytes", CHECK_ASK_MAX);
        if (len == 0 || text[len - 1] != '\n')
                return err_set(err, -EBADMSG, "the question is not whole");
        for (size_t i = 0; i < len; i++)
                lines += text[i] == '\n';
        if (lines > CHECK_ASK_LINES)
                return err_set(err, -E2BIG, "%zu target servers; at most %d are taken at once", lines,
                               CHECK_ASK_LINES);
        asked.targets = calloc(lines + 1, sizeof(*asked.targets));
        asked.trouble = calloc(lines + 1, sizeof(*asked.trouble));
        if (!asked.targets || !asked.trouble)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", lines);
        for (const char *line = text, *end = text + len; line < end;) {
                const char *stop = memchr(line, '\n', (size_t) (end - line));
                if (asked_line(&asked, line, (size_t) (stop - line)) < 0)
                        return err_set(err, -ENOMEM, "Out of memory for %zu target servers", lines);
                line = stop + 1;
        }
        *ret = asked;
        asked = (CheckAsked){ 0 };
        return 0;
}

/* ---- the answer ---- */

int check_line(size_t id, const Checked *checked, char **ret)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        _cleanup_(freep) char *text = NULL;

        (void) json_lost();
        o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "id", (double) id);
        cJSON_AddStringToObject(o, "layer", probe_layer_name(checked->layer));
        cJSON_AddNumberToObject(o, "usec", (double) checked->elapsed_usec);
        cJSON_AddNumberToObject(o, "notes", (double) checked->notes);
        cJSON_AddStringToObject(o, "text", checked->text);
        text = o ? cJSON_PrintUnformatted(o) : NULL;
        if (!text || json_lost() || asprintf(ret, "%s\n", text) < 0)
                return -ENOMEM;
        return 0;
}

/* A whole number from 0 to @most, which must be there. */
static int get_count(const cJSON *o, const char *key, uint64_t most, uint64_t *ret, Err *err)
{
        uint64_t value = UINT64_MAX;
        int r = json_get_whole(o, key, most, &value, err);
        if (r < 0)
                return r;
        if (value == UINT64_MAX)
                return err_set(err, -EBADMSG, "an answer without \"%s\"", key);
        *ret = value;
        return 0;
}

static int get_layer(const cJSON *o, ProbeLayer *ret, Err *err)
{
        char name[24] = "";
        int r = json_get_text(o, "layer", name, sizeof(name), err);
        if (r < 0)
                return r;
        *ret = probe_layer_from_name(name);
        return *ret < 0 ? err_set(err, -EBADMSG, "\"layer\" is \"%s\", which is none", name) : 0;
}

/* What is too long is cut; what a terminal would obey is not. */
static int get_sentence(const cJSON *o, char *buf, size_t size, Err *err)
{
        const cJSON *value;
        int r = json_get(o, "text", &value, err);
        if (r < 0)
                return r;
        if (value && !cJSON_IsString(value))
                return err_set(err, -EBADMSG, "\"text\" is no text");
        (void) snprintf(buf, size, "%s", value ? value->valuestring : "");
        words_clean(buf);
        return 0;
}

int check_line_read(const char *text, size_t len, size_t n, size_t *ret_id, Checked *ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        Checked one = { 0 };
        uint64_t id = 0, usec = 0, notes = 0;

        int r = json_open(text, len, CHECK_LINE_MAX, &o, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(o))
                return err_set(err, -EBADMSG, "an answer that is no object");
        r = get_count(o, "id", UINT32_MAX, &id, err);
        if (r >= 0 && id >= n)
                r = err_set(err, -EBADMSG, "an answer about number %" PRIu64 " of %zu", id, n);
        if (r >= 0)
                r = get_layer(o, &one.layer, err);
        if (r >= 0)
                r = get_count(o, "usec", USEC_MOST, &usec, err);
        if (r >= 0)
                r = get_count(o, "notes", UINT32_MAX, &notes, err);
        if (r >= 0)
                r = get_sentence(o, one.text, sizeof(one.text), err);
        if (r < 0)
                return r;
        one.elapsed_usec = usec;
        one.notes = (unsigned) notes & (2U * PROBE_NOTE_LAST - 1);
        *ret_id = (size_t) id;
        *ret = one;
        return 0;
}
