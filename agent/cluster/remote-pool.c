/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/cluster/remote-impl.h"
#include "base/files.h"

/* Turns. */

static void pool_kick(RemotePool *p)
{
        (void) sd_event_source_set_enabled(p->start, SD_EVENT_ONESHOT);
}

void remote_queue_remove(Remote *r)
{
        for (Remote **p = &r->pool->queue; *p; p = &(*p)->queue_next)
                if (*p == r) {
                        *p = r->queue_next;
                        break;
                }
        r->queue_next = NULL;
}

void remote_queue_add(Remote *r)
{
        Remote **p = &r->pool->queue;
        while (*p)
                p = &(*p)->queue_next;
        *p = r;
        r->queue_next = NULL;
        r->link = LINK_QUEUED;
        pool_kick(r->pool);
}

void remote_starting_over(Remote *r)
{
        if (!r->counted)
                return;
        r->counted = false;
        r->pool->n_starting--;
        pool_kick(r->pool);
}

static int on_start(sd_event_source *s, void *userdata)
{
        RemotePool *p = userdata;
        (void) s;
        /* One each time, so that a thousand of them do not keep the loop from its other work. */
        if (p->n_starting >= p->o.at_once || !p->queue)
                return 0;
        Remote *r = p->queue;
        remote_queue_remove(r);
        remote_start(r);
        pool_kick(p);
        return 0;
}

/* The pool. */

int remote_words(const char *const *words, const char *usual, Words *ret)
{
        size_t n = 0;
        if (!words || !words[0])
                return words_split(usual, ret);
        while (words[n])
                n++;
        Words copy = calloc(n + 1, sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!(copy[i] = strdup(words[i]))) {
                        (void) words_free(copy);
                        return -ENOMEM;
                }
        *ret = copy;
        return 0;
}

static void usual(Usec *field, Usec value)
{
        *field = *field ? *field : value;
}

int remote_pool_new(RemotePool **ret, sd_event *event, const RemoteOptions *o, Err *err)
{
        _cleanup_(remote_pool_freep) RemotePool *p = calloc(1, sizeof(*p));
        if (!p)
                return err_errno(err, -ENOMEM, "connections");
        p->event = sd_event_ref(event);
        if (o)
                p->o = *o;
        p->o.at_once = p->o.at_once ? p->o.at_once : 8;
        usual(&p->o.connect_usec, 15 * USEC_PER_SEC);
        usual(&p->o.answer_usec, 30 * USEC_PER_SEC);
        usual(&p->o.beat_usec, 5 * USEC_PER_SEC);
        usual(&p->o.silent_usec, 15 * USEC_PER_SEC);
        usual(&p->o.retry_usec, 500 * USEC_PER_MSEC);
        usual(&p->o.retry_max_usec, 15 * USEC_PER_SEC);
        int r = remote_words(p->o.ssh, "ssh", &p->ssh);
        if (r >= 0)
                r = remote_words(p->o.bridge, "edge-roll bridge", &p->bridge);
        p->o.ssh = p->o.bridge = NULL;
        if (r >= 0)
                r = sd_event_add_defer(event, &p->start, on_start, p);
        if (r < 0)
                return err_errno(err, r, "connections");
        if ((r = ssh_yard_new(&p->yard, event, err)) < 0)
                return r;
        files_raise(); /* each link takes six */
        (void) signal(SIGPIPE, SIG_IGN);
        *ret = TAKE_PTR(p);
        return 0;
}

RemotePool *remote_pool_free(RemotePool *p)
{
        if (!p)
                return NULL;
        p->start = sd_event_source_unref(p->start);
        p->yard = ssh_yard_free(p->yard);
        p->ssh = words_free(p->ssh);
        p->bridge = words_free(p->bridge);
        p->event = sd_event_unref(p->event);
        free(p);
        return NULL;
}

void remote_options(const Config *config, RemoteOptions *ret)
{
        *ret = (RemoteOptions){ .ssh = (const char *const *) config->cluster_ssh,
                                .bridge = (const char *const *) config->cluster_bridge,
                                .at_once = config->cluster_at_once,
                                .connect_usec = config->cluster_connect_usec,
                                .answer_usec = config->cluster_answer_usec };
}
