/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * `edge-roll why`, and what a roll that is for a reason needs of it: asks the Management Server, shakes hands
 * with the routers, and judges.
 */

#include "agent/edge/proof.h"
#include "agent/edge/session.h"
#include "agent/edge/why.h"

typedef struct WhyRun {
        Session *session;
        Estate *estate;
        Servers *servers;
        WhyVhost *vhosts;
        size_t n_vhosts;
        size_t n_meant; /* of them, those that --expect-cert is about */
        WhyChanged changed[CLI_CHANGED_MAX];
        size_t n_changed;
        Why *why;
} WhyRun;

/*
 * why_run() - everything from the command line of @session to @ret->why. Return: 0; a negative errno:
 * @ret_exit is the exit status, all is told. why_run_done() - also after a failure.
 */
int why_run(WhyRun *ret, Session *session, int *ret_exit);
void why_run_done(WhyRun *run);

/* why_run_ask() - the same without a word: @ret_result and @hint (@size bytes) say how to end after a
 * failure.
 */
int why_run_ask(WhyRun *ret, Session *session, Result *ret_result, char *hint, size_t size,
                Err *err) _must_check_;

/*
 * why_run_proof() - what the routers that must be restarted should serve, and serve now, as far as it is
 * known what that is; and of --expect-cert every router that does not serve it, where a restart does not
 * bring it.
 * @routers: routers are restarted. @ret: zeroed; to be released with proof_done() whatever is returned.
 * Return: 0; -ENOMEM.
 */
int why_run_proof(const WhyRun *run, bool routers, Proof *ret, Err *err) _must_check_;

/* why_run_show() - the findings, for people or programs. @reasons: only what something must be done for, and
 * what is not known. */
void why_run_show(const WhyRun *run, bool reasons);

/* why_run_nobody() - how much must be restarted of @component (NULL: of both) of which no server is known. */
size_t why_run_nobody(const WhyRun *run, const char *component);

/* why_run_end() - of a run after which nothing is done: what it came to. @component: the only one that it is
 * about, "router" or "message-processor"; NULL: both. Return: the exit status. */
int why_run_end(const WhyRun *run, const char *component);

/* why_main() - Return: the exit status. */
int why_main(const CliRequest *rq, const Config *config, const SessionIo *io);
