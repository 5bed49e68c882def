/* SPDX-License-Identifier: GPL-3.0-or-later */

/* monit's status document, and the name of a check that is looked for in it. */

#include "probes/monit-xml.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) uint8_t *xml = fuzz_part(&f, &len);
        _cleanup_(freep) char *name = fuzz_text(&f, NULL);
        MonitCheck check = { .monitor = -7 };
        Err err = { 0 };

        if (monit_xml_find((const char *) xml, len, *name ? name : "edge-router", &check, &err) == 0) {
                fuzz_check(check.monitor >= 0 && check.monitor <= 99);
                fuzz_check(check.pending_action >= 0 && check.pending_action <= 99);
                fuzz_check(check.found || (check.monitor == 0 && check.pending_action == 0));
        } else
                fuzz_check(check.monitor == -7 && *err.text && fuzz_is_ascii(err.text));
}
