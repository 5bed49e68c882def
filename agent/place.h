/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The place of one server in its pool, kept in ZooKeeper: the right to be out of traffic.
 *
 *   PATH/edge-roll/POOL           {"size": N}: how many may be out
 *   PATH/edge-roll/POOL/run/...   who wants to, in order (agent/turn.h); gone with its session
 *   PATH/edge-roll/POOL/out/UUID  who is out: name, by, reason, since, id. Stays, whatever dies
 *   PATH/edge-roll/POOL/members/UUID   name and address of who has ever asked
 *
 * Going out is one multi: our node in run/ is still there, the size is what we read, the version of out/ is
 * what we read (whoever goes out changes it, so two cannot at once), out/UUID is made. Before that a session
 * that is lost costs our turn and nothing else; behind it nothing of the session is needed.
 *
 * Works by itself through lost connections, lost sessions and servers that come and go; tells when it has
 * come to something. Nothing here refers to a job.
 */

#include "agent/turn.h"
#include "agent/zk.h"

#define PLACE_TEXT_SIZE 512
#define PLACE_PATH_SIZE 640

typedef struct Place Place;

typedef enum PlaceState {
        PLACE_CONNECTING, /* no answer yet */
        PLACE_WAITING,    /* others are before us, or out */
        PLACE_TURN,       /* ours, if place_go_out() is called now */
        PLACE_GOING,      /* the multi is under way, or nobody knows how it ended */
        PLACE_OUT,
        PLACE_GIVING, /* being given back, until it sticks */
        PLACE_GIVEN,
        PLACE_FAILED, /* for good: no permission, no such path, the library is missing */
        PLACE_STATE_COUNT,
        PLACE_STATE_INVALID = -EINVAL,
} PlaceState;

typedef struct PlaceOptions {
        ZkOptions zk;
        char pool[256];
        char uuid[TURN_UUID_SIZE];
        char id[TURN_ID_SIZE]; /* of this attempt; place_id() makes one */
        char name[128];        /* of the node, for people */
        char address[128];     /* HOST:PORT that others may ask for its health; "": not known */
        char by[192], reason[256];
        unsigned size; /* at most so many out, if the pool allows more; 0: as the pool says */
} PlaceOptions;

typedef struct PlaceHandlers {
        /* The state, or what it waits for, is another one: place_state(), place_text(). May free the Place.
         */
        void (*changed)(Place *place, void *userdata);
        /*
         * PLACE_OUT only: out/UUID is gone or another's: somebody has taken the place away from us. May free
         * the Place.
         */
        void (*stolen)(Place *place, void *userdata);
} PlaceHandlers;

/* place_id() - 16 random hexadecimal digits. @buf: TURN_ID_SIZE. */
void place_id(char *buf);

/*
 * place_new() - how it begins: PLACE_TAKE stands in line; PLACE_KEEP is out already (an earlier agent went
 * out with @options' id) and watches that it stays so; PLACE_GIVE gives back what an earlier agent left.
 * Return: 0; errors of zk_new(); -EINVAL (a server id or pool that cannot be part of a path).
 */
typedef enum PlaceBegin { PLACE_TAKE, PLACE_KEEP, PLACE_GIVE } PlaceBegin;
int place_new(Place **ret, sd_event *event, const PlaceOptions *options, PlaceBegin begin,
              const PlaceHandlers *handlers, void *userdata, Err *err) _must_check_;

/* place_free() - ends the session: a node in run/ goes, out/UUID stays. NULL allowed. Return: NULL. */
Place *place_free(Place *p);
DEFINE_CLEANUP(Place, place_free);

/* place_handlers() - from now on somebody else is told. */
void place_handlers(Place *p, const PlaceHandlers *handlers, void *userdata);

PlaceState place_state(const Place *p);
const PlaceOptions *place_options(const Place *p);

/* place_text() - for people: "2nd of 5, behind r3 since 2026-11-22T19:00:00.123Z: keystore", or what is
 * wrong. */
const char *place_text(const Place *p);

/* place_told() - PLACE_WAITING: who is in the way is known by name and reason. */
bool place_told(const Place *p);

/* place_trouble() - as zk_trouble(). */
const char *place_trouble(const Place *p);

/* place_answers() - ZooKeeper has answered, and the connection stands. place_sure() - as zk_sure(). */
bool place_answers(const Place *p);
bool place_sure(const Place *p);

/*
 * place_fresh() - PLACE_OUT, and by our own clock nobody can have taken us for dead since that was last known
 * for certain: ZooKeeper has answered something that was sent less than a session's time ago, and had not
 * told by then that the place is gone. For the last look before a node goes out: who was frozen learns only
 * later that a person has given its place to another.
 */
bool place_fresh(const Place *p);

/* place_open() - everybody who reaches ZooKeeper may take places away: there is no authentication, or the
 * pool was made without. Known from PLACE_WAITING or PLACE_TURN on. */
bool place_open(const Place *p);

/*
 * place_go_out() - in PLACE_TURN. Whoever calls has written down that it may be out from now on. What comes
 * of it is told as PLACE_OUT, or as another state: not out, and to be called again when it is our turn once
 * more. Return: false: it is not our turn (any more).
 */
bool place_go_out(Place *p);

/* place_give() - from any state: told as PLACE_GIVEN when it is done, however long that takes. */
void place_give(Place *p);

/* place_reason() - PLACE_OUT: why it is out is something else now (held: ...). Best effort. */
void place_reason(Place *p, const char *reason);

/* place_path() - of the pool, below the chroot. @below: "out", ..., or "" for the pool itself. Return: @buf.
 */
const char *place_path(const char *pool, const char *below, char *buf, size_t size);
