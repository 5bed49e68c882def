/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which target servers a node knows of: from files, from a Management Server that is not there, and in a
 * record. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/targets-list.h"
#include "probes/target.h"
#include "tests/lib/standin.h"

#define LOADED \
        "{\"organizations\":{\"acme\":{\"prod\":null,\"test\":{\"p\":[\"1\"]}},\"..\":{\"x\":null},\"other\":null}}"

static char folder[] = "/tmp/edge-roll-targets.XXXXXX";

static void put(const char *path, const char *text)
{
        char whole[256], *slash;
        (void) snprintf(whole, sizeof(whole), "%s/%s", folder, path);
        for (slash = strchr(whole + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void) mkdir(whole, 0700);
                *slash = '/';
        }
        _cleanup_(fclosep) FILE *f = fopen(whole, "we");
        assert_non_null(f);
        (void) fputs(text, f);
}

static int set_up(void **state _unused_)
{
        assert_non_null(mkdtemp(folder));
        put("acme/prod/a.xml", "<TargetServer name='a'><Host>10.0.0.1</Host><Port>80</Port></TargetServer>");
        put("acme/prod/b.json",
            "{\"name\":\"b\",\"host\":\"b.example.com\",\"port\":\"443\",\"isEnabled\":\"true\","
            "\"sSLInfo\":{\"enabled\":\"true\"}}");
        put("acme/prod/off.xml",
            "<TargetServer name='off'><Host>h</Host><Port>1</Port><IsEnabled>false</IsEnabled></TargetServer>");
        put("acme/prod/notes.txt", "not a target server");
        put("acme/test/c.xml", "<TargetServer name='c'><Host>h</Host><Port>8080</Port></TargetServer>");
        put("acme/stage/d.xml", "<TargetServer name='d'><Host>h</Host><Port>1</Port></TargetServer>");
        put("x/e.xml", "<TargetServer name='e'><Host>h</Host><Port>1</Port></TargetServer>");
        return 0;
}

static int remove_one(const char *path, const struct stat *st _unused_, int flag _unused_,
                      struct FTW *f _unused_)
{
        return remove(path);
}

static int tear_down(void **state _unused_)
{
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

typedef struct Got {
        bool done;
        TargetList list;
        char trouble[400];
} Got;

static void on_list(TargetList *list, const char *trouble, void *userdata)
{
        Got *g = userdata;
        assert_false(g->done);
        g->done = true;
        g->list = *list;
        (void) snprintf(g->trouble, sizeof(g->trouble), "%s", trouble);
}

static Usec limit_usec = 5 * USEC_PER_SEC;

static Got fetch(Config *c, const char *loaded)
{
        sd_event *e = NULL;
        TargetFetch *f = NULL;
        Got g = { 0 };
        Err err = { 0 };
        TargetRequest request = { .config = c, .environments = loaded, .limit_usec = limit_usec };

        assert_true(sd_event_new(&e) >= 0);
        request.event = e;
        assert_int_equal(target_fetch(&f, &request, on_list, &g, &err), 0);
        assert_false(g.done);
        while (!g.done)
                assert_true(sd_event_run(e, 10 * USEC_PER_SEC) > 0);
        (void) sd_event_unref(e);
        return g;
}

static const TargetEntry *find(const TargetList *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->items[i].name, name) == 0)
                        return &list->items[i];
        return NULL;
}

static char star[] = "*", only_a[] = "acme/prod/a", empty[] = "", nobody[] = "http://127.0.0.1:1";
static char *all_names[] = { star, NULL }, *a_names[] = { only_a, NULL };

static Config config_of(TargetsSource source)
{
        return (Config){ .targets_source = source,
                         .targets_folder = folder,
                         .targets_names = all_names,
                         .targets_max = 500,
                         .cluster_management_url = empty,
                         .cluster_management_user = empty,
                         .cluster_management_password_file = empty,
                         .cluster_management_ca = empty };
}

