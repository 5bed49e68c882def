/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What Edge's XML says about targets: a TargetEndpoint, a ServiceCallout policy or a TargetServer, read into
 * plain structs. Pure; libxml2 is loaded with dlopen at the first call.
 *
 * Safe with anybody's bytes: no network, no files, and no document type at all, so that there are no entities
 * beyond XML's own five and nothing that could grow. Size, depth and the numbers of elements and attributes
 * are limited, memory is at most some 40 times the text. A document is read as far as it can be understood:
 * what is not understood becomes a finding with its line, never an error and never silence. Only what is not
 * well-formed XML, has a document type or is beyond the limits is an error.
 *
 * Not there is never the same as bad: everything has a `line`, 0 when it is not in the document. An element
 * that is there but unusable has its line, a finding, and no value. Of an element that may be there once and
 * is there twice the last one counts, and that is a finding. Values of headers and payloads may be secrets:
 * they are in the structs, never in a finding or an error.
 *
 * Source: Apigee "Load balancing across backend servers" (elements, defaults); the schema it names,
 * apigee/api-platform-samples schemas/configuration/configuration_schemas.xsd (TargetDisableSecs, IsEnabled
 * of a Server, CRLStore, CommonName); Apigee "Service Callout policy".
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EDGE_XML_MAX          (1024 * 1024) /* bytes of one document */
#define EDGE_XML_DEPTH_MAX    100           /* elements within elements */
#define EDGE_XML_ELEMENTS_MAX 50000
#define EDGE_XML_FINDINGS_MAX 200 /* in the list; the rest is counted */

/* What stands between <Name> and </Name>, without white space around it (a Payload: as it is). */
typedef struct EdgeText {
        const char *value; /* UTF-8; NULL: not there; "" : there and empty */
        unsigned line;     /* 1...; 0: not there */
} EdgeText;

typedef struct EdgeNumber {
        bool set; /* false: not there, or there and no number (a finding says so) */
        int64_t value;
        unsigned line;
} EdgeNumber;

/* "true" or "1", "false" or "0". */
typedef struct EdgeFlag {
        bool set; /* as above; also false for a {flow.variable}, which only a request knows */
        bool value;
        unsigned line;
} EdgeFlag;

typedef struct EdgeHeader {
        const char *name; /* "" when it has none: a finding */
        const char *value;
        unsigned line;
} EdgeHeader;

typedef struct EdgeTexts {
        EdgeText *items;
        size_t n;
} EdgeTexts;

typedef struct EdgeNumbers {
        EdgeNumber *items; /* only those that are numbers */
        size_t n;
} EdgeNumbers;

typedef struct EdgeHeaders {
        EdgeHeader *items;
        size_t n;
} EdgeHeaders;

/* <SSLInfo>. Stores may be ref://NAME or a {flow.variable}. Nothing there: Enabled is false. */
typedef struct EdgeSsl {
        unsigned line;
        EdgeFlag enabled, client_auth, ignore_validation_errors;
        EdgeText key_store, key_alias, trust_store, crl_store, common_name, cert_alias, key_hsm;
        EdgeTexts protocols, ciphers; /* <Protocols><Protocol>, <Ciphers><Cipher>; empty: Edge's default */
} EdgeSsl;

/* <TargetServer name="...">: Host without a protocol; IsEnabled is true by default. */
typedef struct EdgeTargetServer {
        unsigned line;
        EdgeText name, host, description;
        EdgeNumber port; /* 1 ... 65535 */
        EdgeFlag enabled;
        EdgeSsl ssl;
} EdgeTargetServer;

/* <Server name="..."> of a LoadBalancer. */
typedef struct EdgeServerRef {
        unsigned line;
        EdgeText name;
        EdgeFlag enabled;  /* default true; of the schema, not of the documentation */
        EdgeFlag fallback; /* default false; one server at most, which the caller checks */
        EdgeNumber weight; /* 0 ... */
} EdgeServerRef;

typedef enum EdgeAlgorithm {
        EDGE_ROUND_ROBIN, /* the default, also for a name that is none: a finding */
        EDGE_WEIGHTED,
        EDGE_LEAST_CONNECTIONS,
        EDGE_ALGORITHM_COUNT,
        EDGE_ALGORITHM_INVALID = -EINVAL,
} EdgeAlgorithm;

/* edge_algorithm_name() - "RoundRobin", ...; never NULL. */
const char *edge_algorithm_name(EdgeAlgorithm algorithm);

/* <LoadBalancer>. */
typedef struct EdgeBalancer {
        unsigned line;
        EdgeAlgorithm algorithm;
        unsigned algorithm_line;
        EdgeServerRef *servers; /* in the order of the document, which is the order of RoundRobin */
        size_t n_servers;
        EdgeNumber max_failures;       /* default 0: a server is never taken out of rotation */
        EdgeFlag retry;                /* RetryEnabled, default true */
        unsigned unhealthy_line;       /* ServerUnhealthyResponse */
        EdgeNumbers unhealthy_codes;   /* its ResponseCodes: such an answer is a failure */
        EdgeHeaders unhealthy_headers; /* of the schema, not of the documentation */
        EdgeNumber disable_secs;       /* TargetDisableSecs, of the schema: what it does is not documented */
} EdgeBalancer;

/* <TCPMonitor>: can a connection be opened? */
typedef struct EdgeTcpMonitor {
        unsigned line;
        EdgeNumber connect_timeout_sec; /* required; default 0 */
        EdgeNumber port;                /* default 0: the target server's */
} EdgeTcpMonitor;

typedef enum EdgeVerb {
        EDGE_GET, /* also for a verb that is none of these: a finding */
        EDGE_PUT,
        EDGE_POST,
        EDGE_DELETE,
        EDGE_VERB_COUNT,
        EDGE_VERB_INVALID = -EINVAL,
} EdgeVerb;

