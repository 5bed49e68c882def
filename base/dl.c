/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* @why: what dlopen() says of the first name, which most have: also without memory or descriptors. */
static void *open_any(const DlLibrary *l, char *why, size_t size)
{
        (void) snprintf(why, size, "?");
        for (size_t i = 0; i < DL_NAMES_MAX && l->names[i]; i++) {
                void *handle = dlopen(l->names[i], RTLD_NOW | RTLD_LOCAL);
                if (handle)
                        return handle;
                const char *text = dlerror();
                if (text && i == 0)
                        (void) snprintf(why, size, "%s", text);
        }
        return NULL;
}

/* POSIX lets a pointer to a function be had this way, ISO C does not. */
static void keep(const DlLibrary *l, size_t offset, void *const *function)
{
        memcpy((char *) l->functions + offset, function, sizeof(*function));
}

static int resolve(const DlLibrary *l, void *handle, Err *err)
{
        for (size_t i = 0; i < l->n_symbols; i++) {
                void *function = dlsym(handle, l->symbols[i].name);
                if (!function)
                        return err_set(err, -ELIBACC,
                                       "%s has no function %s: it is too old; install the package %s",
                                       l->what, l->symbols[i].name, l->package);
                keep(l, l->symbols[i].offset, &function);
        }
        return 0;
}

int dl_load(DlLibrary *library, const char *why, Err *err)
{
        char said[200];

        if (library->loaded)
                return 0;
        void *handle = open_any(library, said, sizeof(said));
        if (!handle)
                return err_set(err, -ELIBACC,
                               "%s cannot be loaded%s%s%s (%s); where it is missing, install the package %s",
                               library->what, why ? " (" : "", why ? why : "", why ? ")" : "", said,
                               library->package);
        int r = resolve(library, handle, err);
        if (r >= 0 && library->check)
                r = library->check(library->functions, err);
        if (r < 0) {
                (void) dlclose(handle);
                return r;
        }
        library->loaded = true;
        return 0;
}
