/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the files of the agent's bus interface (bus-*.c) share: who is calling, and the shapes of answers. Who
 * may call what is one table, in bus-gate.c. */

#include <cjson/cJSON.h>
#include <systemd/sd-bus.h>

#include "agent/agent.h"
#include "agent/hold.h"
#include "agent/shares.h"

#define BUS_ERROR_PREFIX "org.edgeroll.Error."
#define BUS_GROUP        "edge-roll"

/*
 * Who is calling. What is proven comes from the bus (uid, groups), from the kernel (the login that the
 * process belongs to) and from logind (where that login came from). What is claimed was said by the bridge at
 * the other end of the connection: of whom it speaks for only root is believed, where he comes from is told
 * as claimed.
 */
#define BUS_UID_UNKNOWN ((uid_t) -1)

struct BusMethod;

typedef struct BusCaller {
        const struct BusMethod *method; /* what he calls: set by bus_gate() */
        uid_t uid;
        bool may_change;       /* root, or in the group edge-roll */
        bool root;             /* uid 0, and not on behalf of somebody else */
        char who[96];          /* one person, however often he connects: "1000", "0 alice" */
        char user[64];         /* the name of uid; "?" */
        char claimed_user[64]; /* for whom root's bridge speaks, as sudo has told it; "" */
        char login[64];        /* who has logged in, if that is not uid itself; "" */
        char session[64];      /* of logind; "" */
        char from[64];         /* where the session came from, or else the bridge says it did; "" */
        bool from_proven;      /* ... it is logind that says so */
        char text[192];        /* "uid 1000 (alice)", "uid 0 (root) for alice from 10.0.0.9" */
} BusCaller;

/* Whose the connections of this bus are, and whom they speak for, where they have told. */
typedef struct BusPeople BusPeople;
int bus_people_new(BusPeople **ret) _must_check_;
BusPeople *bus_people_free(BusPeople *people);

/* bus_people_forget() - the bus is gone, and with it the names of its connections. */
void bus_people_forget(BusPeople *people);

/* bus_people_spoken_for() - connections of root are there that have introduced somebody. They call this very
 * agent, not the name, so it must not leave. */
bool bus_people_spoken_for(const BusPeople *people);

/* bus_people_watch() - who leaves @bus, which is attached to a loop, is forgotten. To be called once for each
 * bus, before anything is published there. Return: 0; a negative errno. */
int bus_people_watch(BusPeople *people, sd_bus *bus) _must_check_;

/*
 * bus_introduce() - who the sender of @m, @caller (of bus_caller()), says that he is. What root says decides
 * what the connection may do, so it is kept as long as that lives; what others say is forgotten where there
 * is no room for it.
 * Return: 0; -EBUSY: so many of root's are there that there is no room; -ENOMEM: nothing is kept, and who
 * speaks for somebody must not go on as himself.
 */
int bus_introduce(BusPeople *people, sd_bus_message *m, const BusCaller *caller, const char *user,
                  const char *from) _must_check_;

/*
 * bus_caller() - who sent @m. @whole: also what only the records want to know: login, session, whence.
 * Return: 0; a negative errno with @error set: the bus does not tell.
 */
int bus_caller(BusPeople *people, sd_bus_message *m, bool whole, BusCaller *ret,
               sd_bus_error *error) _must_check_;

/*
 * bus_refuse() - an error with a text of our own: printable ASCII and bounded, whatever of the caller is in
 * it. A text that is no UTF-8, as one is that was cut within a character, would end the connection, and no
 * answer would come. Return: negative errno, as sd_bus_error_set(3). bus_reply_refusal() - the same as an
 * answer.
 */
int bus_refuse(sd_bus_error *error, const char *name, const char *fmt, ...) _printf_(3, 4);
#define bus_refuse(...) err_negative((bus_refuse) (__VA_ARGS__))
int bus_reply_refusal(sd_bus_message *m, const char *name, const char *fmt, ...) _printf_(3, 4);

/* bus_error() - @r and @err as an error of ours: Busy or Failed. */
int bus_error(sd_bus_error *error, int r, const Err *err);

/* bus_clean() - text of others goes to the journal, the terminal and into files: printable ASCII only.
 * bus_text() - a copy, bounded and clean. */
void bus_clean(char *text);
void bus_text(char *buf, size_t size, const char *text);

/*
 * bus_share() - @caller has one more of @s, which are told as @what. @ret_share: for shares_give(). Return:
 * 0; a negative errno, and @error is Busy and names the limit.
 */
int bus_share(Shares *s, const char *what, const BusCaller *caller, size_t *ret_share,
              sd_bus_error *error) _must_check_;

/* bus_ask() - @caller's is one more of the questions that are answered later.
 * @ret_ask: for bus_ask_end(), 0 for none. Return: as bus_share(). */
int bus_ask(const Agent *a, const BusCaller *caller, size_t *ret_ask, sd_bus_error *error) _must_check_;
void bus_ask_end(size_t ask);

/* bus_component() - by name or alias. Return: NULL, and @error is NoSuchComponent. */
const Component *bus_component(const Agent *a, const char *name, sd_bus_error *error);

void bus_job_path(const Job *job, char *buf, size_t size);

/* bus_reply_json() - @o: consumed. */
int bus_reply_json(sd_bus_message *m, cJSON *o);

/* bus_job() - what Status says of a job; null for NULL. bus_hold() - of a hold. */
cJSON *bus_job(const Job *job);
cJSON *bus_hold(const Hold *hold);
