/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/edge-xml.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "probes/edge-xml-tree.h"

#define SECONDS_MAX INT32_MAX /* the schema's numbers are of 32 bits */

typedef struct Field Field;

typedef enum FieldKind {
        FIELD_TEXT,
        FIELD_RAW,     /* text as it is, white space included */
        FIELD_TEXTS,   /* one of several */
        FIELD_NUMBER,  /* min ... max */
        FIELD_NUMBERS, /* one of several */
        FIELD_FLAG,
        FIELD_HEADER, /* one of several, with a name */
        FIELD_ALGORITHM,
        FIELD_VERB,
        FIELD_GROUP,     /* elements of its own */
        FIELD_SERVER,    /* one of several groups */
        FIELD_OTHER,     /* defined by Edge, of no interest here */
        FIELD_MISPLACED, /* defined by Edge, elsewhere: `where` */
        FIELD_NOT_EDGE,
} FieldKind;

struct Field {
        const char *name;
        size_t offset; /* in the struct of the group it stands in */
        int64_t min, max;
        size_t line_offset;  /* where the line of a group or a word goes, in the same struct */
        const Field *fields; /* of a group, ends with a NULL name; offsets from the group's own offset */
        const char *where;
        FieldKind kind;
        bool named; /* a group with an attribute "name" */
        bool required;
};

typedef struct Reading {
        EdgeXml *x;
        bool no_memory;
} Reading;

static const char *const algorithm_names[] = {
        [EDGE_ROUND_ROBIN] = "RoundRobin",
        [EDGE_WEIGHTED] = "Weighted",
        [EDGE_LEAST_CONNECTIONS] = "LeastConnections",
};
_Static_assert(ELEMENTS(algorithm_names) == EDGE_ALGORITHM_COUNT, "every algorithm has a name");

static const char *const verb_names[] = {
        [EDGE_GET] = "GET",
        [EDGE_PUT] = "PUT",
        [EDGE_POST] = "POST",
        [EDGE_DELETE] = "DELETE",
};
_Static_assert(offsetof(EdgeSsl, line) == 0 && offsetof(EdgeBalancer, line) == 0 &&
                       offsetof(EdgeTcpMonitor, line) == 0 && offsetof(EdgeHttpMonitor, line) == 0 &&
                       offsetof(EdgeHealthMonitor, line) == 0 && offsetof(EdgeConnection, line) == 0,
               "the line stands first in each struct of a group");
_Static_assert(ELEMENTS(verb_names) == EDGE_VERB_COUNT, "every verb has a name");

static const char *const finding_names[] = {
        [EDGE_FINDING_UNKNOWN] = "unknown",   [EDGE_FINDING_MISPLACED] = "misplaced",
        [EDGE_FINDING_TWICE] = "twice",       [EDGE_FINDING_MISSING] = "missing",
        [EDGE_FINDING_NUMBER] = "number",     [EDGE_FINDING_FLAG] = "flag",
        [EDGE_FINDING_WORD] = "word",         [EDGE_FINDING_TEXT] = "text",
        [EDGE_FINDING_VARIABLE] = "variable", [EDGE_FINDING_NOT_EDGE] = "not-edge",
};
_Static_assert(ELEMENTS(finding_names) == EDGE_FINDING_KIND_COUNT, "every finding has a name");

const char *edge_algorithm_name(EdgeAlgorithm a)
{
        return a >= 0 && a < EDGE_ALGORITHM_COUNT ? algorithm_names[a] : "invalid";
}

const char *edge_verb_name(EdgeVerb verb)
{
        return verb >= 0 && verb < EDGE_VERB_COUNT ? verb_names[verb] : "invalid";
}

const char *edge_finding_name(EdgeFindingKind kind)
{
        return kind >= 0 && kind < EDGE_FINDING_KIND_COUNT ? finding_names[kind] : "invalid";
}

/* ---- what is defined where -------------------------------------------------------------------------------
 */

/* The line stands first in each struct of a group. */
#define TEXT_OF(type, name_, member)                                                  \
        {                                                                             \
                .name = (name_), .kind = FIELD_TEXT, .offset = offsetof(type, member) \
        }
