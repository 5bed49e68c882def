/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/place-impl.h"

#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#define REFUSED_USEC (10 * USEC_PER_SEC) /* giving back what we may not: a person has to help */
#define ROOT         "/edge-roll"

/* ---- small things ---- */

void place_id(char *buf)
{
        uint64_t n = 0;
        /* Before the entropy pool is there it says so; the clock is different each time, too. */
        if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
                n = time_wall() ^ (time_boot() << 20) ^ ((uint64_t) getpid() << 44);
        (void) snprintf(buf, TURN_ID_SIZE, "%016llx", (unsigned long long) n);
}

const char *place_path(const char *pool, const char *below, char *buf, size_t size)
{
        char node[512];
        (void) snprintf(buf, size, ROOT "/%s%s%s", turn_pool(pool, node, sizeof(node)), *below ? "/" : "",
                        below);
        return buf;
}

const char *place_path_of(const Place *p, const char *below, const char *leaf, char *buf, size_t size)
{
        char part[TURN_NODE_SIZE + 16];
        (void) snprintf(part, sizeof(part), "%s%s%s", below, *leaf ? "/" : "", leaf);
        return place_path(p->options.pool, part, buf, size);
}

/* What others read about us. */
char *place_data(const Place *p, bool member)
{
        char stamp[32];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", p->options.name);
        if (member)
                cJSON_AddStringToObject(o, "address", p->options.address);
        else {
                cJSON_AddStringToObject(o, "id", p->options.id);
                cJSON_AddStringToObject(o, "by", p->options.by);
                cJSON_AddStringToObject(o, "reason", p->options.reason);
                cJSON_AddStringToObject(o, "since", time_stamp(time_wall(), stamp, sizeof(stamp)));
        }
        char *text = cJSON_PrintUnformatted(o);
        cJSON_Delete(o);
        return text;
}

void place_outs_free(Place *p)
{
        for (size_t i = 0; i < p->n_outs; i++)
                free(p->outs[i]);
        free(p->outs);
        p->outs = NULL;
        p->n_outs = 0;
}

void place_text_of(const cJSON *o, const char *key, char *buf, size_t size)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        (void) snprintf(buf, size, "%s", cJSON_IsString(v) ? v->valuestring : "");
        for (char *c = buf; *c; c++)
                if ((unsigned char) *c < 0x20 || (unsigned char) *c >= 0x7f)
                        *c = '?';
}

static void place_tell(Place *p)
{
        if (p->handlers.changed)
                p->handlers.changed(p, p->userdata);
}

/* The last statement of whoever calls it: the Place may be gone. */
void place_set(Place *p, PlaceState state, const char *fmt, ...)
{
        char text[PLACE_TEXT_SIZE];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (state == p->state && strcmp(text, p->text) == 0)
                return;
        if (state != PLACE_TURN)
                p->go = false;
        p->state = state;
        memcpy(p->text, text, sizeof(text));
        place_tell(p);
}

static void place_resume(Place *p);

static int place_on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Place *p = userdata;
        (void) s;
        (void) usec;
        p->timer = sd_event_source_unref(p->timer);
        if (zk_state(p->zk) != ZK_CONNECTED)
                return 0;
        if (p->answers && (p->state == PLACE_WAITING || p->state == PLACE_TURN))
                place_look(p);
        else
                place_resume(p);
        return 0;
}

void place_in(Place *p, Usec usec)
{
        p->timer = sd_event_source_unref(p->timer);
        (void) sd_event_add_time(p->event, &p->timer, CLOCK_MONOTONIC, time_now() + usec, 0, place_on_timer,
                                 p);
}

/* Nothing of what is under way counts any more. */
void place_drop(Place *p)
{
        p->tag++;
        p->looking = p->look_again = false;
        p->giving = 0;
        p->timer = sd_event_source_unref(p->timer);
}

/* A request that should have been answered was not: all is asked again, now or when there is a connection. */
void place_again(Place *p, int r)
{
        place_drop(p);
        p->answers = false;
        if (r < 0 || zk_state(p->zk) == ZK_CONNECTED)
                place_in(p, PLACE_RETRY_USEC);
}

