/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `edge-roll --version` and Status() say. */
#define EDGE_ROLL_VERSION "0.1.0"
