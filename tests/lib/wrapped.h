/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * For tests of what a program has from the kernel: under valgrind (TEST_WRAPPER of tests/run.sh) the memory,
 * the descriptors, the limits and /proc/self/exe are those of valgrind. With cmocka.
 */

#include <stdlib.h>

#define SKIP_IF_WRAPPED()                   \
        do {                                \
                if (getenv("TEST_WRAPPER")) \
                        skip();             \
        } while (0)
