/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Which target servers do not answer before anything is restarted: who looks for the cause afterwards should
 * know. */

#include "agent/config.h"
#include "agent/edge/estate.h"

typedef struct TargetsDown {
        size_t all;     /* that were asked, and have answered or not */
        size_t down;    /* of them: that do not answer */
        size_t unasked; /* not asked to the end when the time was over */
} TargetsDown;

/*
 * targets_down() - connects to every enabled target server of @estate whose ORG/ENV/NAME one of the shell
 * patterns of @names matches, all at once, each for 5 s at the most and all until @until (monotonic); runs
 * the loop meanwhile. @buf: a list for people of those that do not answer, cut where it is too small, @size
 * bytes; "": none. Return: 0; -ENOMEM; errors of probing_start().
 */
int targets_down(sd_event *event, const Estate *estate, Words names, Usec until, TargetsDown *ret, char *buf,
                 size_t size, Err *err) _must_check_;
