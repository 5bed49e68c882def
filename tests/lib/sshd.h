/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A real sshd of a test's own on a loopback port, with its own host key, one key that may log in as the
 * present user, and a client configuration that knows all of it. Dies with the test. */

#include <stdbool.h>
#include <sys/types.h>

typedef struct TestSshd {
        char root[64]; /* its folder */
        unsigned port;
        pid_t pid;
        char config[96]; /* for ssh -F */
} TestSshd;

/*
 * sshd_make() - keys, known_hosts, configuration. @key_options: what stands before the key in
 * authorized_keys ("restrict,command=\"...\""); "" for nothing. Return: NULL; else why it cannot be: the
 * sentence for the skip.
 */
const char *sshd_make(TestSshd *s, const char *key_options);

/* sshd_start() - @options: further lines of sshd_config; "". Returns when it listens. */
void sshd_start(TestSshd *s, const char *options);
void sshd_kill(TestSshd *s);
void sshd_remove(TestSshd *s);

/* sshd_write() - a file of its folder. */
void sshd_write(const TestSshd *s, const char *name, const char *text);

/* sshd_keys() - new authorized_keys; @options as above. */
void sshd_keys(const TestSshd *s, const char *options);

/* sshd_config() - the client's configuration as sshd_make() makes it. */
void sshd_config(const TestSshd *s);
