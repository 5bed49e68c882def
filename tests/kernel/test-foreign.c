/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules of others in a real kernel, made by the real tools and deleted by the commands that are named. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drain/block.h"
#include "drain/foreign.h"
#include "tests/lib/ns.h"

#define PORT 15999

static void must(const char *command)
{
        if (system(command) != 0)
                fail_msg("failed: %s", command);
}

static void need(const char *tool)
{
        char command[64];

        (void) snprintf(command, sizeof(command), "command -v %s >/dev/null", tool);
        if (system(command) != 0) {
                print_message("skipped: %s is not installed\n", tool);
                skip();
        }
}

static size_t find(ForeignRule **ret)
{
        size_t n = 0;
        Err err = { 0 };

        if (foreign_find(PORT, ret, &n, &err) < 0)
                fail_msg("%s", err.text);
        return n;
}

static int tear_down(void **state)
{
        (void) state;
        return system("nft flush ruleset") == 0 ? 0 : -1;
}

/* Made by @command, found, and gone with what is said to delete it. */
static void found_and_deleted(const char *command, const char *deletes)
{
        _cleanup_(freep) ForeignRule *rules = NULL, *after = NULL;
        char text[256];

        must(command);
        if (find(&rules) != 1)
                fail_msg("not found: %s", command);
        (void) foreign_command(rules, PORT, text, sizeof(text));
        if (strncmp(text, deletes, strlen(deletes)) != 0)
                fail_msg("%s instead of %s", text, deletes);
        must(strcat(text, " 2>/dev/null"));
        if (find(&after) != 0)
                fail_msg("still there after %s: %s", text, command);
}

static void rules_of_iptables_are_named_with_what_deletes_them(void **state)
{
        need("iptables-nft");
        need("nft");
        (void) state;
        found_and_deleted("iptables-nft -A INPUT -i eth0 -p tcp --dport 15999 -j REJECT",
                          "iptables -D INPUT -i eth0 -p tcp --dport 15999 -j REJECT");
        found_and_deleted("iptables-nft -A INPUT -p tcp --dport 15999 -j DROP",
                          "iptables -D INPUT -p tcp --dport 15999 -j DROP");
        found_and_deleted("iptables-nft -A INPUT -p tcp --dport 15999 -j REJECT --reject-with tcp-reset",
                          "iptables -D INPUT -p tcp --dport 15999 -j REJECT --reject-with tcp-reset");
        found_and_deleted("ip6tables-nft -A INPUT -p tcp --dport 15999 -j REJECT",
                          "ip6tables -D INPUT -p tcp --dport 15999 -j REJECT");
        found_and_deleted("iptables-nft -A INPUT -p tcp -m multiport --dports 80,15999 -j DROP",
                          "nft delete rule ip filter INPUT handle ");
        found_and_deleted("iptables-nft -N sub; iptables-nft -A INPUT -j sub; "
                          "iptables-nft -A sub -s 10.0.0.5 -p tcp --dport 15000:16000 -j DROP",
                          "nft delete rule ip filter sub handle ");
}

static void rules_of_nft_are_named_with_what_deletes_them(void **state)
{
        static const char *const rules[] = {
                "tcp dport 15999 reject",       "tcp dport 15999 counter drop",
                "tcp dport { 80, 15999 } drop", "tcp dport { 80, 15000-16000 } drop",
                "tcp dport 15000-16000 drop",   "tcp dport @ports drop",
                "tcp dport != @others drop",    "ip saddr 10.0.0.5 tcp dport 15999 reject",
        };
        char command[256];

        need("nft");
        (void) state;
        must("nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'; "
             "nft 'add set inet t ports { type inet_service; elements = { 15999 }; }'; "
             "nft 'add set inet t others { type inet_service; flags interval; elements = { 16000-17000 }; }'");
        for (size_t i = 0; i < ELEMENTS(rules); i++) {
                (void) snprintf(command, sizeof(command), "nft 'add rule inet t in %s'", rules[i]);
                found_and_deleted(command, "nft delete rule inet t in handle ");
        }
}

static void what_refuses_others_or_nobody_is_not_named(void **state)
{
        _cleanup_(freep) ForeignRule *rules = NULL;
        _cleanup_(block_freep) Block *b = NULL;
        const BlockPlan plan = { .whole_ports = { PORT }, .n_whole = 1 };
        Err err = { 0 };

        need("nft");
        (void) state;
        must("nft -f - <<'RULES'\n"
             "table inet t {\n"
             "  set s { type inet_service; flags interval; elements = { 80, 16000-17000, 15000-15998 }; }\n"
             "  chain in { type filter hook input priority 0; policy drop;\n"
             "    tcp dport @s drop\n"
             "    tcp dport { 9001, 16000-17000 } drop\n"
             "    tcp dport 15999 accept\n"
             "    udp dport 15999 drop\n"
             "    drop\n"
             "  }\n"
             "}\n"
             "table ip f { chain out { type filter hook output priority 0; tcp dport 15999 drop; }\n"
             "  chain sub { tcp dport 15999 drop; }\n"
             "}\n"
             "RULES\n");
        if (block_new(&b, -1, BLOCK_OWNER_NONE, &err) < 0 || block_install(b, &plan, &err) < 0 ||
            block_close(b, 30 * USEC_PER_SEC, &err) < 0 || block_hold_put(&plan, 1, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(find(&rules), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(rules_of_iptables_are_named_with_what_deletes_them, tear_down),
                cmocka_unit_test_teardown(rules_of_nft_are_named_with_what_deletes_them, tear_down),
                cmocka_unit_test_teardown(what_refuses_others_or_nobody_is_not_named, tear_down),
        };
        const char *why = ns_enter();

        if (why) {
                (void) printf("skipped: %s\n", why);
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
