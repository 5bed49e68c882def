/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/until.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

bool until_so(sd_event *loop, Until until, void *userdata, Usec limit)
{
        Usec end = time_now() + limit;
        while (!until(userdata)) {
                if (time_now() >= end)
                        return false;
                assert_true(sd_event_run(loop, 20 * USEC_PER_MSEC) >= 0);
        }
        return true;
}
