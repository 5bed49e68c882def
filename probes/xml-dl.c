/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/xml-dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

static int xml_dl_resolve(void *library, XmlDl *ret, Err *err)
{
#define XML_DL_RESOLVE(name)                                               \
        ret->name = (__typeof__(xml##name) *) dlsym(library, "xml" #name); \
        if (!ret->name)                                                    \
                return err_set(err, -ELIBACC, "libxml2.so.2 has no function xml" #name);
        XML_DL_FUNCTIONS(XML_DL_RESOLVE)
#undef XML_DL_RESOLVE
        return 0;
}

int xml_dl_load(const char *what, const XmlDl **ret, Err *err)
{
        static XmlDl loaded;
        static bool done;

        if (!done) {
                void *library = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
                if (!library)
                        return err_set(err, -ELIBACC,
                                       "libxml2.so.2 cannot be loaded, and %s is XML; install the package "
                                       "libxml2",
                                       what);
                XmlDl dl;
                int r = xml_dl_resolve(library, &dl, err);
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