#define FLAG_OF(type, name_, member)                                                  \
        {                                                                             \
                .name = (name_), .kind = FIELD_FLAG, .offset = offsetof(type, member) \
        }
#define NUMBER_OF(type, name_, member, min_, max_)                                                      \
        {                                                                                               \
                .name = (name_), .kind = FIELD_NUMBER, .offset = offsetof(type, member), .min = (min_), \
                .max = (max_)                                                                           \
        }
#define CODES_OF(type, member)                                                                               \
        {                                                                                                    \
                .name = "ResponseCode", .kind = FIELD_NUMBERS, .offset = offsetof(type, member), .min = 100, \
                .max = 999                                                                                   \
        }
#define HEADERS_OF(type, member)                                                         \
        {                                                                                \
                .name = "Header", .kind = FIELD_HEADER, .offset = offsetof(type, member) \
        }
#define TEXTS_OF(type, name_, member)                                                  \
        {                                                                              \
                .name = (name_), .kind = FIELD_TEXTS, .offset = offsetof(type, member) \
        }
#define GROUP_OF(type, name_, member, fields_)                                          \
        {                                                                               \
                .name = (name_), .kind = FIELD_GROUP, .offset = offsetof(type, member), \
                .line_offset = offsetof(type, member), .fields = (fields_)              \
        }
/* A group whose members are those of the struct it stands in. */
#define INNER_OF(type, name_, member, fields_)                                               \
        {                                                                                    \
                .name = (name_), .kind = FIELD_GROUP, .line_offset = offsetof(type, member), \
                .fields = (fields_)                                                          \
        }
#define OTHER(name_)                                 \
        {                                            \
                .name = (name_), .kind = FIELD_OTHER \
        }
#define MISPLACED(name_, where_)                                            \
        {                                                                   \
                .name = (name_), .kind = FIELD_MISPLACED, .where = (where_) \
        }
#define NOT_EDGE(name_)                                 \
        {                                               \
                .name = (name_), .kind = FIELD_NOT_EDGE \
        }
#define NO_LINE SIZE_MAX

static const Field protocol_fields[] = { TEXTS_OF(EdgeSsl, "Protocol", protocols), { 0 } };
static const Field cipher_fields[] = { TEXTS_OF(EdgeSsl, "Cipher", ciphers), { 0 } };

static const Field ssl_fields[] = {
        FLAG_OF(EdgeSsl, "Enabled", enabled),
        FLAG_OF(EdgeSsl, "ClientAuthEnabled", client_auth),
        FLAG_OF(EdgeSsl, "IgnoreValidationErrors", ignore_validation_errors),
        TEXT_OF(EdgeSsl, "KeyStore", key_store),
        TEXT_OF(EdgeSsl, "KeyAlias", key_alias),
        TEXT_OF(EdgeSsl, "TrustStore", trust_store),
        TEXT_OF(EdgeSsl, "CRLStore", crl_store),
        TEXT_OF(EdgeSsl, "CommonName", common_name),
        { .name = "Protocols", .kind = FIELD_GROUP, .line_offset = NO_LINE, .fields = protocol_fields },
        { .name = "Ciphers", .kind = FIELD_GROUP, .line_offset = NO_LINE, .fields = cipher_fields },
        TEXT_OF(EdgeSsl, "CertAlias", cert_alias),
        TEXT_OF(EdgeSsl, "KeyHsm", key_hsm),
        NOT_EDGE("Enforce"),
        { 0 },
};

static const Field server_fields[] = {
        FLAG_OF(EdgeServerRef, "IsEnabled", enabled),
        FLAG_OF(EdgeServerRef, "IsFallback", fallback),
        NUMBER_OF(EdgeServerRef, "Weight", weight, 0, INT32_MAX),
        { 0 },
};

static const Field unhealthy_fields[] = {
        CODES_OF(EdgeBalancer, unhealthy_codes),
        HEADERS_OF(EdgeBalancer, unhealthy_headers),
        { 0 },
};

