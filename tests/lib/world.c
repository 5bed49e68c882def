/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/world.h"

#include "agent/cluster/cluster-restart.h"

static World *world_of; /* the present one */

static size_t node_of(const World *w, const FakeAgent *a)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->agent[i] == a)
                        return i;
        return SIZE_MAX;
}

static void look_around(World *w)
{
        for (size_t i = 0; i < w->n; i++) {
                const FakeScript *si = fake_agent_script(w->agent[i]);
                unsigned out = 0;
                for (size_t k = 0; k < w->n; k++)
                        out += fake_agent_is_out(w->agent[k]) &&
                               strcmp(fake_agent_script(w->agent[k])->parts[0].pool, si->parts[0].pool) == 0;
                w->out_most = MAX(w->out_most, out);
        }
}

static int on_glance(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) usec;
        look_around(userdata);
        (void) sd_event_source_set_time(s, time_now() + 300);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static bool on_call(FakeAgent *a, sd_bus_message *m, const char *member, void *userdata)
{
        World *w = userdata;
        size_t node = node_of(w, a);
        look_around(w);
        if (strcmp(member, "Go") == 0) {
                size_t len = strlen(w->order);
                (void) snprintf(w->order + len, sizeof(w->order) - len, "%s%s", len ? " " : "",
                                w->name[node]);
        }
        w->swallow = false;
        w->refuse = NULL;
        w->call = m;
        if (strcmp(member, "Lock") == 0 && w->lock_says) {
                (void) sd_bus_reply_method_return(m, "s", w->lock_says);
                return true;
        }
        if (w->on_call)
                w->on_call(w, node, member);
        if (w->refuse)
                (void) sd_bus_reply_method_errorf(m, w->refuse, "%s",
                                                  w->refuse_text ? w->refuse_text
                                                                 : "the call was too long on its way");
        return w->swallow || w->refuse;
}

void world_file(const World *w, const char *name, const char *text)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void) fputs(text, f);
        assert_int_equal(fclose(f), 0);
}

const char *world_conf(const char *dir, char *buf, size_t size)
{
        (void) snprintf(buf, size,
                        "[cluster]\njournal_dir = %s/rolls\nsoak_low = 0s\nsoak_high = 500ms\n"
                        "connect_limit = 2s\nanswer_limit = 2s\nlost_limit = 2s\n",
                        dir);
        return buf;
}

