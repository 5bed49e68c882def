/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration: a file and a drop-in; printed, and printed as JSON. */

#include <sys/stat.h>

#include "agent/config.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len, more_len;
        _cleanup_(freep) uint8_t *text = fuzz_part(&f, &len), *more = fuzz_part(&f, &more_len);
        _cleanup_(config_freep) Config *c = NULL;
        char file[128];
        Err err = { 0 };

        (void) fuzz_file("50-more.conf", more, more_len);
        (void) snprintf(file, sizeof(file), "%s", fuzz_file("edge-roll", text, len));
        int r = config_load(&c, file, fuzz_dir(), &err);
        if (r < 0) {
                fuzz_check(!c && *err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(c->n_components <= CONFIG_COMPONENTS);
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *p = &c->components[i];
                fuzz_check(config_component(c, p->name) == p);
                for (Phase phase = 0; phase < PHASE_COUNT; phase++)
                        (void) component_limit(p, phase);
                (void) config_was_set(c, p, "units");
        }
        (void) config_rmp(c, NULL);
        fuzz_any(config_print(c, fuzz_nowhere(), false));
        fuzz_any(config_print(c, fuzz_nowhere(), true));
}
