/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * `edge-roll why`, from its command line to the Management Server's stand-in and to routers that serve TLS:
 * nginx at addresses of a network of its own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/edge/why-run.h"
#include "tests/lib/ns.h"
#include "tests/lib/standin.h"
#include "tests/lib/tls-router.h"
#include "tests/lib/why-door.h"

#define ROUTERS 2

static char certs[64]; /* a folder with old.pem, new.pem, their keys and fingerprints */
static char old_print[SHA256_TEXT_SIZE], new_print[SHA256_TEXT_SIZE];
static const char *const addresses[ROUTERS] = { "10.9.0.1", "10.9.0.2" };

/* ---- certificates and routers ---- */

static int make_certs(void **state _unused_)
{
        (void) snprintf(certs, sizeof(certs), "/tmp/edge-roll-why-XXXXXX");
        assert_non_null(mkdtemp(certs));
        tls_router_certificate(certs, "old", old_print);
        tls_router_certificate(certs, "new", new_print);
        return 0;
}

static int drop_certs(void **state _unused_)
{
        char command[128];
        (void) snprintf(command, sizeof(command), "rm -rf %s", certs);
        return system(command);
}

/* ---- Edge ---- */

#define ON(uuid) "{\"status\":\"deployed\",\"type\":[\"message-processor\"],\"uUID\":\"" uuid "\"}"
#define TLS(key, trust)                                                                                           \
        "\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyAlias\":\"a\",\"keyStore\":\"" key \
        "\",\"trustStore\":\"" trust "\"}"

/* r-9 is in a pod in which the organisation has nothing; nobody listens there. */
static const char servers_json[] =
        "[{\"uUID\":\"r-1\",\"type\":[\"router\"],\"region\":\"dc-1\",\"pod\":\"gateway\",\"internalIP\":\"10.9.0.1\"},"
        "{\"uUID\":\"r-9\",\"type\":[\"router\"],\"region\":\"dc-1\",\"pod\":\"gateway-2\",\"internalIP\":\"10.9.0.9\"},"
        "{\"uUID\":\"r-2\",\"type\":[\"router\"],\"region\":\"dc-1\",\"pod\":\"gateway\",\"internalIP\":\"10.9.0.2\"},"
        "{\"uUID\":\"mp-1\",\"type\":[\"message-processor\"],\"region\":\"dc-1\",\"pod\":\"gateway\",\"internalIP\":\"10.9.0.3\"},"
        "{\"uUID\":\"mp-2\",\"type\":[\"message-processor\"],\"region\":\"dc-1\",\"pod\":\"gateway\",\"internalIP\":\"10.9.0.4\"},"
        "{\"uUID\":\"mp-3\",\"type\":[\"message-processor\"],\"region\":\"dc-1\",\"pod\":\"gateway\",\"internalIP\":\"10.9.0.5\"}]";

/* @: the certificate in the stores; #: more deployments. The virtual host "secure" is the only one on port
 * 9443. */
static const char edge_json[] =
        "{\"acme\":{\"prod\":{"
        "\"virtualhosts\":{"
        "\"secure\":{\"name\":\"secure\",\"port\":\"9443\",\"hostAliases\":[\"api.example.com:9443\"]," TLS(
                "ref://vref",
                "") "},"
                    "\"plain\":{\"name\":\"plain\",\"port\":9001,\"hostAliases\":[\"*\"]}%s},"
                    "\"references\":{\"vref\":{\"name\":\"vref\",\"refers\":\"ks1\",\"resourceType\":\"KeyStore\"},"
                    "\"tref\":{\"name\":\"tref\",\"refers\":\"ts2\",\"resourceType\":\"TrustStore\"}},"
                    "\"keystores\":{\"ks1\":{\"a\":%s},\"ks2\":{\"a\":%s},\"ks3\":{},\"ts\":{},\"ts2\":{},\"unused\":{}},"
                    "\"targetservers\":{"
                    "\"two\":{\"name\":\"two\",\"host\":\"h\",\"port\":443,\"isEnabled\":true," TLS(
                            "ks3",
                            "ts") "},"
                                  "\"ref\":{\"name\":\"ref\",\"host\":\"h\",\"port\":443,\"isEnabled\":true," TLS(
                                          "",
                                          "ref://tref") "},"
                                                        "\"var\":{\"name\":\"var\",\"host\":\"h\",\"port\":443,\"isEnabled\":true," TLS(
                                                                "{ssl.store}",
                                                                "") "},"
                                                                    "\"bare\":{\"name\":\"bare\",\"host\":\"h\",\"port\":80,\"isEnabled\":true}},"
                                                                    "\"servers\":[\"mp-1\",\"mp-2\"],"
                                                                    "\"deployments\":[{\"proxy\":\"p\",\"revision\":\"1\",\"state\":\"deployed\",\"server\":[" ON(
                                                                            "mp-1") "," ON("mp-2") "],\"files\":{\"apiproxy/p.xml\":\"<APIProxy/>\"}}%s]"
                                                                                                   "},\"test\":{}}}";