void world_new(World *w, const char *pools)
{
        static char pool_text[WORLD_NODES][64], region_text[WORLD_NODES][8];
        char conf[512];
        if (world_of)
                world_done(world_of); /* of a test that has failed */
        memset(w, 0, sizeof(*w));
        world_of = w;
        (void) snprintf(w->dir, sizeof(w->dir), "/tmp/edge-roll-coord-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        world_file(w, "conf", world_conf(w->dir, conf, sizeof(conf)));
        assert_int_equal(sd_event_default(&w->event), 1);
        assert_true(sd_event_add_time(w->event, &w->glance, CLOCK_MONOTONIC, time_now(), 1, on_glance, w) >=
                    0);
        for (w->n = 0; pools[w->n]; w->n++) {
                size_t i = w->n;
                bool mp = pools[i] >= 'A' && pools[i] <= 'Z';
                (void) snprintf(w->name[i], sizeof(w->name[i]), "n%zu", i + 1);
                (void) snprintf(w->uuid[i], sizeof(w->uuid[i]), "00000000-0000-0000-0000-%012zu", i + 1);
                (void) snprintf(region_text[i], sizeof(region_text[i]), "dc-%c",
                                mp ? pools[i] + 32 : pools[i]);
                (void) snprintf(pool_text[i], sizeof(pool_text[i]), "%s/%s/gateway",
                                mp ? "message-processor" : "router", region_text[i]);
                FakeScript script = {
                        .name = w->name[i],
                        .parts = { { .component = mp ? "message-processor" : "router",
                                     .uuid = w->uuid[i],
                                     .region = region_text[i],
                                     .pod = "gateway",
                                     .pool = pool_text[i],
                                     .router_retry = mp ? "http_599 error" : NULL,
                                     .health_port = mp ? 8998 : 15999 } },
                        .n_parts = 1,
                        .hook = on_call,
                        .userdata = w,
                };
                assert_true(fake_agent_new(&w->agent[i], w->event, &script) >= 0);
        }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

void world_done(World *w)
{
        sd_event_source_unref(w->timer);
        sd_event_source_unref(w->glance);
        for (size_t i = 0; i < w->n; i++)
                (void) fake_agent_free(w->agent[i]);
        sd_event_unref(w->event);
        (void) nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        world_of = NULL;
}

static void socket_path(char *buf, size_t size, const char *dir, const char *name)
{
        (void) snprintf(buf, size, "%s/%s", dir, name);
}

void world_listen(World *w)
{
        char path[128];
        for (size_t i = 0; i < w->n; i++) {
                socket_path(path, sizeof(path), w->dir, w->name[i]);
                assert_true(fake_agent_listen(w->agent[i], path) >= 0);
        }
}

int world_connect(const Node *node, void *dir)
{
        char path[128];
        socket_path(path, sizeof(path), dir, node->name);
        return fake_agent_connect(path);
}

static int connect_to(const Node *node, void *userdata)
{
        World *w = userdata;
        for (size_t i = 0; i < w->n; i++)
                if (strcmp(w->name[i], node->name) == 0)
                        return fake_agent_open(w->agent[i]);
        return -EHOSTUNREACH;
}

void world_pump(World *w, Usec usec)
{
        for (Usec until = time_now() + usec, now; (now = time_now()) < until;)
                assert_true(sd_event_run(w->event, until - now) >= 0);
}

void world_again(World *w)
{
        for (size_t i = 0; i < w->n; i++)
                fake_agent_cut(w->agent[i]);
        w->order[0] = '\0';
        w->done_once = false;
        w->on_call = NULL;
}

static int load(Config **ret, const char *dir)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/conf", dir);
        return config_load(ret, path, "/nonexistent", NULL);
}

int world_command(const char *line, const char *dir, const CoordIo *io)
{
        char words[512], *argv[32];
        int argc = 0, status;
        Config *config;
        CliRequest rq;
        Err err = { 0 };
        (void) snprintf(words, sizeof(words), "%s", line);
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        argv[argc] = NULL;
        if (cli_parse(argc, argv, &rq, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(load(&config, dir), 0);
        if (rq.verb == VERB_RESUME)
                status = coord_resume(&rq, config, io);
        else {
                Nodes *nodes = NULL;
                assert_int_equal(nodes_new(&nodes, "--nodes", &err), 0);
                if ((rq.cluster.inventory ? nodes_read_inventory(nodes, rq.cluster.inventory, &err)
                                          : nodes_add_words(nodes, rq.cluster.nodes, &err)) < 0)
                        fail_msg("%s", err.text);
                const NodesFilter filter = { .limit = rq.cluster.limit };
                if (rq.cluster.limit && nodes_select(nodes, &filter, &err) < 0)
                        fail_msg("%s", err.text);
                status = cluster_restart(&rq, config, nodes, io);
                (void) nodes_free(nodes);
        }
        (void) config_free(config);
        return status;
}

int world_roll(World *w, const char *line)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/out", w->dir);
        FILE *out = fopen(path, "w+e");
        assert_non_null(out);
        CoordIo io = { .out = out, .err = out, .in = -1, .connect = connect_to, .userdata = w };
        w->status = world_command(line, w->dir, &io);
        rewind(out);
        size_t n = fread(w->lines, 1, sizeof(w->lines) - 1, out);
        w->lines[n] = '\0';
        (void) fclose(out);
        if (getenv("SHOW"))
                (void) fprintf(stderr, "$ %s\n%s= %d\n", line, w->lines, w->status);
        return w->status;
}

void world_ends(World *w, const char *line, Result result)
{
        int status = world_roll(w, line);
        if (status != result_exit_code(result))
                fail_msg("%s: exit %d instead of %d (%s):\n%s", line, status, result_exit_code(result),
                         result_name(result), w->lines);
}

void world_says(const World *w, const char *part)
{
        if (!strstr(w->lines, part))
                fail_msg("\"%s\" is not in:\n%s", part, w->lines);
}

unsigned world_restarts(const World *w)
{
        unsigned n = 0;
        for (size_t i = 0; i < w->n; i++)
                n += fake_agent_restarts(w->agent[i]);
        return n;
}

void world_has_no_lease(const World *w)
{
        for (size_t i = 0; i < w->n; i++) {
                const FakeScript *s = fake_agent_script(w->agent[i]);
                for (size_t k = 0; k < s->n_parts; k++)
                        assert_false(lease_current(fake_agent_lease(w->agent[i], s->parts[k].component),
                                                   time_boot()));
        }
}
