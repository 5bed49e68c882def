/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Texts of /proc and of the cgroup tree, which name processes and units of anybody; and what `edge-roll
 * mapped` has written. */

#include <sys/stat.h>

#include "agent/cgroup.h"
#include "agent/mapped.h"
#include "agent/procs.h"
#include "tests/fuzz/fuzz.h"

static void on_finding(const char *what, const char *path, void *userdata)
{
        (void) userdata;
        fuzz_check(*what && path);
}

static void put(const char *name, const char *text, size_t len)
{
        (void) fuzz_file(name, text, len);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t stat_len, cmd_len, maps_len, cgroup_len;
        _cleanup_(freep) char *stat = fuzz_text(&f, &stat_len), *cmd = fuzz_text(&f, &cmd_len),
                              *maps = fuzz_text(&f, &maps_len), *cgroup = fuzz_text(&f, &cgroup_len),
                              *output = fuzz_text(&f, NULL);
        _cleanup_(mapped_freep) Mapped *m = NULL;
        const int pids[] = { 7, 8 };
        Proc procs[2];
        MappedLine line;
        char path[300], unit[256];

        (void) snprintf(path, sizeof(path), "%s/7", fuzz_dir());
        (void) mkdir(path, 0700);
        (void) snprintf(path, sizeof(path), "%s/7/fd", fuzz_dir());
        (void) mkdir(path, 0700);
        put("7/stat", stat, stat_len);
        put("7/cmdline", cmd, cmd_len);
        put("7/maps", maps, maps_len);
        size_t n = procs_find(fuzz_dir(), pids, 2, "edge-router", procs, 2);
        fuzz_check(n <= 1);
        (void) procs_alive(fuzz_dir(), procs, n);
        if (n > 0)
                (void) procs_started(&procs[0]);
        if (mapped_new(&m, fuzz_dir(), fuzz_nowhere()) == 0) {
                fuzz_any(mapped_scan(m, 7, USEC_PER_SEC));
                mapped_end(m);
        }
        if (mapped_line(maps, &line))
                (void) mapped_is_code(line.path, line.executable);
        if (cgroup_unit(cgroup, unit, sizeof(unit)))
                fuzz_check(!strchr(unit, '/') && *unit);
        put("cgroup.procs", cgroup, cgroup_len);
        fuzz_any(cgroup_pids(fuzz_dir(), "/", (int[4]){ 0 }, 4, NULL));
        (void) mapped_read(output, on_finding, NULL);
}
