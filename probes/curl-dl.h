/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The few functions of libcurl that are used, loaded when first needed: libcurl with its TLS library costs 15
 * ms and megabytes, and most calls of the program never fetch anything. Only http.c includes this.
 */

/* The new names of deprecated options are unknown to libcurl 7.61, the oldest one supported. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"

#define CURL_DL_VERSION_NAMES 0x075700 /* 7.87.0: CURLOPT_QUICK_EXIT */
#define CURL_DL_VERSION_MIN   0x073d00 /* 7.61.0 (RHEL 8): the CURLINFO_..._TIME_T numbers */

#define CURL_DL_FUNCTIONS(X)   \
        X(global_init)         \
        X(version_info)        \
        X(easy_init)           \
        X(easy_setopt)         \
        X(easy_getinfo)        \
        X(easy_strerror)       \
        X(easy_cleanup)        \
        X(easy_recv)           \
        X(easy_send)           \
        X(multi_init)          \
        X(multi_setopt)        \
        X(multi_assign)        \
        X(multi_add_handle)    \
        X(multi_remove_handle) \
        X(multi_socket_action) \
        X(multi_info_read)     \
        X(multi_cleanup)

typedef struct CurlDl {
        const char *version; /* of the library that was loaded, "7.88.1" */
        /*
         * A request that ends before its name lookup does would hold up its caller for as long as DNS stays
         * silent (seen: 10 s with 7.61 and 7.76; CURLOPT_QUICK_EXIT of 7.87 ends it).
         */
        bool names_block;
#define CURL_DL_MEMBER(name) __typeof__(curl_##name) *name;
        CURL_DL_FUNCTIONS(CURL_DL_MEMBER)
#undef CURL_DL_MEMBER
} CurlDl;

/*
 * curl_dl_load() - load libcurl at the first call; later calls cost nothing. Never unloaded: its TLS library
 * leaves exit handlers behind. Not for several threads.
 * @ret: owned by this file, valid to the end of the process; written only on success.
 * Return: 0; -ELIBACC (not installed, older than 7.61, a function is missing: the sentence says what to
 * install).
 */
int curl_dl_load(const CurlDl **ret, Err *err) _must_check_;
