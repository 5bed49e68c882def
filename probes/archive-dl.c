/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/archive-dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

static int archive_dl_resolve(void *library, ArchiveDl *ret, Err *err)
{
#define ARCHIVE_DL_RESOLVE(name)                                                     \
        ret->name = (__typeof__(archive_##name) *) dlsym(library, "archive_" #name); \
        if (!ret->name)                                                              \
                return err_set(err, -ELIBACC, "libarchive.so.13 has no function archive_" #name);
        ARCHIVE_DL_FUNCTIONS(ARCHIVE_DL_RESOLVE)
#undef ARCHIVE_DL_RESOLVE
        return 0;
}

int archive_dl_load(const ArchiveDl **ret, Err *err)
{
        static ArchiveDl loaded;
        static bool done;

        if (!done) {
                void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
                if (!library)
                        return err_set(
                                err, -ELIBACC,
                                "libarchive.so.13 cannot be loaded, and a bundle is a zip; install the package "
                                "libarchive13 (Debian) or libarchive (RHEL), or unpack the bundle");
                ArchiveDl dl;
                int r = archive_dl_resolve(library, &dl, err);
                if (r < 0) {
                        (void) dlclose(library);
                        return r;
                }
                loaded = dl;
                done = true;
        }
        *ret = &loaded;
        return 0;
}