/* Those of its environments, and no others. */
static void test_files(void **state _unused_)
{
        Config c = config_of(TARGETS_AUTO);
        assert_true(target_fetch_wanted(&c));
        Got g = fetch(&c, LOADED);
        assert_string_equal(g.trouble, "");
        assert_int_equal(g.list.n, 3);
        const TargetEntry *a = find(&g.list, "acme/prod/a"), *b = find(&g.list, "acme/prod/b");
        assert_true(a && b && find(&g.list, "acme/test/c"));
        assert_string_equal(a->host, "10.0.0.1");
        assert_int_equal(a->port, 80);
        assert_false(a->tls);
        assert_int_equal(b->port, 443);
        assert_true(b->tls);
        target_list_done(&g.list);
}

static void test_which(void **state _unused_)
{
        Config c = config_of(TARGETS_FILES);
        c.targets_names = a_names;
        Got g = fetch(&c, LOADED);
        assert_int_equal(g.list.n, 1);
        assert_int_equal(g.list.n_other, 3);
        target_list_done(&g.list);
        c = config_of(TARGETS_FILES);
        c.targets_max = 1;
        g = fetch(&c, LOADED);
        assert_true(g.list.n <= 1);
        assert_int_equal(g.list.n_more, 3);
        assert_int_equal(g.list.n_other, 0);
        target_list_done(&g.list);
        c = config_of(TARGETS_OFF);
        assert_false(target_fetch_wanted(&c));
        assert_true(target_name_wanted(all_names, "acme/prod/x"));
        assert_false(target_name_wanted(a_names, "acme/prod/ab"));
}

/* What is not known is told; what is known is there. */
static void test_trouble(void **state _unused_)
{
        Config c = config_of(TARGETS_FILES);
        put("acme/prod/z.xml", "<TargetServer name='z'><Host>h</Host></TargetServer>");
        Got g = fetch(&c, LOADED);
        assert_int_equal(g.list.n, 3);
        assert_non_null(strstr(g.trouble, "z.xml: "));
        target_list_done(&g.list);
        g = fetch(&c, NULL);
        assert_int_equal(g.list.n, 0);
        assert_non_null(strstr(g.trouble, "environments"));
        target_list_done(&g.list);
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/acme/prod/z.xml", folder);
        (void) unlink(path);

        /* Whoever names a folder expects that it is looked at. */
        char absent[] = "/nonexistent/targets.d", file[300];
        c.targets_folder = absent;
        g = fetch(&c, LOADED);
        assert_int_equal(g.list.n, 0);
        assert_non_null(strstr(g.trouble, "/nonexistent/targets.d"));
        target_list_done(&g.list);
        put("file", "");
        (void) snprintf(file, sizeof(file), "%s/file", folder);
        c.targets_folder = file;
        g = fetch(&c, LOADED);
        assert_non_null(strstr(g.trouble, "is no folder"));
        target_list_done(&g.list);

        c = config_of(TARGETS_API);
        c.cluster_management_url = nobody;
        g = fetch(&c, LOADED);
        assert_int_equal(g.list.n, 0);
        assert_non_null(strstr(g.trouble, "acme/"));
        target_list_done(&g.list);
}

/* As large as one may be, and a byte more. */
static void test_size(void **state _unused_)
{
        static const char xml[] = "<TargetServer name='large'><Host>h</Host><Port>1</Port></TargetServer>";
        Config c = config_of(TARGETS_FILES);
        char *text = malloc(TARGET_MAX + 2), path[256];

        assert_non_null(text);
        for (size_t over = 0; over < 2; over++) {
                memset(text, ' ', TARGET_MAX + over);
                memcpy(text, xml, strlen(xml));
                text[TARGET_MAX + over] = '\0';
                put("acme/prod/large.xml", text);
                Got g = fetch(&c, LOADED);
                assert_int_equal(find(&g.list, "acme/prod/large") != NULL, !over);
                if (over && !strstr(g.trouble, "262144"))
                        fail_msg("%s", g.trouble);
                if (!over)
                        assert_string_equal(g.trouble, "");
                target_list_done(&g.list);
        }
        free(text);
        (void) snprintf(path, sizeof(path), "%s/acme/prod/large.xml", folder);
        (void) unlink(path);
}

