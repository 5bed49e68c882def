/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/files.h"

#include <sys/resource.h>

#define FILES_MAX 65536

void files_raise(void)
{
        struct rlimit l;
        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= l.rlim_max || l.rlim_cur >= FILES_MAX)
                return;
        l.rlim_cur = l.rlim_max < FILES_MAX ? l.rlim_max : FILES_MAX;
        (void) setrlimit(RLIMIT_NOFILE, &l);
}
