/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/probing.h"

#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/words.h"
#include "probes/http-tls.h"
#include "probes/http.h"
#include "probes/lookup.h"
#include "probes/plain.h"

#define RESOLVE_USEC     (5 * USEC_PER_SEC)
#define TOTAL_USEC       (60 * USEC_PER_SEC)
#define TOTAL_MOST       (600 * USEC_PER_SEC) /* however long its own limits are */
#define LOOKUPS_BUSY     16                   /* programs that were started just now: they cost time, */
#define LOOKUPS_MAX      128                  /* ... and with those that only wait for an answer */
#define LOOKUP_BUSY_USEC (250 * USEC_PER_MSEC)
#define FILES_SPARED     64 /* of the limit, for everything else */
#define TEXT_SIZE        512
#define ID_HEADER        "X-Apigee-Healthcheck-Id"
#define NO_UUID          "00000000-0000-0000-0000-000000000000"

/* One name, for all checks that need it. */
typedef struct Host {
        const char *name;
        Probing *probing;
        Lookup *lookup;
        bool known, here;             /* here: it could not even be looked up */
        char address[ADDR_TEXT_SIZE]; /* "": none */
        char why[160];
        Usec asked_usec;
        struct Check *waiting; /* checks that wait for it */
} Host;

typedef struct Check {
        ProbeSpec spec;
        const char *org, *env;
        Probing *probing;
        size_t index;
        Host *host;
        struct Check *next_waiting; /* for its name, or for its turn */
        Usec start_usec;
        unsigned char *seen; /* of each expected header: SEEN_...; NULL: none is expected */
        unsigned notes;
} Check;

/* An expected header. The greater one counts. */
enum {
        SEEN_NOT,
        SEEN_OTHER, /* with another value */
        SEEN_SAME,
};

struct Probing {
        sd_event *event;
        Http *http;   /* with TLS: libcurl, loaded when the first is asked */
        Plain *plain; /* without */
        ProbingOptions options;
        char *stores, *server_uuid;
        Check *checks;
        size_t n, size;
        Host *hosts;
        size_t n_hosts;
        size_t next;      /* first check that was not begun */
        size_t next_host; /* first name that was not asked for */
        size_t under_way, lookups, left;
        unsigned lookups_max;
        Check *ready, **ready_end;   /* their names are known */
        sd_event_source *next_names; /* more of them are asked for */
        bool over;                   /* of probing_run() */
        ProbingFn fn;
        ProbingDoneFn done;
        void *userdata;
        sd_event_source *pump;
};

static const char *const layer_names[] = {
        [PROBE_OK] = "ok",         [PROBE_RESOLVE] = "resolve", [PROBE_CONNECT] = "connect",
        [PROBE_HANDSHAKE] = "tls", [PROBE_SEND] = "send",       [PROBE_FIRST_BYTE] = "first-byte",
        [PROBE_STATUS] = "status", [PROBE_HEADER] = "header",   [PROBE_BODY] = "body",
        [PROBE_HERE] = "here",
};
_Static_assert(ELEMENTS(layer_names) == PROBE_LAYER_COUNT, "every layer has a name");

const char *probe_layer_name(ProbeLayer layer)
{
        return layer >= 0 && layer < PROBE_LAYER_COUNT ? layer_names[layer] : "invalid";
}

ProbeLayer probe_layer_from_name(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(layer_names); i++)
                if (strcmp(name, layer_names[i]) == 0)
                        return (ProbeLayer) i;
        return PROBE_LAYER_INVALID;
}

Usec probing_names_usec(size_t n)
{
        size_t first = MIN(n, (size_t) LOOKUPS_MAX);
        return first / LOOKUPS_BUSY * LOOKUP_BUSY_USEC +
               (n / LOOKUPS_MAX + 1) * (RESOLVE_USEC + USEC_PER_SEC);
}

/* ---- the end of a check ----------------------------------------------------------------------------------
 */

static void pump_later(Probing *p)
{
        (void) sd_event_source_set_enabled(p->pump, SD_EVENT_ONESHOT);
}

/* The callback may not free the Probing, so that this can go on behind it. */
static void check_end(Check *c, ProbeResult *result)
{
        Probing *p = c->probing;

        result->notes = c->notes;
        result->elapsed_usec = time_now() - c->start_usec;
        p->under_way--;
        p->left--;
        pump_later(p);
        p->fn(p, c->index, result, p->userdata);
}

