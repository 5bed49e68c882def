/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/curl-dl.h"

#include <errno.h>
#include <stdbool.h>

#include "base/dl.h"

static CurlDl curl;

static int curl_dl_check(void *functions, Err *err)
{
        CurlDl *dl = functions;
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

#define CURL_DL_SYMBOL(name) DL_SYMBOL(CurlDl, name, curl_##name),
static const DlSymbol curl_dl_symbols[] = { CURL_DL_FUNCTIONS(CURL_DL_SYMBOL) };
#undef CURL_DL_SYMBOL

static DlLibrary curl_dl_library = {
        .what = "libcurl",
        /* Distributions differ in the TLS library they build it with. */
        .names = { "libcurl.so.4", "libcurl-gnutls.so.4" },
        .package = "libcurl4 (Debian) or libcurl (RHEL)",
        .symbols = curl_dl_symbols,
        .n_symbols = ELEMENTS(curl_dl_symbols),
        .check = curl_dl_check,
        .functions = &curl,
};

int curl_dl_load(const CurlDl **ret, Err *err)
{
        int r = dl_load(&curl_dl_library, NULL, err);
        if (r >= 0)
                *ret = &curl;
        return r;
}
