/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "drain/nft-parse.h"

/* The kernel's largest dump message (NLMSG_GOODSIZE and max_recvmsg_len in net/netlink/af_netlink.c). */
#define ANSWER_BYTES 32768
#define ANSWER_USEC  (5 * USEC_PER_SEC)
#define TRIES        8
#define STALE_MAX    4096 /* messages that a former user may have left unread */

_Static_assert(BLOCK_PORTS_MAX <= 64, "NftPorts.seen has a bit for each port");

static int fd_check(int fd, Err *err)
{
        int domain = 0, protocol = 0;
        socklen_t n = sizeof(domain), m = sizeof(protocol);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &m) < 0)
                return err_errno(err, -errno, "descriptor %d cannot be used for the firewall", fd);
        if (domain != AF_NETLINK || protocol != NETLINK_NETFILTER)
                return err_set(err, -EINVAL, "descriptor %d is not a socket to the firewall", fd);
        return 0;
}

static int fd_new(Err *err)
{
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

        if (fd < 0 && errno == EPROTONOSUPPORT)
                return err_set(err, -EPROTONOSUPPORT,
                               "this kernel has no netfilter netlink; load the module nfnetlink");
        if (fd < 0)
                return err_errno(err, -errno, "cannot open a socket to the firewall");
        return fd;
}

/* The socket's netlink address, which it is given by binding. @ret: written only on success. */
static int fd_port(int fd, uint32_t *ret, Err *err)
{
        struct sockaddr_nl self = { .nl_family = AF_NETLINK };
        socklen_t size = sizeof(self);

        if (getsockname(fd, (struct sockaddr *) &self, &size) < 0)
                return err_errno(err, -errno, "cannot learn the address of the socket to the firewall");
        if (self.nl_pid == 0) {
                if (bind(fd, (const struct sockaddr *) &self, sizeof(self)) < 0 ||
                    getsockname(fd, (struct sockaddr *) &self, &size) < 0)
                        return err_errno(err, -errno, "cannot bind a socket to the firewall");
        }
        *ret = self.nl_pid;
        return 0;
}

static void ignore_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nlh;
        (void) userdata;
}

static void ignore_again(void *userdata)
{
        (void) userdata;
}

/* May we, and is there an nf_tables? */
static int ask_generation(Nft *n, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(n, &m, err);

        if (r < 0)
                return r;
        r = nft_msg_get_generation(m, err);
        if (r < 0)
                return r;
        r = nft_get(n, m, ignore_reply, ignore_again, NULL, err);
        if (r == -EPERM)
                return err_set(err, r, "no permission to change the firewall (CAP_NET_ADMIN is needed)");
        /* What nfnetlink answers for a subsystem it does not have (nfnetlink_rcv_msg()). */
        if (r == -EINVAL || r == -EOPNOTSUPP)
                return err_set(err, -EPROTONOSUPPORT,
                               "this kernel has no nf_tables; load the module nf_tables");
        return r;
}

int nft_open(Nft *ret, int fd, Err *err)
{
        _cleanup_(closep) int own = fd;
        const int on = 1;
        int r;

        if (own >= 0)
                r = fd_check(own, err);
        else
                r = own = fd_new(err);
        if (r < 0)
                return r;

        /* Reasons in words and attribute offsets in errors; both options are older than any kernel we know.
         */
        (void) setsockopt(own, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
        (void) setsockopt(own, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));

        /*
         * From the clock, which runs faster than we use numbers: a process that takes over a socket starts
         * behind everything its forerunner has sent.
         */
        Nft n = { .fd = own, .seq = (uint32_t) time_now() };
        r = fd_port(own, &n.port_id, err);
        if (r < 0)
                return r;
        r = ask_generation(&n, err);
        if (r < 0)
                return r;
        (void) TAKE_FD(own);
        *ret = n;
        return 0;
}

void nft_close(Nft *n)
{
        closep(&n->fd);
        n->fd = -1;
}

int nft_prepare(Nft *n, NftMsg **ret, Err *err)
{
        return nft_msg_new(ret, n->seq, err);
}

/* A conversation: what is still expected, and what has come. */

typedef enum TalkKind {
        TALK_BATCH, /* an acknowledgement for each message that asks for one */
        TALK_GET,   /* an answer for each message */
        TALK_DUMP,  /* answers until NLMSG_DONE */
} TalkKind;

typedef struct Talk {
        TalkKind kind;
        const NftMsg *m;
        NftOnReply on_reply;
        void *userdata;

        bool done;
        uint32_t answers; /* distinct messages answered */
        uint32_t next;    /* index from which an answer is not a repetition */
        bool interrupted;
        bool missing;       /* ENOENT to a dump */
        NftFailure failure; /* the first one */
        char reason[256];   /* the kernel's own words */
} Talk;