static const Field balancer_fields[] = {
        { .name = "Algorithm",
          .kind = FIELD_ALGORITHM,
          .offset = offsetof(EdgeBalancer, algorithm),
          .line_offset = offsetof(EdgeBalancer, algorithm_line) },
        { .name = "Server",
          .kind = FIELD_SERVER,
          .offset = offsetof(EdgeBalancer, servers),
          .fields = server_fields,
          .named = true },
        NUMBER_OF(EdgeBalancer, "MaxFailures", max_failures, 0, INT32_MAX),
        FLAG_OF(EdgeBalancer, "RetryEnabled", retry),
        INNER_OF(EdgeBalancer, "ServerUnhealthyResponse", unhealthy_line, unhealthy_fields),
        NUMBER_OF(EdgeBalancer, "TargetDisableSecs", disable_secs, 0, INT64_MAX),
        MISPLACED("HealthMonitor", "HTTPTargetConnection, beside LoadBalancer"),
        MISPLACED("Path", "HTTPTargetConnection, beside LoadBalancer"),
        MISPLACED("SSLInfo", "HTTPTargetConnection, or the TargetServer"),
        { 0 },
};

static const Field tcp_fields[] = {
        { .name = "ConnectTimeoutInSec",
          .kind = FIELD_NUMBER,
          .required = true,
          .offset = offsetof(EdgeTcpMonitor, connect_timeout_sec),
          .max = SECONDS_MAX },
        NUMBER_OF(EdgeTcpMonitor, "Port", port, 0, 65535),
        { 0 },
};

static const Field request_fields[] = {
        NUMBER_OF(EdgeHttpMonitor, "ConnectTimeoutInSec", connect_timeout_sec, 0, SECONDS_MAX),
        NUMBER_OF(EdgeHttpMonitor, "SocketReadTimeoutInSec", read_timeout_sec, 0, SECONDS_MAX),
        NUMBER_OF(EdgeHttpMonitor, "Port", port, 0, 65535),
        { .name = "Verb",
          .kind = FIELD_VERB,
          .offset = offsetof(EdgeHttpMonitor, verb),
          .line_offset = offsetof(EdgeHttpMonitor, verb_line) },
        TEXT_OF(EdgeHttpMonitor, "Path", path),
        { .name = "Payload", .kind = FIELD_RAW, .offset = offsetof(EdgeHttpMonitor, payload) },
        HEADERS_OF(EdgeHttpMonitor, headers),
        FLAG_OF(EdgeHttpMonitor, "IsSSL", is_ssl),
        FLAG_OF(EdgeHttpMonitor, "TrustAllSSL", trust_all_ssl),
        FLAG_OF(EdgeHttpMonitor, "IncludeHealthCheckIdHeader", include_id),
        NOT_EDGE("UseTargetServerSSLInfo"),
        MISPLACED("ResponseCode", "SuccessResponse"),
        { 0 },
};

static const Field success_fields[] = {
        CODES_OF(EdgeHttpMonitor, success_codes),
        HEADERS_OF(EdgeHttpMonitor, success_headers),
        { 0 },
};

#define REQUEST_ONLY(name_) MISPLACED(name_, "HTTPMonitor/Request")

static const Field http_fields[] = {
        { .name = "Request",
          .kind = FIELD_GROUP,
          .required = true,
          .fields = request_fields,
          .line_offset = offsetof(EdgeHttpMonitor, request_line) },
        INNER_OF(EdgeHttpMonitor, "SuccessResponse", success_line, success_fields),
        REQUEST_ONLY("ConnectTimeoutInSec"),
        REQUEST_ONLY("SocketReadTimeoutInSec"),
        REQUEST_ONLY("Port"),
        REQUEST_ONLY("Verb"),
        REQUEST_ONLY("Path"),
        REQUEST_ONLY("Payload"),
        REQUEST_ONLY("Header"),
        REQUEST_ONLY("IsSSL"),
        REQUEST_ONLY("TrustAllSSL"),
        REQUEST_ONLY("IncludeHealthCheckIdHeader"),
        { 0 },
};

