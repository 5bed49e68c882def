/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/place-impl.h"
#include "probes/json.h"

#define LOOK_AGAIN_USEC (5 * USEC_PER_SEC) /* beside the watches: belt and braces */

/* The parts of a look; they come back in this order. */
typedef enum Part { PART_POOL, PART_OUT, PART_OUTS, PART_RUNS, PART_COUNT } Part;

/* ---- standing in line ---- */

static void on_queued(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag != p->tag)
                return;
        if (answer == ZK_OK)
                place_look(p);
        else if (answer == ZK_NO_PERMISSION)
                place_fail(p, "no permission to stand in line for the pool %s: see lock_auth_file",
                           p->options.pool);
        else
                place_again(p, 0);
}

/* model: PLACE-QUEUE */
static void place_queue(Place *p)
{
        char name[TURN_NODE_SIZE], path[PLACE_PATH_SIZE];
        _cleanup_(freep) char *data = place_data(p, false);
        (void) turn_prefix(p->options.uuid, p->options.id, name, sizeof(name));
        int r = data ? zk_create(p->zk, place_path_of(p, "run", name, path, sizeof(path)), data,
                                 ZK_EPHEMERAL | ZK_SEQUENCE, on_queued, p->tag)
                     : -ENOMEM;
        if (r < 0)
                place_again(p, r);
}

/* ---- whose turn ---- */

static const char *ordinal(unsigned n)
{
        static const char *const ends[] = { "th", "st", "nd", "rd" };
        return ends[n % 100 >= 11 && n % 100 <= 13 ? 0 : n % 10 < ELEMENTS(ends) ? n % 10 : 0];
}

static void place_say_waiting(Place *p)
{
        const Turn *t = &p->turn;
        place_set(p, PLACE_WAITING, "%u%s of %u, behind %s", t->position, ordinal(t->position), t->waiting,
                  *p->about     ? p->about
                  : *t->blocker ? t->blocker
                                : "others");
}

static void on_blocker(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        char name[64], since[40], reason[96];
        if (tag != p->tag || p->state != PLACE_WAITING || answer != ZK_OK)
                return;
        cJSON *o = json_object(reply->value, JSON_MESSAGE_MAX);
        place_text_of(o, "name", name, sizeof(name));
        place_text_of(o, "since", since, sizeof(since));
        place_text_of(o, "reason", reason, sizeof(reason));
        cJSON_Delete(o);
        const Turn *t = &p->turn;
        (void) snprintf(p->about, sizeof(p->about), "%s (%s)%s%s%s%s", *name ? name : t->blocker,
                        !p->told_out       ? "waiting"
                        : *t->blocker_node ? "out, at work"
                                           : "out, nobody at work",
                        *since ? " since " : "", since, *reason ? ": " : "", reason);
        place_say_waiting(p);
}

/* Who is in the way is read when it is somebody else than before, or in another way. */
static void place_ask_blocker(Place *p)
{
        const Turn *t = &p->turn;
        char path[PLACE_PATH_SIZE];
        if (strcmp(p->told_blocker, t->blocker) != 0 || p->told_out != t->blocker_out)
                p->about[0] = '\0';
        (void) snprintf(p->told_blocker, sizeof(p->told_blocker), "%s", t->blocker);
        p->told_out = t->blocker_out;
        if (!*p->about && *t->blocker)
                (void) !zk_get(p->zk,
                               place_path_of(p, t->blocker_out ? "out" : "run",
                                             t->blocker_out ? t->blocker : t->blocker_node, path,
                                             sizeof(path)),
                               false, on_blocker, p->tag);
}

static void on_predecessor(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag == p->tag && answer == ZK_NO_NODE && p->state == PLACE_WAITING)
                place_look(p);
}

/* model: PLACE-WATCH */
static void place_wait(Place *p)
{
        char path[PLACE_PATH_SIZE];
        int r = 0;
        if (*p->turn.watch)
                r = zk_exists(p->zk, place_path_of(p, "run", p->turn.watch, path, sizeof(path)), true,
                              on_predecessor, p->tag);
        if (r < 0) {
                place_again(p, r);
                return;
        }
        place_ask_blocker(p);
        place_in(p, LOOK_AGAIN_USEC);
        place_say_waiting(p);
}

static void on_own(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag == p->tag && answer == ZK_NO_NODE && (p->state == PLACE_TURN || p->state == PLACE_WAITING))
                place_look(p);
}

