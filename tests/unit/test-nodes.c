/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list of nodes: where it comes from, and who is selected. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cluster/nodes.h"

static Nodes *list_new(void)
{
        Nodes *n = NULL;
        Err err = { 0 };
        assert_int_equal(nodes_new(&n, "a test", &err), 0);
        return n;
}

static Nodes *from_words(const char *words)
{
        Nodes *n = list_new();
        Err err = { 0 };
        if (nodes_add_words(n, words, &err) != 0)
                fail_msg("%s", err.text);
        return n;
}

static Nodes *from_inventory(const char *text)
{
        Nodes *n = list_new();
        Inventory *i = NULL;
        Err err = { 0 };
        if (inventory_parse(text, strlen(text), "hosts", &i, &err) != 0 ||
            nodes_add_inventory(n, i, &err) != 0)
                fail_msg("%s", err.text);
        (void) inventory_free(i);
        return n;
}

static Nodes *from_servers(const char *json)
{
        Nodes *n = list_new();
        Servers *s = NULL;
        Err err = { 0 };
        if (servers_parse(json, strlen(json), &s, &err) != 0 || nodes_add_servers(n, s, &err) != 0)
                fail_msg("%s", err.text);
        (void) servers_free(s);
        return n;
}

static void expect_selected(const Nodes *n, const char *names)
{
        char text[600] = "";
        for (size_t i = 0; i < n->n; i++) {
                size_t len = strlen(text);
                if (n->nodes[i].selected)
                        (void) snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
                                        n->nodes[i].name);
        }
        assert_string_equal(text, names);
}

static void expect_reach(const Nodes *n, const char *name, const char *how)
{
        char text[300];
        const Node *node = nodes_find(n, name);
        if (!node)
                fail_msg("no node %s", name);
        assert_string_equal(nodes_reach(node, text, sizeof(text)), how);
}

static void test_words(void **state _unused_)
{
        Nodes *n = from_words("r1, admin@r2:2222 ,r[08:10],AD\\bob@2001:db8::1,");
        assert_int_equal(n->n, 6);
        expect_reach(n, "r1", "ssh r1");
        expect_reach(n, "r2", "ssh -p 2222 admin@r2");
        expect_reach(n, "r08", "ssh r08");
        expect_reach(n, "2001:db8::1", "ssh AD\\bob@2001:db8::1");
        expect_selected(n, "r1 r2 r08 r09 r10 2001:db8::1");
        assert_true(n->nodes[0].named);
        (void) nodes_free(n);
}

static void test_bad_words(void **state _unused_)
{
        static const struct {
                const char *words, *hint;
        } rows[] = {
                { "", "names no node" },
                { " , ", "names no node" },
                { "-oX", "cannot be the name" },
                { "a b", "cannot be the name" },
                { "r1,$(id)", "cannot be the name" },
                { "a@b@-c", "cannot be the name" },
                { "-l@r1", "cannot be a user" },
                { "@r1", "cannot be a user" },
                { "r1:0", "no port" },
                { "r1:x", "no port" },
                { "r[1:", "without its ']'" },
                { "r[1:9999]", "more than 2000" },
                { "user@", "cannot be the name" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Nodes *n = list_new();
                Err err = { 0 };
                if (nodes_add_words(n, rows[i].words, &err) >= 0)
                        fail_msg("\"%s\" is taken", rows[i].words);
                if (!strstr(err.text, rows[i].hint))
                        fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].words, err.text, rows[i].hint);
                (void) nodes_free(n);
        }
}

/* Names beside an inventory choose from it, and keep what it says; the others stay members. */
static void test_words_beside_an_inventory(void **state _unused_)
{
        Err err = { 0 };
        Nodes *n = from_inventory("[router]\nr[1:3] ansible_user=apigee\n[all:vars]\nansible_port=2200\n");
        assert_int_equal(nodes_add_words(n, "r2,r9", &err), 0);
        assert_int_equal(n->n, 4);
        expect_selected(n, "r2 r9");
        expect_reach(n, "r2", "ssh -p 2200 apigee@r2");
        expect_reach(n, "r9", "ssh r9");
        (void) nodes_free(n);
}