static const Field monitor_fields[] = {
        FLAG_OF(EdgeHealthMonitor, "IsEnabled", enabled),
        { .name = "IntervalInSec",
          .kind = FIELD_NUMBER,
          .required = true,
          .offset = offsetof(EdgeHealthMonitor, interval_sec),
          .max = SECONDS_MAX },
        GROUP_OF(EdgeHealthMonitor, "TCPMonitor", tcp, tcp_fields),
        GROUP_OF(EdgeHealthMonitor, "HTTPMonitor", http, http_fields),
        MISPLACED("MaxFailures", "LoadBalancer"),
        { 0 },
};

static const Field connection_fields[] = {
        TEXT_OF(EdgeConnection, "URL", url),
        TEXT_OF(EdgeConnection, "Path", path),
        GROUP_OF(EdgeConnection, "SSLInfo", ssl, ssl_fields),
        GROUP_OF(EdgeConnection, "LoadBalancer", balancer, balancer_fields),
        GROUP_OF(EdgeConnection, "HealthMonitor", monitor, monitor_fields),
        OTHER("Properties"),
        OTHER("SessionCache"),
        OTHER("ErrorResponse"),
        OTHER("Response"),
        NOT_EDGE("Authentication"),
        MISPLACED("MaxFailures", "LoadBalancer"),
        MISPLACED("RetryEnabled", "LoadBalancer"),
        MISPLACED("Server", "LoadBalancer"),
        MISPLACED("ServerUnhealthyResponse", "LoadBalancer"),
        MISPLACED("TCPMonitor", "HealthMonitor"),
        MISPLACED("HTTPMonitor", "HealthMonitor"),
        { 0 },
};

#define CONNECTION_ONLY(name_) MISPLACED(name_, "HTTPTargetConnection")

static const Field endpoint_fields[] = {
        GROUP_OF(EdgeXml, "HTTPTargetConnection", connection, connection_fields),
        OTHER("Description"),
        OTHER("DisplayName"),
        OTHER("DefaultFaultRule"),
        OTHER("FaultRules"),
        OTHER("PreFlow"),
        OTHER("PostFlow"),
        OTHER("PostClientFlow"),
        OTHER("EventFlow"),
        OTHER("Flows"),
        OTHER("Properties"),
        OTHER("Statistics"),
        OTHER("LocalTargetConnection"),
        OTHER("ScriptTarget"),
        OTHER("HostedTarget"),
        OTHER("WebSocketTargetConnection"),
        CONNECTION_ONLY("LoadBalancer"),
        CONNECTION_ONLY("HealthMonitor"),
        CONNECTION_ONLY("Path"),
        CONNECTION_ONLY("URL"),
        CONNECTION_ONLY("SSLInfo"),
        { 0 },
};

static const Field callout_fields[] = {
        GROUP_OF(EdgeXml, "HTTPTargetConnection", connection, connection_fields),
        OTHER("DisplayName"),
        OTHER("Description"),
        OTHER("FaultRules"),
        OTHER("Properties"),
        OTHER("Request"),
        OTHER("Response"),
        OTHER("Timeout"),
        OTHER("LocalTargetConnection"),
        CONNECTION_ONLY("LoadBalancer"),
        CONNECTION_ONLY("HealthMonitor"),
        CONNECTION_ONLY("Path"),
        CONNECTION_ONLY("URL"),
        CONNECTION_ONLY("SSLInfo"),
        { 0 },
};

static const Field target_server_fields[] = {
        { .name = "Host", .kind = FIELD_TEXT, .offset = offsetof(EdgeXml, server.host), .required = true },
        { .name = "Port",
          .kind = FIELD_NUMBER,
          .offset = offsetof(EdgeXml, server.port),
          .min = 1,
          .max = 65535,
          .required = true },
        FLAG_OF(EdgeXml, "IsEnabled", server.enabled),
        GROUP_OF(EdgeXml, "SSLInfo", server.ssl, ssl_fields),
        TEXT_OF(EdgeXml, "Description", server.description),
        NOT_EDGE("Protocol"),
        { 0 },
};

