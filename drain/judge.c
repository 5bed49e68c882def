/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/judge.h"

#include <netinet/tcp.h>

/* Measured: delayed acknowledgements come 40 ms after the answer, other systems' up to 200 ms. */
#define DELAYED_ACK_MS 300

static bool closed_by_peer(const Sock *s)
{
        return s->state == TCP_CLOSE_WAIT;
}

uint64_t judge_received(const Sock *s)
{
        return s->bytes_received - (closed_by_peer(s) && s->bytes_received > 0);
}

uint64_t judge_written(const Sock *s)
{
        return s->bytes_acked + s->wqueue;
}

uint32_t judge_age_ms(const Sock *s)
{
        return MIN(s->last_data_recv_ms, s->last_data_sent_ms);
}

/*
 * The acknowledgement clock is newer than both data clocks by so little that the peer's delayed ACK must have
 * moved it. A keepalive answer comes a second later at the soonest. A FIN moves it too: so never after one.
 */
static bool acked_late(const Sock *s)
{
        uint32_t newer = s->last_data_recv_ms - s->last_ack_recv_ms;
        return s->state == TCP_ESTABLISHED && s->last_ack_recv_ms < s->last_data_recv_ms &&
               newer <= DELAYED_ACK_MS + s->rtt_usec / 1000;
}

/* What both sides have in common. Return: false when the side's own rules must decide. */
static bool judge_common(const Sock *s, InflightVerdict *ret, const char **ret_why)
{
        *ret = INFLIGHT_BUSY;
        switch (s->state) {
        case TCP_ESTABLISHED:
        case TCP_CLOSE_WAIT:
                break;
        case TCP_SYN_RECV:
                *ret_why = "in the SYN queue";
                return true;
        case TCP_SYN_SENT:
                *ret_why = "connecting";
                return true;
        default:
                *ret = INFLIGHT_LEAVING;
                *ret_why = "closing";
                return true;
        }

        if (s->inode == 0) {
                *ret_why = "in the accept queue";
                return true;
        }
        /* An unread FIN counts as one byte, and nothing can come behind it. */
        if (s->rqueue > (closed_by_peer(s) ? 1u : 0u)) {
                *ret_why = "unread bytes";
                return true;
        }
        if (s->notsent_bytes > 0) {
                *ret_why = "unsent bytes";
                return true;
        }
        if (s->wqueue > 0 || s->unacked > 0) {
                *ret_why = "unacknowledged bytes";
                return true;
        }
        if (!s->has_info) {
                *ret = INFLIGHT_UNKNOWN;
                *ret_why = "the kernel tells nothing of it";
                return true;
        }
        return false;
}

InflightVerdict judge_remembered(const Sock *s, InflightVerdict v)
{
        return v == INFLIGHT_BUSY && s->rqueue > 0 ? INFLIGHT_UNKNOWN : v;
}

bool judge_waits(const Sock *s)
{
        return !s->has_info || s->inode == 0 || s->rqueue > 0 || s->notsent_bytes > 0 || s->wqueue > 0 ||
               s->unacked > 0;
}

InflightVerdict judge_down(const Sock *s, JudgePast past, const char **ret_why)
{
        InflightVerdict v;
        if (judge_common(s, &v, ret_why))
                return v;

        if (judge_received(s) == 0) {
                *ret_why = "no request yet";
                return INFLIGHT_IDLE;
        }
        if (s->data_segs_out == 0 && s->bytes_acked == 0) {
                *ret_why = "nothing answered yet";
                return INFLIGHT_BUSY;
        }
        if (s->last_data_recv_ms < s->last_data_sent_ms) {
                *ret_why = "received later than sent";
                return INFLIGHT_BUSY;
        }
        if (s->last_data_sent_ms < s->last_data_recv_ms) {
                *ret_why = "sent later than received";
                return INFLIGHT_IDLE;
        }
        if (acked_late(s)) {
                *ret_why = "its answer was acknowledged";
                return INFLIGHT_IDLE;
        }
        if (past == JUDGE_IDLE) {
                *ret_why = "nothing moved since it was idle";
                return INFLIGHT_IDLE;
        }
        /* Servers of HTTP do not speak first, so what was sent in this tick came after the only segment
         * received. */
        if (s->data_segs_in == 1 && s->data_segs_out > 0) {
                *ret_why = "its only request was answered";
                return INFLIGHT_IDLE;
        }
        *ret_why = "received and sent at the same time";
        return INFLIGHT_UNKNOWN;
}

InflightVerdict judge_up(const Sock *s, JudgePast past, const char **ret_why)
{
        InflightVerdict v;
        if (judge_common(s, &v, ret_why))
                return v;

        /* The SYN of the connecting side counts as one acknowledged byte. */
        if (s->data_segs_out == 0 && s->bytes_acked <= 1) {
                *ret_why = "no request yet";
                return INFLIGHT_IDLE;
        }
        if (judge_received(s) == 0) {
                *ret_why = "nothing answered yet";
                return INFLIGHT_BUSY;
        }
        if (s->last_data_sent_ms < s->last_data_recv_ms) {
                *ret_why = "sent later than received";
                return INFLIGHT_BUSY;
        }
        if (s->last_data_recv_ms < s->last_data_sent_ms) {
                *ret_why = "received later than sent";
                return INFLIGHT_IDLE;
        }
        if (past == JUDGE_IDLE) {
                *ret_why = "nothing moved since it was idle";
                return INFLIGHT_IDLE;
        }
        if (acked_late(s)) {
                *ret_why = "its request was acknowledged, not answered";
                return INFLIGHT_BUSY;
        }
        if (past == JUDGE_BUSY) {
                *ret_why = "nothing moved since it was busy";
                return INFLIGHT_BUSY;
        }
        /* A guess, the better one: most answers leave with the acknowledgement of their request. But the next
         * request may have left in the same tick. */
        if (past == JUDGE_UNHEARD && s->state == TCP_ESTABLISHED &&
            s->last_ack_recv_ms >= s->last_data_recv_ms) {
                *ret_why = "its request was acknowledged by the answer";
                return INFLIGHT_IDLE;
        }
        *ret_why = "received and sent at the same time";
        return INFLIGHT_UNKNOWN;
}