static void check_end_here(Check *c, ProbeLayer layer, const char *what)
{
        char text[TEXT_SIZE];
        (void) snprintf(text, sizeof(text), "%.200s:%u: %.200s", c->spec.host, c->spec.port, what);
        words_clean(text);
        check_end(c, &(ProbeResult){ .layer = layer, .text = text });
}

/* ---- what is looked at -----------------------------------------------------------------------------------
 */

static void header_reset(Check *c)
{
        if (c->seen)
                memset(c->seen, SEEN_NOT, c->spec.expected_headers->n);
}

/* "Name: value" against what is expected. A header may come several times; one with the value is enough. */
static void on_header_line(const char *line, size_t len, void *userdata)
{
        Check *c = userdata;
        const EdgeHeaders *expected = c->spec.expected_headers;
        const char *colon = memchr(line, ':', len);

        if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
                header_reset(c); /* what came before was a 1xx */
        if (!colon || !c->seen)
                return;
        const char *value = colon + 1, *end = line + len;
        while (value < end && strchr(" \t", *value))
                value++;
        while (end > value && strchr(" \t\r\n", end[-1]))
                end--;
        for (size_t i = 0; i < expected->n; i++) {
                const EdgeHeader *h = &expected->items[i];
                if (strlen(h->name) != (size_t) (colon - line) ||
                    strncasecmp(h->name, line, (size_t) (colon - line)) != 0)
                        continue;
                bool same = strlen(h->value) == (size_t) (end - value) &&
                            memcmp(h->value, value, strlen(h->value)) == 0;
                c->seen[i] = MAX(c->seen[i], (unsigned char) (same ? SEEN_SAME : SEEN_OTHER));
        }
}

static bool code_expected(const EdgeNumbers *codes, long status)
{
        for (size_t i = 0; i < codes->n; i++)
                if (codes->items[i].value == status)
                        return true;
        return codes->n == 0;
}

static ProbeLayer judge_answer(const Check *c, const HttpResult *r, char *text, size_t size)
{
        const ProbeSpec *s = &c->spec;

        if (s->kind != PROBE_HTTP)
                return PROBE_OK;
        if (!code_expected(s->codes, r->status)) {
                (void) snprintf(text, size, "%.300s: this code is not expected", r->text);
                return PROBE_STATUS;
        }
        for (size_t i = 0; i < s->expected_headers->n; i++) {
                if (c->seen[i] == SEEN_SAME)
                        continue;
                (void) snprintf(text, size, "%.300s: the header %.80s %s", r->text,
                                s->expected_headers->items[i].name,
                                c->seen[i] == SEEN_OTHER ? "has another value" : "is missing");
                return PROBE_HEADER;
        }
        return PROBE_OK;
}

/* Cut off in it, or not as HTTP has it. */
static ProbeLayer layer_of_part(HttpPart part)
{
        return part == HTTP_PART_BODY ? PROBE_BODY : part == HTTP_PART_HEADER ? PROBE_HEADER : PROBE_STATUS;
}

static ProbeLayer judge(const Check *c, const HttpResult *r, char *text, size_t size)
{
        switch (r->outcome) {
        case HTTP_ANSWER:
                return judge_answer(c, r, text, size);
        case HTTP_RESOLVE:
                return PROBE_RESOLVE;
        case HTTP_REFUSED:
        case HTTP_CONNECT:
                return PROBE_CONNECT;
        case HTTP_TLS:
                return PROBE_HANDSHAKE;
        case HTTP_SEND:
                return PROBE_SEND;
        case HTTP_NO_ANSWER:
                return PROBE_FIRST_BYTE;
        case HTTP_TRUNCATED:
        case HTTP_PROTOCOL:
                return layer_of_part(r->part);
        case HTTP_TOO_LARGE:
                return r->part == HTTP_PART_BODY ? PROBE_BODY : PROBE_HEADER;
        case HTTP_BAD_URL:
        case HTTP_INTERNAL:
        case HTTP_OUTCOME_COUNT:
        case HTTP_OUTCOME_INVALID:
                break;
        }
        return PROBE_HERE;
}

static void check_on_result(const HttpResult *r, void *userdata)
{
        Check *c = userdata;
        char text[TEXT_SIZE];

        (void) snprintf(text, sizeof(text), "%.500s", r->text);
        if (r->cut)
                c->notes |= PROBE_NOTE_BODY_CUT;
        if (r->self_signed)
                c->notes |= PROBE_NOTE_SELF_SIGNED;
        ProbeLayer layer = judge(c, r, text, sizeof(text));
        words_clean(text);
        check_end(c, &(ProbeResult){
                             .layer = layer, .text = text, .os_errno = r->os_errno, .status = r->status });
}

