/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/xml-dl.h"

#include "base/dl.h"

static XmlDl xml;

#define XML_DL_SYMBOL(name) DL_SYMBOL(XmlDl, name, xml##name),
static const DlSymbol xml_dl_symbols[] = { XML_DL_FUNCTIONS(XML_DL_SYMBOL) };
#undef XML_DL_SYMBOL

static DlLibrary xml_dl_library = {
        .what = "libxml2",
        .names = { "libxml2.so.2" },
        .package = "libxml2",
        .symbols = xml_dl_symbols,
        .n_symbols = ELEMENTS(xml_dl_symbols),
        .functions = &xml,
};

int xml_dl_load(const char *what, const XmlDl **ret, Err *err)
{
        char why[100];
        (void) snprintf(why, sizeof(why), "%s is XML", what);
        int r = dl_load(&xml_dl_library, why, err);
        if (r >= 0)
                *ret = &xml;
        return r;
}