static const char direct_vhost[] =
        ",\"direct\":{\"name\":\"direct\",\"port\":9443,\"hostAliases\":[\"api.example.com\"]," TLS("ks2",
                                                                                                    "ts") "}";

typedef struct Fixture {
        WhyDoor door;
        TlsRouter routers[ROUTERS];
} Fixture;

static char *pem_json(const char *name)
{
        char path[128], *text = NULL;
        size_t size = 0;
        (void) snprintf(path, sizeof(path), "%s/%s.pem", certs, name);
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_true(getdelim(&text, &size, '\0', f) > 0);
        cJSON *o = cJSON_CreateString(text);
        char *json = cJSON_PrintUnformatted(o);
        cJSON_Delete(o);
        free(text);
        return json;
}

/* Edge as it is now. @stored: the certificate in ks1 and ks2. */
static void edge_is(const Fixture *f, const char *vhosts, const char *stored, const char *deployments)
{
        _cleanup_(freep) char *pem = pem_json(stored), *edge = NULL;
        assert_true(asprintf(&edge, edge_json, vhosts, pem, pem, deployments) > 0);
        standin_write(f->door.standin, "edge.json", edge);
}

static void open_door(Fixture *f, const char *served1, const char *served2)
{
        why_door_open(&f->door, "{}", servers_json);
        f->routers[0] = tls_router_start(certs, addresses[0], served1);
        f->routers[1] = tls_router_start(certs, addresses[1], served2);
        edge_is(f, "", "old", "");
}

static void close_door(Fixture *f)
{
        for (size_t i = 0; i < ROUTERS; i++)
                tls_router_stop(&f->routers[i]);
        why_door_close(&f->door);
}

/* @line: behind "edge-roll why". */
static void expect(Fixture *f, const char *line, int status)
{
        char whole[512];
        (void) snprintf(whole, sizeof(whole), "why %s", line);
        why_door_expect(&f->door, whole, status);
}

static void finds(const Fixture *f, const char *action, const char *about, const char *reason,
                  const char *servers)
{
        why_door_finds(&f->door, action, about, reason, servers);
}

/* ---- what is served ---- */

static void test_all_is_well(void **state _unused_)
{
        Fixture f;
        open_door(&f, "old", "old");
        expect(&f, "--json", 10);
        finds(&f, "nothing", "virtualhost:secure@acme/prod", "all 2 routers serve the certificate", "");
        expect(&f, "", 10);
        assert_non_null(strstr(f.door.out, "nothing must be restarted"));
        close_door(&f);
}