static const struct {
        const char *root;
        EdgeXmlKind kind;
        const Field *fields;
} kinds[] = {
        { "TargetEndpoint", EDGE_XML_TARGET_ENDPOINT, endpoint_fields },
        { "ServiceCallout", EDGE_XML_SERVICE_CALLOUT, callout_fields },
        { "TargetServer", EDGE_XML_TARGET_SERVER, target_server_fields },
};

/* ---- findings --------------------------------------------------------------------------------------------
 */

static void *take(Reading *r, size_t size)
{
        void *p = edge_xml_alloc(&r->x->memory, size);
        if (!p)
                r->no_memory = true;
        return p;
}

/* What a document says, as printable ASCII. */
static void to_ascii(char *text)
{
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
}

#define WAY_NAME_MAX 60 /* of a name in it, which may be anything */

static char *way_put(char *at, const char *name)
{
        size_t len = strnlen(name, WAY_NAME_MAX);
        memcpy(at - len, name, len);
        return at - len;
}

/* "TargetEndpoint/HTTPTargetConnection/Path", or with "@name" behind it for an attribute. */
static const char *way_to(Reading *r, const XmlElement *e, const char *attribute)
{
        size_t len = attribute ? strnlen(attribute, WAY_NAME_MAX) + 1 : 0;
        for (const XmlElement *p = e; p; p = p->parent)
                len += strnlen(p->name, WAY_NAME_MAX) + 1;
        char *way = take(r, len), *at = way ? way + len - 1 : NULL;
        if (!way)
                return "";
        if (attribute) {
                at = way_put(at, attribute);
                *--at = '@';
        }
        for (const XmlElement *p = e; p; p = p->parent) {
                at = way_put(at, p->name);
                if (p->parent)
                        *--at = '/';
        }
        to_ascii(way);
        return way;
}

static void found(Reading *r, EdgeFindingKind kind, const XmlElement *e, const char *attribute,
                  const char *fmt, ...) _printf_(5, 6);

static void found(Reading *r, EdgeFindingKind kind, const XmlElement *e, const char *attribute,
                  const char *fmt, ...)
{
        EdgeXml *x = r->x;
        char text[300];
        va_list ap;

        if (!x->findings && !(x->findings = take(r, EDGE_XML_FINDINGS_MAX * sizeof(EdgeFinding))))
                return;
        if (x->n_findings >= EDGE_XML_FINDINGS_MAX) {
                x->n_more++;
                return;
        }
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        to_ascii(text);
        char *kept = take(r, strlen(text) + 1);
        if (!kept)
                return;
        memcpy(kept, text, strlen(text));
        x->findings[x->n_findings++] = (EdgeFinding){
                .kind = kind, .line = e->line, .element = way_to(r, e, attribute), .text = kept
        };
}

/* ---- values ----------------------------------------------------------------------------------------------
 */

#define SPACE " \t\r\n"

static const char *trimmed(Reading *r, const char *text)
{
        text += strspn(text, SPACE);
        size_t len = strlen(text);
        while (len > 0 && strchr(SPACE, text[len - 1]))
                len--;
        char *copy = take(r, len + 1);
        if (copy)
                (void) snprintf(copy, len + 1, "%.*s", (int) len, text);
        return copy ? copy : "";
}

/* Elements within an element that is a value, and attributes it does not have. */
static void check_leaf(Reading *r, const XmlElement *e, const char *attribute)
{
        for (const XmlElement *c = e->first; c; c = c->next)
                found(r, EDGE_FINDING_UNKNOWN, c, NULL, "%.60s is a value and has no elements; not read",
                      e->name);
        for (const XmlAttribute *a = e->attributes; a; a = a->next)
                if (!attribute || strcmp(a->name, attribute) != 0)
                        found(r, EDGE_FINDING_UNKNOWN, e, a->name,
                              "%.60s has no attribute \"%.60s\"; not read", e->name, a->name);
}

static const char *value_of(Reading *r, const XmlElement *e)
{
        const char *text = xml_tree_text(e, &r->x->memory);
        if (!text)
                r->no_memory = true;
        return text ? trimmed(r, text) : "";
}