static bool place_try(Place *p);

static void place_decide(Place *p, const char *const *runs, size_t n_runs)
{
        TurnView view = { .runs = runs,
                          .n_runs = n_runs,
                          .outs = (const char *const *) p->outs,
                          .n_outs = p->n_outs,
                          .size = p->options.size ? MIN(p->options.size, p->size) : p->size };
        char path[PLACE_PATH_SIZE];
        TurnAnswer answer = turn_decide(&view, p->options.uuid, p->options.id, &p->turn);

        /* Of an agent before this one, whose session is not over yet: only one agent works on a node. */
        if (*p->turn.stale)
                (void) !zk_delete(p->zk, place_path_of(p, "run", p->turn.stale, path, sizeof(path)),
                                  place_on_ignored, p->tag);
        if (answer == TURN_ABSENT) {
                place_queue(p);
                return;
        }
        int r = zk_exists(p->zk, place_path_of(p, "run", p->turn.own, path, sizeof(path)), true, on_own,
                          p->tag);
        if (r < 0)
                place_again(p, r);
        else if (answer == TURN_WAIT)
                place_wait(p);
        else if (!p->go || !place_try(p)) {
                place_in(p, p->go ? PLACE_RETRY_USEC : LOOK_AGAIN_USEC);
                place_set(p, PLACE_TURN, "it is our turn");
        }
}

static void on_part(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata);

/* Each part has its own tag, so that one function takes them all. */
static uint64_t part_tag(const Place *p, Part part)
{
        return p->tag * PART_COUNT + part;
}

/*
 * The version of out/ before the names in it: who comes between the two makes the version old, and our multi
 * fails. The other way round it would pass. model: PLACE-LOOK
 */
void place_look(Place *p)
{
        char path[PLACE_PATH_SIZE];
        int r;
        if (p->looking) {
                p->look_again = true;
                return;
        }
        p->looking = true;
        p->look_again = false;
        if ((r = zk_get(p->zk, place_path_of(p, "", "", path, sizeof(path)), false, on_part,
                        part_tag(p, PART_POOL))) < 0 ||
            (r = zk_get(p->zk, place_path_of(p, "out", "", path, sizeof(path)), false, on_part,
                        part_tag(p, PART_OUT))) < 0 ||
            (r = zk_children(p->zk, place_path_of(p, "out", "", path, sizeof(path)), true, on_part,
                             part_tag(p, PART_OUTS))) < 0 ||
            (r = zk_children(p->zk, place_path_of(p, "run", "", path, sizeof(path)),
                             p->size > 1 && p->options.size != 1, on_part, part_tag(p, PART_RUNS))) < 0)
                place_again(p, r);
}

static bool outs_keep(Place *p, const ZkReply *reply)
{
        place_outs_free(p);
        size_t n = MIN(reply->n_children, (size_t) TURN_MAX);
        p->outs = calloc(n + 1, sizeof(*p->outs));
        for (size_t i = 0; p->outs && i < n; i++)
                if ((p->outs[p->n_outs] = strdup(reply->children[i])))
                        p->n_outs++;
        /* One that is left out would be one too many who may go. */
        return p->outs && p->n_outs == reply->n_children;
}

static void on_part(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        if (tag / PART_COUNT != p->tag || !p->looking)
                return;
        if (answer != ZK_OK) {
                place_again(p, 0);
                return;
        }
        switch ((Part) (tag % PART_COUNT)) {
        case PART_POOL: {
                unsigned before = p->size;
                p->size = turn_size(reply->value);
                p->size_version = reply->version;
                /* With another size it is another watch that is needed. */
                if (before <= 1 && p->size > 1 && p->options.size != 1)
                        p->look_again = true;
                break;
        }
        case PART_OUT:
                p->out_version = reply->version;
                break;
        case PART_OUTS:
                if (!outs_keep(p, reply))
                        place_again(p, -ENOMEM);
                break;
        case PART_RUNS:
        default:
                p->looking = false;
                if (p->look_again)
                        place_look(p);
                else if (p->state != PLACE_GOING)
                        place_decide(p, reply->children, reply->n_children);
        }
}

/* ---- going out ---- */

static void place_out(Place *p);

