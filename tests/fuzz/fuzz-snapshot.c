/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a message processor had loaded, from a record; and two of them compared. */

#include "probes/snapshot.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        _cleanup_(freep) char *a = fuzz_text(&f, NULL), *b = fuzz_text(&f, NULL), *json = NULL;
        _cleanup_(snapshot_freep) Snapshot *before = NULL, *after = NULL, *again = NULL;
        SnapshotDiff diff;
        char text[300], other[300];
        Err err = { 0 };

        if (snapshot_from_json(a, &before, &err) < 0) {
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(fuzz_is_ascii(snapshot_summary(before, text, sizeof(text))));
        if (snapshot_to_json(before, &json) < 0)
                return;
        fuzz_check(fuzz_is_ascii(json));
        int r = snapshot_from_json(json, &again, &err);
        fuzz_check(r == 0 || r == -ENOMEM);
        if (r == 0) {
                const char *one = snapshot_summary(before, text, sizeof(text)),
                           *two = snapshot_summary(again, other, sizeof(other));
                /* What is said where there is no memory. */
                fuzz_check(strcmp(one, two) == 0 || strcmp(one, "unknown") == 0 ||
                           strcmp(two, "unknown") == 0);
                snapshot_compare(before, again, &diff);
                fuzz_check(diff.lost == 0 && diff.gained == 0 && diff.changed == 0);
        }
        if (snapshot_from_json(b, &after, &err) == 0) {
                snapshot_compare(before, after, &diff);
                fuzz_check(fuzz_is_ascii(diff.text));
        }
}