/* ---- TLS -------------------------------------------------------------------------------------------------
 */

typedef struct Tls {
        HttpTls tls;
        char trust[512], client[512];
        char ciphers[2048], ciphers_13[512];
} Tls;

static const char *store_name(const EdgeText *store)
{
        const char *name = store->value;
        return name && strncmp(name, "ref://", 6) == 0 ? name + 6 : name;
}

/* A name from a document becomes a file's: nothing that leaves the folder. */
static bool store_file(const Probing *p, const char *store, const char *alias, char *path, size_t size)
{
        if (!p->stores || !store || !*store || strchr(store, '/') || store[0] == '.' ||
            (alias && (!*alias || strchr(alias, '/') || alias[0] == '.')))
                return false;
        int n = snprintf(path, size, "%s/%s%s%s.pem", p->stores, store, alias ? "/" : "", alias ? alias : "");
        return n > 0 && (size_t) n < size && access(path, R_OK) == 0;
}

static void tls_protocols(Check *c, const EdgeTexts *protocols, HttpTls *tls)
{
        unsigned offered = 0;

        for (size_t i = 0; i < protocols->n; i++) {
                unsigned version = http_tls_version(protocols->items[i].value);
                if (version == 0)
                        continue;
                offered |= 1U << (version - 10);
                tls->version_min = tls->version_min == 0 ? version : MIN(tls->version_min, version);
                tls->version_max = MAX(tls->version_max, version);
        }
        /* libcurl takes a range. */
        unsigned range =
                tls->version_min ? (2U << (tls->version_max - 10)) - (1U << (tls->version_min - 10)) : 0;
        if (protocols->n > 0 && (offered == 0 || offered != range))
                c->notes |= PROBE_NOTE_PROTOCOLS;
}

static void tls_ciphers(Check *c, const EdgeTexts *ciphers, Tls *tls)
{
        for (size_t i = 0; i < ciphers->n; i++) {
                char name[HTTP_TLS_CIPHER_SIZE];
                bool is_13;
                if (!http_tls_cipher(ciphers->items[i].value, name, sizeof(name), &is_13)) {
                        c->notes |= PROBE_NOTE_CIPHERS;
                        continue;
                }
                char *list = is_13 ? tls->ciphers_13 : tls->ciphers;
                size_t size = is_13 ? sizeof(tls->ciphers_13) : sizeof(tls->ciphers), used = strlen(list);
                if (used + strlen(name) + 2 > size)
                        c->notes |= PROBE_NOTE_CIPHERS;
                else
                        (void) snprintf(list + used, size - used, "%s%s", used ? ":" : "", name);
        }
        tls->tls.ciphers = *tls->ciphers ? tls->ciphers : NULL;
        tls->tls.ciphers_13 = *tls->ciphers_13 ? tls->ciphers_13 : NULL;
}

static void tls_of(Check *c, Tls *tls)
{
        const EdgeSsl *ssl = c->spec.ssl;
        const Probing *p = c->probing;

        *tls = (Tls){ .tls = { .any_certificate = c->spec.any_certificate,
                               .tell_self_signed = c->spec.kind == PROBE_HTTP } };
        if (!ssl)
                return;
        const char *trust = store_name(&ssl->trust_store), *keys = store_name(&ssl->key_store);
        if (trust && !tls->tls.any_certificate &&
            !store_file(p, trust, NULL, tls->trust, sizeof(tls->trust))) {
                tls->trust[0] = '\0';
                tls->tls.any_certificate = true;
                c->notes |= PROBE_NOTE_NO_TRUST;
        }
        if (c->spec.two_way) {
                const char *alias = ssl->key_alias.value ? ssl->key_alias.value : "";
                if (store_file(p, keys, alias, tls->client, sizeof(tls->client)))
                        tls->tls.client_certificate = tls->tls.client_key = tls->client;
                else
                        c->notes |= PROBE_NOTE_NO_KEY;
        }
        tls_protocols(c, &ssl->protocols, &tls->tls);
        tls_ciphers(c, &ssl->ciphers, tls);
}

/* ---- a check ---------------------------------------------------------------------------------------------
 */

static const char *const methods[] = {
        [EDGE_GET] = "GET", [EDGE_PUT] = "PUT", [EDGE_POST] = "POST", [EDGE_DELETE] = "DELETE"
};
_Static_assert(ELEMENTS(methods) == EDGE_VERB_COUNT, "every verb has a method");