static void test_a_router_that_serves_another(void **state _unused_)
{
        Fixture f;
        char line[200];
        open_door(&f, "old", "new");
        edge_is(&f, "", "new", "");
        expect(&f, "--json", 0);
        finds(&f, "routers", "virtualhost:secure@acme/prod", "router 10.9.0.1 serves the certificate", "r-1");
        /* A reference that was pointed at a new store: the table says nothing is needed, and what is seen
         * differs. */
        expect(&f, "--json --changed reference:vref@prod", 0);
        finds(&f, "nothing", "reference:vref@acme/prod", "without a restart", "");
        finds(&f, "routers", "virtualhost:secure@acme/prod", "10.9.0.1", "r-1");
        /* Where routers are to be restarted, only those that need it. */
        expect(&f, "--json --changed virtualhost:secure@prod", 0);
        finds(&f, "routers", "virtualhost:secure@acme/prod", "the first change of a virtual host", "r-1");

        /* Restarted: it serves what is in the store. */
        tls_router_stop(&f.routers[0]);
        f.routers[0] = tls_router_start(certs, addresses[0], "new");
        expect(&f, "--json --changed virtualhost:secure@prod", 10);
        finds(&f, "nothing", "virtualhost:secure@acme/prod",
              "every router serves the expected certificate already", "");

        /* A person who knows better what should be there. */
        (void) snprintf(line, sizeof(line), "--json --expect-cert %s/old.pem", certs);
        expect(&f, line, 20);
        finds(&f, "unknown", "virtualhost:secure@acme/prod", "a restart alone will not bring that", "");
        assert_null(strstr(f.door.out, "\"routers\""));
        (void) snprintf(line, sizeof(line), "--json --expect-cert sha256:%s", new_print);
        expect(&f, line, 10);
        for (char *c = line; *c; c++)
                *c = (char) (c > line + 28 && *c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
        expect(&f, line, 10);
        close_door(&f);
}

/* --expect-cert is about the virtual hosts that --changed names by themselves or by what they name as their
 * keystore, and without --changed about all. */
static void test_whom_an_expected_certificate_is_about(void **state _unused_)
{
        static const char nobody[] = "--expect-cert is about no virtual host";
        static const struct {
                const char *line; /* before --expect-cert */
                const char *cert;
                int status;
                const char *said;
        } rows[] = {
                { "", "old", 10, "all 2 routers serve" },
                { "--changed keystore:ks1@prod", "old", 10, "(--expect-cert)" },
                { "--changed reference:vref@prod", "old", 10, "(--expect-cert)" },
                { "--changed virtualhost:secure@prod", "old", 10, "(--expect-cert)" },
                { "--changed targetserver:bare@prod --changed keystore:ks1@prod", "old", 10,
                  "(--expect-cert)" },
                { "--changed keystore:ks1@prod", "new", 20, "a restart alone will not bring that" },
                { "--changed truststore:ts@prod=new", "old", 11, nobody },
                { "--changed keystore:unused@prod", "old", 11, nobody },
                { "--changed targetserver:bare@prod", "old", 11, nobody },
                { "--changed targetserver:bare@prod", "new", 11, nobody },
                { "--changed virtualhost:plain@prod", "old", 11, nobody },
                { "--changed keystore:nothing@prod", "old", 11, "There is no keystore nothing" },
                { "--env test", "old", 11, nobody },
        };
        Fixture f;
        open_door(&f, "old", "old");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char line[300];
                (void) snprintf(line, sizeof(line), "%s --json --expect-cert %s/%s.pem", rows[i].line, certs,
                                rows[i].cert);
                print_message("%s %s\n", rows[i].line, rows[i].cert);
                expect(&f, line, rows[i].status);
                if (!strstr(f.door.out, rows[i].said))
                        fail_msg("nowhere \"%s\" in %s", rows[i].said, f.door.out);
        }
        close_door(&f);
}

static void test_what_cannot_be_seen(void **state _unused_)
{
        Fixture f;
        open_door(&f, "old", "old");
        tls_router_stop(&f.routers[1]);
        expect(&f, "--json", 20);
        finds(&f, "unknown", "virtualhost:secure@acme/prod", "10.9.0.2 serves there is not known", "");
        f.routers[1] = tls_router_start(certs, addresses[1], "old");

        standin_write(f.door.standin, "mode", "500 references");
        expect(&f, "--json", 20);
        finds(&f, "unknown", "", "references: The Management Server cannot be asked", "");
        standin_write(f.door.standin, "mode", "404 certificate");
        expect(&f, "--json", 10); /* the older place has it */
        standin_write(f.door.standin, "mode", "500 ks1");
        expect(&f, "--json", 20);
        finds(&f, "unknown", "virtualhost:secure@acme/prod", "is not known", "");
        static const char *const kinds[] = { "virtualhosts", "targetservers", "keystores", "deployments",
                                             "prod/servers" };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char mode[64];
                (void) snprintf(mode, sizeof(mode), "html %s", kinds[i]);
                standin_write(f.door.standin, "mode", mode);
                expect(&f, "--json", 20);
        }
        close_door(&f);
}

static void keep_line(void *userdata, bool warning, const char *text)
{
        (void) fprintf(userdata, "%s%s\n", warning ? "warning: " : "", text);
}

/* As a journal has it, and another process reads it. */
static void write_and_read(Proof *p)
{
        Proof again = { 0 };
        Err err = { 0 };
        for (size_t i = 0; i < p->n; i++) {
                cJSON *o = cJSON_CreateObject();
                proof_vhost_json(&p->vhosts[i], o);
                if (proof_read(&again, o, &err) < 0)
                        fail_msg("%s", err.text);
                cJSON_Delete(o);
        }
        proof_done(p);
        *p = again;
}

#define VHOST(name, alias, store)                                                      \
        ",\"" name "\":{\"name\":\"" name "\",\"port\":9443,\"hostAliases\":[\"" alias \
        "\"]," TLS(store, "") "}"

/* A virtual host with wildcards only is asked for by a name under one of them; one without any name shares
 * the default of its port with others. */
