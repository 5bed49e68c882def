/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Edge's XML about targets: what is read, what is told, what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "probes/edge-xml.h"

static EdgeXml *read_text(const char *xml)
{
        EdgeXml *x = NULL;
        Err err = { 0 };
        if (edge_xml_read(xml, strlen(xml), &x, &err) != 0)
                fail_msg("%.200s: %s", xml, err.text);
        return x;
}

static void expect_refused(const char *xml, size_t len, int code, const char *says)
{
        EdgeXml *x = NULL;
        Err err = { 0 };
        int r = edge_xml_read(xml, len, &x, &err);
        if (r != code || x)
                fail_msg("%.80s: %d %s", xml, r, err.text);
        assert_int_equal(err.code, code);
        if (!strstr(err.text, says))
                fail_msg("%.80s: \"%s\" does not say \"%s\"", xml, err.text, says);
}

/* Exactly one finding, of this kind, there. */
static void expect_finding(const char *xml, EdgeFindingKind kind, unsigned line, const char *element,
                           const char *says)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(xml);
        if (x->n_findings != 1)
                fail_msg("%s: %zu findings (%s)", xml, x->n_findings,
                         x->n_findings ? x->findings[0].text : "");
        const EdgeFinding *f = &x->findings[0];
        if (f->kind != kind || f->line != line || strcmp(f->element, element) != 0 || !strstr(f->text, says))
                fail_msg("%s\n -> %s, line %u, %s: %s", xml, edge_finding_name(f->kind), f->line, f->element,
                         f->text);
}