static bool is_variable(const char *value)
{
        return value[0] == '{' && value[strlen(value) - 1] == '}';
}

static EdgeNumber read_number(Reading *r, const XmlElement *e, const Field *f)
{
        EdgeNumber n = { .line = e->line };
        const char *value = value_of(r, e);
        const char *digits = value + (*value == '+' || *value == '-');
        char *end = NULL;

        check_leaf(r, e, NULL);
        errno = 0;
        long long v = strtoll(value, &end, 10);
        if (is_variable(value))
                found(r, EDGE_FINDING_VARIABLE, e, NULL,
                      "%.60s is a variable; only a request knows its value", e->name);
        else if (!*digits || strspn(digits, "0123456789") != strlen(digits))
                found(r, EDGE_FINDING_NUMBER, e, NULL, "%.60s: \"%.40s\" is not a number; not read", e->name,
                      value);
        else if (errno == ERANGE || v < f->min || v > f->max)
                found(r, EDGE_FINDING_NUMBER, e, NULL,
                      "%.60s: %.40s is not between %" PRId64 " and %" PRId64 "; not read", e->name, value,
                      f->min, f->max);
        else {
                n.set = true;
                n.value = v;
        }
        return n;
}

static EdgeFlag read_flag(Reading *r, const XmlElement *e)
{
        EdgeFlag flag = { .line = e->line };
        const char *value = value_of(r, e);

        check_leaf(r, e, NULL);
        flag.value = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        flag.set = flag.value || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
        if (flag.set)
                return flag;
        if (is_variable(value))
                found(r, EDGE_FINDING_VARIABLE, e, NULL,
                      "%.60s is a variable; only a request knows its value", e->name);
        else
                found(r, EDGE_FINDING_FLAG, e, NULL, "%.60s: \"%.40s\" is neither true nor false; not read",
                      e->name, value);
        return flag;
}

static unsigned read_word(Reading *r, const XmlElement *e, const char *const *words, size_t n)
{
        const char *value = value_of(r, e);
        char all[120] = "";

        check_leaf(r, e, NULL);
        for (size_t i = 0; i < n; i++)
                if (strcmp(value, words[i]) == 0)
                        return (unsigned) i;
        for (size_t i = 0; i < n; i++)
                (void) snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i > 0 ? ", " : "",
                                words[i]);
        found(r, EDGE_FINDING_WORD, e, NULL, "%.60s: \"%.40s\" is none of %s; taken as %s", e->name, value,
              all, words[0]);
        return 0;
}

static const char *attribute_of(const XmlElement *e, const char *name)
{
        for (const XmlAttribute *a = e->attributes; a; a = a->next)
                if (strcmp(a->name, name) == 0)
                        return a->value;
        return NULL;
}

/* An element's attribute "name", which it must have. */
static EdgeText read_name(Reading *r, const XmlElement *e)
{
        const char *name = attribute_of(e, "name");
        EdgeText text = { .value = name ? trimmed(r, name) : NULL, .line = name ? e->line : 0 };
        if (!name || !*text.value)
                found(r, EDGE_FINDING_MISSING, e, "name", "%.60s has no name", e->name);
        return text;
}

/* A list in memory that is given back at once grows by doubling. */
static void *one_more(Reading *r, void **items, size_t *n, size_t size)
{
        bool full = *n == 0 || (*n >= 4 && (*n & (*n - 1)) == 0);
        if (full) {
                void *more = take(r, MAX(*n * 2, (size_t) 4) * size);
                if (!more)
                        return NULL;
                if (*n > 0)
                        memcpy(more, *items, *n * size);
                *items = more;
        }
        return (char *) *items + (*n)++ * size;
}

#define ONE_MORE(r, list)                                                              \
        ((__typeof__((list)->items)) one_more(r, (void **) &(list)->items, &(list)->n, \
                                              sizeof(*(list)->items)))