static void test_names_that_are_asked_for(void **state _unused_)
{
        Fixture f;
        open_door(&f, "old", "old");
        for (size_t i = 0; i < ROUTERS; i++) {
                tls_router_stop(&f.routers[i]);
                f.routers[i] = tls_router_start_wild(certs, addresses[i], "old", "new");
        }
        edge_is(&f, VHOST("wild", "*.example.com", "ks2"), "new", "");
        expect(&f, "--json", 10);
        finds(&f, "nothing", "virtualhost:wild@acme/prod", "all 2 routers serve the certificate", "");

        edge_is(&f, VHOST("any", "*", "ks2"), "new", "");
        expect(&f, "--json", 20);
        finds(&f, "unknown", "virtualhost:any@acme/prod",
              "it has no host alias that can be asked for; without one", "");
        /* What answers without a name is right: it speaks for all of them. */
        edge_is(&f, VHOST("any", "*", "ks2") VHOST("wild", "*.example.com", "ks2"), "old", "");
        expect(&f, "--json", 0);
        finds(&f, "nothing", "virtualhost:any@acme/prod", "all 2 routers serve the certificate", "");
        finds(&f, "routers", "virtualhost:wild@acme/prod", "router 10.9.0.1 serves", "r-1");
        close_door(&f);
}

/* The only virtual host of its port needs no name. */
static void test_alone_on_its_port(void **state _unused_)
{
        static const struct {
                const char *more, *stored, *line;
                int status;
        } rows[] = {
                { "", "old", "", 10 },
                { "", "new", "", 0 },
                { "", "new", "--env prod", 20 }, /* another environment may have one, too */
                { "", "new", "--org acme", 20 },
                { VHOST("other", "*", "ks1"), "new", "", 20 },
                { ",\"noport\":{\"name\":\"noport\"," TLS("ks1", "") "}", "new", "", 20 },
                { ",\"plain\":{\"name\":\"plain\",\"port\":9001}", "new", "", 0 },
        };
        Fixture f;
        open_door(&f, "old", "old");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(freep) char *pem = pem_json(rows[i].stored), *edge = NULL;
                assert_true(
                        asprintf(
                                &edge,
                                "{\"acme\":{\"prod\":{\"virtualhosts\":{%s%s},\"keystores\":{\"ks1\":{\"a\":%s}},"
                                "\"servers\":[\"mp-1\"]}}}",
                                &VHOST("only", "*", "ks1")[1], rows[i].more, pem) > 0);
                standin_write(f.door.standin, "edge.json", edge);
                print_message("%s %s %s\n", rows[i].more, rows[i].stored, rows[i].line);
                expect(&f, rows[i].line, rows[i].status);
        }
        close_door(&f);
}

/* What is proven behind a roll: of the routers that were restarted for a reason what is known that they
 * should serve. */
static void test_what_is_proven(void **state _unused_)
{
        static const struct {
                const char *what;
                const char *served2, *line, *vhosts;
                bool routers; /* were rolled */
                size_t n, n_routers;
        } rows[] = {
                { "one of two", "new", "", "", true, 1, 1 },
                { "both", "old", "", "", true, 1, 2 },
                { "message processors only", "old", "", "", false, 0, 0 },
                { "a virtual host of which nothing is known", "old", "",
                  VHOST("dark", "dark.example.org", "ks3"), true, 1, 2 },
                { "a virtual host that has no name to ask for", "old", "", VHOST("any", "*", "ks2"), true, 1,
                  2 },
                { "a truststore of all of them", "new", "--changed truststore:ts@prod=uploaded", direct_vhost,
                  true, 2, 4 },
                { "what a person expects, and a restart does not bring", "new", "--expect-cert ", "", false,
                  1, 2 },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(proof_done) Proof proof = { 0 };
                char text[300], program[] = "edge-roll", verb[] = "why", *argv[6] = { program, verb };
                int argc = 2, status;
                Session session;
                WhyRun run;
                CliRequest rq;
                Fixture f;
                Err err = { 0 };
                open_door(&f, "old", rows[i].served2);
                edge_is(&f, rows[i].vhosts, "new", "");
                (void) snprintf(text, sizeof(text), "%s%s%s", rows[i].line,
                                strstr(rows[i].line, "--expect-cert") ? certs : "",
                                strstr(rows[i].line, "--expect-cert") ? "/old.pem" : "");
                for (char *word = strtok(text, " "); word && argc < 5; word = strtok(NULL, " "))
                        argv[argc++] = word;
                print_message("%s\n", rows[i].what);
                assert_int_equal(cli_parse(argc, argv, &rq, &err), 0);
                SessionIo io = { .out = stdout, .err = stderr, .in = -1 };
                assert_int_equal(session_open(&session, &rq, f.door.config, &io, &status), 0);
                assert_int_equal(why_run(&run, &session, &status), 0);
                assert_int_equal(why_run_proof(&run, rows[i].routers, &proof, &err), 0);
                assert_int_equal(proof.n, rows[i].n);
                size_t n = 0;
                for (size_t k = 0; k < proof.n; k++) {
                        assert_string_not_equal(proof.vhosts[k].expected, "");
                        n += proof.vhosts[k].n;
                }
                assert_int_equal(n, rows[i].n_routers);
                why_run_done(&run);
                session_done(&session);
                close_door(&f);
        }
}