void place_fail(Place *p, const char *fmt, ...)
{
        char text[PLACE_TEXT_SIZE];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        place_drop(p);
        place_set(p, PLACE_FAILED, "%s", text);
}

/* ---- the pool's nodes ---- */

static void place_ready(Place *p);

static void on_ready(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        char servers[512];
        if (tag != p->tag)
                return;
        (void) lock_spec_text(&p->options.zk.spec, servers, sizeof(servers));
        if (answer == ZK_OK) {
                p->open = reply->open;
                p->answers = p->ever = true;
                place_ready(p);
        } else if (answer == ZK_NO_NODE && *p->options.zk.spec.path && !p->ever)
                place_fail(p, "%s: the path %s does not exist there: create it, or name another one in lock",
                           servers, p->options.zk.spec.path);
        else if (answer == ZK_NO_PERMISSION && p->state != PLACE_GIVING)
                place_fail(p, "%s: no permission: see lock_auth_file", servers);
        else
                place_again(p, 0);
}

static void on_made(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        char servers[512];
        (void) reply;
        if (tag != p->tag || answer != ZK_NO_PERMISSION || p->state == PLACE_GIVING)
                return;
        place_fail(p,
                   "%s: no permission to write: the pool belongs to somebody else's user:password (see "
                   "lock_auth_file)",
                   lock_spec_text(&p->options.zk.spec, servers, sizeof(servers)));
}

/* All at once; they are done in this order. What is there already is fine; what is not is seen at the end. */
void place_make(Place *p)
{
        static const char *const below[] = { "", "run", "out", "members" };
        char path[PLACE_PATH_SIZE];
        int r = zk_create(p->zk, ROOT, "", 0, on_made, p->tag);

        for (size_t i = 0; r == 0 && i < ELEMENTS(below); i++)
                r = zk_create(p->zk, place_path(p->options.pool, below[i], path, sizeof(path)),
                              i == 0 ? "{\"size\":1}" : "", 0, on_made, p->tag);
        if (r == 0)
                r = zk_acl(p->zk, place_path(p->options.pool, "out", path, sizeof(path)), on_ready, p->tag);
        if (r < 0)
                place_again(p, r);
}

/* ---- standing in line ---- */

void place_on_ignored(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        (void) answer;
        (void) reply;
        (void) tag;
        (void) userdata;
}

static void on_registered(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        char path[PLACE_PATH_SIZE];
        (void) reply;
        (void) tag;
        if (answer != ZK_EXISTS)
                return;
        _cleanup_(freep) char *data = place_data(p, true);
        /* Others do without it; the next attempt does it again. */
        if (data)
                (void) !zk_set(p->zk, place_path_of(p, "members", p->options.uuid, path, sizeof(path)), data,
                               -1, place_on_ignored, p->tag);
}

static void place_register(Place *p)
{
        char path[PLACE_PATH_SIZE];
        _cleanup_(freep) char *data = place_data(p, true);
        if (data)
                (void) !zk_create(p->zk, place_path_of(p, "members", p->options.uuid, path, sizeof(path)),
                                  data, 0, on_registered, p->tag);
}

/* ---- giving back ---- */

static void place_giving(Place *p);

static void on_deleted(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag != p->tag || p->giving == 0)
                return;
        if (answer == ZK_NO_PERMISSION)
                p->given_bad = true;
        else if (answer != ZK_OK && answer != ZK_NO_NODE) {
                place_again(p, 0);
                return;
        }
        if (--p->giving > 0)
                return;
        if (p->given_bad) {
                place_again(p, 0);
                place_in(p, REFUSED_USEC);
                place_set(p, PLACE_GIVING,
                          "no permission to give the place in the pool %s back: see lock_auth_file",
                          p->options.pool);
        } else
                place_set(p, PLACE_GIVEN, "given back");
}

static int give_node(Place *p, const char *below, const char *leaf)
{
        char path[PLACE_PATH_SIZE];
        int r = zk_delete(p->zk, place_path_of(p, below, leaf, path, sizeof(path)), on_deleted, p->tag);
        p->giving += r == 0;
        return r;
}

