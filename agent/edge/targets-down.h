/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Which target servers do not answer before anything is restarted: who looks for the cause afterwards should
 * know. */

#include "agent/edge/estate.h"

/*
 * targets_down() - connects to every enabled target server of @estate, all at once, each for 5 s at the most;
 * runs the loop meanwhile. @buf: a list for people of those that do not answer, cut where it is too small,
 * @size bytes;
 * "": all do. @ret_all: how many were asked. Return: how many do not answer; -ENOMEM; errors of
 * probing_start().
 */
int targets_down(sd_event *event, const Estate *estate, char *buf, size_t size, size_t *ret_all,
                 Err *err) _must_check_;
