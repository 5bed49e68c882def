/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a component says of itself over its management port: /v1/servers/self, lists of names, /up. */

#include "probes/edge-json.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) uint8_t *bytes = fuzz_part(&f, &len);
        _cleanup_(freep) char *words = fuzz_text(&f, NULL);
        _cleanup_(edge_list_freep) char **list = NULL, **again = NULL;
        const char *text = (const char *) bytes;
        EdgeSelf self = { .http_port = 7 };
        Err err = { 0 };

        if (edge_self_parse(text, len, &self, &err) == 0) {
                fuzz_check(fuzz_is_ascii(self.uuid) && fuzz_is_ascii(self.region) && fuzz_is_ascii(self.pod));
                fuzz_check(!strpbrk(self.uuid, "/ %"));
        } else
                fuzz_check(self.http_port == 7 && err.code < 0 && *err.text && fuzz_is_ascii(err.text));
        (void) edge_up_is_true(text, len);
        if (edge_list_parse(text, len, &list, &err) == 0)
                for (size_t i = 0; list[i]; i++) {
                        fuzz_check(edge_name_ok(list[i]));
                        fuzz_check(i == 0 || strcmp(list[i - 1], list[i]) < 0);
                }
        if (edge_list_from_words(words, &again, &err) == 0)
                for (size_t i = 0; again[i]; i++)
                        fuzz_check(edge_name_ok(again[i]));
}
