/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ansible inventories in INI form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/inventory.h"

static Inventory *parse(const char *text)
{
        Inventory *i = NULL;
        Err err = { 0 };
        if (inventory_parse(text, strlen(text), "hosts", &i, &err) != 0)
                fail_msg("%s, for %.200s", err.text, text);
        return i;
}

static void expect_bad(const char *text, int code, const char *hint)
{
        Inventory *i = NULL;
        Err err = { 0 };
        if (inventory_parse(text, strlen(text), "hosts", &i, &err) != code)
                fail_msg("%d (%s) for %.200s", err.code, err.text, text);
        if (!strstr(err.text, hint))
                fail_msg("\"%s\" does not say \"%s\"", err.text, hint);
        assert_null(i);
}

/* "name host user port" of a host, '-' for what is not said. */
static void expect_host(const Inventory *i, size_t at, const char *what)
{
        char text[600];
        assert_true(at < i->n_hosts);
        const InventoryHost *h = &i->hosts[at];
        (void) snprintf(text, sizeof(text), "%s %s %s %u", h->name, h->host ? h->host : "-",
                        h->user ? h->user : "-", h->port);
        assert_string_equal(text, what);
}

static void expect_groups(const Inventory *i, size_t at, const char *groups)
{
        char text[600] = "";
        for (char **g = i->hosts[at].groups; *g; g++) {
                size_t len = strlen(text);
                (void) snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", *g);
        }
        assert_string_equal(text, groups);
}

static void test_hosts_and_groups(void **state _unused_)
{
        Inventory *i = parse("# the cluster\n"
                             "bastion ansible_connection=local\n"
                             "\n"
                             "[router]\n"
                             "r1 ansible_host=10.0.0.1 ansible_user=admin\r\n"
                             "r2 ansible_host=10.0.0.2   ansible_port=2222 # behind a firewall\n"
                             "[mp]\n"
                             "m[1:2].example.com # two\n"
                             "; another comment\n"
                             "[dc1:children]\n"
                             "router\n"
                             "mp # both\n"
                             "[dc1:vars]\n"
                             "ansible_user = apigee\n"
                             "edge_roll_bridge = \"sudo -n edge-roll bridge\"\n"
                             "ntp = 10.0.0.9\n");
        assert_int_equal(i->n_hosts, 5);
        expect_host(i, 0, "bastion - - 0");
        expect_host(i, 1, "r1 10.0.0.1 admin 0");
        expect_host(i, 2, "r2 10.0.0.2 apigee 2222");
        expect_host(i, 3, "m1.example.com - apigee 0");
        expect_host(i, 4, "m2.example.com - apigee 0");
        expect_groups(i, 0, "");
        expect_groups(i, 1, "dc1 router");
        expect_groups(i, 4, "dc1 mp");
        assert_string_equal(i->hosts[2].bridge, "sudo -n edge-roll bridge");
        assert_null(i->hosts[0].bridge);
        assert_true(i->hosts[0].local);
        assert_int_equal(i->n_notes, 1);
        assert_non_null(strstr(i->notes[0], "bastion has ansible_connection=local"));
        (void) inventory_free(i);
}

static void test_keys(void **state _unused_)
{
        Inventory *i = parse(
                "x ansible_ssh_private_key_file=/root/.ssh/id_shell\ny ansible_private_key_file=~/.ssh/k\nz\n");
        assert_string_equal(i->hosts[0].key, "/root/.ssh/id_shell");
        assert_string_equal(i->hosts[1].key, "~/.ssh/k");
        assert_null(i->hosts[2].key);
        (void) inventory_free(i);
        expect_bad("x ansible_ssh_private_key_file=-oX\n", -EINVAL, "absolute path of a key");
        expect_bad("x ansible_ssh_private_key_file='/a`id`'\n", -EINVAL, "absolute path of a key");
}

