/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the fuzz targets share that say something on a bus. */

#include <systemd/sd-bus.h>

#include "tests/fuzz/fuzz.h"

/* fuzz_append_texts() - up to seven texts of @f as "as" behind @m. Return: 0 or more; negative errno. */
static inline int fuzz_append_texts(Fuzz *f, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (unsigned n = fuzz_byte(f) % 8; n > 0 && r >= 0; n--) {
                _cleanup_(freep) char *text = fuzz_text(f, NULL);
                r = sd_bus_message_append(m, "s", text);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}