/* Behind a restart: who serves the new one now, who does not, and whom nobody can ask. */
static void test_proof_behind_a_restart(void **state _unused_)
{
        char program[] = "edge-roll", verb[] = "why", *argv[] = { program, verb, NULL };
        _cleanup_(proof_done) Proof proof = { 0 };
        _cleanup_(freep) char *said = NULL;
        size_t size, bad = 0;
        Session session;
        WhyRun run;
        CliRequest rq;
        Fixture f;
        int status;
        Err err = { 0 };

        open_door(&f, "old", "old");
        edge_is(&f, "", "new", "");
        assert_int_equal(cli_parse(2, argv, &rq, &err), 0);
        SessionIo io = { .out = stdout, .err = stderr, .in = -1 };
        FILE *lines = open_memstream(&said, &size);
        assert_int_equal(session_open(&session, &rq, f.door.config, &io, &status), 0);
        assert_int_equal(why_run(&run, &session, &status), 0);
        assert_true(why_wants(run.why, WHY_ROUTERS, 0) && why_wants(run.why, WHY_ROUTERS, 1));
        assert_int_equal(why_run_proof(&run, true, &proof, &err), 0);
        why_run_done(&run);
        session_done(&session);

        tls_router_stop(&f.routers[0]);
        f.routers[0] = tls_router_start(certs, addresses[0], "new");
        assert_int_equal(proof_check(&proof, keep_line, lines, &bad, &err), 0);
        assert_int_equal(bad, 1);
        write_and_read(&proof);
        tls_router_stop(&f.routers[1]);
        assert_int_equal(proof_check(&proof, keep_line, lines, &bad, &err), 0);
        assert_int_equal(bad, 1);
        write_and_read(&proof);
        f.routers[1] = tls_router_start(certs, addresses[1], "new");
        assert_int_equal(proof_check(&proof, keep_line, lines, &bad, &err), 0);
        assert_int_equal(bad, 0);
        proof.missing = 2;
        assert_int_equal(proof_check(&proof, keep_line, lines, &bad, &err), 0);
        assert_int_equal(bad, 2);
        assert_int_equal(fclose(lines), 0);
        assert_non_null(strstr(said, "\nvirtual host secure: router 10.9.0.2 serves the certificate"));
        assert_non_null(strstr(said, "now, before it was not known"));
        assert_non_null(strstr(said, "warning: virtual host secure: router 10.9.0.2 serves the certificate"));
        assert_non_null(strstr(said, "as before, and not"));
        assert_non_null(strstr(said, "what router 10.9.0.2 serves now is not known"));
        assert_non_null(strstr(said, "of 2 virtual hosts it is not written down"));
        close_door(&f);
}

static void test_a_proof_that_cannot_be_read(void **state _unused_)
{
        static const char *const bad[] = {
                "{}",
                "{\"virtual_host\":\"v\",\"server_name\":\"\",\"expected\":\"\"}",
                "{\"virtual_host\":\"v\",\"server_name\":\"\",\"expected\":\"\",\"port\":70000}",
                "{\"virtual_host\":7,\"server_name\":\"\",\"expected\":\"\",\"port\":1}",
                "{\"virtual_host\":\"v\",\"server_name\":\"\",\"expected\":\"\",\"port\":1,\"routers\":[{}]}",
                "{\"virtual_host\":\"v\",\"server_name\":\"\",\"expected\":\"\",\"port\":1,\"routers\":"
                "[{\"name\":\"r\",\"address\":\"x;y\",\"before\":\"\"}]}",
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_(proof_done) Proof p = { 0 };
                cJSON *o = cJSON_Parse(bad[i]);
                Err err = { 0 };
                assert_non_null(o);
                assert_int_equal(proof_read(&p, o, &err), -EBADMSG);
                assert_true(*err.text);
                cJSON_Delete(o);
        }
}

/* ---- what was changed ---- */

