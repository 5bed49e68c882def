/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/zk-dl.h"

#ifdef ZK_DL_BUILT

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

static int zk_dl_resolve(void *library, ZkDl *ret, Err *err)
{
#define ZK_DL_RESOLVE(name)                                     \
        ret->name = (__typeof__(name) *) dlsym(library, #name); \
        if (!ret->name)                                         \
                return err_set(err, -ELIBACC, "the ZooKeeper client library is too old: it has no " #name);
        ZK_DL_FUNCTIONS(ZK_DL_RESOLVE)
#undef ZK_DL_RESOLVE
        return 0;
}

int zk_dl_load(const ZkDl **ret, Err *err)
{
        static ZkDl loaded;
        static bool done;

        if (!done) {
                void *library = dlopen("libzookeeper_st.so.2", RTLD_NOW | RTLD_LOCAL);
                const char *why = library ? NULL : dlerror();
                if (!library)
                        return err_set(
                                err, -ELIBACC,
                                "libzookeeper_st cannot be loaded (%.200s); where it is missing, install "
                                "the package libzookeeper-st2 (Debian) or the C client of ZooKeeper (RHEL)",
                                why ? why : "?");
                int r = zk_dl_resolve(library, &loaded, err);
                if (r < 0) {
                        (void) dlclose(library);
                        return r;
                }
                /* It would write to standard error otherwise. */
                loaded.zoo_set_debug_level((ZooLogLevel) 0);
                done = true;
        }
        *ret = &loaded;
        return 0;
}

#endif