/*
 * First what could still go out, then what is out: a multi that an agent before us has sent may be on its
 * way. It is refused when our node in run/ is gone; between the two the other way round it would be taken,
 * and nobody would ever give that one back.
 */
static void on_give_runs(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        TurnRun run;
        if (tag != p->tag)
                return;
        if (answer != ZK_OK && answer != ZK_NO_NODE) {
                place_again(p, 0);
                return;
        }
        bool sent = true;
        for (size_t i = 0; i < reply->n_children && sent; i++)
                if (turn_parse(reply->children[i], &run) && strcmp(run.uuid, p->options.uuid) == 0)
                        sent = give_node(p, "run", run.node) == 0;
        if (!sent || give_node(p, "out", p->options.uuid) < 0) {
                place_again(p, -ENOTCONN);
                return;
        }
        /* This one counted as well. */
        ZkReply none = { .value = "" };
        on_deleted(ZK_OK, &none, p->tag, p);
}

/* Both at once, where both are known to be there: who waits looks once, and finds nobody in the way. */
static void on_given(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Place *p = userdata;
        (void) reply;
        if (tag != p->tag || p->state != PLACE_GIVING)
                return;
        p->turn.own[0] = '\0';
        if (answer == ZK_OK)
                place_set(p, PLACE_GIVEN, "given back");
        else if (answer == ZK_AWAY)
                place_again(p, 0);
        else
                place_giving(p);
}

/* model: PLACE-GIVE-BOTH */
static bool place_give_both(Place *p)
{
        char out[PLACE_PATH_SIZE], own[PLACE_PATH_SIZE];
        if (!*p->turn.own || zk_state(p->zk) != ZK_CONNECTED)
                return false;
        ZkOp ops[] = {
                { ZK_OP_DELETE, place_path_of(p, "out", p->options.uuid, out, sizeof(out)), NULL, -1 },
                { ZK_OP_DELETE, place_path_of(p, "run", p->turn.own, own, sizeof(own)), NULL, -1 },
        };
        return zk_multi(p->zk, ops, ELEMENTS(ops), on_given, p->tag) == 0;
}

/* What is in run/ is looked up: our node may be of a create that nobody answered. model: PLACE-GIVE */
static void place_giving(Place *p)
{
        char path[PLACE_PATH_SIZE];
        p->given_bad = false;
        p->giving = 1;
        int r = zk_children(p->zk, place_path_of(p, "run", "", path, sizeof(path)), false, on_give_runs,
                            p->tag);
        if (r < 0)
                place_again(p, r);
}

void place_give(Place *p)
{
        if (p->state == PLACE_GIVEN || p->state == PLACE_GIVING)
                return;
        bool out = p->state == PLACE_OUT;
        place_drop(p);
        p->state = PLACE_GIVING;
        (void) snprintf(p->text, sizeof(p->text), "being given back");
        if (!(out && place_give_both(p)) && zk_state(p->zk) == ZK_CONNECTED)
                place_giving(p);
}

void place_reason(Place *p, const char *reason)
{
        char path[PLACE_PATH_SIZE];
        (void) snprintf(p->options.reason, sizeof(p->options.reason), "%s", reason);
        _cleanup_(freep) char *data = place_data(p, false);
        if (data && p->state == PLACE_OUT)
                (void) !zk_set(p->zk, place_path_of(p, "out", p->options.uuid, path, sizeof(path)), data, -1,
                               place_on_ignored, p->tag);
}

/* ---- the session ---- */

static void place_ready(Place *p)
{
        if (p->state == PLACE_GOING && p->unsure)
                place_verify(p);
        else {
                place_register(p);
                place_look(p);
        }
}

/* There is a connection; what it was about is taken up from where it can be. */
static void place_resume(Place *p)
{
        switch (p->state) {
        case PLACE_CONNECTING:
        case PLACE_WAITING:
        case PLACE_TURN:
                place_drop(p);
                place_make(p);
                return;
        case PLACE_GOING:
                place_drop(p);
                p->unsure = true;
                place_verify(p);
                return;
        case PLACE_OUT:
                place_drop(p);
                place_verify(p);
                return;
        case PLACE_GIVING:
                place_drop(p);
                place_giving(p);
                return;
        default:
                return;
        }
}