static void test_changes_by_the_table(void **state _unused_)
{
        static const struct {
                const char *changed;
                int status;
                const char *action, *reason, *servers;
        } rows[] = {
                /* by reference */
                { "keystore:ks1@prod", 10, "nothing", "every router serves the expected certificate", "" },
                { "keystore:ks1@prod=recreated", 10, "nothing",
                  "every router serves the expected certificate", "" },
                { "truststore:ts2@prod", 0, "message-processors", "not documented", "mp-1,mp-2" },
                { "truststore:ts2@prod=new", 10, "nothing", "reference", "" },
                { "truststore:ts2@prod=uploaded", 0, "message-processors", "not documented", "mp-1,mp-2" },
                { "reference:tref@prod", 10, "nothing", "the truststore of target server ref", "" },
                /* direct: both routers serve what is in ks2 */
                { "keystore:ks2@prod=new", 10, "nothing", "every router serves the expected certificate",
                  "" },
                { "truststore:ts@prod=uploaded", 0, "routers", "the truststore of virtual host direct",
                  "r-1,r-2" },
                { "truststore:ts@prod=uploaded", 0, "message-processors",
                  "the truststore of target server two", "mp-1,mp-2" },
                { "truststore:ts@prod=new", 0, "redeploy", "deployed again", "" },
                { "keystore:ks3@prod=recreated", 0, "message-processors", "two-way TLS", "mp-1,mp-2" },
                { "keystore:ks3@prod", 0, "message-processors", "two-way TLS", "mp-1,mp-2" },
                { "keystore:unused@prod", 10, "nothing",
                  "no virtual host, no target server and no deployed proxy uses it", "" },
                { "targetserver:bare@prod", 10, "nothing", "without stores", "" },
                { "targetserver:var@prod", 10, "nothing", "flow variable", "" },
                { "targetserver:ref@prod", 10, "nothing", "reference", "" },
                { "targetserver:two@prod", 0, "redeploy", "truststore of target server two", "" },
                { "virtualhost:plain@prod", 0, "routers", "not documented", "r-1,r-2" },
                { "virtualhost:direct@prod", 0, "routers", "the truststore of virtual host direct",
                  "r-1,r-2" },
                { "virtualhost:secure@prod=to-reference", 10, "nothing", "every router serves", "" },
        };
        Fixture f;
        open_door(&f, "old", "old");
        edge_is(&f, direct_vhost, "old", "");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char line[200], about[200];
                const char *at = strchr(rows[i].changed, '@');
                (void) snprintf(line, sizeof(line), "--json --changed %s", rows[i].changed);
                (void) snprintf(about, sizeof(about), "%.*s@acme/prod", (int) (at - rows[i].changed),
                                rows[i].changed);
                print_message("%s\n", rows[i].changed);
                expect(&f, line, rows[i].status);
                finds(&f, rows[i].action, about, rows[i].reason, rows[i].servers);
        }
        close_door(&f);
}

#define ENDPOINT(root, keys, trust)                                                                                         \
        "<" root                                                                                                            \
        "><HTTPTargetConnection><SSLInfo><Enabled>true</Enabled><ClientAuthEnabled>true</ClientAuthEnabled><KeyStore>" keys \
        "</KeyStore><TrustStore>" trust                                                                                     \
        "</TrustStore></SSLInfo><URL>https://h</URL></HTTPTargetConnection></" root ">"

