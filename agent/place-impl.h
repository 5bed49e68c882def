/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by place.c (the session, the pool's nodes, giving back) and place-line.c (whose turn, going out),
 * and nobody else. */

#include <cjson/cJSON.h>

#include "agent/place.h"

#define PLACE_RETRY_USEC (250 * USEC_PER_MSEC) /* when a request could not be sent, or was refused */

struct Place {
        sd_event *event;
        PlaceOptions options;
        PlaceHandlers handlers;
        void *userdata;
        Zk *zk;
        PlaceBegin begin;
        PlaceState state;
        bool answers; /* the pool's nodes are there, in this session */
        bool ever;    /* ... in any */
        bool open;
        uint64_t tag; /* of the present chain of requests; answers of earlier ones are nobody's */
        sd_event_source *timer;
        char text[PLACE_TEXT_SIZE];

        /* the present look */
        bool looking, look_again;
        unsigned size;
        int32_t size_version, out_version;
        char **outs;
        size_t n_outs;

        Turn turn;
        char told_blocker[TURN_UUID_SIZE]; /* whom `about` is about */
        bool told_out;
        char about[256]; /* name, since, reason of the blocker */
        Usec going_sent; /* CLOCK_BOOTTIME */
        Usec confirmed;  /* PLACE_OUT: when that was asked which showed out/UUID to be ours; as above */
        bool watched;    /* ... and if it goes, this connection tells us before it answers anything else */
        bool go;         /* it is to go out as soon as it may */
        bool unsure;     /* of a multi: its answer never came */
        unsigned giving; /* deletes under way */
        bool given_bad;
};

/* place_path_of() - of the pool's node @below and @leaf under it; "" for none. Return: @buf. */
const char *place_path_of(const Place *p, const char *below, const char *leaf, char *buf, size_t size);

/* place_data() - what others read about us. Return: to be freed; NULL: out of memory. */
char *place_data(const Place *p, bool member);

/* place_text_of() - a text in what others wrote: printable, bounded, "" where there is none. */
void place_text_of(const cJSON *o, const char *key, char *buf, size_t size);

void place_outs_free(Place *p);

/* place_set(), place_fail() - told; the last statement of whoever calls them: the Place may be gone. */
void place_set(Place *p, PlaceState state, const char *fmt, ...) _printf_(3, 4);
void place_fail(Place *p, const char *fmt, ...) _printf_(2, 3);

/* place_in() - look, or begin again, after @usec. place_drop() - nothing of what is under way counts any
 * more. place_again() - a request that should have been answered was not: all is asked again, now or when
 * there is a connection. @r: negative: the request was not even sent. */
void place_in(Place *p, Usec usec);
void place_drop(Place *p);
void place_again(Place *p, int r);

/* place_make() - the pool's nodes, and then on from there. */
void place_make(Place *p);

void place_on_ignored(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata);

/* --- place-line.c --- */

/* place_look() - read the pool and decide. place_verify() - is out/UUID ours? */
void place_look(Place *p);
void place_verify(Place *p);
