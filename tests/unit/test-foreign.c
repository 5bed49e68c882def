/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules of others, as kernels and tools really write them: data/foreign-rules.txt. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "drain/foreign.h"

#define DATA "tests/unit/data/foreign-rules.txt"
#define PORT 15999

typedef union Message {
        struct nlmsghdr header;
        uint8_t bytes[2048];
} Message;

static size_t from_hex(const char *text, Message *ret)
{
        size_t n = 0;

        for (; isxdigit((unsigned char) text[0]) && isxdigit((unsigned char) text[1]); text += 2) {
                const char two[] = { text[0], text[1], '\0' };
                assert_true(n < sizeof(ret->bytes));
                ret->bytes[n++] = (uint8_t) strtoul(two, NULL, 16);
        }
        return n;
}

/* As the data file has it; handles differ from capture to capture and are N there. */
static void describe(const Message *m, char *buf, size_t size)
{
        ForeignRule r;
        char command[256], *handle;

        if (!foreign_parse(&m->header, PORT, &r)) {
                (void) snprintf(buf, size, "no");
                return;
        }
        (void) foreign_command(&r, PORT, command, sizeof(command));
        handle = strstr(command, "handle ");
        if (handle) {
                assert_true(strtoull(handle + strlen("handle "), NULL, 10) == r.handle);
                strcpy(handle + strlen("handle "), "N");
        }
        (void) snprintf(buf, size, "%s %s %s %s%s%s%s%s%s%s; %s",
                        r.family == 2    ? "ip"
                        : r.family == 10 ? "ip6"
                                         : "inet",
                        r.table, r.chain, r.drop ? "drop" : "reject", *r.iif ? " on " : "", r.iif,
                        *r.set ? r.not_in_set ? " not set " : " set " : "", r.set, r.plain ? ", plain" : "",
                        r.conditions ? ", conditions" : "", command);
}

static void each_captured_rule_is_read(void **state)
{
        _cleanup_(fclosep) FILE *f = fopen(DATA, "re");
        _cleanup_(freep) char *line = NULL;
        size_t size = 0, n = 0;

        (void) state;
        assert_non_null(f);
        while (getline(&line, &size, f) > 0) {
                Message m;
                char seen[512], *tab = strchr(line, '\t');
                if (*line == '#')
                        continue;
                assert_non_null(tab);
                *tab = '\0';
                const size_t bytes = from_hex(tab + 1, &m);
                assert_int_equal(bytes, m.header.nlmsg_len);
                describe(&m, seen, sizeof(seen));
                assert_string_equal(seen, line);
                n++;
        }
        assert_true(n > 30);
}

/* Cut off anywhere, and with any byte changed: something or nothing is read, and nothing breaks. */
static void broken_rules_do_no_harm(void **state)
{
        _cleanup_(fclosep) FILE *f = fopen(DATA, "re");
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        (void) state;
        assert_non_null(f);
        while (getline(&line, &size, f) > 0) {
                Message m, broken;
                ForeignRule r;
                const char *tab = strchr(line, '\t');
                size_t n = tab ? from_hex(tab + 1, &m) : 0;
                for (size_t i = sizeof(m.header) + 4; i < n; i++) {
                        broken = m;
                        broken.header.nlmsg_len = (uint32_t) i;
                        (void) foreign_parse(&broken.header, PORT, &r);
                        broken = m;
                        broken.bytes[i] ^= 0xff;
                        (void) foreign_parse(&broken.header, PORT, &r);
                        broken.bytes[i] = 0;
                        (void) foreign_parse(&broken.header, PORT, &r);
                }
        }
}

static void a_rule_is_named_as_a_person_knows_it(void **state)
{
        char buf[256];
        ForeignRule r = { .family = 2,
                          .table = "filter",
                          .chain = "INPUT",
                          .handle = 4,
                          .iif = "eth0",
                          .has_packets = true,
                          .packets = 12,
                          .alone = true,
                          .plain = true,
                          .iptables = true };

        (void) state;
        assert_string_equal(foreign_text(&r, buf, sizeof(buf)),
                            "ip filter INPUT handle 4 (reject, on eth0; 12 packets)");
        assert_string_equal(foreign_command(&r, PORT, buf, sizeof(buf)),
                            "iptables -D INPUT -i eth0 -p tcp --dport 15999 -j REJECT");
        /* What a shell would take apart is not put into a command. */
        strcpy(r.chain, "$(reboot)");
        assert_string_equal(foreign_command(&r, PORT, buf, sizeof(buf)), "nft -a list ruleset");
        strcpy(r.chain, "-F");
        assert_string_equal(foreign_command(&r, PORT, buf, sizeof(buf)), "nft -a list ruleset");
        /* The kernel takes any bytes for a name. */
        strcpy(r.chain, "IN\x1b[2J\xc3\xa4");
        assert_string_equal(foreign_text(&r, buf, sizeof(buf)),
                            "ip filter IN?[2J?? handle 4 (reject, on eth0; 12 packets)");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_captured_rule_is_read),
                cmocka_unit_test(broken_rules_do_no_harm),
                cmocka_unit_test(a_rule_is_named_as_a_person_knows_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
