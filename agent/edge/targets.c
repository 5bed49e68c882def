/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/targets.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/fetch.h"
#include "agent/edge/targets-check.h"
#include "probes/edge-json.h"
#include "probes/json.h"

typedef struct Targets {
        Session session;
        const char *org, *env, *name;
        char *path;     /* of the list; of the one that is meant, where there is one */
        char what[300]; /* "Target server a of acme/prod" */
} Targets;

static void targets_done(Targets *t)
{
        free(t->path);
        session_done(&t->session);
}

/* ---- showing ---- */

static void show_json(Targets *t, const EdgeTargetServer *s)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "target");
        cJSON_AddStringToObject(o, "org", t->org);
        cJSON_AddStringToObject(o, "env", t->env);
        json_put(o, "target", target_to_json(s));
        session_event(&t->session, o);
}

static const char *show_name(const EdgeTargetServer *s)
{
        return s->name.value ? s->name.value : "";
}

static const char *show_tls(const EdgeTargetServer *s)
{
        const EdgeSsl *ssl = &s->ssl;
        if (!edge_flag(ssl->enabled, false))
                return "no";
        return edge_flag(ssl->client_auth, false) ? "two-way" : "one-way";
}

/* What other machines say, for a terminal. */
static const char *show_text(EdgeText text, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s", text.value ? text.value : "-");
        for (char *c = buf; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        return buf;
}

static void show_row(Targets *t, const TargetRow *row, int width)
{
        const EdgeTargetServer *s = row->target ? &row->target->server : NULL;
        char host[256];
        if (!s) {
                session_warn(&t->session, "Target server %s of %s/%s cannot be read: %s", row->name, t->org,
                             t->env, row->trouble);
                return;
        }
        if (t->session.rq->json)
                show_json(t, s);
        else
                (void) fprintf(t->session.io->out, "%-*s  %5" PRId64 "  %-7s  %-8s  %s\n", width, row->name,
                               edge_number(s->port, 0), show_tls(s),
                               edge_flag(s->enabled, true) ? "enabled" : "disabled",
                               show_text(s->host, host, sizeof(host)));
}

static void show_words(Targets *t, const char *key, const EdgeTexts *texts)
{
        char one[256];
        if (texts->n == 0)
                return;
        (void) fprintf(t->session.io->out, "%-24s", key);
        for (size_t i = 0; i < texts->n; i++)
                (void) fprintf(t->session.io->out, " %s", show_text(texts->items[i], one, sizeof(one)));
        (void) fputc('\n', t->session.io->out);
}

static void show_line(Targets *t, const char *key, EdgeText text)
{
        char one[512];
        if (text.line)
                (void) fprintf(t->session.io->out, "%-24s %s\n", key, show_text(text, one, sizeof(one)));
}

static void show_one(Targets *t, const EdgeTargetServer *s)
{
        FILE *out = t->session.io->out;
        if (t->session.rq->json) {
                show_json(t, s);
                return;
        }
        show_line(t, "name", s->name);
        show_line(t, "host", s->host);
        (void) fprintf(out, "%-24s %" PRId64 "\n", "port", edge_number(s->port, 0));
        (void) fprintf(out, "%-24s %s\n", "enabled", edge_flag(s->enabled, true) ? "yes" : "no");
        (void) fprintf(out, "%-24s %s\n", "TLS", show_tls(s));
        if (s->ssl.ignore_validation_errors.set)
                (void) fprintf(out, "%-24s %s\n", "ignoreValidationErrors",
                               s->ssl.ignore_validation_errors.value ? "yes" : "no");
        show_line(t, "keyStore", s->ssl.key_store);
        show_line(t, "keyAlias", s->ssl.key_alias);
        show_line(t, "trustStore", s->ssl.trust_store);
        show_words(t, "protocols", &s->ssl.protocols);
        show_words(t, "ciphers", &s->ssl.ciphers);
}

/* ---- list ---- */

static int targets_list(Targets *t)
{
        _cleanup_(targets_rows_freep) TargetRows *rows = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Session *s = &t->session;
        Err err = { 0 };
        int width = 4;

        if (targets_fetch(s->api, t->org, t->env, &rows, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!rows)
                return session_end_answer(s, &answer, NULL);
        for (size_t i = 0; i < rows->n; i++)
                width = MAX(width, (int) MIN(strlen(rows->rows[i].name), (size_t) 40));
        if (!s->rq->json && rows->n > 0)
                (void) fprintf(s->io->out, "%-*s  %5s  %-7s  %-8s  %s\n", width, "NAME", "PORT", "TLS",
                               "STATE", "HOST");
        for (size_t i = 0; i < rows->n; i++)
                show_row(t, &rows->rows[i], width);
        if (rows->n_troubles > 0)
                return session_end(s, RESULT_PROBLEMS, NULL, "%zu of %zu target servers could not be read",
                                   rows->n_troubles, rows->n);
        return session_end(s, RESULT_DONE, NULL, "%s/%s: %zu of at most %d target servers", t->org, t->env,
                           rows->n, TARGETS_PER_ENV);
}

/* ---- one ---- */

/* @ret: NULL unless @answer is API_OK and understood. Return: 0; a failure that is no answer. */
static int target_get(Targets *t, Target **ret, ApiAnswer *answer, Err *err)
{
        Err why = { 0 };
        *ret = NULL;
        int r = api_call(t->session.api, &(ApiRequest){ .path = t->path, .max_bytes = TARGET_MAX }, answer,
                         err);
        if (r < 0 || answer->kind != API_OK)
                return r;
        r = target_read(answer->body, answer->body_len, ret, &why);
        if (r >= 0 && strcmp(show_name(&(*ret)->server), t->name) != 0)
                r = err_set(&why, -EBADMSG, "it is about \"%.80s\"", show_name(&(*ret)->server));
        if (r < 0) {
                *ret = target_free(*ret);
                api_answer_done(answer);
                api_foreign(answer, why.text);
                answer->body = NULL;
        }
        return 0;
}

static int targets_get(Targets *t)
{
        _cleanup_(target_freep) Target *target = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Err err = { 0 };
        if (target_get(t, &target, &answer, &err) < 0)
                return session_end_err(&t->session, RESULT_FAILED, &err);
        if (!target)
                return session_end_answer(&t->session, &answer, t->what);
        show_one(t, &target->server);
        return session_end(&t->session, RESULT_DONE, NULL, "%s", "");
}

/* ---- what is sent ---- */

/* @path: "-" is standard input. Return: 0; -E2BIG; what open(2) and read(2) say. */
static int file_read(const char *path, char **ret, size_t *ret_len, Err *err)
{
        bool standard = strcmp(path, "-") == 0;
        const char *name = standard ? "standard input" : path;
        _cleanup_(closep) int own = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_(freep) char *text = malloc(TARGET_MAX + 2);
        int fd = standard ? STDIN_FILENO : own;
        size_t len = 0;

        if (!text)
                return err_set(err, -ENOMEM, "Out of memory for a file");
        if (fd < 0)
                return err_errno(err, -errno, "%.300s cannot be read", name);
        for (ssize_t n = 1; n != 0 && len <= TARGET_MAX;) {
                n = read(fd, text + len, TARGET_MAX + 1 - len);
                if (n < 0 && errno != EINTR)
                        return err_errno(err, -errno, "%.300s cannot be read", name);
                len += n > 0 ? (size_t) n : 0;
        }
        if (len > TARGET_MAX)
                return err_set(err, -E2BIG, "%.300s has more than %d bytes: that is no target server", name,
                               TARGET_MAX);
        text[len] = '\0';
        *ret = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

typedef struct Sent {
        char *text;
        Target *target;
} Sent;

static void sent_done(Sent *sent)
{
        free(sent->text);
        target_free(sent->target);
}

/* XML: what was not understood in it would be refused by Edge, or silently dropped. */
static int sent_findings(Targets *t, const EdgeXml *xml, Err *err)
{
        for (size_t i = 0; xml && i < xml->n_findings; i++) {
                const EdgeFinding *f = &xml->findings[i];
                if (f->kind != EDGE_FINDING_MISSING)
                        return err_set(err, -EINVAL, "%.200s, line %u: %s", t->session.rq->targets.file,
                                       f->line, f->text);
        }
        return 0;
}

#define STRANGE_MAX 20

/* JSON: Edge takes any key, and a misspelt one has no effect. */
static int sent_keys(Targets *t, const Target *target, Err *err)
{
        char key[96];
        const char *meant;
        for (size_t i = 0; target_strange(target, i, key, sizeof(key), &meant); i++) {
                if (meant)
                        return err_set(err, -EINVAL,
                                       "\"%s\" is no key of a target server: it is written \"%s\"", key,
                                       meant);
                if (i == STRANGE_MAX)
                        return err_set(err, -EINVAL, "it has more than %d keys that no target server has",
                                       STRANGE_MAX);
                session_warn(&t->session,
                             "\"%s\" is no documented key of a target server: it is sent as it is", key);
        }
        return 0;
}

/* The file of the command line, checked as far as that is possible without Edge. */
static int sent_read(Targets *t, Sent *sent, Err *err)
{
        const char *file = t->session.rq->targets.file;
        size_t len = 0;
        int r = file_read(file, &sent->text, &len, err);
        if (r < 0)
                return r;
        r = target_read(sent->text, len, &sent->target, err);
        if (r >= 0 && strlen(sent->text) != len)
                r = err_set(err, -EINVAL, "it is UTF-16, or has NUL bytes: write it as UTF-8");
        if (r >= 0 && (r = sent_findings(t, sent->target->xml, err)) < 0)
                return r;
        if (r >= 0)
                r = sent_keys(t, sent->target, err);
        if (r >= 0)
                r = target_check(&sent->target->server, err);
        if (r < 0)
                return err_prefix(err, r, "%.200s", strcmp(file, "-") == 0 ? "standard input" : file);
        const char *name = sent->target->server.name.value;
        if (t->name && strcmp(t->name, name) != 0)
                return err_set(err, -EINVAL, "%.200s is about target server %.100s, not about %.100s", file,
                               name, t->name);
        t->name = name;
        (void) snprintf(t->what, sizeof(t->what), "Target server %.80s of %.80s/%.80s", name, t->org, t->env);
        free(TAKE_PTR(t->path));
        return api_path(&t->path, API_SEGMENTS("o", t->org, "e", t->env, "targetservers", name), err);
}

static int send_change(Targets *t, const ApiRequest *request, const char *done)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Session *s = &t->session;
        Err err = { 0 };
        if (s->rq->dry_run)
                return session_end(s, RESULT_DONE, NULL, "%s would be %s; nothing was changed", t->what,
                                   done);
        if (api_call(s->api, request, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (answer.kind != API_OK)
                return session_end_answer(s, &answer, t->what);
        return session_end(s, RESULT_DONE, NULL, "%s is %s", t->what, done);
}

static ApiRequest request_with(const Sent *sent, const char *method, const char *path)
{
        return (ApiRequest){ .method = method,
                             .path = path,
                             .body = sent->text,
                             .type = sent->target->is_xml ? "text/xml" : "application/json",
                             .max_bytes = TARGET_MAX };
}

/* Before the server says it, and in words: an environment is full. Return: 0: there is room, or nobody knows.
 */
static int room_check(Targets *t, const char *list, Err *err)
{
        _cleanup_(edge_list_freep) char **names = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        size_t n = 0;
        int r = fetch_names(t->session.api, list, &names, &answer, err);
        if (r < 0)
                return r;
        while (names && names[n])
                n++;
        if (n >= TARGETS_PER_ENV)
                return err_set(err, -ENOSPC,
                               "%s cannot be created: %s/%s has %zu, and Edge allows %d in an environment",
                               t->what, t->org, t->env, n, TARGETS_PER_ENV);
        return 0;
}

static int targets_create(Targets *t)
{
        _cleanup_(sent_done) Sent sent = { 0 };
        _cleanup_(target_freep) Target *there = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(freep) char *list = NULL;
        Session *s = &t->session;
        char other[400];
        Err err = { 0 };

        if (sent_read(t, &sent, &err) < 0)
                return session_end_err(s, RESULT_USAGE, &err);
        if (api_path(&list, API_SEGMENTS("o", t->org, "e", t->env, "targetservers"), &err) < 0 ||
            target_get(t, &there, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!there && answer.kind != API_ABSENT)
                return session_end_answer(s, &answer, t->what);
        if (there && !target_changes(sent.target, there, other, sizeof(other)))
                return session_end(s, RESULT_NOT_NEEDED, NULL, "%s exists, and is as it should be", t->what);
        if (there)
                return session_end(s, RESULT_REFUSED, "edge-roll targets update changes it",
                                   "%s exists already: %s", t->what, other);
        int r = room_check(t, list, &err);
        if (r < 0)
                return session_end(s, r == -ENOSPC ? RESULT_REFUSED : RESULT_FAILED,
                                   r == -ENOSPC ? "delete those that no proxy names any more" : NULL, "%s",
                                   err.text);
        ApiRequest request = request_with(&sent, "POST", list);
        return send_change(t, &request, "created");
}

static int targets_update(Targets *t)
{
        _cleanup_(sent_done) Sent sent = { 0 };
        _cleanup_(target_freep) Target *there = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Session *s = &t->session;
        char other[400];
        Err err = { 0 };

        if (sent_read(t, &sent, &err) < 0)
                return session_end_err(s, RESULT_USAGE, &err);
        if (target_get(t, &there, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!there)
                return session_end_answer(s, &answer, t->what);
        if (!target_changes(sent.target, there, other, sizeof(other)))
                return session_end(s, RESULT_NOT_NEEDED, NULL, "%s is as it should be", t->what);
        if (!s->rq->json)
                (void) fprintf(s->io->out, "%s\n", other);
        ApiRequest request = request_with(&sent, "PUT", t->path);
        return send_change(t, &request, "updated");
}

static int targets_delete(Targets *t)
{
        _cleanup_(target_freep) Target *there = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Session *s = &t->session;
        char question[400];
        Err err = { 0 };
        int status;

        if (target_get(t, &there, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        /* Edge's own words: a path that is wrong otherwise is no sign that it is gone. */
        if (answer.kind == API_ABSENT && strstr(answer.text, "TargetServerDoesNotExist"))
                return session_end(s, RESULT_NOT_NEEDED, NULL, "%s does not exist", t->what);
        if (!there)
                return session_end_answer(s, &answer, t->what);
        (void) snprintf(question, sizeof(question), "%s is deleted; proxies that name it fail then. Go on?",
                        t->what);
        if (!s->rq->dry_run && !session_ask(s, question, &status))
                return status;
        return send_change(t, &(ApiRequest){ .method = "DELETE", .path = t->path, .max_bytes = TARGET_MAX },
                           "deleted");
}

static int targets_switch(Targets *t, bool enabled)
{
        _cleanup_(target_freep) Target *there = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(freep) char *body = NULL;
        Session *s = &t->session;
        const char *word = enabled ? "enabled" : "disabled";
        Err err = { 0 };

        if (target_get(t, &there, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!there)
                return session_end_answer(s, &answer, t->what);
        if (edge_flag(there->server.enabled, true) == enabled)
                return session_end(s, RESULT_NOT_NEEDED, NULL, "%s is %s already", t->what, word);
        if (target_switched(there, enabled, &body, &err) < 0)
                return session_end_err(s, RESULT_REFUSED, &err);
        return send_change(t,
                           &(ApiRequest){ .method = "PUT",
                                          .path = t->path,
                                          .body = body,
                                          .type = "application/json",
                                          .max_bytes = TARGET_MAX },
                           word);
}

/* ---- the verb ---- */

static int targets_run(Targets *t)
{
        switch (t->session.rq->targets.action) {
        case TARGETS_LIST:
                return targets_list(t);
        case TARGETS_GET:
                return targets_get(t);
        case TARGETS_CREATE:
                return targets_create(t);
        case TARGETS_UPDATE:
                return targets_update(t);
        case TARGETS_DELETE:
                return targets_delete(t);
        case TARGETS_ENABLE:
                return targets_switch(t, true);
        case TARGETS_DISABLE:
                return targets_switch(t, false);
        case TARGETS_CHECK:
                return targets_check(&t->session, t->org, t->env);
        case TARGETS_ROTATION: /* rotation.h */
        case TARGETS_ACTION_COUNT:
        case TARGETS_ACTION_INVALID:
                break;
        }
        return session_end(&t->session, RESULT_FAILED, NULL, "%s", "no such action");
}

int targets_main(const CliRequest *rq, const Config *config, const SessionIo *io)
{
        _cleanup_(targets_done) Targets t = { .org = rq->org, .env = rq->env, .name = rq->targets.name };
        Err err = { 0 };
        int status, r;

        if (session_open(&t.session, rq, config, io, &status) < 0)
                return status;
        if (t.name && !target_name_ok(t.name))
                return session_end(
                        &t.session, RESULT_USAGE, NULL,
                        "A target server cannot be called \"%.80s\": letters, digits, '-', '_', '.' and "
                        "blanks between them",
                        t.name);
        if (t.name) {
                (void) snprintf(t.what, sizeof(t.what), "Target server %.80s of %.80s/%.80s", t.name, t.org,
                                t.env);
                r = api_path(&t.path, API_SEGMENTS("o", t.org, "e", t.env, "targetservers", t.name), &err);
        } else
                r = api_path(&t.path, API_SEGMENTS("o", t.org, "e", t.env, "targetservers"), &err);
        return r < 0 ? session_end_err(&t.session, RESULT_USAGE, &err) : targets_run(&t);
}