static void test_who_wins(void **state _unused_)
{
        Inventory *i = parse("[all:vars]\nansible_user=u-all\nansible_port=1\nansible_host=h-all\n"
                             "[outer:children]\ninner\n"
                             "[outer:vars]\nansible_user=u-outer\nansible_port=2\n"
                             "[inner]\nx ansible_host=h-x\ny\n"
                             "[inner:vars]\nansible_user=u-inner\n"
                             "[beside]\nx\n"
                             "[beside:vars]\nansible_port=3\n"
                             "[zz]\ny\n[aa]\ny\n[zz:vars]\nansible_port=8\n[aa:vars]\nansible_port=9\n");
        /* Of equals the last by name wins: outer and beside are at the same depth, so are outer, zz and aa.
         */
        expect_host(i, 0, "x h-x u-inner 2");
        expect_host(i, 1, "y h-all u-inner 8");
        (void) inventory_free(i);

        /* The same host twice is one; what is said later counts. */
        i = parse("[a]\nx ansible_port=1 ansible_user=u\n[b]\nx ansible_port=2\n");
        assert_int_equal(i->n_hosts, 1);
        expect_host(i, 0, "x - u 2");
        expect_groups(i, 0, "a b");
        (void) inventory_free(i);
}

static void test_children_before_they_exist(void **state _unused_)
{
        Inventory *i = parse("[top:children]\nmiddle\n[middle:children]\nbottom\n[bottom]\nx\n"
                             "[top:vars]\nansible_user=t\n");
        expect_groups(i, 0, "bottom middle top");
        expect_host(i, 0, "x - t 0");
        (void) inventory_free(i);
}

static void test_quotes(void **state _unused_)
{
        Inventory *i = parse(
                "x edge_roll_bridge='sudo -n \"edge roll\" bridge' note=\"a # b\" ansible_user=\"ad\\\\bob\"\n"
                "y edge_roll_bridge=a\\ b ansible_port=\"22\"\n"
                "[g]\nz\n[g:vars]\nedge_roll_bridge='a # b' # c\n");
        assert_string_equal(i->hosts[0].bridge, "sudo -n \"edge roll\" bridge");
        assert_string_equal(i->hosts[0].user, "ad\\bob");
        assert_string_equal(i->hosts[1].bridge, "a b");
        assert_int_equal(i->hosts[1].port, 22);
        assert_string_equal(i->hosts[2].bridge, "a # b");
        (void) inventory_free(i);
        expect_bad("x a='b\n", -EINVAL, "hosts:1: a ' without its second one");
}

static void test_ranges(void **state _unused_)
{
        static const struct {
                const char *pattern, *names;
        } rows[] = {
                { "r1", "r1" },
                { "r[1:3]", "r1 r2 r3" },
                { "r[01:03]", "r01 r02 r03" },
                { "r[008:011]", "r008 r009 r010 r011" },
                { "r[1:9:3]", "r1 r4 r7" },
                { "r[:2]", "r0 r1 r2" },
                { "r[a:c].x", "ra.x rb.x rc.x" },
                { "r[X:Z]", "rX rY rZ" },
                { "r[1:2]-[a:b]", "r1-a r1-b r2-a r2-b" },
                { "[1:2]", "1 2" },
        };
        for (size_t k = 0; k < ELEMENTS(rows); k++) {
                char text[200] = "", **names = NULL;
                Err err = { 0 };
                if (inventory_expand(rows[k].pattern, 100, &names, &err) != 0)
                        fail_msg("%s: %s", rows[k].pattern, err.text);
                for (char **n = names; *n; n++) {
                        size_t len = strlen(text);
                        (void) snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", *n);
                }
                assert_string_equal(text, rows[k].names);
                (void) inventory_names_free(names);
        }
        expect_bad("r[3:1]\n", -EINVAL, "backwards");
        expect_bad("r[1]\n", -EINVAL, "is no range");
        expect_bad("r[1:]\n", -EINVAL, "is no range");
        expect_bad("r[a:3]\n", -EINVAL, "is no range");
        expect_bad("r[1:2:0]\n", -EINVAL, "is no range");
        expect_bad("r[1:2:3:4]\n", -EINVAL, "is no range");
        expect_bad("r[01:100]\n", -EINVAL, "same number of digits");
        expect_bad("r[1:2\n", -EINVAL, "without its ']'");
        expect_bad("r1]\n", -EINVAL, "without its '['");
        expect_bad("r[1:99999]\n", -E2BIG, "more than 5000");
        expect_bad("r[1:100]x[1:100]\n", -E2BIG, "more than 5000");
        expect_bad("r[1:1][1:1][1:1][1:1][1:1]\n", -EINVAL, "more ranges");
}

