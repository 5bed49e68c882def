/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/api.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/edge/password.h"
#include "probes/edge-json.h"
#include "probes/http.h"
#include "probes/json.h"

#define API_CONNECT_USEC (5 * USEC_PER_SEC)
#define API_TOTAL_USEC   (30 * USEC_PER_SEC)
#define API_ERROR_MAX    (64 * 1024) /* bytes of an error that are looked at */

typedef struct ApiCall ApiCall;
typedef TAILQ_HEAD(ApiQueue, ApiCall) ApiQueue;

struct Api {
        sd_event *event;
        Http *http;
        char *user, *password, *ca_file;
        char password_from[600];
        char base[1024]; /* without '/' at its end */
        Usec connect_usec, total_usec;
        ApiQueue waiting, running;
        size_t n_running, n_left;
        Usec deadline; /* of all; 0: none */
        char deadline_words[80];
        unsigned silent;       /* requests in a row that ended without an answer in time */
        sd_event_source *late; /* ends those that wait when no more are sent */
};

struct ApiCall {
        TAILQ_ENTRY(ApiCall) entry;
        Api *api;
        HttpCall *http;
        char *url, *body, *type;
        char method[8];
        size_t max_bytes;
        ApiFn fn;
        void *userdata;
};

static const struct {
        const char *name;
        Result result;
} kind_table[] = {
        [API_OK] = { "ok", RESULT_DONE },
        [API_ABSENT] = { "absent", RESULT_REFUSED },
        [API_CONFLICT] = { "conflict", RESULT_REFUSED },
        [API_DENIED] = { "denied", RESULT_NO_PERMISSION },
        [API_REJECTED] = { "rejected", RESULT_REFUSED },
        [API_ELSEWHERE] = { "elsewhere", RESULT_REFUSED },
        [API_SICK] = { "sick", RESULT_REFUSED },
        [API_UNREACHED] = { "unreached", RESULT_REFUSED },
        [API_CUT] = { "cut", RESULT_REFUSED },
        [API_FOREIGN] = { "foreign", RESULT_REFUSED },
};
_Static_assert(ELEMENTS(kind_table) == API_KIND_COUNT, "every kind has a row");

const char *api_kind_name(ApiKind kind)
{
        return kind >= 0 && kind < API_KIND_COUNT ? kind_table[kind].name : "invalid";
}

Result api_kind_result(ApiKind kind)
{
        return kind >= 0 && kind < API_KIND_COUNT ? kind_table[kind].result : RESULT_FAILED;
}

/* ---- where it is ---- */