static void read_header(Reading *r, const XmlElement *e, EdgeHeaders *list)
{
        EdgeText name = read_name(r, e);
        check_leaf(r, e, "name");
        EdgeHeader *h = ONE_MORE(r, list);
        if (h)
                *h = (EdgeHeader){ .name = name.value ? name.value : "",
                                   .value = value_of(r, e),
                                   .line = e->line };
}

/* ---- groups ----------------------------------------------------------------------------------------------
 */

static void read_group(Reading *r, const XmlElement *e, const Field *fields, bool named, void *to);

static void read_server(Reading *r, const XmlElement *e, const Field *f, EdgeBalancer *b)
{
        EdgeServerRef *s = one_more(r, (void **) &b->servers, &b->n_servers, sizeof(*s));
        if (!s)
                return;
        *s = (EdgeServerRef){ .line = e->line, .name = read_name(r, e) };
        read_group(r, e, f->fields, f->named, s);
}

static void read_field(Reading *r, const XmlElement *e, const Field *f, void *to)
{
        void *at = (char *) to + f->offset;

        if (f->line_offset != NO_LINE &&
            (f->kind == FIELD_GROUP || f->kind == FIELD_ALGORITHM || f->kind == FIELD_VERB))
                *(unsigned *) (void *) ((char *) to + f->line_offset) = e->line;
        switch (f->kind) {
        case FIELD_TEXT:
                check_leaf(r, e, strcmp(f->name, "CommonName") == 0 ? "wildcardMatch" : NULL);
                *(EdgeText *) at = (EdgeText){ .value = value_of(r, e), .line = e->line };
                break;
        case FIELD_RAW: {
                const char *text = xml_tree_text(e, &r->x->memory);
                check_leaf(r, e, NULL);
                *(EdgeText *) at = (EdgeText){ .value = text ? text : "", .line = e->line };
                r->no_memory = r->no_memory || !text;
                break;
        }
        case FIELD_TEXTS: {
                check_leaf(r, e, NULL);
                EdgeText *item = ONE_MORE(r, (EdgeTexts *) at);
                if (item)
                        *item = (EdgeText){ .value = value_of(r, e), .line = e->line };
                break;
        }
        case FIELD_NUMBER:
                *(EdgeNumber *) at = read_number(r, e, f);
                break;
        case FIELD_NUMBERS: {
                EdgeNumber n = read_number(r, e, f);
                EdgeNumber *item = n.set ? ONE_MORE(r, (EdgeNumbers *) at) : NULL;
                if (item)
                        *item = n;
                break;
        }
        case FIELD_FLAG:
                *(EdgeFlag *) at = read_flag(r, e);
                break;
        case FIELD_HEADER:
                read_header(r, e, at);
                break;
        case FIELD_ALGORITHM:
                *(EdgeAlgorithm *) at =
                        (EdgeAlgorithm) read_word(r, e, algorithm_names, ELEMENTS(algorithm_names));
                break;
        case FIELD_VERB:
                *(EdgeVerb *) at = (EdgeVerb) read_word(r, e, verb_names, ELEMENTS(verb_names));
                break;
        case FIELD_GROUP:
                read_group(r, e, f->fields, f->named, at);
                break;
        case FIELD_SERVER:
                read_server(r, e, f, to);
                break;
        case FIELD_OTHER:
                break;
        case FIELD_MISPLACED:
                found(r, EDGE_FINDING_MISPLACED, e, NULL, "%.60s belongs in %s; not read here", e->name,
                      f->where);
                break;
        case FIELD_NOT_EDGE:
                found(r, EDGE_FINDING_NOT_EDGE, e, NULL,
                      "%.60s is of Apigee X and hybrid, Edge does not document it; not read", e->name);
                break;
        }
}

static bool is_list(FieldKind kind)
{
        return kind == FIELD_TEXTS || kind == FIELD_NUMBERS || kind == FIELD_HEADER || kind == FIELD_SERVER ||
               kind == FIELD_OTHER || kind == FIELD_MISPLACED || kind == FIELD_NOT_EDGE;
}

static bool has_text(const XmlElement *e)
{
        for (const XmlPiece *p = e->text; p; p = p->next)
                for (size_t i = 0; i < p->len; i++)
                        if (!strchr(SPACE, p->data[i]))
                                return true;
        return false;
}