static const char endpoint[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
        "<TargetEndpoint name=\"default\">\n"
        "  <PreFlow name=\"PreFlow\"><Request><Step><Name>x</Name></Step></Request></PreFlow>\n"
        "  <HTTPTargetConnection>\n"
        "    <SSLInfo>\n"
        "      <Enabled>true</Enabled>\n"
        "      <ClientAuthEnabled>true</ClientAuthEnabled>\n"
        "      <IgnoreValidationErrors>false</IgnoreValidationErrors>\n"
        "      <KeyStore>ref://keys</KeyStore>\n"
        "      <KeyAlias>key</KeyAlias>\n"
        "      <TrustStore>trust</TrustStore>\n"
        "      <Protocols><Protocol>TLSv1.2</Protocol><Protocol>TLSv1.3</Protocol></Protocols>\n"
        "      <Ciphers>\n"
        "        <Cipher>TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256</Cipher>\n"
        "      </Ciphers>\n"
        "      <CommonName wildcardMatch=\"true\">*.example.com</CommonName>\n"
        "    </SSLInfo>\n"
        "    <LoadBalancer>\n"
        "      <Algorithm>Weighted</Algorithm>\n"
        "      <Server name=\"target1\"><Weight>1</Weight></Server>\n"
        "      <Server name=\"target2\">\n"
        "        <Weight>2</Weight><IsEnabled>false</IsEnabled>\n"
        "      </Server>\n"
        "      <Server name=\"target3\"><IsFallback>true</IsFallback></Server>\n"
        "      <MaxFailures>5</MaxFailures>\n"
        "      <RetryEnabled>false</RetryEnabled>\n"
        "      <TargetDisableSecs>30</TargetDisableSecs>\n"
        "      <ServerUnhealthyResponse>\n"
        "        <ResponseCode>500</ResponseCode>\n"
        "        <ResponseCode>503</ResponseCode>\n"
        "      </ServerUnhealthyResponse>\n"
        "    </LoadBalancer>\n"
        "    <Path> /test </Path>\n"
        "    <HealthMonitor>\n"
        "      <IsEnabled>true</IsEnabled>\n"
        "      <IntervalInSec>5</IntervalInSec>\n"
        "      <HTTPMonitor>\n"
        "        <Request>\n"
        "          <IsSSL>true</IsSSL>\n"
        "          <TrustAllSSL>false</TrustAllSSL>\n"
        "          <ConnectTimeoutInSec>10</ConnectTimeoutInSec>\n"
        "          <SocketReadTimeoutInSec>30</SocketReadTimeoutInSec>\n"
        "          <Port>8443</Port>\n"
        "          <Verb>POST</Verb>\n"
        "          <Path>/healthcheck</Path>\n"
        "          <Header name=\"Authorization\">Basic abc</Header>\n"
        "          <Header name=\"X-Two\"> b  c </Header>\n"
        "          <IncludeHealthCheckIdHeader>true</IncludeHealthCheckIdHeader>\n"
        "          <Payload><![CDATA[<ping/>\n]]></Payload>\n"
        "        </Request>\n"
        "        <SuccessResponse>\n"
        "          <ResponseCode>200</ResponseCode><ResponseCode>202</ResponseCode>\n"
        "          <Header name=\"ImOK\">YourOK</Header>\n"
        "        </SuccessResponse>\n"
        "      </HTTPMonitor>\n"
        "    </HealthMonitor>\n"
        "  </HTTPTargetConnection>\n"
        "</TargetEndpoint>\n";

static void test_endpoint(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(endpoint);
        if (x->n_findings > 0)
                fail_msg("line %u: %s", x->findings[0].line, x->findings[0].text);
        assert_int_equal(x->kind, EDGE_XML_TARGET_ENDPOINT);
        assert_string_equal(x->root, "TargetEndpoint");
        assert_string_equal(x->name.value, "default");
        assert_int_equal(x->line, 2);
        assert_int_equal(x->connection.line, 4);

        const EdgeSsl *ssl = &x->connection.ssl;
        assert_int_equal(ssl->line, 5);
        assert_true(edge_flag(ssl->enabled, false) && edge_flag(ssl->client_auth, false));
        assert_true(ssl->ignore_validation_errors.set && !ssl->ignore_validation_errors.value);
        assert_string_equal(ssl->key_store.value, "ref://keys");
        assert_int_equal(ssl->key_store.line, 9);
        assert_string_equal(ssl->key_alias.value, "key");
        assert_string_equal(ssl->trust_store.value, "trust");
        assert_string_equal(ssl->common_name.value, "*.example.com");
        assert_int_equal(ssl->protocols.n, 2);
        assert_string_equal(ssl->protocols.items[1].value, "TLSv1.3");
        assert_int_equal(ssl->ciphers.n, 1);
        assert_string_equal(ssl->ciphers.items[0].value, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");

        const EdgeBalancer *b = &x->connection.balancer;
        assert_int_equal(b->line, 18);
        assert_int_equal(b->algorithm, EDGE_WEIGHTED);
        assert_int_equal(b->algorithm_line, 19);
        assert_int_equal(b->n_servers, 3);
        assert_string_equal(b->servers[0].name.value, "target1");
        assert_int_equal(b->servers[1].line, 21);
        assert_int_equal(b->servers[1].weight.value, 2);
        assert_false(edge_flag(b->servers[1].enabled, true));
        assert_true(edge_flag(b->servers[0].enabled, true));
        assert_false(b->servers[2].weight.set);
        assert_true(edge_flag(b->servers[2].fallback, false));
        assert_int_equal(b->max_failures.value, 5);
        assert_false(edge_flag(b->retry, true));
        assert_int_equal(b->disable_secs.value, 30);
        assert_int_equal(b->unhealthy_codes.n, 2);
        assert_int_equal(b->unhealthy_codes.items[1].value, 503);
        assert_int_equal(b->unhealthy_codes.items[1].line, 30);
        assert_string_equal(x->connection.path.value, "/test");

        const EdgeHealthMonitor *m = &x->connection.monitor;
        assert_int_equal(m->line, 34);
        assert_true(edge_flag(m->enabled, false));
        assert_int_equal(m->interval_sec.value, 5);
        assert_int_equal(m->tcp.line, 0);
        assert_int_equal(m->http.line, 37);
        assert_int_equal(m->http.request_line, 38);
        assert_true(edge_flag(m->http.is_ssl, false));
        assert_true(m->http.trust_all_ssl.set && !m->http.trust_all_ssl.value);
        assert_int_equal(m->http.connect_timeout_sec.value, 10);
        assert_int_equal(m->http.read_timeout_sec.value, 30);
        assert_int_equal(m->http.port.value, 8443);
        assert_int_equal(m->http.verb, EDGE_POST);
        assert_string_equal(m->http.path.value, "/healthcheck");
        assert_int_equal(m->http.headers.n, 2);
        assert_string_equal(m->http.headers.items[0].name, "Authorization");
        assert_string_equal(m->http.headers.items[1].value, "b  c");
        assert_true(edge_flag(m->http.include_id, false));
        assert_string_equal(m->http.payload.value, "<ping/>\n");
        assert_int_equal(m->http.success_codes.n, 2);
        assert_int_equal(m->http.success_headers.n, 1);
        assert_string_equal(m->http.success_headers.items[0].value, "YourOK");
}

static void test_callout(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(
                "<ServiceCallout async=\"false\" continueOnError=\"false\" enabled=\"true\" name=\"callout\">\n"
                "<DisplayName>c</DisplayName><Request variable=\"r\"/><Response>a</Response><Timeout>3</Timeout>\n"
                "<HTTPTargetConnection><LoadBalancer><Server name=\"t\"/><MaxFailures>5</MaxFailures>\n"
                "</LoadBalancer><HealthMonitor><IntervalInSec>5</IntervalInSec><TCPMonitor>\n"
                "<ConnectTimeoutInSec>10</ConnectTimeoutInSec><Port>80</Port></TCPMonitor></HealthMonitor>\n"
                "</HTTPTargetConnection></ServiceCallout>");
        assert_int_equal(x->n_findings, 0);
        assert_int_equal(x->kind, EDGE_XML_SERVICE_CALLOUT);
        assert_string_equal(x->name.value, "callout");
        assert_int_equal(x->connection.balancer.n_servers, 1);
        assert_int_equal(x->connection.monitor.tcp.line, 4);
        assert_int_equal(x->connection.monitor.tcp.port.value, 80);
        assert_false(edge_flag(x->connection.monitor.enabled, false));
        assert_int_equal(x->connection.monitor.http.line, 0);
}

static void test_target_server(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(
                "<TargetServer  name=\"target 1\">\n<IsEnabled>0</IsEnabled><Host> h.example.com </Host>\n"
                "<Port>443</Port><SSLInfo><Ciphers/><ClientAuthEnabled>true</ClientAuthEnabled>\n"
                "<Enabled>true</Enabled><Protocols/></SSLInfo></TargetServer >");
        assert_int_equal(x->n_findings, 0);
        assert_int_equal(x->kind, EDGE_XML_TARGET_SERVER);
        assert_string_equal(x->server.name.value, "target 1");
        assert_string_equal(x->server.host.value, "h.example.com");
        assert_int_equal(x->server.port.value, 443);
        assert_int_equal(x->server.port.line, 3);
        assert_true(x->server.enabled.set && !x->server.enabled.value);
        assert_int_equal(x->server.ssl.line, 3);
        assert_int_equal(x->server.ssl.ciphers.n, 0);
}

/* Nothing there is not the same as something there that is bad. */
static void test_defaults(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text("<TargetEndpoint name='a'><HTTPTargetConnection>"
                                                         "<URL>http://x.example.com/</URL>"
                                                         "</HTTPTargetConnection></TargetEndpoint>");
        assert_int_equal(x->n_findings, 0);
        assert_string_equal(x->connection.url.value, "http://x.example.com/");
        assert_int_equal(x->connection.balancer.line, 0);
        assert_int_equal(x->connection.balancer.algorithm, EDGE_ROUND_ROBIN);
        assert_int_equal(x->connection.balancer.max_failures.line, 0);
        assert_int_equal(edge_number(x->connection.balancer.max_failures, 0), 0);
        assert_int_equal(x->connection.monitor.line, 0);
        assert_null(x->connection.path.value);

        _cleanup_(edge_xml_freep) EdgeXml *script =
                read_text("<TargetEndpoint name='a'><ScriptTarget/></TargetEndpoint>");
        assert_int_equal(script->n_findings, 0);
        assert_int_equal(script->connection.line, 0);
}

#define IN_CONNECTION(x) \
        "<TargetEndpoint name='d'>\n<HTTPTargetConnection>\n" x "\n</HTTPTargetConnection></TargetEndpoint>"
#define IN_BALANCER(x) IN_CONNECTION("<LoadBalancer><Server name='t'/>\n" x "</LoadBalancer>")
#define IN_MONITOR(x)  IN_CONNECTION("<HealthMonitor><IntervalInSec>5</IntervalInSec>\n" x "</HealthMonitor>")
#define IN_REQUEST(x)  IN_MONITOR("<HTTPMonitor><Request>\n" x "</Request></HTTPMonitor>")
#define IN_SUCCESS(x) \
        IN_MONITOR("<HTTPMonitor><Request/><SuccessResponse>\n" x "</SuccessResponse></HTTPMonitor>")
#define AT_CONNECTION "TargetEndpoint/HTTPTargetConnection"
#define AT_BALANCER   AT_CONNECTION "/LoadBalancer"
#define AT_MONITOR    AT_CONNECTION "/HealthMonitor"
#define AT_REQUEST    AT_MONITOR "/HTTPMonitor/Request"
#define AT_SUCCESS    AT_MONITOR "/HTTPMonitor/SuccessResponse"

static void test_findings(void **state _unused_)
{
        static const struct {
                const char *xml;
                EdgeFindingKind kind;
                unsigned line;
                const char *element, *says;
        } rows[] = {
                { IN_CONNECTION("<Nonsense/>"), EDGE_FINDING_UNKNOWN, 3, AT_CONNECTION "/Nonsense",
                  "no element Nonsense" },
                { IN_CONNECTION("<x:Path xmlns:x='urn:x'>/a</x:Path>"), EDGE_FINDING_UNKNOWN, 3,
                  AT_CONNECTION "/x:Path", "x:Path" },
                { IN_CONNECTION("<path>/a</path>"), EDGE_FINDING_UNKNOWN, 3, AT_CONNECTION "/path", "path" },
                { IN_CONNECTION("<Path>/a<b/></Path>"), EDGE_FINDING_UNKNOWN, 3, AT_CONNECTION "/Path/b",
                  "no elements" },
                { IN_CONNECTION(">"), EDGE_FINDING_TEXT, 2, AT_CONNECTION, "text within" },
                { IN_CONNECTION("<Path>/a</Path>\n<Path>/b</Path>"), EDGE_FINDING_TWICE, 4,
                  AT_CONNECTION "/Path", "last one" },
                { IN_CONNECTION("<MaxFailures>5</MaxFailures>"), EDGE_FINDING_MISPLACED, 3,
                  AT_CONNECTION "/MaxFailures", "LoadBalancer" },
                { IN_BALANCER("<HealthMonitor/>"), EDGE_FINDING_MISPLACED, 4, AT_BALANCER "/HealthMonitor",
                  "beside LoadBalancer" },
                { IN_BALANCER("<MaxFailures>many</MaxFailures>"), EDGE_FINDING_NUMBER, 4,
                  AT_BALANCER "/MaxFailures", "\"many\"" },
                { IN_BALANCER("<MaxFailures>-1</MaxFailures>"), EDGE_FINDING_NUMBER, 4,
                  AT_BALANCER "/MaxFailures", "not between 0 and" },
                { IN_BALANCER("<MaxFailures/>"), EDGE_FINDING_NUMBER, 4, AT_BALANCER "/MaxFailures", "\"\"" },
                { IN_BALANCER("<MaxFailures>99999999999999999999</MaxFailures>"), EDGE_FINDING_NUMBER, 4,
                  AT_BALANCER "/MaxFailures", "not between" },
                { IN_BALANCER("<MaxFailures>5.0</MaxFailures>"), EDGE_FINDING_NUMBER, 4,
                  AT_BALANCER "/MaxFailures", "5.0" },
                { IN_BALANCER("<RetryEnabled>yes</RetryEnabled>"), EDGE_FINDING_FLAG, 4,
                  AT_BALANCER "/RetryEnabled", "neither true nor false" },
                { IN_BALANCER("<RetryEnabled>TRUE</RetryEnabled>"), EDGE_FINDING_FLAG, 4,
                  AT_BALANCER "/RetryEnabled", "TRUE" },
                { IN_BALANCER("<Algorithm>Random</Algorithm>"), EDGE_FINDING_WORD, 4,
                  AT_BALANCER "/Algorithm", "RoundRobin, Weighted, LeastConnections; taken as RoundRobin" },
                { IN_BALANCER("<Server/>"), EDGE_FINDING_MISSING, 4, AT_BALANCER "/Server@name", "no name" },
                { IN_BALANCER("<Server name='a' weight='2'/>"), EDGE_FINDING_UNKNOWN, 4,
                  AT_BALANCER "/Server@weight", "no attribute \"weight\"" },
                { IN_BALANCER(
                          "<ServerUnhealthyResponse><ResponseCode>5xx</ResponseCode></ServerUnhealthyResponse>"),
                  EDGE_FINDING_NUMBER, 4, AT_BALANCER "/ServerUnhealthyResponse/ResponseCode", "5xx" },
                { IN_CONNECTION("<HealthMonitor/>"), EDGE_FINDING_MISSING, 3, AT_MONITOR,
                  "no IntervalInSec" },
                { IN_MONITOR("<TCPMonitor/>"), EDGE_FINDING_MISSING, 4, AT_MONITOR "/TCPMonitor",
                  "no ConnectTimeoutInSec" },
                { IN_MONITOR("<HTTPMonitor/>"), EDGE_FINDING_MISSING, 4, AT_MONITOR "/HTTPMonitor",
                  "no Request" },
                { IN_REQUEST("<Verb>HEAD</Verb>"), EDGE_FINDING_WORD, 5, AT_REQUEST "/Verb",
                  "GET, PUT, POST, DELETE" },
                { IN_REQUEST("<Port>65536</Port>"), EDGE_FINDING_NUMBER, 5, AT_REQUEST "/Port",
                  "0 and 65535" },
                { IN_REQUEST("<ConnectTimeoutInSec>{t}</ConnectTimeoutInSec>"), EDGE_FINDING_VARIABLE, 5,
                  AT_REQUEST "/ConnectTimeoutInSec", "variable" },
                { IN_REQUEST("<Header>x</Header>"), EDGE_FINDING_MISSING, 5, AT_REQUEST "/Header@name",
                  "no name" },
                { IN_REQUEST("<UseTargetServerSSLInfo>true</UseTargetServerSSLInfo>"), EDGE_FINDING_NOT_EDGE,
                  5, AT_REQUEST "/UseTargetServerSSLInfo", "Apigee X" },
                { IN_SUCCESS("<ResponseCode>99</ResponseCode>"), EDGE_FINDING_NUMBER, 5,
                  AT_SUCCESS "/ResponseCode", "99" },
                { IN_SUCCESS("<Headers/>"), EDGE_FINDING_UNKNOWN, 5, AT_SUCCESS "/Headers", "Headers" },
                { "<TargetEndpoint name='d'><HTTPTargetConnection/>\n<Path>/a</Path></TargetEndpoint>",
                  EDGE_FINDING_MISPLACED, 2, "TargetEndpoint/Path", "belongs in HTTPTargetConnection" },
                { "<TargetServer name='t'><Host>h</Host></TargetServer>", EDGE_FINDING_MISSING, 1,
                  "TargetServer", "no Port" },
                { "<TargetServer name='t'><Host>h</Host><Port>0</Port></TargetServer>", EDGE_FINDING_NUMBER,
                  1, "TargetServer/Port", "1 and 65535" },
                { "<TargetServer><Host>h</Host><Port>1</Port></TargetServer>", EDGE_FINDING_MISSING, 1,
                  "TargetServer@name", "no name" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                expect_finding(rows[i].xml, rows[i].kind, rows[i].line, rows[i].element, rows[i].says);
}

/* The rest is still read; the last of two counts; a value of a header is in no finding. */
static void test_reads_on(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(IN_CONNECTION(
                "<LoadBalancer><Nonsense><Server name='no'/></Nonsense><Server name='a'/><MaxFailures>x</MaxFailures>"
                "<MaxFailures>7</MaxFailures></LoadBalancer><HealthMonitor><IntervalInSec>9</IntervalInSec>"
                "<HTTPMonitor><Request><Header>secret</Header><Port>x</Port></Request></HTTPMonitor></HealthMonitor>"));
        assert_int_equal(x->connection.balancer.n_servers, 1);
        assert_int_equal(x->connection.balancer.max_failures.value, 7);
        assert_int_equal(x->connection.monitor.interval_sec.value, 9);
        assert_int_equal(x->connection.monitor.http.port.line, 3);
        assert_false(x->connection.monitor.http.port.set);
        assert_int_equal(x->connection.monitor.http.headers.n, 1);
        assert_string_equal(x->connection.monitor.http.headers.items[0].value, "secret");
        assert_int_equal(x->n_findings, 5);
        for (size_t i = 0; i < x->n_findings; i++)
                assert_null(strstr(x->findings[i].text, "secret"));
}

/* Only the root of other documents is looked at. */
static void test_other(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text("<ProxyEndpoint name='default'>\n<broken");
        assert_int_equal(x->kind, EDGE_XML_OTHER);
        assert_string_equal(x->root, "ProxyEndpoint");
        assert_string_equal(x->name.value, "default");
        assert_int_equal(x->n_findings, 0);
}

static void test_encodings(void **state _unused_)
{
        _cleanup_(edge_xml_freep) EdgeXml *latin = read_text(
                "<?xml version='1.0' encoding='ISO-8859-1'?><TargetServer name='\xe9'><Host>h</Host><Port>1</Port></TargetServer>");
        assert_string_equal(latin->server.name.value, "\xc3\xa9");
        _cleanup_(edge_xml_freep) EdgeXml *marked = read_text(
                "\xef\xbb\xbf<?xml version='1.0'  encoding = \"utf-8\" ?><TargetServer name='&#233;&lt;'><Host>h</Host><Port>1</Port></TargetServer>");
        assert_string_equal(marked->server.name.value, "\xc3\xa9<");

        static const char wide[] = "\xff\xfe<\0T\0/\0>\0";
        expect_refused(wide, sizeof(wide) - 1, -EBADMSG, "UTF-8");
        static const char *const bad[][2] = {
                { "<TargetServer name='\xe9'/>", "Line 1: not well-formed XML" },
                { "<?xml version='1.0' encoding='UTF-7'?><TargetServer/>", "encoding \"UTF-7\" is not read" },
                { "<?xml version='1.0' encoding='UTF-16'?><TargetServer/>", "encoding \"UTF-16\"" },
                { "\x4c\x6f\xa7\x94", "does not begin with '<'" },
                { "{\"name\":\"json\"}", "does not begin with '<'" },
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                expect_refused(bad[i][0], strlen(bad[i][0]), -EBADMSG, bad[i][1]);
}

static void test_refused(void **state _unused_)
{
        static const char *const bad[][2] = {
                { "", "empty" },
                { "   ", "not well-formed" },
                { "<TargetServer>", "Line 1: not well-formed XML" },
                { "<TargetServer name='a'>\n<Host>\n</Port></TargetServer>", "Line 3: not well-formed XML" },
                { "<TargetServer/>x", "Line 1" },
                { "<TargetServer>&unknown;</TargetServer>", "unknown" },
                { "<!DOCTYPE TargetServer><TargetServer/>", "Line 1: a document type" },
                { "\n<!DOCTYPE t [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><TargetServer name='a'>&e;</TargetServer>",
                  "Line 2: a document type" },
                { "<!DOCTYPE t SYSTEM \"http://127.0.0.1:1/x.dtd\"><TargetServer/>", "a document type" },
                { "<!DOCTYPE t [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/\"> %p;]><TargetServer/>",
                  "a document type" },
                { "<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]><TargetServer name='&c;'/>",
                  "a document type" },
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                expect_refused(bad[i][0], strlen(bad[i][0]), -EBADMSG, bad[i][1]);
}

/* @n times @text between @head and @tail. */
static char *repeated(const char *head, const char *text, size_t n, const char *tail, size_t *ret_len)
{
        size_t len = strlen(text);
        char *s = malloc(strlen(head) + n * len + strlen(tail) + 1);
        assert_non_null(s);
        char *at = stpcpy(s, head);
        for (size_t i = 0; i < n; i++)
                at = stpcpy(at, text);
        at = stpcpy(at, tail);
        *ret_len = (size_t) (at - s);
        return s;
}

static void test_limits(void **state _unused_)
{
        static const struct {
                const char *head, *text;
                size_t n;
                const char *tail;
                int code;
                const char *says;
        } rows[] = {
                { "<TargetServer>", " ", EDGE_XML_MAX, "</TargetServer>", -E2BIG, "bytes" },
                { "<TargetServer>", "<a>", 200, "", -E2BIG, "within each other" },
                { "<TargetEndpoint name='a'>", "<PreFlow/>", EDGE_XML_ELEMENTS_MAX, "</TargetEndpoint>",
                  -E2BIG, "in one document" },
                { "<TargetServer>\n<a ", "a=\"\" ", 257, "/></TargetServer>", -E2BIG,
                  "Line 2: more than 256 attributes" },
                { "<TargetServer ", "a = '' ", 300, "/>", -E2BIG, "Line 1: more than 256 attributes" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                size_t len;
                char *xml = repeated(rows[i].head, rows[i].text, rows[i].n, rows[i].tail, &len);
                expect_refused(xml, len, rows[i].code, rows[i].says);
                free(xml);
        }
        /* Another policy may say what it likes behind its root. */
        size_t len;
        char *xml = repeated("<Javascript name='j'><Source><![CDATA[", "a=\"b\";", 10000,
                             "]]></Source></Javascript>", &len);
        _cleanup_(edge_xml_freep) EdgeXml *x = read_text(xml);
        assert_int_equal(x->kind, EDGE_XML_OTHER);
        free(xml);
}

/* The costliest documents that are within the limits: no time worth speaking of. */
static void test_costs(void **state _unused_)
{
        static const struct {
                const char *head, *text;
                size_t n;
                const char *tail;
        } rows[] = {
                { "<TargetEndpoint name='a'>", "<x/>", 49000, "</TargetEndpoint>" },
                { "<TargetEndpoint name='a'><HTTPTargetConnection><Path>", "&lt;", 200000,
                  "</Path></HTTPTargetConnection></TargetEndpoint>" },
                { "<TargetEndpoint name='a'><HTTPTargetConnection>", "<Path>x</Path>", 49000,
                  "</HTTPTargetConnection></TargetEndpoint>" },
                { "<TargetEndpoint name='a'><HTTPTargetConnection><LoadBalancer>", "<Server name='t'/>",
                  49000, "</LoadBalancer></HTTPTargetConnection></TargetEndpoint>" },
                { "<TargetEndpoint name='a'>", "<x y='' z=''/>", 49000, "</TargetEndpoint>" },
                { "<TargetEndpoint name='a'>", "<!---->", 140000, "</TargetEndpoint>" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                size_t len;
                char *xml = repeated(rows[i].head, rows[i].text, rows[i].n, rows[i].tail, &len);
                assert_true(len <= EDGE_XML_MAX);
                Usec start = time_now();
                _cleanup_(edge_xml_freep) EdgeXml *x = read_text(xml);
                assert_true(time_now() - start < 2 * USEC_PER_SEC);
                assert_true(x->n_findings <= EDGE_XML_FINDINGS_MAX);
                if (strstr(rows[i].text, "<x"))
                        assert_int_equal(x->n_findings + x->n_more, rows[i].n);
                free(xml);
        }
}

/* Cut off anywhere: refused or, once whole, read; never anything else. */
static void test_cut_anywhere(void **state _unused_)
{
        size_t whole = strlen(endpoint);
        for (size_t len = 0; len < whole; len++) {
                EdgeXml *x = NULL;
                Err err = { 0 };
                char *copy = malloc(len + 1); /* its end is where a sanitizer looks */
                assert_non_null(copy);
                memcpy(copy, endpoint, len);
                int r = edge_xml_read(copy, len, &x, &err);
                if (r != (len < whole - 1 ? -EBADMSG : 0))
                        fail_msg("%zu of %zu bytes: %d %s", len, whole, r, err.text);
                (void) edge_xml_free(x);
                free(copy);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_endpoint),      cmocka_unit_test(test_callout),
                cmocka_unit_test(test_target_server), cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_findings),      cmocka_unit_test(test_reads_on),
                cmocka_unit_test(test_other),         cmocka_unit_test(test_encodings),
                cmocka_unit_test(test_refused),       cmocka_unit_test(test_limits),
                cmocka_unit_test(test_costs),         cmocka_unit_test(test_cut_anywhere),
        };
        return cmocka_run_group_tests_name("edge-xml", tests, NULL, NULL);
}
