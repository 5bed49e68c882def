/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Under which address others reach a port of this node. */

#include "drain/conns.h"

/*
 * own_address() - the one its listener is bound to, else one that others use, else the first of an interface;
 * never loopback. @port 0: not known. Return: @buf, "" where there is none.
 */
const char *own_address(Conns *conns, uint16_t port, char *buf, size_t size);
