/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/archive-dl.h"

#include "base/dl.h"

static ArchiveDl archive;

#define ARCHIVE_DL_SYMBOL(name) DL_SYMBOL(ArchiveDl, name, archive_##name),
static const DlSymbol archive_dl_symbols[] = { ARCHIVE_DL_FUNCTIONS(ARCHIVE_DL_SYMBOL) };
#undef ARCHIVE_DL_SYMBOL

static DlLibrary archive_dl_library = {
        .what = "libarchive",
        .names = { "libarchive.so.13" },
        .package = "libarchive13 (Debian) or libarchive (RHEL), or unpack the bundle",
        .symbols = archive_dl_symbols,
        .n_symbols = ELEMENTS(archive_dl_symbols),
        .functions = &archive,
};

int archive_dl_load(const ArchiveDl **ret, Err *err)
{
        int r = dl_load(&archive_dl_library, "a bundle is a zip", err);
        if (r >= 0)
                *ret = &archive;
        return r;
}