/* Ready to talk: what lies unread in the socket is somebody else's. */
static void drop_stale(const Nft *n)
{
        uint8_t byte;

        for (int i = 0; i < STALE_MAX; i++)
                if (recv(n->fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno != EINTR && errno != ENOBUFS)
                        return;
}

static int send_all(const Nft *n, const NftMsg *m, Err *err)
{
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        size_t bytes;
        const void *p = nft_msg_bytes(m, &bytes);
        ssize_t sent;

        do
                sent = sendto(n->fd, p, bytes, 0, (const struct sockaddr *) &kernel, sizeof(kernel));
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
                return err_errno(err, -errno, "cannot send to the firewall");
        if ((size_t) sent != bytes)
                return err_set(err, -EIO, "the firewall took %zd of %zu bytes", sent, bytes);
        return 0;
}

/*
 * Receive once, with a limit in time.
 * Return: bytes; 0 for a message that is not the kernel's; -ENOBUFS (answers were lost); other negative
 * errno.
 */
static ssize_t receive(const Nft *n, uint8_t *buf, Usec deadline, Err *err)
{
        for (;;) {
                struct sockaddr_nl from = { .nl_family = AF_NETLINK };
                struct iovec iov = { .iov_base = buf, .iov_len = ANSWER_BYTES };
                struct msghdr msg = {
                        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
                };
                ssize_t k = recvmsg(n->fd, &msg, MSG_DONTWAIT);

                if (k >= 0 && (msg.msg_flags & MSG_TRUNC))
                        return err_set(err, -EMSGSIZE, "the firewall's answer is larger than %d bytes",
                                       ANSWER_BYTES);
                if (k >= 0)
                        return from.nl_pid == 0 ? k : 0;
                if (errno == EINTR)
                        continue;
                if (errno == ENOBUFS)
                        return err_set(err, -ENOBUFS, "answers of the firewall were lost");
                if (errno != EAGAIN)
                        return err_errno(err, -errno, "cannot receive from the firewall");

                Usec left = time_left(deadline, time_now());
                struct pollfd p = { .fd = n->fd, .events = POLLIN };
                if (left == 0)
                        return err_set(err, -ETIMEDOUT, "the firewall did not answer");
                (void) poll(&p, 1, (int) (left / USEC_PER_MSEC) + 1);
        }
}

/* The words of an extended acknowledgement. Source: linux/netlink.h, enum nlmsgerr_attrs. */
static int take_words(const struct nlattr *a, void *userdata)
{
        Talk *t = userdata;
        size_t used = strlen(t->reason);
        char *end = t->reason + used;

        if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
                (void) snprintf(end, sizeof(t->reason) - used, ", \"%.150s\"", mnl_attr_get_str(a));
        else if (mnl_attr_get_type(a) == NLMSGERR_ATTR_OFFS && mnl_attr_validate(a, MNL_TYPE_U32) == 0)
                (void) snprintf(end, sizeof(t->reason) - used, ", at byte %u", mnl_attr_get_u32(a));
        return MNL_CB_OK;
}

static void take_reason(Talk *t, const struct nlmsghdr *nlh)
{
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
        size_t skip = sizeof(*e);

        if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
                return;
        /* The refused message stands before the words unless the socket asked for it to be left out. */
        if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
                if (e->msg.nlmsg_len < sizeof(e->msg) || e->msg.nlmsg_len > nlh->nlmsg_len)
                        return;
                skip += MNL_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
        }
        if (skip <= mnl_nlmsg_get_payload_len(nlh))
                (void) mnl_attr_parse(nlh, (unsigned int) skip, take_words, t);
}

static void take_failure(Talk *t, uint32_t index, int error)
{
        if (t->failure.error == 0)
                t->failure = (NftFailure){ .index = index, .error = error };
}

/* Answer number @index has come. */
static void take_answer(Talk *t, uint32_t index)
{
        uint32_t expected = t->kind == TALK_BATCH ? nft_msg_acks(t->m) : nft_msg_count(t->m);

        /* They come in the order of the messages, so one that goes back is a repetition. */
        if (index < t->next)
                return;
        t->next = index + 1;
        if (++t->answers == expected)
                t->done = true;
}

