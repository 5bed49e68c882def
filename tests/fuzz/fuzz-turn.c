/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the nodes of a pool are called in ZooKeeper, and what they hold. Anybody who reaches it may write
 * them. */

#include "agent/place.h"
#include "agent/turn.h"
#include "tests/fuzz/fuzz.h"

#define NAMES 24

static size_t names(Fuzz *f, char **ret)
{
        size_t n = fuzz_byte(f) % NAMES;

        for (size_t i = 0; i < n; i++)
                ret[i] = fuzz_text(f, NULL);
        return n;
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        char *runs[NAMES], *outs[NAMES], path[640];
        _cleanup_(freep) char *content = fuzz_text(&f, NULL), *pool = fuzz_text(&f, NULL);
        TurnView view = { .runs = (const char *const *) runs, .outs = (const char *const *) outs };
        Turn turn;

        view.size = turn_size(content);
        fuzz_check(view.size >= 1 && view.size <= TURN_SIZE_MAX);
        (void) turn_pool(pool, path, sizeof(path));
        fuzz_check(!strchr(path, '/') && fuzz_is_ascii(path));
        (void) place_path(pool, "out", path, sizeof(path));
        view.n_runs = names(&f, runs);
        view.n_outs = names(&f, outs);
        TurnAnswer answer = turn_decide(&view, "u1", "00112233", &turn);
        fuzz_check(answer >= 0 && answer < TURN_COUNT);
        /* Never more out than the pool allows. */
        size_t out = 0;
        for (size_t i = 0; i < view.n_outs; i++) {
                bool seen = strcmp(outs[i], "u1") == 0;
                for (size_t k = 0; k < i && !seen; k++)
                        seen = strcmp(outs[i], outs[k]) == 0;
                out += !seen;
        }
        fuzz_check(answer != TURN_GO || out < view.size);
        for (size_t i = 0; i < view.n_runs; i++)
                free(runs[i]);
        for (size_t i = 0; i < view.n_outs; i++)
                free(outs[i]);
}