#define SERVER(name, more) \
        "\"" name "\":{\"name\":\"" name "\",\"host\":\"10.0.0.1\",\"port\":80,\"isEnabled\":" more "}"

/* The Management Server: each environment's list, then each of them; what it does not tell is told. */
static void test_management_server(void **state _unused_)
{
        static const char edge[] =
                "{\"acme\":{\"prod\":{\"targetservers\":{" SERVER("a", "true") "," SERVER("b", "false") "," SERVER(
                        "c",
                        "true") "}},\"test\":{\"targetservers\":{}},\"stage\":{\"targetservers\":{" SERVER("s",
                                                                                                           "true") "}}}}";
        if (!standin_have()) {
                print_message("there is no python3\n");
                skip();
        }
        Standin *ms = standin_new(edge, "[]");
        char url[128];
        (void) snprintf(url, sizeof(url), "%s", standin_url(ms));
        Config c = config_of(TARGETS_API);
        c.cluster_management_url = url;
        assert_true(target_fetch_wanted(&c));

        static const char *const modes[] = { "good", "string-ports" };
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                standin_write(ms, "mode", modes[i]);
                Got g = fetch(&c, LOADED);
                assert_string_equal(g.trouble, "");
                assert_int_equal(g.list.n, 2);
                assert_true(find(&g.list, "acme/prod/a") && find(&g.list, "acme/prod/c"));
                assert_int_equal(g.list.items[0].port, 80);
                target_list_done(&g.list);
        }
        static const char *const bad[] = { "500", "401", "html", "half", "empty", "cut", "redirect" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                standin_write(ms, "mode", bad[i]);
                Got g = fetch(&c, LOADED);
                assert_int_equal(g.list.n, 0);
                if (!strstr(g.trouble, "acme/"))
                        fail_msg("%s: \"%s\"", bad[i], g.trouble);
                target_list_done(&g.list);
        }
        /* It says nothing at all: what is known by then, and that it is not all. */
        standin_write(ms, "mode", "hang");
        limit_usec = 300 * USEC_PER_MSEC;
        Got g = fetch(&c, LOADED);
        limit_usec = 5 * USEC_PER_SEC;
        assert_int_equal(g.list.n, 0);
        assert_non_null(strstr(g.trouble, "within the time"));
        target_list_done(&g.list);
        (void) standin_free(ms);
}

static void test_record(void **state _unused_)
{
        TargetList list = { 0 }, back = { 0 };
        assert_int_equal(target_list_add(&list, "o/e/a", "h", 80, false), 0);
        assert_int_equal(target_list_add(&list, "o/e/b", "h2", 443, true), 0);
        assert_int_equal(target_list_add(&list, "o/e/c", "h3", 1, true), 0);
        list.items[0].answered = list.items[1].answered = true;
        cJSON *json = target_list_to_json(&list);
        assert_int_equal(target_list_from_json(json, &back), 0);
        assert_int_equal(back.n, 2);
        assert_string_equal(back.items[1].name, "o/e/b");
        assert_string_equal(back.items[1].host, "h2");
        assert_true(back.items[1].port == 443 && back.items[1].tls && back.items[1].answered);
        cJSON_Delete(json);
        target_list_done(&list);
        target_list_done(&back);

        static const char *const odd[] = {
                "{}", "[1,[],[\"a\"],[\"a\",\"h\",0,true],[\"a\",\"h\",70000],[1,2,3,4]]", "null"
        };
        for (size_t i = 0; i < ELEMENTS(odd); i++) {
                json = cJSON_Parse(odd[i]);
                assert_int_equal(target_list_from_json(json, &back), 0);
                assert_int_equal(back.n, 0);
                cJSON_Delete(json);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files),   cmocka_unit_test(test_which),
                cmocka_unit_test(test_trouble), cmocka_unit_test(test_management_server),
                cmocka_unit_test(test_record),  cmocka_unit_test(test_size),
        };
        return cmocka_run_group_tests_name("targets-list", tests, set_up, tear_down);
}
