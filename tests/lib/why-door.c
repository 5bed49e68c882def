/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/why-door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/cluster/cluster-why.h"
#include "agent/edge/why-run.h"

#define WORDS_MAX 24

void why_door_open(WhyDoor *d, const char *edge, const char *servers)
{
        Err err = { 0 };
        *d = (WhyDoor){ .standin = standin_new(edge, servers) };
        (void) snprintf(d->conf, sizeof(d->conf), "%s/edge-roll.conf", standin_dir(d->standin));
        FILE *file = fopen(d->conf, "we");
        assert_non_null(file);
        (void) fprintf(file, "[cluster]\nmanagement_url = %s\n", standin_url(d->standin));
        assert_int_equal(fclose(file), 0);
        if (config_load(&d->config, d->conf, "/nonexistent", &err) < 0)
                fail_msg("%s", err.text);
}

void why_door_close(WhyDoor *d)
{
        (void) unlink(d->conf);
        free(d->out);
        free(d->err);
        (void) config_free(d->config);
        (void) standin_free(d->standin);
}

/* A roll that comes as far as its nodes has none. */
static int door_roll(const CliRequest *rq, const Config *config, const SessionIo *io)
{
        const CoordIo coord = { .out = io->out, .err = io->err, .in = -1 };
        Nodes *nodes = NULL;
        Err err = { 0 };
        assert_int_equal(nodes_new(&nodes, "nobody", &err), 0);
        int status = cluster_why(rq, config, nodes, &coord);
        (void) nodes_free(nodes);
        return status;
}

int why_door_call(WhyDoor *d, const char *line)
{
        char text[512], program[] = "edge-roll";
        char *argv[WORDS_MAX + 1] = { program };
        int argc = 1, status = 2;
        size_t out_size, err_size;
        CliRequest rq;
        Err why = { 0 };

        (void) snprintf(text, sizeof(text), "%s", line);
        for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
                argv[argc++] = word;
        free(d->out);
        free(d->err);
        SessionIo io = { .out = open_memstream(&d->out, &out_size),
                         .err = open_memstream(&d->err, &err_size),
                         .in = -1 };
        if (cli_parse(argc, argv, &rq, &why) < 0)
                (void) fprintf(io.err, "%s\n", why.text);
        else
                status = rq.verb == VERB_WHY ? why_main(&rq, d->config, &io) : door_roll(&rq, d->config, &io);
        assert_int_equal(fclose(io.out), 0);
        assert_int_equal(fclose(io.err), 0);
        return status;
}

void why_door_expect(WhyDoor *d, const char *line, int status)
{
        int got = why_door_call(d, line);
        if (got != status)
                fail_msg("%s: exit %d, expected %d\n%s%s", line, got, status, d->out, d->err);
}

void why_door_finds(const WhyDoor *d, const char *action, const char *about, const char *reason,
                    const char *servers)
{
        _cleanup_(freep) char *copy = strdup(d->out);
        char *save = NULL;
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                cJSON *o = cJSON_Parse(line), *one;
                char list[200] = "";
                const char *event = cJSON_GetStringValue(cJSON_GetObjectItem(o, "event"));
                bool why = event && strcmp(event, "why") == 0;
                cJSON_ArrayForEach(one, cJSON_GetObjectItem(o, "servers"))
                {
                        size_t n = strlen(list);
                        (void) snprintf(list + n, sizeof(list) - n, "%s%s", n ? "," : "",
                                        cJSON_GetStringValue(cJSON_GetObjectItem(one, "uuid")));
                }
                bool same = why &&
                            strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(o, "action")), action) == 0 &&
                            strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(o, "about")), about) == 0 &&
                            strstr(cJSON_GetStringValue(cJSON_GetObjectItem(o, "reason")), reason) &&
                            strcmp(list, servers) == 0;
                cJSON_Delete(o);
                if (same)
                        return;
        }
        fail_msg("no finding %s about %s with \"%s\" for %s in\n%s", action, about, reason, servers, d->out);
}
