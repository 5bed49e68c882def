/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The password of the Management Server's user. It never stands on a command line and is never printed: it
 * comes from the environment (EDGE_ROLL_MANAGEMENT_PASSWORD), from the systemd credential
 * "management-password", or from a file that others cannot read.
 */

#include "base/err.h"

#define PASSWORD_ENV        "EDGE_ROLL_MANAGEMENT_PASSWORD"
#define PASSWORD_CREDENTIAL "management-password"
#define PASSWORD_MAX        1024

/*
 * password_hide() - one that was given in the environment is taken out of it, before anything is started that
 * would inherit it, and before anybody looks into /proc; password_find() still has it.
 */
void password_hide(void);

/*
 * password_find() - from the first place that has one. @ret: to be freed with password_free(); NULL when none
 * has (an answer). @from: where it came from, for messages, @size bytes. Return: 0; -EACCES (a file that
 * others can read), -EINVAL (empty, too long, more than one line), what open(2) says; -ENOMEM. A process that
 * has one leaves no core dump.
 */
int password_find(const char *file, char **ret, char *from, size_t size, Err *err) _must_check_;

/* password_free() - wiped first; NULL allowed. Return: NULL. */
char *password_free(char *password);