static void release_lines(char ***lines)
{
        for (char **l = *lines; l && *l; l++)
                free(*l);
        free(*lines);
}

/* The headers of a request. Return: NULL when there is no memory. */
static char **lines_of(const Check *c)
{
        const ProbeSpec *s = &c->spec;
        size_t n = s->headers ? s->headers->n : 0, used = 0;
        _cleanup_(release_lines) char **lines = calloc(n + 3, sizeof(char *));
        bool typed = false;

        if (!lines)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                const EdgeHeader *h = &s->headers->items[i];
                /* libcurl drops a header without value, unless it is written like this. */
                if (asprintf(&lines[used], *h->value ? "%s: %s" : "%s;", h->name, h->value) < 0)
                        return NULL;
                typed = typed || strcasecmp(h->name, "Content-Type") == 0;
                used++;
        }
        const char *uuid = c->probing->server_uuid ? c->probing->server_uuid : NO_UUID;
        if (s->include_id) {
                if (asprintf(&lines[used], ID_HEADER ": %s/%s/%s/%" PRIu64, c->org ? c->org : "",
                             c->env ? c->env : "", uuid, time_wall() / USEC_PER_MSEC) < 0)
                        return NULL;
                used++;
        }
        /* libcurl would add one of its own to a body. */
        if (s->payload && !typed && !(lines[used] = strdup("Content-Type:")))
                return NULL;
        return TAKE_PTR(lines);
}

static char *url_of(const ProbeSpec *s)
{
        bool six = strchr(s->host, ':') != NULL;
        const char *path = s->kind == PROBE_HTTP ? s->path : "";
        char *url = NULL;
        /* A check without TLS of a port that speaks it is still one: whether it can be connected to. */
        bool tls = s->tls && s->kind != PROBE_TCP;

        return asprintf(&url, "%s://%s%s%s:%u%s%s", tls ? "https" : "http", six ? "[" : "", s->host,
                        six ? "]" : "", s->port, *path == '/' ? "" : "/", path) < 0
                       ? NULL
                       : url;
}

Usec probing_total_usec(const ProbeSpec *s)
{
        Usec waits = time_add(s->connect_usec, 2 * MIN(s->read_usec, TOTAL_MOST));
        return MIN(MAX(TOTAL_USEC, waits), TOTAL_MOST);
}

static int check_ask(Check *c, Err *err)
{
        const Probing *p = c->probing;
        const ProbeSpec *s = &c->spec;
        Tls tls = { 0 };
        _cleanup_(freep) char *url = url_of(s);
        _cleanup_(release_lines) char **lines = lines_of(c);

        if (!url || !lines)
                return err_set(err, -ENOMEM, "out of memory");
        bool with_tls = s->tls && s->kind != PROBE_TCP;
        if (with_tls)
                tls_of(c, &tls);
        HttpRequest request = {
                .url = url,
                .method = s->kind == PROBE_HTTP ? methods[s->verb] : NULL,
                .post_body = s->kind == PROBE_HTTP ? s->payload : NULL,
                .headers = (const char *const *) lines,
                .ca_file = *tls.trust ? tls.trust : NULL,
                .connect_usec = s->connect_usec,
                .read_usec = s->read_usec,
                .total_usec = p->options.total_usec > 0 ? p->options.total_usec : probing_total_usec(s),
                .max_body_bytes = PROBING_BODY_MAX,
                .address = c->host->address,
                .tls = with_tls ? &tls.tls : NULL,
                .connect_only = s->kind != PROBE_HTTP,
                .discard = true,
                .line = on_header_line,
        };
        return with_tls ? http_start(p->http, &request, check_on_result, c, NULL, err)
                        : plain_start(p->plain, &request, check_on_result, c, err);
}

static void check_begin(Check *c)
{
        Err err = { 0 };
        if (!*c->host->address) {
                c->start_usec = c->host->asked_usec;
                check_end_here(c, c->host->here ? PROBE_HERE : PROBE_RESOLVE, c->host->why);
        } else if (check_ask(c, &err) < 0)
                check_end_here(c, PROBE_HERE, err.text);
}

/* ---- names -----------------------------------------------------------------------------------------------
 */

/* Java takes the first address of a name, and of both families IPv4. */
static void host_take(Host *h, const Addr *addrs, size_t n)
{
        const Addr *best = n > 0 ? &addrs[0] : NULL;
        for (size_t i = 0; i < n && best->family != AF_INET; i++)
                if (addrs[i].family == AF_INET)
                        best = &addrs[i];
        if (best)
                (void) addr_format(best, h->address, sizeof(h->address));
        h->known = true;
}

