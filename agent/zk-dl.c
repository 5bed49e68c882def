/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/zk-dl.h"

#ifdef ZK_DL_BUILT

#include "base/dl.h"

static ZkDl zk;

static int zk_dl_check(void *functions, Err *err _unused_)
{
        const ZkDl *dl = functions;
        /* It would write to standard error otherwise. */
        dl->zoo_set_debug_level((ZooLogLevel) 0);
        return 0;
}

#define ZK_DL_SYMBOL(name) DL_SYMBOL(ZkDl, name, name),
static const DlSymbol zk_dl_symbols[] = { ZK_DL_FUNCTIONS(ZK_DL_SYMBOL) };
#undef ZK_DL_SYMBOL

static DlLibrary zk_dl_library = {
        .what = "libzookeeper_st",
        .names = { "libzookeeper_st.so.2" },
        .package = "libzookeeper-st2 (Debian) or the C client of ZooKeeper (RHEL)",
        .symbols = zk_dl_symbols,
        .n_symbols = ELEMENTS(zk_dl_symbols),
        .check = zk_dl_check,
        .functions = &zk,
};

int zk_dl_load(const ZkDl **ret, Err *err)
{
        int r = dl_load(&zk_dl_library, NULL, err);
        if (r >= 0)
                *ret = &zk;
        return r;
}

#endif