/* edge_verb_name() - "GET", ...; never NULL. */
const char *edge_verb_name(EdgeVerb verb);

/* <HTTPMonitor>: <Request> and <SuccessResponse>. */
typedef struct EdgeHttpMonitor {
        unsigned line;
        unsigned request_line;
        EdgeNumber connect_timeout_sec, read_timeout_sec; /* default 0 */
        EdgeNumber port;                                  /* default 0: the target server's */
        EdgeVerb verb;
        unsigned verb_line; /* 0: no Verb, and then GET */
        EdgeText path;      /* no variables */
        EdgeText payload;   /* as it stands in the document */
        EdgeHeaders headers;
        EdgeFlag is_ssl;        /* not set: as the target server */
        EdgeFlag trust_all_ssl; /* default false */
        EdgeFlag include_id;    /* IncludeHealthCheckIdHeader, default false */
        unsigned success_line;
        EdgeNumbers success_codes;   /* empty: any code */
        EdgeHeaders success_headers; /* all of them must be there */
} EdgeHttpMonitor;

/* <HealthMonitor>, a child of HTTPTargetConnection. */
typedef struct EdgeHealthMonitor {
        unsigned line;
        EdgeFlag enabled;        /* default false */
        EdgeNumber interval_sec; /* required; default 0 */
        EdgeTcpMonitor tcp;
        EdgeHttpMonitor http;
} EdgeHealthMonitor;

/* <HTTPTargetConnection>. */
typedef struct EdgeConnection {
        unsigned line;
        EdgeText url;
        EdgeText path; /* literal or a template; only used with a LoadBalancer */
        EdgeSsl ssl;
        EdgeBalancer balancer;
        EdgeHealthMonitor monitor;
} EdgeConnection;

typedef enum EdgeXmlKind {
        EDGE_XML_OTHER, /* something else: only the root's name was looked at, not the rest */
        EDGE_XML_TARGET_ENDPOINT,
        EDGE_XML_SERVICE_CALLOUT,
        EDGE_XML_TARGET_SERVER,
        EDGE_XML_KIND_COUNT,
        EDGE_XML_KIND_INVALID = -EINVAL,
} EdgeXmlKind;

typedef enum EdgeFindingKind {
        EDGE_FINDING_UNKNOWN,   /* an element or an attribute that Edge does not define here */
        EDGE_FINDING_MISPLACED, /* Edge defines it, but in another place; it is not read here */
        EDGE_FINDING_TWICE,     /* it may be there once; the last one counts */
        EDGE_FINDING_MISSING,   /* a required element or name; the line is the parent's */
        EDGE_FINDING_NUMBER,    /* not a number, or out of its range */
        EDGE_FINDING_FLAG,      /* neither true nor false */
        EDGE_FINDING_WORD,      /* none of the words that are allowed (Algorithm, Verb) */
        EDGE_FINDING_TEXT,      /* text where only elements belong */
        EDGE_FINDING_VARIABLE,  /* a flow variable where a value is needed: only a request knows it */
        EDGE_FINDING_NOT_EDGE,  /* defined by Apigee X and hybrid; Edge for Private Cloud does not document it
                                 */
        EDGE_FINDING_KIND_COUNT,
        EDGE_FINDING_KIND_INVALID = -EINVAL,
} EdgeFindingKind;

/* edge_finding_name() - "unknown", "misplaced", ...; never NULL. */
const char *edge_finding_name(EdgeFindingKind kind);

typedef struct EdgeFinding {
        EdgeFindingKind kind;
        unsigned line;
        const char *element; /* the way to it: "TargetEndpoint/HTTPTargetConnection/LoadBalancer/Server" */
        const char *text; /* one printable ASCII sentence without the line: what, and what is done about it */
} EdgeFinding;

/* All of it belongs to this, strings included; see edge_xml_free(). */
typedef struct EdgeXml {
        EdgeXmlKind kind;
        const char *root; /* name of the root element */
        unsigned line;    /* where it is */
        EdgeText name;    /* its attribute "name" */

        EdgeConnection connection; /* of a TargetEndpoint or ServiceCallout; line 0: it has none */
        EdgeTargetServer server;   /* of a TargetServer */

        EdgeFinding *findings; /* in the order of the document */
        size_t n_findings;
        size_t n_more; /* findings beyond EDGE_XML_FINDINGS_MAX */

        struct EdgeXmlBlock *memory;
} EdgeXml;

/*
 * edge_xml_read() - @xml: the whole document, in UTF-8, US-ASCII, ISO-8859-N or windows-125N (not UTF-16);
 * need not end with a NUL. @ret: written only on success; to be freed with edge_xml_free(). Return: 0;
 * -EBADMSG (not well-formed, an unknown encoding, a document type: the sentence has the line); -E2BIG (beyond
 * a limit: which); -ELIBACC (libxml2 missing: says which package); -ENOMEM.
 */
int edge_xml_read(const char *xml, size_t len, EdgeXml **ret, Err *err) _must_check_;

/* edge_xml_free() - NULL allowed. Return: NULL. */
EdgeXml *edge_xml_free(EdgeXml *x);
DEFINE_CLEANUP(EdgeXml, edge_xml_free);

/*
 * edge_flag() - the flag, or @fallback where it is not set: edge_flag(s->enabled, true).
 * edge_number() - the same for a number.
 */
static inline bool edge_flag(EdgeFlag flag, bool fallback)
{
        return flag.set ? flag.value : fallback;
}

static inline int64_t edge_number(EdgeNumber number, int64_t fallback)
{
        return number.set ? number.value : fallback;
}