/* Is out/UUID ours, and is that news fresh? model: PLACE-VERIFY */
static void on_verified(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        char id[TURN_ID_SIZE] = "";
        if (tag != p->tag)
                return;
        if (answer == ZK_OK) {
                cJSON *o = json_object(reply->value, JSON_MESSAGE_MAX);
                place_text_of(o, "id", id, sizeof(id));
                cJSON_Delete(o);
        } else if (answer != ZK_NO_NODE) {
                place_again(p, 0);
                return;
        }
        bool ours = strcmp(id, p->options.id) == 0;
        bool fresh = time_boot() - p->going_sent < zk_session(p->zk);
        p->unsure = false;
        if (p->state == PLACE_OUT && !ours)
                p->handlers.stolen(p, p->userdata);
        else if (p->state == PLACE_OUT) {
                p->confirmed = p->going_sent;
                p->watched = true;
        } else if (ours && !fresh)
                place_again(p, -ESTALE);
        else if (ours)
                place_out(p);
        else {
                p->state = PLACE_CONNECTING;
                place_make(p);
        }
}

/* @watch: be told when it goes. What is read is as new as the leader. */
void place_verify(Place *p)
{
        char path[PLACE_PATH_SIZE];
        int r;
        p->going_sent = time_boot();
        if ((r = zk_sync(p->zk, place_path_of(p, "out", "", path, sizeof(path)), place_on_ignored, p->tag)) <
                    0 ||
            (r = zk_get(p->zk, place_path_of(p, "out", p->options.uuid, path, sizeof(path)), true,
                        on_verified, p->tag)) < 0)
                place_again(p, r);
}

static void on_watching(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag != p->tag || p->state != PLACE_OUT)
                return;
        p->watched = answer == ZK_OK;
        if (answer == ZK_NO_NODE)
                p->handlers.stolen(p, p->userdata);
}

static void place_out(Place *p)
{
        char path[PLACE_PATH_SIZE];
        p->confirmed = p->going_sent;
        (void) !zk_exists(p->zk, place_path_of(p, "out", p->options.uuid, path, sizeof(path)), true,
                          on_watching, p->tag);
        place_set(p, PLACE_OUT, "out");
}

static void on_gone_out(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag != p->tag || p->state != PLACE_GOING)
                return;
        if (answer == ZK_OK) {
                /* We may have been frozen in between, and somebody may have believed us dead.
                 * model: PLACE-FENCE */
                if (time_boot() - p->going_sent < zk_session(p->zk))
                        place_out(p);
                else
                        place_verify(p);
        } else if (answer == ZK_AWAY || answer == ZK_ERROR) {
                p->unsure = true;
                place_again(p, 0);
        } else if (answer == ZK_NO_PERMISSION)
                place_fail(p, "no permission to go out of the pool %s: see lock_auth_file", p->options.pool);
        else {
                /* Somebody went out first, the size was changed, or our node is gone. model: PLACE-AGAIN */
                p->state = PLACE_WAITING;
                p->answers = true;
                place_look(p);
        }
}

/* Return: false: not now. model: PLACE-MULTI */
static bool place_try(Place *p)
{
        char pool[PLACE_PATH_SIZE], own[PLACE_PATH_SIZE], out[PLACE_PATH_SIZE], entry[PLACE_PATH_SIZE];
        if (p->state != PLACE_TURN || p->looking || !zk_sure(p->zk))
                return false;
        _cleanup_(freep) char *data = place_data(p, false);
        if (!data)
                return false;
        ZkOp ops[] = {
                { ZK_OP_CHECK, place_path_of(p, "", "", pool, sizeof(pool)), NULL, p->size_version },
                { ZK_OP_CHECK, place_path_of(p, "run", p->turn.own, own, sizeof(own)), NULL, -1 },
                { ZK_OP_SET, place_path_of(p, "out", "", out, sizeof(out)), "", p->out_version },
                { p->turn.own_out ? ZK_OP_SET : ZK_OP_CREATE,
                  place_path_of(p, "out", p->options.uuid, entry, sizeof(entry)), data, -1 },
        };
        place_drop(p);
        p->going_sent = time_boot();
        if (zk_multi(p->zk, ops, ELEMENTS(ops), on_gone_out, p->tag) < 0) {
                place_again(p, -ENOTCONN);
                return false;
        }
        p->go = false;
        p->state = PLACE_GOING;
        (void) snprintf(p->text, sizeof(p->text), "going out");
        return true;
}

bool place_go_out(Place *p)
{
        if (p->state != PLACE_TURN)
                return false;
        p->go = true;
        if (!place_try(p) && !p->looking)
                place_in(p, PLACE_RETRY_USEC);
        return true;
}