static void ready_put(Probing *p, Check *c)
{
        c->next_waiting = NULL;
        *p->ready_end = c;
        p->ready_end = &c->next_waiting;
}

static void host_on_lookup(const Addr *addrs, size_t n, const char *why, void *userdata)
{
        Host *h = userdata;
        Probing *p = h->probing;

        h->lookup = NULL;
        p->lookups--;
        (void) snprintf(h->why, sizeof(h->why), "%s", why);
        host_take(h, addrs, n);
        pump_later(p);
        for (Check *c = h->waiting, *next; c; c = next) {
                next = c->next_waiting;
                ready_put(p, c);
        }
        h->waiting = NULL;
}

static void host_ask(Host *h)
{
        Probing *p = h->probing;
        Addr addr;
        Err err = { 0 };

        h->asked_usec = time_now();
        if (addr_parse(h->name, &addr)) {
                host_take(h, &addr, 1);
                return;
        }
        if (lookup_start(&h->lookup, p->event, h->name, p->options.resolve_usec, host_on_lookup, h, &err) <
            0) {
                (void) snprintf(h->why, sizeof(h->why), "%.150s", err.text);
                h->known = h->here = true;
                return;
        }
        p->lookups++;
}

static int by_name(const void *a, const void *b)
{
        const Check *const *x = a, *const *y = b;
        return strcasecmp((*x)->spec.host, (*y)->spec.host);
}

/* Each check gets the host that all with this name share. */
static int hosts_make(Probing *p, Err *err)
{
        _cleanup_(freep) Check **sorted = calloc(p->n + 1, sizeof(*sorted));
        p->hosts = calloc(p->n + 1, sizeof(*p->hosts));
        if (!sorted || !p->hosts)
                return err_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; i < p->n; i++)
                sorted[i] = &p->checks[i];
        qsort(sorted, p->n, sizeof(*sorted), by_name);
        for (size_t i = 0; i < p->n; i++) {
                const char *name = sorted[i]->spec.host;
                if (p->n_hosts == 0 || strcasecmp(p->hosts[p->n_hosts - 1].name, name) != 0)
                        p->hosts[p->n_hosts++] = (Host){ .name = name, .probing = p };
                sorted[i]->host = &p->hosts[p->n_hosts - 1];
        }
        return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------
 */

/* One that waits for its name has no socket, and is in nobody's way. */
static void pump_check(Probing *p, Check *c)
{
        if (c->host->known) {
                ready_put(p, c);
                return;
        }
        c->next_waiting = c->host->waiting;
        c->host->waiting = c;
}

static void pump_ready(Probing *p)
{
        while (p->ready && p->under_way < p->options.at_once) {
                Check *c = p->ready;
                p->ready = c->next_waiting;
                if (!p->ready)
                        p->ready_end = &p->ready;
                p->under_way++;
                c->start_usec = time_now();
                check_begin(c);
        }
}

/* A name service that answers is asked by a few programs at a time; those that are waiting for one that does
 * not only wait, and hold up nobody. */
static void pump_names(Probing *p)
{
        Usec now = time_now();
        size_t busy = 0;

        for (size_t i = 0; i < p->next_host; i++)
                busy += p->hosts[i].lookup && p->hosts[i].asked_usec + LOOKUP_BUSY_USEC > now;
        for (; p->next_host < p->n_hosts && busy < LOOKUPS_BUSY && p->lookups < p->lookups_max;
             p->next_host++) {
                host_ask(&p->hosts[p->next_host]);
                busy += p->hosts[p->next_host].lookup != NULL;
        }
        if (p->next_host == p->n_hosts)
                return;
        (void) sd_event_source_set_time(p->next_names, now + LOOKUP_BUSY_USEC);
        (void) sd_event_source_set_enabled(p->next_names, SD_EVENT_ONESHOT);
}

static int probing_on_names(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        pump_later(userdata);
        return 0;
}

static int probing_on_pump(sd_event_source *s _unused_, void *userdata)
{
        Probing *p = userdata;

        pump_names(p);
        for (; p->next < p->n; p->next++)
                pump_check(p, &p->checks[p->next]);
        pump_ready(p);
        if (p->left == 0) {
                p->pump = sd_event_source_unref(p->pump);
                p->done(p, p->userdata);
        }
        return 0;
}

