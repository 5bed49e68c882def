/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Allocations that fail on demand: malloc() and its kin of the whole process, libraries included. Linked into
 * a program (tests/fuzz/replay.c), or in front of one that knows nothing of it:
 *
 *   LD_PRELOAD=oom.so OOM_NTH=17 edge-roll agent      the 17th allocation from the start on fails
 *   LD_PRELOAD=oom.so OOM_NTH=17 OOM_FROM=1 ...       and all behind it
 *   OOM_TOLD=FILE                                     how many there were, written at the end
 *
 * Its variables are taken out of the environment, so children are not meant.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OOM_PLACES 65536 /* at most */

/* oom_arm() - from here on count; the @nth fails, and with @from all behind it. 0: none. */
void oom_arm(uint64_t nth, bool from);

/*
 * oom_arm_place() - from here on count; the first allocation at @place fails, and with @from all behind it.
 * 0: none fails, and places that are new are noted for oom_places().
 *
 * A place is who asks for memory and who has called it, as one number: the same in a process and in its
 * forks, another one when the program is started again. A loop that allocates a thousand times is one place,
 * and so is what an event loop does again and again. Of one thread only.
 */
void oom_arm_place(uint64_t place, bool from);

/* oom_places() - all that were noted up to now, in the order in which they came; oom's own. Return: how many.
 */
size_t oom_places(const uint64_t **ret_places);

/* oom_disarm() - Return: how many there were since it was armed. */
uint64_t oom_disarm(void);

/* oom_failed() - Return: the number of the first one that has failed since it was armed; 0: none has. */
uint64_t oom_failed(void);

/* oom_failed_in() - the file of the program or library that asked for it, as the linker knows it; "". */
const char *oom_failed_in(void);

/* oom_live() - allocations that were not freed, since the process began. */
int64_t oom_live(void);

/* oom_spare() - what is allocated until oom_spare(false) neither counts nor fails: the test's own. */
void oom_spare(bool on);