static void test_ports_behind_names(void **state _unused_)
{
        Inventory *i = parse("a:2200\nb[1:2]:2201\nc:22 ansible_port=23\n2001:db8::1\n");
        expect_host(i, 0, "a - - 2200");
        expect_host(i, 2, "b2 - - 2201");
        expect_host(i, 3, "c - - 23");
        expect_host(i, 4, "2001:db8::1 - - 0");
        (void) inventory_free(i);
        expect_bad("a:0\n", -EINVAL, "a port from 1 to 65535");
        expect_bad("a:ssh\n", -EINVAL, "a port from 1 to 65535");
}

/* What would be an option to ssh, or be expanded by a shell of ssh's, goes nowhere. */
static void test_nothing_for_a_shell(void **state _unused_)
{
        expect_bad("-oProxyCommand=x\n", -EINVAL, "is a variable");
        expect_bad("-x\n", -EINVAL, "cannot be the name of a host");
        expect_bad("a;id\n", -EINVAL, "cannot be the name of a host");
        expect_bad("a ansible_host=-oX\n", -EINVAL, "hosts:1: ansible_host is \"-oX\"");
        expect_bad("a ansible_host='$(id)'\n", -EINVAL, "ansible_host");
        expect_bad("a ansible_host=\n", -EINVAL, "ansible_host");
        expect_bad("a ansible_user='`id`'\n", -EINVAL, "ansible_user");
        expect_bad("a ansible_user=-l\n", -EINVAL, "ansible_user");
        expect_bad("a ansible_ssh_user='x y'\n", -EINVAL, "ansible_user");
        expect_bad("a ansible_port=70000\n", -EINVAL, "from 1 to 65535");
        expect_bad("a edge_roll_bridge=\n", -EINVAL, "is empty");
        expect_bad("a ansible_host='{{ ip }}'\n", -EINVAL, "templates are not evaluated");
}

static void test_what_is_no_inventory(void **state _unused_)
{
        expect_bad("", -EINVAL, "names no host");
        expect_bad("# nothing\n[g]\n", -EINVAL, "names no host");
        expect_bad("---\nall:\n", -EINVAL, "hosts:1: this looks like YAML");
        expect_bad("all:\n  hosts:\n", -EINVAL, "looks like YAML");
        expect_bad("{ \"all\": {} }\n", -EINVAL, "YAML or JSON");
        expect_bad("#!/bin/sh\necho\n", -EINVAL, "this is a program");
        expect_bad("x\ny\nz w\n", -EINVAL, "hosts:3: \"w\" is no variable");
        expect_bad("x =1\n", -EINVAL, "is no variable");
        expect_bad("[g\nx\n", -EINVAL, "hosts:1: \"[g\" is no section");
        expect_bad("[g]x\n", -EINVAL, "is no section");
        expect_bad("[]\nx\n", -EINVAL, "cannot be the name of a group");
        expect_bad("[g:kids]\nx\n", -EINVAL, "children or vars");
        expect_bad("[g:vars:x]\n", -EINVAL, "cannot be the name of a group");
        expect_bad("[g:vars]\nx\n", -EINVAL, "in [g:vars] NAME=VALUE");
        expect_bad("x\n[g:vars]\na=1\n", -EINVAL, "hosts:2: there is no group \"g\"");
        expect_bad("x\n[g:children]\nh\n", -EINVAL, "hosts:3: there is no group \"h\"");
        expect_bad("x\n[g:children]\nh i\n[h]\n", -EINVAL, "one group a line");
        expect_bad("x\n[g:children]\nh=1\n[h]\n", -EINVAL, "one group a line");
        expect_bad("x\n[g:children]\nall\n", -EINVAL, "all is in no other group");

        Inventory *i = NULL;
        Err err = { 0 };
        assert_int_equal(inventory_parse("x\n\0y", 4, "hosts", &i, &err), -EINVAL);
        assert_non_null(strstr(err.text, "hosts:2: a NUL byte"));
}

