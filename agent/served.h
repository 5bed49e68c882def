/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which certificates a component really serves: a TLS handshake with each traffic port, nothing verified, no
 * request made; and what it served behind its last restart, kept as served-COMPONENT.json.
 */

#include "agent/config.h"
#include "agent/needed.h"
#include "base/sha256.h"
#include "drain/conns.h"
#include "probes/http.h"

#define SERVED_NAME_SIZE 256
#define SERVED_MAX       CONFIG_PORTS_MAX

/* A word of `certificate`: FILE, PORT=FILE or NAME:PORT=FILE. */
typedef struct ServedWanted {
        char name[SERVED_NAME_SIZE]; /* asked for by SNI; "": none */
        uint16_t port;               /* 0: every traffic port that speaks TLS */
        const char *file;            /* within the word */
} ServedWanted;

/* served_wanted() - pure. Return: false when the word is none. */
bool served_wanted(const char *word, ServedWanted *ret);

typedef enum ServedState {
        SERVED_KNOWN,
        SERVED_NO_TLS, /* it answers, but not with TLS */
        SERVED_UNSEEN, /* `text` says why */
        SERVED_STATE_COUNT,
        SERVED_STATE_INVALID = -EINVAL,
} ServedState;

typedef struct Served {
        char name[SERVED_NAME_SIZE];
        uint16_t port;
        ServedState state;
        char fingerprint[SHA256_TEXT_SIZE];
        char text[200];
} Served;

typedef struct ServedList {
        Served items[SERVED_MAX];
        size_t n;
} ServedList;

/*
 * served_judge() - pure: does what is served differ from what @wanted names? @fingerprints: of the files, by
 * index, "" where it is not known (@why then). Says to @n: yes for each difference, unseen for what could not
 * be compared, else no.
 */
void served_judge(Needed *n, const Words wanted, const ServedList *list,
                  const char (*fingerprints)[SHA256_TEXT_SIZE], const char (*why)[200]);

typedef struct ServedCall ServedCall;
typedef void (*ServedFn)(const ServedList *list, void *userdata);

/*
 * served_look() - shake hands with the given @ports and what @wanted (may be NULL) names, side by side, each
 * for 3 s at the most, at an address at which somebody listens there. @fn: once, from the loop.
 * Return: 0; -ENOMEM, -ELIBACC.
 */
int served_look(Http *http, Conns *conns, sd_event *event, const uint16_t *ports, size_t n_ports,
                const Words wanted, ServedFn fn, void *userdata, ServedCall **ret, Err *err) _must_check_;
ServedCall *served_cancel(ServedCall *c);
DEFINE_CLEANUP(ServedCall, served_cancel);

/* served_compare() - reads the files of @wanted, then served_judge(). */
void served_compare(Needed *n, const Words wanted, const ServedList *list);

/* served_write() - keep what is known of @list. served_read() - Return: how many; @ret_wall_usec: when. */
int served_write(const Config *config, const Component *component, const ServedList *list,
                 Err *err) _must_check_;
size_t served_read(const Config *config, const Component *component, ServedList *ret, Usec *ret_wall_usec);

/* served_text() - "port 9443 (api.example.com)". Return: @buf. */
const char *served_text(const Served *s, char *buf, size_t size);
