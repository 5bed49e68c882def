/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Target servers checked from another machine: the question as that one gets it, and its answers, line by
 * line. The first byte says which. */

#include "agent/edge/check-wire.h"
#include "tests/fuzz/fuzz.h"

#define ASKED 3

/* What was understood of a question means the same when it is asked again. */
static void one_question(const char *text, size_t len)
{
        _cleanup_(check_asked_done) CheckAsked asked = { 0 };
        Err err = { 0 };
        if (check_asked_read(text, len, &asked, &err) < 0) {
                fuzz_check(!asked.targets && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(asked.n > 0 && asked.n <= CHECK_ASK_LINES);
        for (size_t i = 0; i < asked.n; i++) {
                _cleanup_(freep) char *item = NULL;
                if (!asked.targets[i]) {
                        fuzz_check(*asked.trouble[i] && fuzz_is_ascii(asked.trouble[i]));
                        continue;
                }
                if (check_item(&asked.targets[i]->server, &item, &err) < 0)
                        continue;
                asked.targets[i]->server.description = (EdgeText){ 0 };
                _cleanup_(target_freep) Target *again = NULL;
                char other[300];
                int r = target_read(item, strlen(item), &again, &err);
                fuzz_check(r >= 0 || r == -ENOMEM);
                fuzz_check(!strchr(item, '\n'));
                if (r >= 0)
                        fuzz_check(!target_differs(&asked.targets[i]->server, &again->server, other,
                                                   sizeof(other)));
        }
}

static void one_answer(const char *text, size_t len)
{
        _cleanup_(freep) char *line = NULL;
        Checked checked = { 0 }, again = { 0 };
        size_t id = ASKED, id_again = ASKED;
        Err err = { 0 };
        if (check_line_read(text, len, ASKED, &id, &checked, &err) < 0) {
                fuzz_check(id == ASKED && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(id < ASKED && checked.layer >= 0 && checked.layer < PROBE_LAYER_COUNT);
        fuzz_check(fuzz_is_ascii(checked.text) && checked.notes < 2U * PROBE_NOTE_LAST);
        if (check_line(id, &checked, &line) < 0)
                return;
        int r = check_line_read(line, strlen(line), ASKED, &id_again, &again, &err);
        fuzz_check(r >= 0 || r == -ENOMEM);
        if (r >= 0)
                fuzz_check(id_again == id && again.layer == checked.layer && again.notes == checked.notes &&
                           again.elapsed_usec == checked.elapsed_usec &&
                           strcmp(again.text, checked.text) == 0);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        uint8_t which = fuzz_byte(&f);
        _cleanup_(freep) char *text = malloc(f.left + 1);
        if (!text)
                return;
        if (f.left > 0)
                memcpy(text, f.at, f.left);
        text[f.left] = '\0';
        if (which % 2 == 0)
                one_question(text, f.left);
        else
                one_answer(text, f.left);
}