static void test_cycles(void **state _unused_)
{
        expect_bad("x\n[a:children]\na\n", -EINVAL, "\"a\" is among its own children");
        expect_bad("x\n[a:children]\nb\n[b:children]\nc\n[c:children]\na\n", -EINVAL,
                   "among its own children");
        expect_bad("x\n[a:children]\nb\n[b:children]\nc\n[c:children]\nb\n", -EINVAL,
                   "among its own children");
}

static void test_limits(void **state _unused_)
{
        /* One line too long, one group too many, one level too deep, one byte too many. */
        char *text = malloc(INVENTORY_MAX + 64);
        Inventory *i = NULL;
        Err err = { 0 };
        assert_non_null(text);
        memset(text, 'x', INVENTORY_LINE_MAX + 1);
        text[INVENTORY_LINE_MAX + 1] = '\0';
        expect_bad(text, -E2BIG, "hosts:1: a line of 8193 bytes");

        size_t n = 0;
        for (int g = 0; g < INVENTORY_GROUPS_MAX; g++)
                n += (size_t) sprintf(text + n, "[g%d]\n", g);
        expect_bad(text, -E2BIG, "more than 1000 groups");

        n = (size_t) sprintf(text, "x\n[g0]\n");
        for (int g = 1; g <= INVENTORY_DEPTH_MAX; g++)
                n += (size_t) sprintf(text + n, "[g%d:children]\ng%d\n", g, g - 1);
        expect_bad(text, -E2BIG, "nested deeper than 32 levels");

        memset(text, '\n', INVENTORY_MAX + 1);
        assert_int_equal(inventory_parse(text, INVENTORY_MAX + 1, "hosts", &i, &err), -E2BIG);

        n = (size_t) sprintf(text, "h[1:5000]\n");
        i = parse(text);
        assert_int_equal(i->n_hosts, 5000);
        (void) inventory_free(i);
        (void) sprintf(text + n, "onemore\n");
        expect_bad(text, -E2BIG, "hosts:2: more than 5000 hosts");
        free(text);
}

/* Groups within groups in all ways that are allowed: the longest way down counts, and time stays bounded. */
static void test_many_ways_down(void **state _unused_)
{
        char *text = malloc(1 << 20);
        size_t n = 0;
        assert_non_null(text);
        for (int level = 0; level < 25; level++)
                for (int g = 0; g < 30; g++) {
                        n += (size_t) sprintf(text + n, "[l%dg%d:children]\n", level, g);
                        for (int k = 0; k < 30; k++)
                                n += (size_t) sprintf(text + n, "l%dg%d\n", level + 1, k);
                }
        for (int g = 0; g < 30; g++)
                n += (size_t) sprintf(text + n, "[l25g%d]\nh%d\n", g, g);
        Inventory *i = parse(text);
        assert_int_equal(i->n_hosts, 30);
        size_t groups = 0;
        while (i->hosts[0].groups[groups])
                groups++;
        assert_int_equal(groups, 25 * 30 + 1);
        (void) inventory_free(i);
        free(text);
}

static void test_what_is_not_used_is_told(void **state _unused_)
{
        Inventory *i = parse("x ansible_ssh_executable=/k ansible_password=secret\n"
                             "y ansible_connection=docker\n[all:vars]\nansible_ssh_common_args='-J b'\n");
        assert_int_equal(i->n_notes, 4);
        for (size_t k = 0; k < i->n_notes; k++)
                assert_null(strstr(i->notes[k], "secret"));
        (void) inventory_free(i);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hosts_and_groups),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_who_wins),
                cmocka_unit_test(test_children_before_they_exist),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_ports_behind_names),
                cmocka_unit_test(test_nothing_for_a_shell),
                cmocka_unit_test(test_what_is_no_inventory),
                cmocka_unit_test(test_cycles),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_many_ways_down),
                cmocka_unit_test(test_what_is_not_used_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
