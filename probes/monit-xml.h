/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * monit's answer to GET /_status?format=xml: is a check monitored, is an action pending? Pure; libxml2 is
 * loaded with dlopen at the first call (network, entities and DTDs off).
 *
 * Source: monit(1), seen with 5.33.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MONIT_XML_MAX (1024 * 1024) /* bytes */

typedef struct MonitCheck {
        bool found;
        int monitor;        /* 0 not monitored, 1 monitored, 2 initialising; monit adds 4 while it waits */
        int pending_action; /* 0 none */
} MonitCheck;

/*
 * monit_xml_find() - @name: the check's name, exactly. A check that is not there is an answer (found false,
 * the numbers 0). @ret: written only on success. Return: 0; -EBADMSG (not monit's XML, a DTD in it, the check
 * is there twice, or without numbers from 0 to 99); -E2BIG (more than MONIT_XML_MAX); -ELIBACC (libxml2
 * missing: says which package); -ENOMEM.
 */
int monit_xml_find(const char *xml, size_t len, const char *name, MonitCheck *ret, Err *err) _must_check_;
