/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/foreign.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "drain/block.h"
#include "drain/nft-attr.h"
#include "drain/nft-parse.h"
#include "drain/nft.h"

#define RULES_MAX  64   /* rules that name the port; more say nothing more */
#define CHAINS_MAX 4096 /* base chains remembered */

/* A chain that packets reach by themselves. */
typedef struct Base {
        int family;
        char table[FOREIGN_NAME_SIZE], chain[FOREIGN_NAME_SIZE];
        bool incoming; /* they come from outside */
} Base;

typedef struct Finding {
        uint16_t port;
        Base *bases;
        size_t n_bases;
        ForeignRule *rules;
        size_t n_rules;
} Finding;

static void nft_closep(Nft *n)
{
        nft_close(n);
}

static void chains_again(void *userdata)
{
        ((Finding *) userdata)->n_bases = 0;
}

static void chains_reply(const struct nlmsghdr *nlh, void *userdata)
{
        const struct nlattr *a[NFT_ATTRS], *hook[NFT_ATTRS];
        const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
        Finding *f = userdata;
        uint32_t number;

        if (f->n_bases == CHAINS_MAX || !nft_attrs_of_msg(nlh, NFT_MSG_NEWCHAIN, a) ||
            !nft_attrs_of_nest(a[NFTA_CHAIN_HOOK], hook) || !nft_attr_u32(hook[NFTA_HOOK_HOOKNUM], &number))
                return;
        const char *table = nft_attr_text(a[NFTA_CHAIN_TABLE]), *chain = nft_attr_text(a[NFTA_CHAIN_NAME]);
        if (!table || !chain)
                return;
        Base *b = &f->bases[f->n_bases++];
        *b = (Base){ .family = head->nfgen_family,
                     .incoming = number == NF_INET_LOCAL_IN || number == NF_INET_PRE_ROUTING };
        (void) snprintf(b->table, sizeof(b->table), "%.63s", table);
        (void) snprintf(b->chain, sizeof(b->chain), "%.63s", chain);
}

/* Can a packet from outside come by? Chains that are jumped to: if their table has an incoming one. */
static bool reached(const Finding *f, const ForeignRule *rule)
{
        bool table = false;

        for (size_t i = 0; i < f->n_bases; i++) {
                const Base *b = &f->bases[i];
                if (b->family != rule->family || strcmp(b->table, rule->table) != 0)
                        continue;
                if (strcmp(b->chain, rule->chain) == 0)
                        return b->incoming;
                table = table || b->incoming;
        }
        return table;
}

static void rules_again(void *userdata)
{
        ((Finding *) userdata)->n_rules = 0;
}

static bool is_ours(const ForeignRule *rule)
{
        return rule->family == NFPROTO_INET && strncmp(rule->table, BLOCK_TABLE, strlen(BLOCK_TABLE)) == 0;
}

static void rules_reply(const struct nlmsghdr *nlh, void *userdata)
{
        Finding *f = userdata;
        ForeignRule rule;

        if (f->n_rules < RULES_MAX && foreign_parse(nlh, f->port, &rule) && !is_ours(&rule) &&
            reached(f, &rule))
                f->rules[f->n_rules++] = rule;
}

static int dump(Nft *nft, uint16_t type, NftOnReply on_reply, NftOnAgain on_again, Finding *f, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        bool found;
        int r = nft_prepare(nft, &m, err);

        if (r < 0)
                return r;
        r = nft_msg_get_all(m, type, err);
        return r < 0 ? r : nft_dump(nft, m, on_reply, on_again, f, &found, err);
}

/* The members of a set of ports. A set of intervals has an element where each begins and one behind its end.
 */
typedef struct Members {
        uint16_t port;
        bool exact;     /* the port itself is there */
        bool intervals; /* there are ends */
        uint32_t below; /* the highest border that is not above the port */
        bool inside;    /* ... is a beginning */
} Members;

static void members_again(void *userdata)
{
        Members *m = userdata;

        *m = (Members){ .port = m->port };
}

static void members_element(const NftElement *element, void *userdata)
{
        Members *m = userdata;
        uint16_t port_be;

        if (element->key_bytes != sizeof(port_be))
                return;
        memcpy(&port_be, element->key, sizeof(port_be));
        const uint32_t border = ntohs(port_be);
        m->intervals = m->intervals || element->interval_end;
        m->exact = m->exact || (border == m->port && !element->interval_end);
        /* Where one ends and the next begins, both have the same border: the beginning counts. */
        if (border > m->port || border < m->below || (border == m->below && m->inside))
                return;
        m->below = border;
        m->inside = !element->interval_end;
}

