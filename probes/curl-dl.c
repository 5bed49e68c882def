/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/curl-dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

/* The same ABI by two names: distributions differ in the TLS library they build it with. */
static const char *const curl_dl_names[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };

static int curl_dl_resolve(void *library, CurlDl *ret, Err *err)
{
#define CURL_DL_RESOLVE(name)                                                  \
        ret->name = (__typeof__(curl_##name) *) dlsym(library, "curl_" #name); \
        if (!ret->name)                                                        \
                return err_set(err, -ELIBACC, "libcurl has no function curl_" #name);
        CURL_DL_FUNCTIONS(CURL_DL_RESOLVE)
#undef CURL_DL_RESOLVE
        return 0;
}

static int curl_dl_open(CurlDl *dl, Err *err)
{
        const curl_version_info_data *info = dl->version_info(CURLVERSION_NOW);

        if (info->version_num < CURL_DL_VERSION_MIN)
                return err_set(err, -ELIBACC, "libcurl %s is too old, 7.61 or later is needed",
                               info->version);
        if (dl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return err_set(err, -ELIBACC, "libcurl %s cannot be initialised", info->version);
        dl->version = info->version;
        dl->names_block =
                info->version_num < CURL_DL_VERSION_NAMES || !(info->features & CURL_VERSION_ASYNCHDNS);
        return 0;
}

int curl_dl_load(const CurlDl **ret, Err *err)
{
        static CurlDl loaded;
        static bool done;

        if (!done) {
                void *library = NULL;
                char why[200] = "";
                for (size_t i = 0; i < ELEMENTS(curl_dl_names) && !library; i++) {
                        library = dlopen(curl_dl_names[i], RTLD_NOW | RTLD_LOCAL);
                        /* Also without memory or descriptors; of the first name, which most have. */
                        const char *text = library ? NULL : dlerror();
                        if (text && i == 0)
                                (void) snprintf(why, sizeof(why), "%s", text);
                }
                if (!library)
                        return err_set(
                                err, -ELIBACC,
                                "libcurl cannot be loaded (%s); where it is missing, install the package "
                                "libcurl4 (Debian) or libcurl (RHEL)",
                                why);

                CurlDl dl;
                int r = curl_dl_resolve(library, &dl, err);
                if (r >= 0)
                        r = curl_dl_open(&dl, err);
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
