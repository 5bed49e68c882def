/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One time type: microseconds. Points in time are on the monotonic clock (the wall clock may jump);
 * deadlines are absolute. The wall clock is used for nothing but stamps that people read.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef uint64_t Usec;

#define USEC_PER_MSEC ((Usec) 1000)
#define USEC_PER_SEC  ((Usec) 1000000)
#define USEC_INFINITY UINT64_MAX

/* time_now() - now on CLOCK_MONOTONIC. Never fails (clock_gettime(2) cannot with this clock). */
Usec time_now(void);

/* time_boot() - now on CLOCK_BOOTTIME: runs on through suspend. Never fails. */
Usec time_boot(void);

/* time_wall() - now on CLOCK_REALTIME, microseconds since 1970: a stamp, never a measure. */
Usec time_wall(void);

/* time_add() - a + b, USEC_INFINITY when either is or when it would overflow. */
Usec time_add(Usec a, Usec b);

/* time_left() - what is left until @deadline at @now; 0 when it has passed. */
Usec time_left(Usec deadline, Usec now);

/* time_sec() - as seconds, for printing. */
double time_sec(Usec usec);

/* time_stamp() - UTC, "2026-11-22T19:00:00.123Z". @buf: at least 32 bytes. Return: @buf. */
const char *time_stamp(Usec wall_usec, char *buf, size_t size);

/*
 * time_parse() - a duration as people write it: "30", "1.5s", "250ms", "2m", "1h30m", "2 d".
 * @unit_usec: what a bare number means (USEC_PER_SEC, USEC_PER_MSEC). Units: us ms s m min h d.
 * @ret: written only on success.
 * Return: 0; -EINVAL (not a duration, says what is accepted); -ERANGE (more than ten years).
 */
int time_parse(const char *text, Usec unit_usec, Usec *ret, Err *err) _must_check_;

/*
 * time_parse_nginx() - a duration in nginx's units: "57s", "120m", "1800000ms", "2h", "1h 30m"; d, w, M (30
 * days) and y (365 days) too; a bare number is seconds. Return: as time_parse().
 * Source: nginx "Configuration file measurement units"; Apigee "Configuring Router timeout".
 */
int time_parse_nginx(const char *text, Usec *ret, Err *err) _must_check_;

/* time_format() - short, for people: "0.25 s", "57 s", "2 m 30 s", "3 h 5 m". Return: @buf. */
const char *time_format(Usec usec, char *buf, size_t size);
