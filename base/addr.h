/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* An IP address without a port, in network byte order; IPv4-mapped IPv6 is always stored as IPv4. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT_SIZE 48

typedef struct Addr {
        uint8_t family; /* AF_INET or AF_INET6 */
        uint8_t b[16];  /* network byte order; the first 4 for AF_INET, the rest 0 */
} Addr;

/* addr_from() - @family AF_INET (4 bytes) or AF_INET6 (16 bytes) at @bytes; ::ffff:a.b.c.d becomes IPv4. */
Addr addr_from(int family, const void *bytes);

/* addr_parse() - text to address. Return: false if it is none (names are not looked up). */
bool addr_parse(const char *text, Addr *ret);

bool addr_equal(const Addr *a, const Addr *b);

/* addr_is_loopback() - 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const Addr *a);

/*
 * url_has_user() - does @url (http or https) carry a user, perhaps with a password, in front of its host?
 * url_shown() - the same URL as it may be shown to anybody: with "***" in that place. Return: @buf.
 */
bool url_has_user(const char *url);
const char *url_shown(const char *url, char *buf, size_t size);

/* addr_format() - "10.0.0.5" or "fd77::5". @buf: ADDR_TEXT_SIZE bytes. Return: @buf. */
const char *addr_format(const Addr *a, char *buf, size_t size);
