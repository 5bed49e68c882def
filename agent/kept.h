/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The configuration of the last job, kept in the state directory: a file that somebody is just editing must
 * not keep a restarted agent, or `edge-roll heal`, from finishing what was begun with a good one.
 */

#include "agent/config.h"

#define KEPT_CONFIG "kept.conf"
#define KEPT_STATE_DIR \
        "/var/lib/edge-roll" /* of the default; where the files cannot be read they do not name another */

/*
 * kept_write() - what differs from the defaults goes to @config's state directory, if it reads back. Best
 * effort: a copy that cannot be written is one that is not there. Return: 0; negative errno.
 */
int kept_write(const Config *config);

/*
 * kept_load() - config_load(); where that fails the kept copy; where there is none the defaults.
 * @ret_trouble: "", or what is wrong with the files and what is used in their place. Return: 0; -ENOMEM.
 */
int kept_load(Config **ret, char *ret_trouble, size_t size) _must_check_;
