/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/served.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/state.h"
#include "probes/json.h"
#include "probes/pem.h"

#define HANDSHAKE_USEC (3 * USEC_PER_SEC)

struct ServedCall {
        ServedFn fn;
        void *userdata;
        HttpCall *http[SERVED_MAX];
        struct ServedOne {
                ServedCall *call;
                size_t index;
        } ones[SERVED_MAX];
        size_t pending;
        sd_event_source *none; /* nothing to ask: said from the loop all the same */
        Addr addrs[SERVED_MAX];
        ServedList list;
};

/* ---- what is wanted ---- */

static bool name_valid(const char *name, size_t len)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
        return len > 0 && len < 254 && strspn(name, allowed) >= len && name[0] != '-' && name[0] != '.';
}

bool served_wanted(const char *word, ServedWanted *ret)
{
        ServedWanted w = { .file = word };

        if (word[0] != '/') {
                const char *equals = strchr(word, '='), *port = word;
                if (!equals)
                        return false;
                const char *colon = memrchr(word, ':', (size_t) (equals - word));
                if (colon) {
                        size_t len = (size_t) (colon - word);
                        if (!name_valid(word, len))
                                return false;
                        memcpy(w.name, word, len);
                        port = colon + 1;
                }
                size_t digits = strspn(port, "0123456789");
                unsigned long number =
                        digits > 0 && digits <= 5 && port + digits == equals ? strtoul(port, NULL, 10) : 0;
                if (number < 1 || number > UINT16_MAX)
                        return false;
                w.port = (uint16_t) number;
                w.file = equals + 1;
        }
        if (w.file[0] != '/')
                return false;
        *ret = w;
        return true;
}

const char *served_text(const Served *s, char *buf, size_t size)
{
        (void) snprintf(buf, size, "port %u%s%.100s%s", s->port, *s->name ? " (" : "", s->name,
                        *s->name ? ")" : "");
        return buf;
}

/* ---- the verdict ---- */

/* Return: true when it was compared. */
static bool judge_one(Needed *n, const ServedWanted *w, const Served *s, const char *fingerprint)
{
        char where[160];
        served_text(s, where, sizeof(where));
        if (s->state == SERVED_UNSEEN || (s->state == SERVED_NO_TLS && w->port)) {
                needed_add(n, NEEDED_CERTIFICATE, NEEDED_UNSEEN, "the certificate of %s is not known: %s",
                           where, s->text);
                return true;
        }
        if (s->state != SERVED_KNOWN)
                return false;
        if (strcmp(s->fingerprint, fingerprint) == 0)
                needed_add(n, NEEDED_CERTIFICATE, NEEDED_SAYS_NO,
                           "%s serves the certificate of %.120s (%.23s...)", where, w->file, fingerprint);
        else
                needed_add(n, NEEDED_CERTIFICATE, NEEDED_SAYS_YES,
                           "%s serves another certificate (%.23s...) than %.120s has (%.23s...)", where,
                           s->fingerprint, w->file, fingerprint);
        return true;
}

void served_judge(Needed *n, const Words wanted, const ServedList *list,
                  const char (*fingerprints)[SHA256_TEXT_SIZE], const char (*why)[200])
{
        for (size_t i = 0; wanted && wanted[i] && i < SERVED_MAX; i++) {
                ServedWanted w;
                bool compared = false;
                if (!served_wanted(wanted[i], &w))
                        continue;
                if (!*fingerprints[i]) {
                        needed_add(n, NEEDED_CERTIFICATE, NEEDED_UNSEEN,
                                   "the certificate that should be served is not known: %.180s", why[i]);
                        continue;
                }
                for (size_t k = 0; k < list->n; k++) {
                        const Served *s = &list->items[k];
                        if (strcmp(s->name, w.name) == 0 && (w.port == 0 || s->port == w.port))
                                compared = judge_one(n, &w, s, fingerprints[i]) || compared;
                }
                if (!compared)
                        needed_add(n, NEEDED_CERTIFICATE, NEEDED_UNSEEN,
                                   "no traffic port speaks TLS, so nothing serves the certificate of %.150s",
                                   w.file);
        }
}

void served_compare(Needed *n, const Words wanted, const ServedList *list)
{
        char fingerprints[SERVED_MAX][SHA256_TEXT_SIZE] = { 0 };
        char why[SERVED_MAX][200] = { 0 };

        for (size_t i = 0; wanted && wanted[i] && i < SERVED_MAX; i++) {
                ServedWanted w;
                Err err = { 0 };
                if (served_wanted(wanted[i], &w) && pem_fingerprint_file(w.file, fingerprints[i], &err) < 0) {
                        fingerprints[i][0] = '\0';
                        (void) snprintf(why[i], sizeof(why[i]), "%.190s", err.text);
                }
        }
        served_judge(n, wanted, list, fingerprints, why);
}

