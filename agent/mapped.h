/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Do running processes use code that is no longer what lies on disk? A package that was updated under a
 * component leaves it with files that are deleted (a package manager renames the new one over the old), or
 * overwritten in place.
 *
 * /proc/PID/maps, fd and exe need ptrace access, which the agent has not (its unit takes it away). So this is
 * a command of its own, which the agent runs as a transient unit: `edge-roll mapped PID:MICROSECONDS...`. It
 * writes a line for each finding, and "end PROCESSES FILES" behind the last, so that an answer that was cut
 * off is known as such.
 *
 * Source: proc(5), proc_pid_maps(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/time.h"

#define MAPPED_VERB       "mapped"
#define MAPPED_TOLD_MAX   16  /* findings that are written; more are counted */
#define MAPPED_PATH_MAX   200 /* bytes of a path that are written */
#define MAPPED_OUTPUT_MAX ((MAPPED_TOLD_MAX + 2) * (MAPPED_PATH_MAX + 32))

typedef struct MappedLine {
        bool executable;
        bool deleted;
        const char *path; /* within the line; without " (deleted)"; never NULL */
} MappedLine;

/*
 * mapped_line() - pure: one line of maps, which is changed (cut into its parts; its newline is dropped).
 * Return: false when it maps no file.
 */
bool mapped_line(char *line, MappedLine *ret);

/*
 * mapped_is_code() - pure: would a new version of this file be a reason to restart? @executable: it is mapped
 * so. Libraries and archives of Java are, by name; nothing in /dev, /proc, /sys, /run, /SYSV, /memfd:, nor
 * below a directory called tmp or temp: runtimes unpack libraries there and delete them while they use them.
 */
bool mapped_is_code(const char *path, bool executable);

/*
 * mapped_scan() - write to @out what process @pid uses: "deleted PATH", "changed PATH" (its ctime is later
 * than @since, wall clock; USEC_INFINITY: not compared). @root: where procfs is mounted; NULL: /proc.
 * Return: false when the process is gone or may not be looked at.
 */
typedef struct Mapped Mapped;
int mapped_new(Mapped **ret, const char *root, FILE *out) _must_check_;
Mapped *mapped_free(Mapped *m);
DEFINE_CLEANUP(Mapped, mapped_free);
bool mapped_scan(Mapped *m, int pid, Usec since) _must_check_;
void mapped_end(Mapped *m);

/* mapped_main() - the command; @argv: its arguments. Return: exit status. */
int mapped_main(int argc, char **argv);

/* What such a command has written. */
typedef struct MappedAnswer {
        bool whole; /* its end is there */
        unsigned processes, files;
} MappedAnswer;

typedef void (*MappedFn)(const char *what, const char *path, void *userdata);

/* mapped_read() - pure: @fn for each finding in @text, which is changed. */
MappedAnswer mapped_read(char *text, MappedFn fn, void *userdata);
