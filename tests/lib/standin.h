/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The stand-in of Edge's Management Server (tests/e2e/standin/management.py) as a process of a test's own, on
 * loopback, with a directory of its own. Ends with the test, however that ends. Aborts on failure.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Standin Standin;

/* standin_new() - @edge: its organisations as JSON (edge_store.py has the shape); @servers: rows of
 * /v1/servers. */
Standin *standin_new(const char *edge, const char *servers);
Standin *standin_free(Standin *s);

const char *standin_url(const Standin *s);
const char *standin_dir(const Standin *s);

/* standin_write() - a file in its directory: "mode", "user", "edge.json". NULL as @text: the file is removed.
 */
void standin_write(const Standin *s, const char *name, const char *text);

/* standin_read() - the same, to be freed; "" when it is not there. "log": a line for each request. */
char *standin_read(const Standin *s, const char *name);

/* standin_have() - is there a python3 to run it with? */
bool standin_have(void);
