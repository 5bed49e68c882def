/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A bounded flood of SYN from invented addresses, for the lab's own network namespaces and nothing else.
 *
 *   flood TO PORT NET COUNT PER_SECOND
 *
 * COUNT SYN to the IPv4 address TO, from 10.66.0.0/16-like random addresses: NET gives the first two bytes
 * ("10.66"). At most PER_SECOND; at most 200,000 in all. Refuses to run in the network namespace of the
 * machine's first process.
 */

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define COUNT_MAX 200000ul

typedef struct Packet {
        struct iphdr ip;
        struct tcphdr tcp;
} __attribute__((packed)) Packet;

static uint16_t folded(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t) ~sum;
}

static uint32_t sum_of(const void *data, size_t bytes)
{
        uint32_t sum = 0;
        uint16_t word;

        for (size_t i = 0; i + 1 < bytes; i += 2) {
                memcpy(&word, (const char *) data + i, sizeof(word));
                sum += word;
        }
        return sum;
}

static void fill(Packet *p, uint32_t from, const struct sockaddr_in *to, uint16_t port)
{
        memset(p, 0, sizeof(*p));
        p->ip.version = 4;
        p->ip.ihl = 5;
        p->ip.tot_len = htons(sizeof(*p));
        p->ip.ttl = 64;
        p->ip.protocol = IPPROTO_TCP;
        p->ip.saddr = from;
        p->ip.daddr = to->sin_addr.s_addr;
        p->tcp.source = htons((uint16_t) (1024 + random() % 60000));
        p->tcp.dest = htons(port);
        p->tcp.seq = (uint32_t) random();
        p->tcp.doff = 5;
        p->tcp.syn = 1;
        p->tcp.window = htons(64000);
        const uint16_t pseudo[2] = { htons(IPPROTO_TCP), htons(sizeof(p->tcp)) };
        p->tcp.check = folded(sum_of(&p->ip.saddr, 8) + sum_of(pseudo, sizeof(pseudo)) +
                              sum_of(&p->tcp, sizeof(p->tcp)));
}

int main(int argc, char **argv)
{
        struct sockaddr_in to = { .sin_family = AF_INET };
        struct in_addr net;
        struct stat own, first;
        char base[32];

        if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
            snprintf(base, sizeof(base), "%s.0.0", argv[3]) >= (int) sizeof(base) ||
            inet_pton(AF_INET, base, &net) != 1) {
                fprintf(stderr, "flood TO PORT NET COUNT PER_SECOND\n");
                return 2;
        }
        if (stat("/proc/self/ns/net", &own) < 0 || stat("/proc/1/ns/net", &first) < 0 ||
            own.st_ino == first.st_ino) {
                fprintf(stderr, "flood: only in a network namespace of a test\n");
                return 2;
        }
        const uint16_t port = (uint16_t) strtoul(argv[2], NULL, 10);
        unsigned long count = strtoul(argv[4], NULL, 10), rate = strtoul(argv[5], NULL, 10), sent = 0;
        const struct itimerspec period = { { 0, 10000000 }, { 0, 10000000 } };
        int one = 1, fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        if (count > COUNT_MAX)
                count = COUNT_MAX;
        if (fd < 0 || timer < 0 || setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof(one)) < 0 ||
            timerfd_settime(timer, 0, &period, NULL) < 0) {
                perror("flood");
                return 1;
        }
        for (uint64_t ticks; sent < count && read(timer, &ticks, sizeof(ticks)) == sizeof(ticks);)
                for (unsigned long i = 0; i < rate / 100 + 1 && sent < count; i++, sent++) {
                        Packet p;
                        fill(&p, net.s_addr | htonl((uint32_t) random() & 0xffff), &to, port);
                        if (sendto(fd, &p, sizeof(p), 0, (struct sockaddr *) &to, sizeof(to)) < 0) {
                                perror("flood: sendto");
                                return 1;
                        }
                }
        printf("%lu\n", sent);
        return 0;
}