static void on_error(Talk *t, const struct nlmsghdr *nlh, uint32_t index)
{
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

        if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
                return;
        if (e->error != 0 && !(t->kind != TALK_BATCH && e->error == -ENOENT)) {
                if (t->failure.error == 0)
                        take_reason(t, nlh);
                take_failure(t, index, e->error);
        }
        switch (t->kind) {
        case TALK_BATCH:
                if (index == 0)
                        t->done = true; /* the batch as a whole: nothing else will come */
                else
                        take_answer(t, index);
                break;
        case TALK_GET:
                take_answer(t, index);
                break;
        case TALK_DUMP:
                t->missing = e->error == -ENOENT;
                t->done = true;
                break;
        }
}

static void on_message(Talk *t, const struct nlmsghdr *nlh, uint32_t index)
{
        if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
                t->interrupted = true;
        if (nlh->nlmsg_type == NLMSG_ERROR)
                on_error(t, nlh, index);
        else if (nlh->nlmsg_type == NLMSG_DONE && t->kind == TALK_DUMP) {
                int error = 0;
                if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
                        memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
                t->missing = error == -ENOENT;
                if (error < 0 && !t->missing)
                        take_failure(t, index, error);
                t->done = true;
        } else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && t->kind != TALK_BATCH) {
                t->on_reply(nlh, t->userdata);
                if (t->kind == TALK_GET)
                        take_answer(t, index);
        }
}

/*
 * One conversation. Return: 0 when it came to its end (the failure, if any, is in @t); -ENOBUFS (answers were
 * lost, what was done is unknown); other negative errno.
 */
static int talk(Nft *n, Talk *t, Err *err)
{
        uint8_t buf[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
        const uint32_t first = nft_msg_first(t->m), count = nft_msg_count(t->m);
        const Usec deadline = time_add(time_now(), ANSWER_USEC);
        int r;

        n->seq = first + count;
        drop_stale(n);
        r = send_all(n, t->m, err);
        if (r < 0)
                return r;
        while (!t->done) {
                ssize_t k = receive(n, buf, deadline, err);
                if (k < 0)
                        return (int) k;
                /* Not reached unless somebody talks to our port all the time. */
                if (k == 0 && time_left(deadline, time_now()) == 0)
                        return err_set(err, -ETIMEDOUT, "the firewall did not answer");

                const void *pos = buf;
                size_t left = (size_t) k;
                for (const struct nlmsghdr *nlh; (nlh = nft_parse_next(&pos, &left));) {
                        uint32_t index = nlh->nlmsg_seq - first;
                        if (index < count && nlh->nlmsg_pid == n->port_id && !t->done)
                                on_message(t, nlh, index);
                }
        }
        return 0;
}

static int refused(const Talk *t, Err *err)
{
        return err_errno(err, t->failure.error, "the kernel refused %s%s",
                         nft_msg_label(t->m, t->failure.index), t->reason);
}

int nft_batch(Nft *n, NftMsg *m, NftFailure *ret_failure, Err *err)
{
        int r = 0;

        for (int try = 0; try < TRIES; try++) {
                Talk t = { .kind = TALK_BATCH, .m = m };

                r = talk(n, &t, err);
                if (r == -ENOBUFS)
                        continue;
                if (r < 0)
                        return r;
                if (t.failure.error == 0)
                        return 0;
                if (ret_failure)
                        *ret_failure = t.failure;
                return refused(&t, err);
        }
        return r;
}

int nft_get(Nft *n, NftMsg *m, NftOnReply on_reply, NftOnAgain on_again, void *userdata, Err *err)
{
        int r = 0;

        for (int try = 0; try < TRIES; try++) {
                Talk t = { .kind = TALK_GET, .m = m, .on_reply = on_reply, .userdata = userdata };

                r = talk(n, &t, err);
                if (r == -ENOBUFS) {
                        on_again(userdata);
                        continue;
                }
                if (r < 0)
                        return r;
                return t.failure.error == 0 ? 0 : refused(&t, err);
        }
        return r;
}

int nft_dump(Nft *n, NftMsg *m, NftOnReply on_reply, NftOnAgain on_again, void *userdata, bool *ret_found,
             Err *err)
{
        for (int try = 0; try < TRIES; try++) {
                Talk t = { .kind = TALK_DUMP, .m = m, .on_reply = on_reply, .userdata = userdata };
                int r = talk(n, &t, err);

                if (r < 0 && r != -ENOBUFS)
                        return r;
                if (r == -ENOBUFS || t.interrupted) {
                        on_again(userdata);
                        continue;
                }
                if (t.failure.error != 0)
                        return refused(&t, err);
                *ret_found = !t.missing;
                return 0;
        }
        return err_set(err, -EAGAIN, "the firewall changed each time it was read");
}

/* Reading a table. */

typedef struct TableReading {
        const NftTableShape *table;
        NftTable found;
        size_t chains; /* with the expected number of references */
        size_t counters;
} TableReading;

static void table_again(void *userdata)
{
        TableReading *reading = userdata;

        *reading = (TableReading){ .table = reading->table };
}

static void table_reply(const struct nlmsghdr *nlh, void *userdata)
{
        TableReading *reading = userdata;
        const NftTableShape *table = reading->table;
        const char *name;
        uint32_t use;
        uint64_t packets;

        if (nft_parse_table(nlh, &reading->found.flags, &reading->found.owner))
                reading->found.exists = true;
        else if (nft_parse_chain(nlh, &name, &use)) {
                for (size_t i = 0; i < table->n_chains; i++)
                        if (strcmp(name, table->chains[i].name) == 0 && use == table->chains[i].use)
                                reading->chains++;
        } else if (nft_parse_counter(nlh, &name, &packets)) {
                for (size_t i = 0; i < table->n_counters; i++)
                        if (strcmp(name, table->counters[i]) == 0) {
                                reading->found.packets[i] = packets;
                                reading->counters++;
                        }
        }
}

int nft_read_table(Nft *n, const NftTableShape *table, NftTable *ret, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        TableReading reading = { .table = table };
        int r = nft_prepare(n, &m, err);

        if (r < 0)
                return r;
        r = nft_msg_get_table(m, table, err);
        if (r < 0)
                return r;
        r = nft_get(n, m, table_reply, table_again, &reading, err);
        if (r < 0)
                return r;
        reading.found.intact = reading.found.exists && !(reading.found.flags & NFT_MSG_TABLE_DORMANT) &&
                               reading.chains == table->n_chains && reading.counters == table->n_counters;
        *ret = reading.found;
        return 0;
}

/* Reading a set of ports. */

static void ports_again(void *userdata)
{
        NftPorts *ports = userdata;

        ports->seen = 0;
        ports->expires_usec = USEC_INFINITY;
}

static void ports_element(const NftElement *element, void *userdata)
{
        NftPorts *ports = userdata;
        uint16_t port_be;

        if (element->key_bytes != sizeof(port_be) || element->expires_usec == 0)
                return;
        memcpy(&port_be, element->key, sizeof(port_be));
        for (size_t i = 0; i < ports->n_want; i++)
                if (ports->want[i] == ntohs(port_be)) {
                        ports->seen |= (uint64_t) 1 << i;
                        ports->expires_usec = MIN(ports->expires_usec, element->expires_usec);
                }
}

static void ports_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nft_parse_elements(nlh, ports_element, userdata);
}