static void check_group(Reading *r, const XmlElement *e, const Field *fields, bool named)
{
        if (has_text(e))
                found(r, EDGE_FINDING_TEXT, e, NULL, "text within %.60s, which has only elements; not read",
                      e->name);
        for (const XmlAttribute *a = e->attributes; a; a = a->next)
                if (!named || strcmp(a->name, "name") != 0)
                        found(r, EDGE_FINDING_UNKNOWN, e, a->name,
                              "%.60s has no attribute \"%.60s\"; not read", e->name, a->name);
        for (const Field *f = fields; f->name; f++) {
                const XmlElement *c = e->first;
                while (f->required && c && strcmp(c->name, f->name) != 0)
                        c = c->next;
                if (f->required && !c)
                        found(r, EDGE_FINDING_MISSING, e, NULL, "%.60s has no %s, which is required", e->name,
                              f->name);
        }
}

static void read_children(Reading *r, const XmlElement *e, const Field *fields, void *to)
{
        uint64_t seen = 0; /* a bit for each of @fields */

        for (const XmlElement *c = e->first; c && !r->no_memory; c = c->next) {
                const Field *f = fields;
                while (f->name && strcmp(f->name, c->name) != 0)
                        f++;
                if (!f->name) {
                        found(r, EDGE_FINDING_UNKNOWN, c, NULL, "%.60s has no element %.60s; not read",
                              e->name, c->name);
                        continue;
                }
                uint64_t bit = UINT64_C(1) << (f - fields);
                if (!is_list(f->kind) && seen & bit)
                        found(r, EDGE_FINDING_TWICE, c, NULL,
                              "%.60s is there more than once; the last one counts", c->name);
                seen |= bit;
                read_field(r, c, f, to);
        }
}

static void read_group(Reading *r, const XmlElement *e, const Field *fields, bool named, void *to)
{
        check_group(r, e, fields, named);
        read_children(r, e, fields, to);
}

/* ---- the whole -------------------------------------------------------------------------------------------
 */

static size_t kind_at(const char *root)
{
        size_t i = 0;
        while (i < ELEMENTS(kinds) && strcmp(kinds[i].root, root) != 0)
                i++;
        return i;
}

static bool wanted(const char *root)
{
        return kind_at(root) < ELEMENTS(kinds);
}

static void read_root(Reading *r, const XmlElement *root)
{
        EdgeXml *x = r->x;
        size_t i = kind_at(root->name);
        const char *name = attribute_of(root, "name");

        x->root = root->name;
        x->line = root->line;
        x->name = (EdgeText){ .value = name ? trimmed(r, name) : NULL, .line = name ? root->line : 0 };
        if (i == ELEMENTS(kinds))
                return;
        x->kind = kinds[i].kind;
        if (x->kind == EDGE_XML_TARGET_SERVER) {
                x->server.name = read_name(r, root);
                x->server.line = root->line;
        }
        /* A policy has attributes that are of no interest here. */
        if (x->kind == EDGE_XML_SERVICE_CALLOUT)
                read_children(r, root, kinds[i].fields, x);
        else
                read_group(r, root, kinds[i].fields, true, x);
}

int edge_xml_read(const char *xml, size_t len, EdgeXml **ret, Err *err)
{
        XmlElement *root = NULL;
        _cleanup_(edge_xml_freep) EdgeXml *x = calloc(1, sizeof(*x));
        if (!x)
                return err_set(err, -ENOMEM, "Out of memory for XML");

        int code = xml_tree_read(xml, len, wanted, &x->memory, &root, err);
        if (code < 0)
                return code;
        Reading r = { .x = x };
        read_root(&r, root);
        if (r.no_memory)
                return err_set(err, -ENOMEM, "Out of memory for XML");
        *ret = TAKE_PTR(x);
        return 0;
}

EdgeXml *edge_xml_free(EdgeXml *x)
{
        if (!x)
                return NULL;
        edge_xml_release(x->memory);
        free(x);
        return NULL;
}