/* ---- the look ---- */

ServedCall *served_cancel(ServedCall *c)
{
        if (!c)
                return NULL;
        for (size_t i = 0; i < c->list.n; i++)
                c->http[i] = http_cancel(c->http[i]);
        sd_event_source_unref(c->none);
        free(c);
        return NULL;
}

static void served_end(ServedCall *c)
{
        ServedFn fn = c->fn;
        void *userdata = c->userdata;
        ServedList list = c->list;
        served_cancel(c);
        fn(&list, userdata);
}

static int served_on_none(sd_event_source *s, void *userdata)
{
        (void) s;
        served_end(userdata);
        return 0;
}

/* What TLS libraries say of an answer that is no TLS at all; anything else may be TLS that we do not get on
 * with. Seen: OpenSSL 1.1 and 3.0, GnuTLS 3.7. */
static bool text_is_no_tls(const char *text)
{
        static const char *const words[] = { "wrong version number", "packet length too long",
                                             "unknown protocol", "http request", "unexpected TLS packet" };
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcasestr(text, words[i]))
                        return true;
        return false;
}

static void served_on_answer(const HttpResult *r, void *userdata)
{
        struct ServedOne *one = userdata;
        ServedCall *c = one->call;
        Served *s = &c->list.items[one->index];
        Err err = { 0 };

        c->http[one->index] = NULL;
        (void) snprintf(s->text, sizeof(s->text), "%.190s", r->text);
        if (r->outcome == HTTP_ANSWER && r->body_len == 0)
                (void) snprintf(s->text, sizeof(s->text), "this libcurl does not tell certificates");
        else if (r->outcome == HTTP_ANSWER &&
                 pem_fingerprint(r->body, r->body_len, s->fingerprint, &err) == 0)
                s->state = SERVED_KNOWN;
        else if (r->outcome == HTTP_ANSWER)
                (void) snprintf(s->text, sizeof(s->text), "%.190s", err.text);
        else if (r->outcome == HTTP_TLS && text_is_no_tls(r->text))
                s->state = SERVED_NO_TLS;
        if (--c->pending == 0)
                served_end(c);
}

/* Where somebody listens on a port: the first address that is not everywhere, else loopback. */
static int served_listener(const Sock *sock, void *userdata)
{
        static const uint8_t everywhere[16];
        ServedCall *c = userdata;
        for (size_t i = 0; i < c->list.n; i++)
                if (c->list.items[i].port == sock->local_port && c->addrs[i].family == 0 &&
                    memcmp(sock->local.b, everywhere, sizeof(everywhere)) != 0)
                        c->addrs[i] = sock->local;
        return 0;
}

/* One that listens everywhere is asked on loopback, whatever else listens there. */
static int served_everywhere(const Sock *sock, void *userdata)
{
        static const uint8_t everywhere[16];
        ServedCall *c = userdata;
        for (size_t i = 0; i < c->list.n; i++)
                if (c->list.items[i].port == sock->local_port &&
                    memcmp(sock->local.b, everywhere, sizeof(everywhere)) == 0 &&
                    !(sock->local.family == AF_INET6 && addr_is_loopback(&c->addrs[i])))
                        (void) addr_parse(sock->local.family == AF_INET6 ? "::1" : "127.0.0.1", &c->addrs[i]);
        return 0;
}

static void served_add(ServedList *list, const char *name, uint16_t port)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].port == port && strcmp(list->items[i].name, name) == 0)
                        return;
        if (list->n == SERVED_MAX)
                return;
        Served *s = &list->items[list->n++];
        *s = (Served){ .port = port, .state = SERVED_UNSEEN };
        (void) snprintf(s->name, sizeof(s->name), "%s", name);
}

static int served_ask(ServedCall *c, Http *http, Err *err)
{
        for (size_t i = 0; i < c->list.n; i++) {
                char url[128], addr[ADDR_TEXT_SIZE];
                const Served *s = &c->list.items[i];
                if (c->addrs[i].family == 0)
                        (void) addr_parse("127.0.0.1", &c->addrs[i]);
                addr_format(&c->addrs[i], addr, sizeof(addr));
                bool six = c->addrs[i].family == AF_INET6;
                (void) snprintf(url, sizeof(url), "https://%s%s%s:%u/", six ? "[" : "", addr, six ? "]" : "",
                                s->port);
                HttpRequest request = { .url = url,
                                        .certificate = true,
                                        .server_name = s->name,
                                        .connect_usec = HANDSHAKE_USEC,
                                        .total_usec = HANDSHAKE_USEC };
                c->ones[i] = (struct ServedOne){ .call = c, .index = i };
                int r = http_start(http, &request, served_on_answer, &c->ones[i], &c->http[i], err);
                if (r < 0)
                        return r;
                c->pending++;
        }
        return 0;
}

