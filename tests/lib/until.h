/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Waiting for an event on a loop, with a limit that only a test that fails reaches. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/time.h"

typedef bool (*Until)(void *userdata);

/* until_so() - runs @loop until @until is so; false after @limit. With cmocka: a loop that fails ends the
 * test. */
bool until_so(sd_event *loop, Until until, void *userdata, Usec limit);