/* Each check needs a socket, and each lookup a pipe and a process: fewer at once where files are scarce. */
static void files_allow(Probing *p)
{
        struct rlimit limit;

        p->lookups_max = LOOKUPS_MAX;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
                return;
        rlim_t room = limit.rlim_cur > 2 * FILES_SPARED ? limit.rlim_cur - FILES_SPARED : limit.rlim_cur / 2;
        p->lookups_max = (unsigned) MAX(MIN((rlim_t) LOOKUPS_MAX, room / 8), (rlim_t) 1);
        room -= MIN(room, 2 * (rlim_t) p->lookups_max);
        p->options.at_once = (unsigned) MAX(MIN((rlim_t) p->options.at_once, room), (rlim_t) 1);
}

int probing_new(Probing **ret, const ProbingOptions *options, Err *err)
{
        _cleanup_(probing_freep) Probing *p = calloc(1, sizeof(*p));
        if (!p)
                return err_set(err, -ENOMEM, "out of memory");
        p->options = *options;
        p->event = sd_event_ref(options->event);
        p->options.at_once = options->at_once > 0 ? options->at_once : PROBING_AT_ONCE;
        p->ready_end = &p->ready;
        files_allow(p);
        if (p->options.resolve_usec == 0)
                p->options.resolve_usec = RESOLVE_USEC;
        if ((options->stores && !(p->stores = strdup(options->stores))) ||
            (options->server_uuid && !(p->server_uuid = strdup(options->server_uuid))))
                return err_set(err, -ENOMEM, "out of memory");
        int r = http_new(&p->http, p->event, err);
        if (r >= 0)
                r = plain_new(&p->plain, p->event, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

Probing *probing_free(Probing *p)
{
        if (!p)
                return NULL;
        (void) http_free(p->http);
        (void) plain_free(p->plain);
        for (size_t i = 0; i < p->n_hosts; i++)
                (void) lookup_cancel(p->hosts[i].lookup);
        for (size_t i = 0; i < p->n; i++)
                free(p->checks[i].seen);
        (void) sd_event_source_unref(p->pump);
        (void) sd_event_source_unref(p->next_names);
        (void) sd_event_unref(p->event);
        free(p->hosts);
        free(p->checks);
        free(p->stores);
        free(p->server_uuid);
        free(p);
        return NULL;
}

int probing_add(Probing *p, const ProbeSpec *spec, const char *org, const char *env, Err *err)
{
        if (p->n >= PROBING_MAX)
                return err_set(err, -E2BIG, "more than %d checks", PROBING_MAX);
        if (p->n == p->size) {
                size_t size = MAX(p->size * 2, (size_t) 64);
                Check *more = reallocarray(p->checks, size, sizeof(*more));
                if (!more)
                        return err_set(err, -ENOMEM, "out of memory");
                p->checks = more;
                p->size = size;
        }
        size_t expected = spec->kind == PROBE_HTTP && spec->expected_headers ? spec->expected_headers->n : 0;
        unsigned char *seen = expected > 0 ? calloc(expected, sizeof(*seen)) : NULL;
        if (expected > 0 && !seen)
                return err_set(err, -ENOMEM, "out of memory");
        p->checks[p->n] = (Check){ .seen = seen,
                                   .spec = *spec,
                                   .org = org,
                                   .env = env,
                                   .probing = p,
                                   .index = p->n,
                                   .notes = spec->notes };
        return (int) p->n++;
}

int probing_start(Probing *p, ProbingFn fn, ProbingDoneFn done, void *userdata, Err *err)
{
        int r = hosts_make(p, err);
        if (r < 0)
                return r;
        p->fn = fn;
        p->done = done;
        p->userdata = userdata;
        p->left = p->n;
        r = sd_event_add_defer(p->event, &p->pump, probing_on_pump, p);
        if (r >= 0)
                r = sd_event_add_time(p->event, &p->next_names, CLOCK_MONOTONIC, 0, 1, probing_on_names, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->next_names, SD_EVENT_OFF);
        return r < 0 ? err_errno(err, r, "target servers cannot be checked") : 0;
}

static void run_on_done(Probing *p, void *userdata _unused_)
{
        p->over = true;
}

int probing_run(Probing *p, ProbingFn fn, void *userdata, Err *err)
{
        int r = probing_start(p, fn, run_on_done, userdata, err);
        while (r >= 0 && !p->over) {
                r = sd_event_run(p->event, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for the target servers");
        }
        return r < 0 ? r : 0;
}