/* A proxy may name stores itself, in its TargetEndpoint or in a ServiceCallout. */
static void test_stores_that_proxies_name_themselves(void **state _unused_)
{
        static const char deployed[] = ",{\"proxy\":\"own\",\"revision\":\"7\",\"state\":\"deployed\",\"server\":[" ON(
                "mp-1") "],\"files\":{"
                        "\"apiproxy/targets/a.xml\":\"" ENDPOINT(
                                "TargetEndpoint", "ks3",
                                "ref://tref") "\","
                                              "\"apiproxy/targets/off.xml\":\"<TargetEndpoint><HTTPTargetConnection><SSLInfo><Enabled>false</Enabled>"
                                              "<TrustStore>unused</TrustStore></SSLInfo></HTTPTargetConnection></TargetEndpoint>\","
                                              "\"apiproxy/policies/c.xml\":\"" ENDPOINT(
                                                      "ServiceCallout", "",
                                                      "own-ts") "\"}},"
                                                                "{\"proxy\":\"gone\",\"revision\":\"1\",\"state\":\"undeployed\",\"server\":[],\"files\":{"
                                                                "\"apiproxy/targets/a.xml\":\"" ENDPOINT(
                                                                        "TargetEndpoint", "unused",
                                                                        "unused") "\"}}";
        static const char variable[] =
                ",{\"proxy\":\"own\",\"revision\":\"7\",\"state\":\"deployed\",\"server\":[" ON(
                        "mp-1") "],\"files\":{"
                                "\"apiproxy/targets/a.xml\":\"" ENDPOINT("TargetEndpoint", "{flow.ks}",
                                                                         "") "\"}}";
        static const char damaged[] =
                ",{\"proxy\":\"own\",\"revision\":\"7\",\"state\":\"deployed\",\"server\":[" ON(
                        "mp-1") "],\"files\":{"
                                "\"apiproxy/targets/a.xml\":\"<TargetEndpoint><HTTP\"}}";
        static const struct {
                const char *changed;
                int status;
                const char *action, *reason, *servers;
        } rows[] = {
                { "keystore:ks3@prod=recreated", 0, "message-processors",
                  "the keystore of proxy own:7/apiproxy/targets/a.xml: ", "mp-1,mp-2" },
                { "truststore:own-ts@prod=uploaded", 0, "message-processors",
                  "the truststore of proxy own:7/apiproxy/policies/c.xml: ", "mp-1,mp-2" },
                { "truststore:own-ts@prod=new", 0, "redeploy", "own:7/apiproxy/policies/c.xml", "" },
                { "reference:tref@prod", 10, "nothing",
                  "the truststore of proxy own:7/apiproxy/targets/a.xml", "" },
                { "truststore:ts2@prod=uploaded", 0, "message-processors", "own:7/apiproxy/targets/a.xml",
                  "mp-1,mp-2" },
                { "keystore:unused@prod", 10, "nothing", "no deployed proxy uses it", "" },
        };
        Fixture f;
        open_door(&f, "old", "old");
        edge_is(&f, "", "old", deployed);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char line[200], about[200];
                const char *at = strchr(rows[i].changed, '@');
                (void) snprintf(line, sizeof(line), "--json --changed %s", rows[i].changed);
                (void) snprintf(about, sizeof(about), "%.*s@acme/prod", (int) (at - rows[i].changed),
                                rows[i].changed);
                print_message("%s\n", rows[i].changed);
                expect(&f, line, rows[i].status);
                finds(&f, rows[i].action, about, rows[i].reason, rows[i].servers);
        }
        /* Bundles are fetched for a store only, and of its environment. */
        standin_write(f.door.standin, "log", NULL);
        expect(&f, "--json --changed targetserver:bare@prod", 10);
        expect(&f, "--json", 10);
        _cleanup_(freep) char *log = standin_read(f.door.standin, "log");
        assert_null(strstr(log, "format=bundle"));

        /* Which store a variable names only a request knows. */
        edge_is(&f, "", "old", variable);
        expect(&f, "--json --changed keystore:ks1@prod=new", 10);
        expect(&f, "--json --changed keystore:unused@prod=recreated", 20);
        finds(&f, "unknown", "keystore:unused@acme/prod", "the flow variable {flow.ks}", "");
        expect(&f, "--json --changed keystore:unused@prod", 20);

        /* What cannot be read is not known. */
        edge_is(&f, "", "old", damaged);
        expect(&f, "--json --changed keystore:unused@prod", 20);
        finds(&f, "unknown", "", "acme/prod: own:7/apiproxy/targets/a.xml: ", "");
        edge_is(&f, "", "old", deployed);
        standin_write(f.door.standin, "mode", "500 revisions");
        expect(&f, "--json --changed keystore:unused@prod", 20);
        finds(&f, "unknown", "", "acme/prod: own:7: ", "");
        standin_write(f.door.standin, "mode", "half revisions");
        expect(&f, "--json --changed keystore:unused@prod", 20);
        finds(&f, "unknown", "", "acme/prod: own:7: ", "");
        standin_write(f.door.standin, "mode", "cut-json revisions");
        expect(&f, "--json --changed keystore:unused@prod", 20);
        finds(&f, "unknown", "", "acme/prod: own:7: ", "");
        close_door(&f);
}

static void test_a_direct_store_that_is_not_served_yet(void **state _unused_)
{
        Fixture f;
        open_door(&f, "old", "old");
        edge_is(&f, direct_vhost, "new", "");
        tls_router_stop(&f.routers[0]);
        f.routers[0] = tls_router_start(certs, addresses[0], "new");
        expect(&f, "--json --changed keystore:ks2@prod", 0);
        finds(&f, "routers", "keystore:ks2@acme/prod", "names another store directly", "r-2");
        close_door(&f);
}

