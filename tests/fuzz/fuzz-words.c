/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a person types: durations, counts, overrides, a whole command line. */

#include "agent/cli.h"
#include "agent/cluster/plan.h"
#include "base/addr.h"
#include "base/words.h"
#include "probes/http.h"
#include "agent/needed-files.h"
#include "agent/cluster/roll-log.h"
#include "tests/fuzz/fuzz.h"

#define ARGS 12

static void command_line(Fuzz *f)
{
        char *typed[ARGS], *argv[ARGS + 1] = { NULL }; /* paths are moved in argv */
        CliRequest rq;
        int argc = 0;
        Err err = { 0 };

        while (argc < ARGS && (argc == 0 || f->left > 0))
                typed[argc++] = fuzz_text(f, NULL);
        memcpy(argv, typed, (size_t) argc * sizeof(*argv));
        bool json = cli_wants_json(argc, argv);
        if (cli_parse(argc, argv, &rq, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        else
                fuzz_check(rq.verb >= 0 && rq.verb < VERB_COUNT &&
                           rq.cluster.n_overrides <= CLI_OVERRIDES_MAX && (json || !rq.json));
        while (argc > 0)
                free(typed[--argc]);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        _cleanup_(freep) char *text = fuzz_text(&f, NULL);
        _cleanup_(words_freep) Words words = NULL;
        Usec usec = 0;
        PlanCount count;
        PlanOverride override;
        Addr addr;
        char buf[ADDR_TEXT_SIZE], stamp[32];
        Err err = { 0 };

        if (time_parse(text, USEC_PER_SEC, &usec, &err) == 0)
                fuzz_check(usec < USEC_INFINITY / 2);
        (void) time_format(usec, stamp, sizeof(stamp));
        fuzz_any(time_parse_nginx(text, &usec, &err));
        if (plan_count_parse(text, &count, &err) == 0)
                fuzz_check(plan_count_of(count, 5) >= 1);
        fuzz_any(plan_override_parse(text, &override, &err));
        if (addr_parse(text, &addr)) {
                Addr again;
                fuzz_check(addr_parse(addr_format(&addr, buf, sizeof(buf)), &again) &&
                           addr_equal(&addr, &again));
        }
        fuzz_any(words_split(text, &words));
        (void) http_host_is_name(text);
        (void) needed_pattern_valid(text);
        fuzz_check(!roll_log_id_valid(text) || (!strchr(text, '/') && text[0] != '.'));
        command_line(&f);
}
