/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The places in ZooKeeper that this node has, or may have, beyond the job that took them: a record
 * place-COMPONENT.json each, written before going out and removed when it is given back. Given back when the
 * component is no longer out of traffic; tried until it sticks, by later agents, too.
 */

#include "agent/config.h"
#include "agent/job.h"
#include "agent/place.h"

typedef struct Places Places;

int places_new(Places **ret, sd_event *event) _must_check_;
Places *places_free(Places *p);
DEFINE_CLEANUP(Places, places_free);

/* places_write() - the record of @component: from now on it may be out with @options. Return: 0; errors of
 * state_write(). */
int places_write(const char *state_dir, const char *component, const PlaceOptions *options,
                 const char *auth_file, Err *err) _must_check_;

/* places_read() - Return: 1, and @ret is what an earlier job went out with; 0: none; negative errno. */
int places_read(const char *state_dir, const char *component, PlaceOptions *ret, Err *err) _must_check_;

/* places_adopt() - @place (consumed) is the one of @component whose job is over. */
void places_adopt(Places *p, const char *component, Place *place);

/*
 * places_settle() - what is no longer out gives its place back; what is out keeps it. @job: that runs now;
 * NULL: none. Cheap where there is no record. Return: true: to be called again in a while, because one is
 * kept for what may end without any call (it is not up yet, blocked by somebody else), or its record cannot
 * be read.
 */
bool places_settle(Places *p, const Config *config, Conns *conns, const Job *job);

/* places_drop() - a job that may take a place of @component begins: none of it is given back any more; its
 * record stays for the next places_settle(). */
void places_drop(Places *p, const char *component);

/* places_pending() - is one being given back, or not settled yet? @text: which, and why it takes so long; may
 * be NULL. */
bool places_pending(const Places *p, char *text, size_t size);