int api_url_ok(const char *url, Err *err)
{
        const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                           : strncmp(url, "https://", 8) == 0 ? url + 8
                                                              : NULL;
        if (host && strcspn(host, "@") < strcspn(host, "/?#"))
                return err_set(
                        err, -EINVAL,
                        "The URL of the Management Server must not hold a user or a password: set management_user "
                        "and management_password_file, or " PASSWORD_ENV);
        if (!host || !*host || strchr("/?#:", *host) || strlen(url) > 500 || strpbrk(url, "?#\\ "))
                return err_set(err, -EINVAL,
                               "\"%.100s\" is no URL of a Management Server; expected something like "
                               "http://10.0.0.9:8080 or https://ms.example.com:8443",
                               url);
        for (const char *c = url; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return err_set(
                                err, -EINVAL,
                                "The URL of the Management Server holds characters that do not belong there");
        return 0;
}

/* With the version or without it: people write both. */
static void api_set_base(Api *api, const char *url)
{
        (void) snprintf(api->base, sizeof(api->base), "%s", url);
        for (size_t len = strlen(api->base); len > 0 && api->base[len - 1] == '/'; len--)
                api->base[len - 1] = '\0';
        size_t len = strlen(api->base);
        if (len > 3 && strcmp(api->base + len - 3, "/v1") == 0)
                api->base[len - 3] = '\0';
}

static int api_secrets(Api *api, const ApiOptions *o, char *hint, size_t size, Err *err)
{
        if (o->ca_file && *o->ca_file && !(api->ca_file = strdup(o->ca_file)))
                return err_set(err, -ENOMEM, "Out of memory for the Management Server");
        if (!o->user || !*o->user)
                return 0;
        api->user = strdup(o->user);
        if (!api->user)
                return err_set(err, -ENOMEM, "Out of memory for the Management Server");
        int r = password_find(o->password_file, &api->password, api->password_from,
                              sizeof(api->password_from), err);
        if (r < 0)
                return r;
        if (!api->password) {
                (void) snprintf(hint, size,
                                "set management_password_file, or $" PASSWORD_ENV " for this one call");
                return err_set(err, -EACCES,
                               "The Management Server cannot be asked: there is no password for user %.80s",
                               o->user);
        }
        return 0;
}

static int api_on_late(sd_event_source *source, void *userdata);

int api_new(Api **ret, const ApiOptions *o, char *hint, size_t size, Err *err)
{
        _cleanup_(api_freep) Api *api = calloc(1, sizeof(*api));
        *hint = '\0';
        if (!api)
                return err_set(err, -ENOMEM, "Out of memory for the Management Server");
        TAILQ_INIT(&api->waiting);
        TAILQ_INIT(&api->running);
        int r = api_url_ok(o->url, err);
        if (r < 0)
                return r;
        api_set_base(api, o->url);
        api->connect_usec = o->connect_usec ? o->connect_usec : API_CONNECT_USEC;
        api->total_usec = o->total_usec ? o->total_usec : API_TOTAL_USEC;
        api->event = sd_event_ref(o->event);
        r = api_secrets(api, o, hint, size, err);
        if (r >= 0)
                r = http_new(&api->http, api->event, err);
        if (r < 0)
                return r;
        if ((r = sd_event_add_defer(api->event, &api->late, api_on_late, api)) < 0 ||
            (r = sd_event_source_set_enabled(api->late, SD_EVENT_OFF)) < 0)
                return err_errno(err, r, "No event source");
        *ret = TAKE_PTR(api);
        return 0;
}

static ApiCall *api_call_free(ApiCall *call)
{
        if (!call)
                return NULL;
        http_cancel(call->http);
        free(call->url);
        free(call->body);
        free(call->type);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(ApiCall, api_call_free);

static void api_empty(ApiQueue *queue)
{
        for (ApiCall *call; (call = TAILQ_FIRST(queue));) {
                TAILQ_REMOVE(queue, call, entry);
                api_call_free(call);
        }
}

Api *api_free(Api *api)
{
        if (!api)
                return NULL;
        api_empty(&api->running);
        api_empty(&api->waiting);
        http_free(api->http);
        sd_event_source_unref(api->late);
        sd_event_unref(api->event);
        password_free(api->password);
        free(api->user);
        free(api->ca_file);
        free(api);
        return NULL;
}

const char *api_url(const Api *api)
{
        return api->base;
}

const char *api_user(const Api *api)
{
        return api->user ? api->user : "";
}

/* "dc 1" to "dc%201". Return: false when it does not fit behind the @n bytes that are there. */
static bool path_add(char *buf, size_t size, size_t *n, const char *text)
{
        for (; *text; text++) {
                bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                             (*text >= '0' && *text <= '9') || strchr("-_.", *text);
                if (*n + 4 > size)
                        return false;
                *n += (size_t) snprintf(buf + *n, size - *n, plain ? "%c" : "%%%02X", (unsigned char) *text);
        }
        return true;
}

int api_path(char **ret, const char *const *segments, Err *err)
{
        char path[API_PATH_MAX + 4] = "/v1";
        size_t n = 3;
        int r = 0;

        for (const char *const *s = segments; *s && r >= 0; s++) {
                if (!edge_name_ok(*s))
                        return err_set(
                                err, -EINVAL,
                                "\"%.60s\" cannot be the name of anything in Edge: 1 to %d printable ASCII "
                                "characters are expected",
                                *s, EDGE_NAME_MAX);
                if (n + 2 > sizeof(path))
                        r = -E2BIG;
                else {
                        path[n++] = '/';
                        r = path_add(path, sizeof(path), &n, *s) ? 0 : -E2BIG;
                }
        }
        if (n > API_PATH_MAX)
                r = -E2BIG;
        if (r == -E2BIG)
                return err_set(err, r, "The names are too long for a path of more than %d bytes",
                               API_PATH_MAX);
        path[n] = '\0';
        *ret = strdup(path);
        return *ret ? 0 : err_set(err, -ENOMEM, "Out of memory for a path");
}

/* ---- what became of a request ---- */

static void answer_bad(ApiAnswer *a, ApiKind kind, int code, const char *hint, const char *fmt, ...)
        _printf_(5, 6);

static void answer_bad(ApiAnswer *a, ApiKind kind, int code, const char *hint, const char *fmt, ...)
{
        char text[API_TEXT_SIZE];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        a->kind = kind;
        a->code = code;
        a->body = "";
        a->body_len = 0;
        (void) snprintf(a->hint, sizeof(a->hint), "%s", hint);
        (void) snprintf(a->text, sizeof(a->text), "The Management Server %s: %.430s",
                        kind == API_ABSENT || kind == API_CONFLICT || kind == API_REJECTED
                                ? "refuses it"
                                : "cannot be asked",
                        text);
        for (char *c = a->text; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
}

/* There is no whole answer. @max: bytes that were allowed. */
static void answer_none(ApiAnswer *a, const HttpResult *r, size_t max)
{
        switch (r->outcome) {
        case HTTP_REFUSED:
                answer_bad(a, API_UNREACHED, -ECONNREFUSED,
                           "is edge-management-server running there, and is that its port (8080)?", "%s",
                           r->text);
                return;
        case HTTP_RESOLVE:
                answer_bad(a, API_UNREACHED, -EIO, "write the host as a number, or look at DNS", "%s",
                           r->text);
                return;
        case HTTP_CONNECT:
                answer_bad(a, API_UNREACHED, -ETIMEDOUT,
                           "is the machine up, and does a firewall let this host in?", "%s", r->text);
                return;
        case HTTP_TLS:
                answer_bad(a, API_UNREACHED, -EIO,
                           "management_ca names the certificates it is checked by; does the port speak TLS?",
                           "%s", r->text);
                return;
        case HTTP_NO_ANSWER:
        case HTTP_SEND:
                answer_bad(a, API_CUT, -ETIMEDOUT, "it may be overloaded: look at its system.log", "%s",
                           r->text);
                return;
        case HTTP_TRUNCATED:
                answer_bad(a, API_CUT, -EIO, "half an answer is not used; try again", "%s", r->text);
                return;
        case HTTP_TOO_LARGE:
                answer_bad(a, API_FOREIGN, -E2BIG,
                           "that is no answer of the management API; is this the right URL?",
                           "%s (%zu %s at most)", r->text, max >= 1 << 20 ? max >> 20 : max >> 10,
                           max >= 1 << 20 ? "MiB" : "KiB");
                return;
        case HTTP_PROTOCOL:
                answer_bad(a, API_FOREIGN, -EBADMSG,
                           "http where https is spoken, or another service on that port?", "%s", r->text);
                return;
        case HTTP_ANSWER:
        case HTTP_BAD_URL:
        case HTTP_INTERNAL:
        case HTTP_OUTCOME_COUNT:
        case HTTP_OUTCOME_INVALID:
                break;
        }
        answer_bad(a, API_UNREACHED, -EIO, "", "%s", r->text);
}

/* Edge's own words about a refusal: {"code":"...","message":"...","contexts":[]}. "" when there are none. */
static void answer_words(const HttpResult *r, char *buf, size_t size)
{
        _cleanup_(json_closep) cJSON *json = NULL;
        buf[0] = '\0';
        if (json_open(r->body, MIN(r->body_len, (size_t) API_ERROR_MAX), API_ERROR_MAX, &json, NULL) < 0 ||
            !cJSON_IsObject(json))
                return;
        const char *message = json_text(json, "message"), *code = json_text(json, "code");
        /* A code that is the status again says nothing more. */
        if (*message || code[strspn(code, "0123456789")])
                (void) snprintf(buf, size, ": %.200s%s%.80s%s", message, *message && *code ? " (" : "", code,
                                *message && *code ? ")" : "");
}

/* An answer, but no good one. */
static void answer_status(ApiAnswer *a, const Api *api, const HttpResult *r)
{
        char words[320], hint[300];
        long status = r->status;
        answer_words(r, words, sizeof(words));
        if (status == 401 && !api->password)
                answer_bad(a, API_DENIED, -EACCES,
                           "set management_user, and management_password_file or $" PASSWORD_ENV,
                           "%s: it wants a user and a password", r->text);
        else if (status == 401)
                answer_bad(a, API_DENIED, -EACCES, "try them with curl -u; the user is an e-mail address",
                           "%s: it does not take user %.80s with the password from %.120s", r->text,
                           api->user, api->password_from);
        else if (status == 403)
                answer_bad(a, API_DENIED, -EACCES, "it takes the role of a system administrator",
                           "%s: user %.80s may not do that%s", r->text, api->user ? api->user : "(none)",
                           words);
        else if (status == 404 && *words)
                answer_bad(a, API_ABSENT, -ENOENT, "is the name right, and is it that environment?", "%s%s",
                           r->text, words);
        else if (status == 404)
                answer_bad(a, API_ABSENT, -ENOENT,
                           "is the name right? The URL is that of the API without /v1: http://HOST:8080",
                           "%s: there is no such API, or no such name", r->text);
        else if (status == 409)
                answer_bad(a, API_CONFLICT, -EEXIST, "", "%s%s", r->text, words);
        else if (status >= 300 && status < 400) {
                (void) snprintf(hint, sizeof(hint),
                                "it sends to another place, which is not followed with a password: name that "
                                "place itself%s%.120s",
                                *r->location ? ": " : "", r->location);
                answer_bad(a, API_ELSEWHERE, -EPROTO, hint, "%s", r->text);
        } else if (status >= 500)
                answer_bad(a, API_SICK, -EPROTO, "it is not well: look at its system.log", "%s%s", r->text,
                           words);
        else if (status >= 400 && *words)
                answer_bad(a, API_REJECTED, -EINVAL, "", "%s%s", r->text, words);
        else
                answer_bad(a, status >= 400 ? API_REJECTED : API_FOREIGN, -EPROTO,
                           "is this the URL of the Management Server?", "%s", r->text);
}

void api_foreign(ApiAnswer *a, const char *why)
{
        char text[API_TEXT_SIZE];
        (void) snprintf(text, sizeof(text), "%s", a->text);
        answer_bad(a, API_FOREIGN, -EBADMSG,
                   "is this the URL of the Management Server, and not of a proxy or the UI?",
                   "%.200s: %.200s", text, why);
}

int api_answer_err(const ApiAnswer *a, Err *err)
{
        return err_set(err, a->code, "%s", a->text);
}

/* A login page comes with status 200, too. */
static bool looks_like_html(const HttpResult *r)
{
        const char *c = r->body + strspn(r->body, " \t\r\n");
        return strncasecmp(c, "<!doctype html", 14) == 0 || strncasecmp(c, "<html", 5) == 0;
}

static bool method_changes(const ApiCall *call)
{
        return *call->method && strcmp(call->method, "GET") != 0;
}

static void answer_judge(ApiAnswer *a, const ApiCall *call, const HttpResult *r)
{
        bool good = r->outcome == HTTP_ANSWER &&
                    (r->status == 200 || (method_changes(call) && (r->status == 201 || r->status == 204)));
        *a = (ApiAnswer){ .kind = API_OK, .status = r->status, .body = r->body, .body_len = r->body_len };
        (void) snprintf(a->text, sizeof(a->text), "%s", r->text);
        if (r->outcome != HTTP_ANSWER)
                answer_none(a, r, call->max_bytes);
        else if (!good)
                answer_status(a, call->api, r);
        else if (looks_like_html(r))
                api_foreign(a, "an HTML or XML page");
        a->unsure = method_changes(call) && (a->kind == API_CUT || a->kind == API_SICK ||
                                             (a->kind == API_FOREIGN && r->outcome != HTTP_PROTOCOL));
}

/* ---- requests ---- */

static void api_fill(Api *api);

static bool api_is_late(const Api *api)
{
        return api->deadline > 0 && time_now() >= api->deadline;
}

/* As many as are under way at once: a server that hangs is not asked 500 times for 30 s. */
static bool api_is_silent(const Api *api)
{
        return api->silent >= API_AT_ONCE;
}

static bool api_is_over(const Api *api)
{
        return api_is_late(api) || api_is_silent(api);
}

static void api_end(ApiCall *call, const ApiAnswer *answer)
{
        ApiFn fn = call->fn;
        void *userdata = call->userdata;
        Api *api = call->api;
        TAILQ_REMOVE(&api->running, call, entry);
        api->n_running--;
        api->n_left--;
        api_call_free(call);
        api_fill(api);
        fn(answer, userdata);
}

static void api_on_result(const HttpResult *result, void *userdata)
{
        ApiCall *call = userdata;
        ApiAnswer answer;
        call->http = NULL;
        answer_judge(&answer, call, result);
        call->api->silent = answer.code == -ETIMEDOUT ? call->api->silent + 1 : 0;
        api_end(call, &answer);
}

static int api_send(ApiCall *call, Err *err)
{
        const Api *api = call->api;
        char type[128];
        const char *headers[3] = { "Accept: application/json" };
        HttpRequest request = {
                .url = call->url,
                .method = *call->method ? call->method : NULL,
                .post_body = call->body,
                .headers = headers,
                .user = api->password ? api->user : NULL,
                .password = api->password,
                .ca_file = api->ca_file,
                .may_block = true, /* nothing else runs in this loop */
                .connect_usec = api->connect_usec,
                .total_usec = api->total_usec,
                .max_body_bytes = call->max_bytes,
        };
        if (api->deadline > 0) {
                /* libcurl counts in whole milliseconds: one that ends by this limit ends behind it. */
                Usec left = api->deadline - MIN(time_now(), api->deadline) + USEC_PER_MSEC;
                request.connect_usec = MIN(request.connect_usec, left);
                request.total_usec = MIN(request.total_usec, left);
        }
        if (call->type) {
                (void) snprintf(type, sizeof(type), "Content-Type: %.100s", call->type);
                headers[1] = type;
        }
        return http_start(api->http, &request, api_on_result, call, &call->http, err);
}

static int api_on_late(sd_event_source *source, void *userdata)
{
        Api *api = userdata;
        (void) source;
        /* One that was under way may have been answered since. */
        if (!api_is_over(api))
                api_fill(api);
        /* Callbacks may begin others: those come here again. */
        for (size_t n = api->n_left - api->n_running;
             n > 0 && api_is_over(api) && !TAILQ_EMPTY(&api->waiting); n--) {
                ApiCall *call = TAILQ_FIRST(&api->waiting);
                ApiAnswer answer = { 0 };
                TAILQ_REMOVE(&api->waiting, call, entry);
                TAILQ_INSERT_TAIL(&api->running, call, entry);
                api->n_running++;
                if (api_is_late(api))
                        answer_bad(&answer, API_CUT, -ETIME, "",
                                   "%.200s: not asked, because the time for all, %s, is over", call->url,
                                   api->deadline_words);
                else
                        answer_bad(&answer, API_UNREACHED, -ETIME,
                                   "it may be overloaded: look at its system.log",
                                   "%.200s: not asked, because the last %u requests had no answer", call->url,
                                   api->silent);
                api_end(call, &answer);
        }
        return 0;
}

/* What waits is ended from the loop, like everything that ends. */
static void api_give_up_waiting(Api *api)
{
        if (!TAILQ_EMPTY(&api->waiting))
                (void) sd_event_source_set_enabled(api->late, SD_EVENT_ONESHOT);
}

void api_until(Api *api, Usec deadline, const char *words)
{
        api->deadline = deadline;
        (void) snprintf(api->deadline_words, sizeof(api->deadline_words), "%s", words);
}

/* Begin what waits, as far as there is room. What cannot be begun ends as unreached. */
static void api_fill(Api *api)
{
        if (api_is_over(api)) {
                api_give_up_waiting(api);
                return;
        }
        for (ApiCall *call; api->n_running < API_AT_ONCE && (call = TAILQ_FIRST(&api->waiting));) {
                Err err = { 0 };
                TAILQ_REMOVE(&api->waiting, call, entry);
                TAILQ_INSERT_TAIL(&api->running, call, entry);
                api->n_running++;
                if (api_send(call, &err) < 0) {
                        ApiAnswer answer = { 0 };
                        answer_bad(&answer, API_UNREACHED, err.code, "", "%s", err.text);
                        api_end(call, &answer);
                        return; /* api_end() has filled up */
                }
        }
}

static int call_new(ApiCall **ret, Api *api, const ApiRequest *rq, ApiFn fn, void *userdata, Err *err)
{
        _cleanup_(api_call_freep) ApiCall *call = calloc(1, sizeof(*call));
        if (!call || asprintf(&call->url, "%s%s", api->base, rq->path) < 0 ||
            (rq->body && !(call->body = strdup(rq->body))) || (rq->type && !(call->type = strdup(rq->type))))
                return err_set(err, -ENOMEM, "Out of memory for a request to the Management Server");
        (void) snprintf(call->method, sizeof(call->method), "%s", rq->method ? rq->method : "");
        call->api = api;
        call->fn = fn;
        call->userdata = userdata;
        call->max_bytes = rq->max_bytes ? rq->max_bytes : API_BODY_MAX;
        *ret = TAKE_PTR(call);
        return 0;
}

int api_start(Api *api, const ApiRequest *rq, ApiFn fn, void *userdata, Err *err)
{
        ApiCall *call;
        int r = call_new(&call, api, rq, fn, userdata, err);
        if (r < 0)
                return r;
        api->n_left++;
        TAILQ_INSERT_TAIL(&api->waiting, call, entry);
        if (api_is_over(api))
                api_give_up_waiting(api);
        else if (api->n_running < API_AT_ONCE && TAILQ_FIRST(&api->waiting) == call) {
                /* The first failure is the caller's, not a callback from within. */
                TAILQ_REMOVE(&api->waiting, call, entry);
                TAILQ_INSERT_TAIL(&api->running, call, entry);
                api->n_running++;
                r = api_send(call, err);
                if (r < 0) {
                        TAILQ_REMOVE(&api->running, call, entry);
                        api->n_running--;
                        api->n_left--;
                        api_call_free(call);
                        return r;
                }
        }
        return 0;
}

int api_run(Api *api, Err *err)
{
        while (api->n_left > 0) {
                int r = sd_event_run(api->event, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for the Management Server");
        }
        api->silent = 0;
        return 0;
}

static void api_on_answer(const ApiAnswer *answer, void *userdata)
{
        ApiAnswer *ret = userdata;
        char *body = malloc(answer->body_len + 1);
        *ret = *answer;
        if (!body) {
                answer_bad(ret, API_UNREACHED, -ENOMEM, "", "out of memory");
                ret->body = NULL;
                return;
        }
        memcpy(body, answer->body, answer->body_len);
        body[answer->body_len] = '\0';
        ret->body = body;
}

int api_call(Api *api, const ApiRequest *request, ApiAnswer *ret, Err *err)
{
        *ret = (ApiAnswer){ 0 };
        int r = api_start(api, request, api_on_answer, ret, err);
        return r < 0 ? r : api_run(api, err);
}

void api_answer_done(ApiAnswer *answer)
{
        free((void *) (uintptr_t) answer->body);
        answer->body = NULL;
}
