/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The few functions of libxml2 that are used, loaded when first needed: most calls of the program never see
 * XML. libxml2's own types are used, so the library must be the one of the headers: ABI 2.
 */

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>

#include "base/err.h"

#define XML_DL_FUNCTIONS(X)       \
        X(ReadMemory)             \
        X(DocGetRootElement)      \
        X(FreeDoc)                \
        X(GetLastError)           \
        X(ResetLastError)         \
        X(CreateMemoryParserCtxt) \
        X(CtxtUseOptions)         \
        X(ParseDocument)          \
        X(StopParser)             \
        X(FreeParserCtxt)

typedef struct XmlDl {
#define XML_DL_MEMBER(name) __typeof__(xml##name) *name;
        XML_DL_FUNCTIONS(XML_DL_MEMBER)
#undef XML_DL_MEMBER
} XmlDl;

/*
 * xml_dl_load() - load libxml2 at the first call; later calls cost nothing. Never unloaded: it keeps global
 * state. Not for several threads.
 * @what: what is read, for the sentence of an error ("monit's state").
 * @ret: owned by this file, valid to the end of the process; written only on success.
 * Return: 0; -ELIBACC (not installed, or a function is missing: the sentence says what to install).
 */
int xml_dl_load(const char *what, const XmlDl **ret, Err *err) _must_check_;