static void test_partial_deployments(void **state _unused_)
{
        static const char more[] = ",{\"proxy\":\"q\",\"revision\":\"4\",\"state\":\"deployed\",\"server\":[" ON(
                "mp-1") ","
                        "{\"error\":\"Call timed out\",\"status\":\"error\",\"type\":[\"message-processor\"],\"uUID\":\"mp-2\"}]},"
                        "{\"proxy\":\"s\",\"revision\":\"2\",\"state\":\"deployed\",\"server\":["
                        "{\"status\":\"error\",\"type\":[\"message-processor\"],\"uUID\":\"mp-2\"},"
                        "{\"status\":\"error\",\"type\":[\"router\"],\"uUID\":\"r-2\"},"
                        "{\"status\":\"error\",\"type\":[\"message-processor\"],\"uUID\":\"gone\"}]}";
        Fixture f;
        open_door(&f, "old", "old");
        edge_is(&f, "", "old", more);
        expect(&f, "--json", 0);
        finds(&f, "message-processors", "deployments:mp-2@acme/prod",
              "2 deployments are not as they should be there: q revision 4", "mp-2");
        finds(&f, "message-processors", "deployments:mp-2@acme/prod", "Call timed out", "mp-2");
        finds(&f, "routers", "deployments:r-2@acme/prod", "1 deployment is not", "r-2");
        finds(&f, "unknown", "deployments:gone@acme/prod", "a stale record", "");
        expect(&f, "--env test", 10);
        expect(&f, "", 0);
        assert_non_null(strstr(f.door.out, "1 router and 1 message processor must be restarted"));
        close_door(&f);
}

static void test_bad_calls(void **state _unused_)
{
        static const struct {
                const char *line;
                int status;
                const char *said;
        } rows[] = {
                { "--changed ks1", 2, "is no change; accepted: keystore:NAME@ENV" },
                { "--changed keystore:ks1", 2, "is no change" },
                { "--changed keystore:@prod", 2, "is no change" },
                { "--changed keystore:ks1@", 2, "is no change" },
                { "--changed colour:ks1@prod", 2, "is no change" },
                { "--changed keystore:ks1@prod=maybe", 2, "new, recreated, uploaded, to-reference" },
                { "--changed keystore:nothing@prod", 11, "There is no keystore nothing in environment prod" },
                { "--changed virtualhost:nothing@prod", 11, "There is no virtualhost nothing" },
                { "--changed targetserver:nothing@prod", 11, "There is no targetserver nothing" },
                { "--changed keystore:ks1@nowhere", 11,
                  "There is no environment nowhere; there are: prod, test" },
                { "--org nobody", 11, "Organization nobody does not exist" },
                { "--env nowhere", 11, "No organisation has an environment nowhere" },
                { "--org acme --env nowhere", 11, "Organisation acme has no environment nowhere" },
                { "--expect-cert /nonexistent.pem", 2, "nonexistent" },
                { "--expect-cert /etc/hostname", 2, "there is no certificate in it" },
                { "--expect-cert /etc", 2, "no regular file" },
                { "--expect-cert sha256:abc", 2, "3 hexadecimal digits of 64" },
                { "--expect-cert sha256:xyz", 2, "64 hexadecimal digits are expected" },
                { "router", 2, "takes no argument" },
                { "--why", 2, "does not take --why" },
        };
        Fixture f;
        open_door(&f, "old", "old");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                expect(&f, rows[i].line, rows[i].status);
                if (!strstr(f.door.err, rows[i].said))
                        fail_msg("%s: nowhere \"%s\" in %s", rows[i].line, rows[i].said, f.door.err);
        }
        static const struct {
                const char *mode;
                int status;
        } modes[] = { { "401", 11 },       { "html", 11 },        { "cut-json", 11 }, { "500 /v1/o", 11 },
                      { "403 /v1/o", 18 }, { "empty /v1/o", 11 }, { "404 /v1/o", 11 } };
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                standin_write(f.door.standin, "mode", modes[i].mode);
                expect(&f, "--json", modes[i].status);
                assert_non_null(strstr(f.door.out, "\"event\":\"result\""));
        }
        close_door(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_is_well),
                cmocka_unit_test(test_a_router_that_serves_another),
                cmocka_unit_test(test_what_cannot_be_seen),
                cmocka_unit_test(test_names_that_are_asked_for),
                cmocka_unit_test(test_alone_on_its_port),
                cmocka_unit_test(test_whom_an_expected_certificate_is_about),
                cmocka_unit_test(test_what_is_proven),
                cmocka_unit_test(test_proof_behind_a_restart),
                cmocka_unit_test(test_a_proof_that_cannot_be_read),
                cmocka_unit_test(test_changes_by_the_table),
                cmocka_unit_test(test_stores_that_proxies_name_themselves),
                cmocka_unit_test(test_a_direct_store_that_is_not_served_yet),
                cmocka_unit_test(test_partial_deployments),
                cmocka_unit_test(test_bad_calls),
        };
        if (!tls_router_have()) {
                (void) puts("nginx is not installed: there are no routers");
                return 77;
        }
        const char *skip = standin_have() ? ns_enter() : "python3 is not installed: the stand-in cannot run";
        if (skip) {
                (void) puts(skip);
                return 77;
        }
        for (size_t i = 0; i < ROUTERS; i++)
                if (!ns_addr(ns_here(), "lo", addresses[i], 32))
                        return 1;
        return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