int nft_read_ports(Nft *n, const char *table, const char *set, NftPorts *ports, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        bool found;
        int r;

        ports_again(ports);
        if (ports->n_want == 0)
                return 0;
        r = nft_prepare(n, &m, err);
        if (r < 0)
                return r;
        r = nft_msg_get_elements(m, table, set, err);
        if (r < 0)
                return r;
        return nft_dump(n, m, ports_reply, ports_again, ports, &found, err);
}

static void keys_again(void *userdata)
{
        NftKeys *keys = userdata;

        memset(keys->seen, 0, keys->n_want * sizeof(*keys->seen));
        keys->n_seen = 0;
        keys->expires_usec = USEC_INFINITY;
}

static void keys_element(const NftElement *element, void *userdata)
{
        NftKeys *keys = userdata;

        if (element->key_bytes != keys->key_bytes || element->expires_usec == 0)
                return;
        for (size_t i = 0; i < keys->n_want; i++) {
                if (memcmp(keys->want + i * keys->key_bytes, element->key, keys->key_bytes) != 0)
                        continue;
                keys->n_seen += !keys->seen[i];
                keys->seen[i] = true;
                keys->expires_usec = MIN(keys->expires_usec, element->expires_usec);
        }
}

static void keys_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nft_parse_elements(nlh, keys_element, userdata);
}

int nft_read_keys(Nft *n, const char *table, const char *set, NftKeys *keys, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        bool found;
        int r;

        keys_again(keys);
        if (keys->n_want == 0)
                return 0;
        r = nft_prepare(n, &m, err);
        if (r < 0)
                return r;
        r = nft_msg_get_elements(m, table, set, err);
        if (r < 0)
                return r;
        return nft_dump(n, m, keys_reply, keys_again, keys, &found, err);
}

bool nft_ports_all(const NftPorts *ports)
{
        return ports->seen == (ports->n_want == 64 ? UINT64_MAX : ((uint64_t) 1 << ports->n_want) - 1);
}

bool nft_ports_any(const NftPorts *ports)
{
        return ports->seen != 0;
}