int served_look(Http *http, Conns *conns, sd_event *event, const uint16_t *ports, size_t n_ports,
                const Words wanted, ServedFn fn, void *userdata, ServedCall **ret, Err *err)
{
        ConnsFilter all = { .every_port = true, .states = CONNS_LISTEN };
        _cleanup_(served_cancelp) ServedCall *c = calloc(1, sizeof(*c));
        if (!c)
                return err_set(err, -ENOMEM, "out of memory");
        c->fn = fn;
        c->userdata = userdata;
        for (size_t i = 0; i < n_ports; i++)
                served_add(&c->list, "", ports[i]);
        for (size_t i = 0; wanted && wanted[i]; i++) {
                ServedWanted w;
                if (served_wanted(wanted[i], &w) && w.port)
                        served_add(&c->list, w.name, w.port);
        }
        /* Where it cannot be told, loopback is tried. */
        if (conns_dump(conns, &all, served_listener, c, NULL) < 0 ||
            conns_dump(conns, &all, served_everywhere, c, NULL) < 0)
                memset(c->addrs, 0, sizeof(c->addrs));
        int r = served_ask(c, http, err);
        if (r >= 0 && c->list.n == 0)
                r = sd_event_add_defer(event, &c->none, served_on_none, c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* ---- what is kept ---- */

static const char *served_file(const Component *component, char *buf, size_t size)
{
        (void) snprintf(buf, size, "served-%s.json", component->name);
        return buf;
}

int served_write(const Config *config, const Component *component, const ServedList *list, Err *err)
{
        char name[128];
        cJSON *o = json_record(), *a = cJSON_AddArrayToObject(o, "ports");
        for (size_t i = 0; i < list->n; i++) {
                const Served *s = &list->items[i];
                if (s->state != SERVED_KNOWN)
                        continue;
                cJSON *port = cJSON_CreateObject();
                cJSON_AddNumberToObject(port, "port", s->port);
                cJSON_AddStringToObject(port, "name", s->name);
                cJSON_AddStringToObject(port, "fingerprint", s->fingerprint);
                json_append(a, port);
        }
        cJSON_AddNumberToObject(o, "time", time_sec(time_wall()));
        int r = o ? state_write(config->state_dir, served_file(component, name, sizeof(name)), o, err)
                  : err_set(err, -ENOMEM, "out of memory");
        cJSON_Delete(o);
        return r;
}

size_t served_read(const Config *config, const Component *component, ServedList *ret, Usec *ret_wall_usec)
{
        char name[128];
        cJSON *o = NULL;
        const cJSON *v;

        *ret = (ServedList){ 0 };
        if (state_read(config->state_dir, served_file(component, name, sizeof(name)), &o, NULL, NULL) < 0)
                return 0;
        const cJSON *time = cJSON_GetObjectItemCaseSensitive(o, "time");
        *ret_wall_usec = cJSON_IsNumber(time) && time->valuedouble > 0 && time->valuedouble < 1e11
                                 ? (Usec) (time->valuedouble * (double) USEC_PER_SEC)
                                 : 0;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(o, "ports"))
        {
                const cJSON *port = cJSON_GetObjectItemCaseSensitive(v, "port");
                const cJSON *print = cJSON_GetObjectItemCaseSensitive(v, "fingerprint");
                const cJSON *server = cJSON_GetObjectItemCaseSensitive(v, "name");
                if (!cJSON_IsNumber(port) || port->valueint < 1 || port->valueint > UINT16_MAX ||
                    !cJSON_IsString(print) || strlen(print->valuestring) != SHA256_TEXT_SIZE - 1 ||
                    !cJSON_IsString(server) || strlen(server->valuestring) >= SERVED_NAME_SIZE ||
                    ret->n == SERVED_MAX)
                        continue;
                Served *s = &ret->items[ret->n++];
                *s = (Served){ .port = (uint16_t) port->valueint, .state = SERVED_KNOWN };
                (void) snprintf(s->name, sizeof(s->name), "%s", server->valuestring);
                (void) snprintf(s->fingerprint, sizeof(s->fingerprint), "%s", print->valuestring);
        }
        cJSON_Delete(o);
        return ret->n;
}