static void place_on_state(ZkState state, const char *text, void *userdata)
{
        Place *p = userdata;
        char servers[400];
        bool standing = p->state == PLACE_CONNECTING || p->state == PLACE_WAITING || p->state == PLACE_TURN;

        switch (state) {
        case ZK_CONNECTED:
                place_resume(p);
                return;
        case ZK_REFUSED:
                if (p->state != PLACE_GIVING)
                        place_fail(p, "%s: %s", lock_spec_text(&p->options.zk.spec, servers, sizeof(servers)),
                                   text);
                return;
        case ZK_CONNECTING:
        case ZK_EXPIRED:
        default:
                p->answers = p->watched = false;
                if (p->state == PLACE_GOING)
                        p->unsure = true;
                /* Our turn is nothing without a connection; our node may still be there. */
                if (standing) {
                        place_drop(p);
                        place_set(p, PLACE_CONNECTING, "%s", text);
                }
        }
}

/* Also for a path that was below another one of ours; a look too many costs nothing. */
static void place_on_watch(const char *path, void *userdata)
{
        Place *p = userdata;
        (void) path;
        if (zk_state(p->zk) != ZK_CONNECTED)
                return;
        if (p->answers && (p->state == PLACE_WAITING || p->state == PLACE_TURN))
                place_look(p);
        else if (p->state == PLACE_OUT)
                place_verify(p);
}

int place_new(Place **ret, sd_event *event, const PlaceOptions *options, PlaceBegin begin,
              const PlaceHandlers *handlers, void *userdata, Err *err)
{
        static const ZkHandlers zk_handlers = { .state = place_on_state, .watch = place_on_watch };
        if (!turn_uuid_good(options->uuid) || !turn_uuid_good(options->id))
                return err_set(err, -EINVAL, "the server id \"%.80s\" cannot be a name in ZooKeeper",
                               options->uuid);
        if (!*options->pool)
                return err_set(err, -EINVAL, "the pool has no name");
        _cleanup_(place_freep) Place *p = calloc(1, sizeof(*p));
        if (!p)
                return err_set(err, -ENOMEM, "out of memory");
        p->event = sd_event_ref(event);
        p->options = *options;
        p->handlers = *handlers;
        p->userdata = userdata;
        p->begin = begin;
        p->tag = 1;
        p->state = begin == PLACE_TAKE ? PLACE_CONNECTING : begin == PLACE_KEEP ? PLACE_OUT : PLACE_GIVING;
        (void) snprintf(p->text, sizeof(p->text), "asking ZooKeeper");
        int r = zk_new(&p->zk, event, &options->zk, &zk_handlers, p, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

Place *place_free(Place *p)
{
        if (!p)
                return NULL;
        p->zk = zk_free(p->zk);
        sd_event_source_unref(p->timer);
        sd_event_unref(p->event);
        place_outs_free(p);
        explicit_bzero(&p->options.zk, sizeof(p->options.zk));
        free(p);
        return NULL;
}

void place_handlers(Place *p, const PlaceHandlers *handlers, void *userdata)
{
        p->handlers = *handlers;
        p->userdata = userdata;
}

PlaceState place_state(const Place *p)
{
        return p->state;
}

const PlaceOptions *place_options(const Place *p)
{
        return &p->options;
}

const char *place_text(const Place *p)
{
        return p->text;
}

bool place_told(const Place *p)
{
        return p->state == PLACE_WAITING && *p->about;
}

const char *place_trouble(const Place *p)
{
        return zk_trouble(p->zk);
}

bool place_answers(const Place *p)
{
        return p->answers;
}

bool place_sure(const Place *p)
{
        return zk_sure(p->zk);
}

bool place_fresh(const Place *p)
{
        Usec since = p->watched ? MAX(p->confirmed, zk_confirmed(p->zk)) : p->confirmed;
        return p->state == PLACE_OUT && time_boot() - since < zk_session(p->zk);
}

bool place_open(const Place *p)
{
        return p->open;
}
