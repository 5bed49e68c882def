/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job's record with which nobody can go on: damaged, of a format that this version does not know, of a
 * component that is not configured any more. Unknown means hold and ask: the node must not serve unproven,
 * and a person must see it.
 */

#include <stdbool.h>

#include "agent/config.h"
#include "agent/job.h"
#include "agent/unwritten.h"

#define LOST_PREFIX "unreadable-" /* a record that is set aside: unreadable-job.json */

/*
 * lost_settle() - the component of the record of @place is held: at the ports that the record says, as far as
 * anything can be read of it; else at those that the transit table refuses right now. Where the record can be
 * read and says that nothing had been stopped, nothing is held: the block is taken away, the node is as it
 * was. Then the record is set aside as LOST_PREFIX and its name. All of it is told to the journal, with what
 * to do.
 * @why: what is wrong with the record, one sentence. @understood: its format is ours, so its words can be
 * believed.
 * @nft_fd: the transit table's socket from the fd store, or -1; closed. @unwritten: what is refused without a
 * record; what is held here and cannot be recorded is added.
 * Return: 1 (something is held now, and all that is has its record); 0 (nothing is, or not all); negative
 * errno (the record could not be set aside; told).
 */
int lost_settle(const Config *config, JobPlace place, const char *why, bool understood, int nft_fd,
                Unwritten *unwritten);

/* lost_text() - for `status`: the records that were set aside and not looked at yet. Return: false when there
 * are none. */
bool lost_text(const Config *config, char *buf, size_t size);