/* The same with groups and patterns of it; a word that is none of them is a name. */
static void test_chosen(void **state _unused_)
{
        static const struct {
                const char *words, *selected;
        } rows[] = {
                { "mp", "m1 m2" }, { "mp,r3", "r3 m1 m2" },     { "r[1:3],m1", "r1 r2 r3 m1" },
                { "*1", "r1 m1" }, { "all", "r1 r2 r3 m1 m2" }, { "m1,bob@m2:22,m9", "m1 m2 m9" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Nodes *n = from_inventory("[router]\nr[1:3]\n[mp]\nm[1:2] ansible_user=apigee\n");
                Err err = { 0 };
                if (nodes_choose(n, "--from", rows[i].words, &err) < 0)
                        fail_msg("%s: %s", rows[i].words, err.text);
                expect_selected(n, rows[i].selected);
                (void) nodes_free(n);
        }
        Nodes *n = from_inventory("[mp]\nm[1:2] ansible_user=apigee\n");
        Err err = { 0 };
        assert_int_equal(nodes_choose(n, "--from", "bob@m2:22", &err), 0);
        expect_reach(n, "m2", "ssh -p 22 bob@m2");
        assert_int_equal(nodes_choose(n, "--from", "x*", &err), -EINVAL);
        assert_non_null(strstr(err.text, "--from: \"x*\" cannot be the name of a host"));
        assert_int_equal(nodes_choose(n, "--from", ",", &err), -EINVAL);
        assert_non_null(strstr(err.text, "--from names no node"));
        (void) nodes_free(n);
}

static void test_servers(void **state _unused_)
{
        Nodes *n = from_servers(
                "[{\"uUID\":\"u1\",\"type\":[\"router\"],\"internalIP\":\"10.0.0.1\",\"region\":\"dc-1\",\"pod\":\"gateway\","
                "\"isUp\":true,\"reachable\":true},"
                "{\"uUID\":\"u2\",\"type\":[\"message-processor\"],\"internalIP\":\"10.0.0.1\",\"region\":\"dc-1\"},"
                "{\"uUID\":\"u3\",\"type\":\"router\",\"internalIP\":\"10.0.0.3\",\"internalHostName\":\"r3.x\","
                "\"isUp\":true,\"reachable\":false},"
                "{\"uUID\":\"u4\",\"type\":[\"router\"]},"
                "{\"uUID\":\"u5\",\"type\":[\"kms-datastore\"],\"internalIP\":\"10.0.0.7\",\"isUp\":false},"
                "{\"uUID\":\"u6\",\"type\":[\"management-server\"],\"internalIP\":\"10.0.0.8\"}]");
        assert_int_equal(n->n, 2);
        /* Two servers on one address are one machine. */
        assert_int_equal(nodes_find(n, "10.0.0.1")->n_servers, 2);
        assert_string_equal(nodes_server(nodes_find(n, "10.0.0.1"), "message-processor")->uuid, "u2");
        assert_null(nodes_server(nodes_find(n, "r3.x"), "message-processor"));
        assert_int_equal(nodes_hint(nodes_find(n, "10.0.0.1"), "message-processor"), NODE_HINT_YES);
        assert_int_equal(nodes_hint(nodes_find(n, "r3.x"), "message-processor"), NODE_HINT_NO);
        assert_int_equal(nodes_hint(nodes_find(n, "r3.x"), "qpid"), NODE_HINT_NONE);
        expect_reach(n, "r3.x", "ssh 10.0.0.3");
        assert_true(nodes_find(n, "r3.x")->servers[0].has_up && !nodes_find(n, "r3.x")->servers[0].up);
        assert_non_null(strstr(n->notes[0], "u4 has neither an address nor a host name"));
        assert_int_equal(n->n_datastores, 1);
        assert_true(n->datastores[0].has_up && !n->datastores[0].up);
        (void) nodes_free(n);
}

/* An inventory knows the users and ports, the Management Server the ids: one node, not two. */
static void test_servers_beside_an_inventory(void **state _unused_)
{
        Nodes *n = from_inventory("[edge]\nr1 ansible_host=10.0.0.1 ansible_user=apigee\nr2.x\n");
        Servers *s = NULL;
        Err err = { 0 };
        const char *json =
                "[{\"uUID\":\"u1\",\"type\":\"router\",\"internalIP\":\"10.0.0.1\"},"
                "{\"uUID\":\"u2\",\"type\":\"router\",\"internalIP\":\"10.0.0.2\",\"internalHostName\":\"r2.x\"}]";
        assert_int_equal(servers_parse(json, strlen(json), &s, &err), 0);
        assert_int_equal(nodes_add_servers(n, s, &err), 0);
        assert_int_equal(n->n, 2);
        assert_string_equal(nodes_server(nodes_find(n, "r1"), "router")->uuid, "u1");
        assert_string_equal(nodes_server(nodes_find(n, "r2.x"), "router")->uuid, "u2");
        (void) servers_free(s);
        (void) nodes_free(n);
}

static void test_hints_of_groups(void **state _unused_)
{
        static const struct {
                const char *group;
                NodeHint router, mp;
        } rows[] = {
                { "router", NODE_HINT_YES, NODE_HINT_NO },
                { "dc1-routers", NODE_HINT_YES, NODE_HINT_NO },
                { "mp", NODE_HINT_NO, NODE_HINT_YES },
                { "message-processor", NODE_HINT_NO, NODE_HINT_YES },
                { "message_processors", NODE_HINT_NO, NODE_HINT_YES },
                { "rmp", NODE_HINT_YES, NODE_HINT_YES },
                { "apigee_rmp", NODE_HINT_YES, NODE_HINT_YES },
                { "ms", NODE_HINT_NONE, NODE_HINT_NONE },
                { "mpls-routing", NODE_HINT_NONE, NODE_HINT_NONE },
                { "Router", NODE_HINT_YES, NODE_HINT_NO },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[100];
                (void) snprintf(text, sizeof(text), "[%s]\nx\n", rows[i].group);
                Nodes *n = from_inventory(text);
                if (nodes_hint(&n->nodes[0], "router") != rows[i].router ||
                    nodes_hint(&n->nodes[0], "message-processor") != rows[i].mp)
                        fail_msg("%s", rows[i].group);
                (void) nodes_free(n);
        }
}

static void test_select(void **state _unused_)
{
        static const struct {
                NodesFilter filter;
                const char *left, *error; /* one of them */
        } rows[] = {
                { { 0 }, "r1 r2 m1 x1", NULL },
                { { .limit = "router" }, "r1 r2 x1", NULL },
                { { .limit = "r1" }, "r1", NULL },
                { { .limit = "r1, m1" }, "r1 m1", NULL },
                { { .limit = "r*" }, "r1 r2 x1", NULL }, /* of names and of groups */
                { { .limit = "?1", .exclude = "mp" }, "r1", NULL },
                { { .limit = "10.0.0.1" }, "r1", NULL },
                { { .limit = "all", .exclude = "x1" }, "r1 r2 m1", NULL },
                { { .limit = "ungrouped" }, NULL, "--limit: \"ungrouped\"" },
                { { .limit = "r7" }, NULL, "--limit: \"r7\" is no node, no group" },
                { { .limit = "r1,routr" }, NULL, "there are: r1, r2, m1, x1" },
                { { .exclude = "z*" }, NULL, "--exclude: \"z*\"" },
                { { .limit = "" }, NULL, "--limit is empty" },
                { { .limit = "r1", .exclude = "router" }, NULL, "Nothing is left of the 4 nodes" },
                { { .region = "dc-1" }, "r1 r2 m1 x1", NULL }, /* an inventory knows no regions */
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Nodes *n = from_inventory(
                        "[router]\nr1 ansible_host=10.0.0.1\nr2\n[mp]\nm1\n[router]\nx1\n[mp]\nx1\n");
                Err err = { 0 };
                int r = nodes_select(n, &rows[i].filter, &err);
                if ((r < 0) != !rows[i].left)
                        fail_msg("row %zu: %d %s", i, r, err.text);
                if (rows[i].left)
                        expect_selected(n, rows[i].left);
                else if (!strstr(err.text, rows[i].error))
                        fail_msg("row %zu: \"%s\"", i, err.text);
                assert_int_equal(n->n, 4); /* nobody is gone */
                (void) nodes_free(n);
        }
}

static void test_select_by_region(void **state _unused_)
{
        static const char json[] =
                "[{\"uUID\":\"u1\",\"type\":\"router\",\"internalIP\":\"10.0.0.1\",\"region\":\"dc-1\",\"pod\":\"gateway\"},"
                "{\"uUID\":\"u2\",\"type\":\"router\",\"internalIP\":\"10.0.0.2\",\"region\":\"dc-2\",\"pod\":\"gateway-2\"},"
                "{\"uUID\":\"u3\",\"type\":\"router\",\"internalIP\":\"10.0.0.3\"}]";
        Err err = { 0 };
        Nodes *n = from_servers(json);
        assert_int_equal(nodes_select(n, &(NodesFilter){ .region = "dc-1" }, &err), 0);
        expect_selected(n, "10.0.0.1 10.0.0.3"); /* whose region nobody knows is not elsewhere */
        (void) nodes_free(n);
        n = from_servers(json);
        assert_int_equal(nodes_select(n, &(NodesFilter){ .pod = "gateway-2", .limit = "u2,u1" }, &err), 0);
        expect_selected(n, "10.0.0.2");
        (void) nodes_free(n);
        n = from_servers(json);
        assert_int_equal(nodes_select(n, &(NodesFilter){ .region = "dc-9", .limit = "u1" }, &err), -EINVAL);
        assert_non_null(strstr(err.text, "behind --limit behind --region"));
        (void) nodes_free(n);
        n = from_servers("[]");
        assert_int_equal(nodes_select(n, &(NodesFilter){ 0 }, &err), -EINVAL);
        assert_non_null(strstr(err.text, "names no router"));
        (void) nodes_free(n);
}

static void test_same_host(void **state _unused_)
{
        static const struct {
                const char *name, *address;
                bool same;
        } rows[] = {
                { "r1.x.org", "", true },   { "R1", "", true },       { "r1.x.net", "", false },
                { "r2", "", false },        { "", "10.0.0.1", true }, { "10.0.0.1", "", true },
                { "10.0.0.11", "", false }, { "10", "", false },      { "", "", false },
                { NULL, NULL, false },
        };
        Nodes *n = from_inventory("r1.x.org ansible_host=10.0.0.1\n");
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (nodes_same_host(&n->nodes[0], rows[i].name, rows[i].address) != rows[i].same)
                        fail_msg("row %zu", i);
        (void) nodes_free(n);
}

static void test_files(void **state _unused_)
{
        char dir[] = "/tmp/edge-roll-nodes-XXXXXX", path[64];
        Nodes *n = list_new();
        Err err = { 0 };
        assert_non_null(mkdtemp(dir));
        assert_int_equal(nodes_read_inventory(n, dir, &err), -EISDIR);
        assert_non_null(strstr(err.text, "is a directory"));
        (void) snprintf(path, sizeof(path), "%s/fifo", dir);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(nodes_read_inventory(n, path, &err), -EINVAL); /* at once */
        assert_int_equal(unlink(path), 0);
        (void) snprintf(path, sizeof(path), "%s/hosts", dir);
        assert_int_equal(nodes_read_inventory(n, path, &err), -ENOENT);
        assert_non_null(strstr(err.text, path));

        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "r1\n", 3), 3);
        assert_int_equal(nodes_read_inventory(n, path, &err), 0);
        assert_int_equal(n->n, 1);
        /* Larger than is read: said so, not cut. */
        assert_int_equal(ftruncate(fd, INVENTORY_MAX + 1), 0);
        assert_int_equal(nodes_read_inventory(n, path, &err), -E2BIG);
        (void) close(fd);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
        (void) nodes_free(n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_bad_words),
                cmocka_unit_test(test_words_beside_an_inventory),
                cmocka_unit_test(test_chosen),
                cmocka_unit_test(test_servers),
                cmocka_unit_test(test_servers_beside_an_inventory),
                cmocka_unit_test(test_hints_of_groups),
                cmocka_unit_test(test_select),
                cmocka_unit_test(test_select_by_region),
                cmocka_unit_test(test_same_host),
                cmocka_unit_test(test_files),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
