/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is done about passwords that this process has in its memory. Who holds one wipes it with
 * explicit_bzero(3) when it has been used.
 */

#include <sys/prctl.h>

/*
 * secret_held() - a password is about to be read: from now on this process leaves no core dump, and only root
 * looks into it. Also where a program that takes core dumps through a pipe does not care about limits.
 * Source: prctl(2), PR_SET_DUMPABLE; core(5).
 */
static inline void secret_held(void)
{
        (void) prctl(PR_SET_DUMPABLE, 0);
}