static void members_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nft_parse_elements(nlh, members_element, userdata);
}

static int holds(Nft *nft, const ForeignRule *rule, uint16_t port, bool *ret, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        Members members = { .port = port };
        bool found;
        int r = nft_prepare(nft, &m, err);

        if (r < 0)
                return r;
        r = nft_msg_get_elements_of(m, (uint8_t) rule->family, rule->table, rule->set, err);
        if (r < 0)
                return r;
        r = nft_dump(nft, m, members_reply, members_again, &members, &found, err);
        if (r < 0)
                return r;
        *ret = (members.intervals ? members.inside : members.exact) != rule->not_in_set;
        return 0;
}

int foreign_find(uint16_t port, ForeignRule **ret, size_t *ret_n, Err *err)
{
        _cleanup_(nft_closep) Nft nft = { .fd = -1 };
        _cleanup_(freep) Base *bases = calloc(CHAINS_MAX, sizeof(*bases));
        _cleanup_(freep) ForeignRule *rules = calloc(RULES_MAX, sizeof(*rules));
        Finding f = { .port = port, .bases = bases, .rules = rules };
        size_t n = 0;
        int r;

        if (!bases || !rules)
                return err_errno(err, -ENOMEM, "cannot read the rules of the firewall");
        r = nft_open(&nft, -1, err);
        if (r < 0)
                return r;
        r = dump(&nft, NFT_MSG_GETCHAIN, chains_reply, chains_again, &f, err);
        if (r < 0)
                return r;
        r = dump(&nft, NFT_MSG_GETRULE, rules_reply, rules_again, &f, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < f.n_rules; i++) {
                bool in = true;
                if (*rules[i].set) {
                        r = holds(&nft, &rules[i], port, &in, err);
                        if (r < 0)
                                return r;
                }
                if (in)
                        rules[n++] = rules[i];
        }
        *ret = n > 0 ? TAKE_PTR(rules) : NULL;
        *ret_n = n;
        return 0;
}

bool foreign_same(const ForeignRule *a, const ForeignRule *b)
{
        return a->family == b->family && a->handle == b->handle && strcmp(a->table, b->table) == 0 &&
               strcmp(a->chain, b->chain) == 0;
}

static const char *family_name(int family)
{
        return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

const char *foreign_text(const ForeignRule *rule, char *buf, size_t size)
{
        char packets[32] = "";

        if (rule->has_packets)
                (void) snprintf(packets, sizeof(packets), "; %" PRIu64 " packets", rule->packets);
        (void) snprintf(buf, size, "%s %s %s handle %" PRIu64 " (%s%s%s%s%s)", family_name(rule->family),
                        rule->table, rule->chain, rule->handle, rule->drop ? "drop" : "reject",
                        *rule->iif ? ", on " : "", rule->iif, rule->conditions ? ", under conditions" : "",
                        packets);
        /* The kernel takes any bytes for a name. */
        for (char *p = buf; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return buf;
}

/* What a shell takes as it is. */
static bool clean(const char *name)
{
        return *name != '-' &&
               strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") ==
                       strlen(name);
}

const char *foreign_command(const ForeignRule *rule, uint16_t port, char *buf, size_t size)
{
        /* What iptables-nft keeps its rules in; nft can delete them, too, but a person knows them by the
         * other. */
        const bool iptables = rule->plain && rule->iptables && rule->family != NFPROTO_INET &&
                              strcmp(rule->table, "filter") == 0;

        if (!clean(rule->table) || !clean(rule->chain) || !clean(rule->iif))
                (void) snprintf(buf, size, "nft -a list ruleset");
        else if (iptables)
                (void) snprintf(buf, size, "%s -D %s%s%s -p tcp --dport %u -j %s%s",
                                rule->family == NFPROTO_IPV6 ? "ip6tables" : "iptables", rule->chain,
                                *rule->iif ? " -i " : "", rule->iif, port, rule->drop ? "DROP" : "REJECT",
                                rule->reset ? " --reject-with tcp-reset" : "");
        else
                (void) snprintf(buf, size, "nft delete rule %s %s %s handle %" PRIu64,
                                family_name(rule->family), rule->table, rule->chain, rule->handle);
        return buf;
}

bool foreign_legacy(void)
{
        static const char *const files[] = { "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names" };
        char line[64];

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_(fclosep) FILE *f = fopen(files[i], "re");
                while (f && fgets(line, sizeof(line), f))
                        if (strcmp(line, "filter\n") == 0)
                                return true;
        }
        return false;
}
