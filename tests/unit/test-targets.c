/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets`, from its command line to the Management Server's stand-in, which keeps what is
 * changed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/edge/password.h"
#include "agent/edge/targets.h"
#include "tests/lib/standin.h"

#define WORDS_MAX 24

#define OLD                                                                                                              \
        "\"old\":{\"name\":\"old\",\"host\":\"old.example.com\",\"port\":443,\"isEnabled\":true,\"x-mine\":7,"           \
        "\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyStore\":\"ref://ks\",\"keyAlias\":\"a\"," \
        "\"ignoreValidationErrors\":false,\"protocols\":[\"TLSv1.2\"]}}"
#define PLAIN "\"plain\":{\"name\":\"plain\",\"host\":\"10.0.0.7\",\"port\":8080,\"isEnabled\":false}"
#define EDGE  "{\"acme\":{\"prod\":{\"targetservers\":{" OLD "," PLAIN "}},\"test\":{}}}"

typedef struct Fixture {
        Standin *standin;
        Config *config;
        char conf[128], file[128];
        char *out, *err; /* of the last call */
        int in;          /* where somebody answers; -1: nobody */
} Fixture;

static void open_door(Fixture *f)
{
        Err err = { 0 };
        *f = (Fixture){ .standin = standin_new(EDGE, "[]"), .in = -1 };
        (void) snprintf(f->conf, sizeof(f->conf), "%s/edge-roll.conf", standin_dir(f->standin));
        (void) snprintf(f->file, sizeof(f->file), "%s/target", standin_dir(f->standin));
        FILE *file = fopen(f->conf, "we");
        assert_non_null(file);
        (void) fprintf(file, "[cluster]\nmanagement_url = %s\nmanagement_user = admin\n",
                       standin_url(f->standin));
        assert_int_equal(fclose(file), 0);
        if (config_load(&f->config, f->conf, "/nonexistent", &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(setenv(PASSWORD_ENV, "s3cret-word", 1), 0);
        standin_write(f->standin, "user", "admin:s3cret-word");
}

static void close_door(Fixture *f)
{
        (void) unlink(f->conf);
        (void) unlink(f->file);
        free(f->out);
        free(f->err);
        (void) config_free(f->config);
        (void) standin_free(f->standin);
        (void) unsetenv(PASSWORD_ENV);
}

/* @line: words separated by blanks; '%' in a word stands for a blank, '@' alone for the file. */
static int call(Fixture *f, const char *line)
{
        char text[512], program[] = "edge-roll", verb[] = "targets";
        char *argv[WORDS_MAX + 1] = { program, verb };
        int argc = 2;
        size_t out_size, err_size;
        CliRequest rq;
        Err why = { 0 };

        (void) snprintf(text, sizeof(text), "%s", line);
        for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " ")) {
                for (char *c = word; *c; c++)
                        if (*c == '%')
                                *c = ' ';
                argv[argc++] = strcmp(word, "@") == 0 ? f->file : word;
        }
        free(f->out);
        free(f->err);
        SessionIo io = { .out = open_memstream(&f->out, &out_size),
                         .err = open_memstream(&f->err, &err_size),
                         .in = f->in };
        int status = 2;
        if (cli_parse(argc, argv, &rq, &why) < 0)
                (void) fprintf(io.err, "%s\n", why.text);
        else
                status = targets_main(&rq, f->config, &io);
        assert_int_equal(fclose(io.out), 0);
        assert_int_equal(fclose(io.err), 0);
        /* Whatever goes wrong, the password is told to nobody. */
        assert_null(strstr(f->out, "s3cret"));
        assert_null(strstr(f->err, "s3cret"));
        return status;
}

static void expect(Fixture *f, const char *line, int status, const char *said)
{
        int got = call(f, line);
        if (got != status)
                fail_msg("%s: exit %d, expected %d\n%s%s", line, got, status, f->out, f->err);
        if (!strstr(f->out, said) && !strstr(f->err, said))
                fail_msg("%s: nowhere \"%s\"\n%s%s", line, said, f->out, f->err);
}

static void write_file(const Fixture *f, const char *text, size_t len)
{
        FILE *file = fopen(f->file, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
}

static void put(const Fixture *f, const char *text)
{
        write_file(f, text, strlen(text));
}

/* What the stand-in keeps of a target server of prod; to be freed. NULL: it has none of that name. */
static cJSON *kept(const Fixture *f, const char *name)
{
        _cleanup_(freep) char *text = standin_read(f->standin, "edge.json");
        cJSON *all = cJSON_Parse(text), *o = all;
        static const char *const way[] = { "acme", "prod", "targetservers" };
        for (size_t i = 0; i < ELEMENTS(way); i++)
                o = cJSON_GetObjectItemCaseSensitive(o, way[i]);
        cJSON *found = cJSON_DetachItemFromObjectCaseSensitive(o, name);
        cJSON_Delete(all);
        return found;
}

static void kept_is(const Fixture *f, const char *name, const char *json)
{
        cJSON *have = kept(f, name), *want = json ? cJSON_Parse(json) : NULL;
        _cleanup_(freep) char *text = have ? cJSON_PrintUnformatted(have) : strdup("nothing");
        if ((have == NULL) != (want == NULL) || (have && !cJSON_Compare(have, want, true)))
                fail_msg("%s is %s, expected %s", name, text, json ? json : "nothing");
        cJSON_Delete(have);
        cJSON_Delete(want);
}

static unsigned asked(const Fixture *f, const char *method)
{
        _cleanup_(freep) char *log = standin_read(f->standin, "log");
        unsigned n = 0;
        for (const char *p = log; (p = strstr(p, method)); p++)
                n += p == log || p[-1] == '\n';
        return n;
}

#define ON " --org acme --env prod"

static void test_list_and_get(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        expect(&f, "list" ON, 0, "acme/prod: 2 of at most 500");
        assert_non_null(strstr(f.out, "two-way  enabled   old.example.com"));
        assert_non_null(strstr(f.out, "no       disabled  10.0.0.7"));
        expect(&f, "list --org acme --env test", 0, "0 of at most 500");
        expect(&f, "list" ON " --json", 0, "\"event\":\"result\"");
        assert_non_null(strstr(
                f.out,
                "\"event\":\"target\",\"org\":\"acme\",\"env\":\"prod\",\"target\":{\"name\":\"old\""));
        expect(&f, "get old" ON, 0, "ref://ks");
        assert_non_null(strstr(f.out, "TLSv1.2"));
        expect(&f, "get old" ON " --json", 0, "\"clientAuthEnabled\":\"true\"");
        expect(&f, "get nobody" ON, 11, "TargetServer nobody does not exist in environment prod");
        expect(&f, "list --org acme --env nowhere", 11, "Environment nowhere does not exist");
        expect(&f, "list --org nobody --env prod", 11, "Organization nobody does not exist");
        /* The other shapes of the same. */
        standin_write(f.standin, "mode", "xml");
        expect(&f, "list" ON, 0, "two-way  enabled   old.example.com");
        expect(&f, "get old" ON, 0, "TLSv1.2");
        standin_write(f.standin, "mode", "string-ports");
        expect(&f, "list" ON, 0, "no       disabled  10.0.0.7");
        close_door(&f);
}

static void test_create(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        put(&f, "<TargetServer name=\"target1\">\n  <Host>1.mybackendservice.com</Host>\n  <Port>80</Port>\n"
                "  <IsEnabled>true</IsEnabled>\n</TargetServer >\n");
        expect(&f, "create @" ON " --dry-run", 0, "would be created");
        kept_is(&f, "target1", NULL);
        expect(&f, "create @" ON, 0, "target1 of acme/prod is created");
        kept_is(&f, "target1",
                "{\"host\":\"1.mybackendservice.com\",\"isEnabled\":true,\"name\":\"target1\",\"port\":80}");
        expect(&f, "create @" ON, 10, "is as it should be");
        put(&f, "{\"name\":\"target1\",\"host\":\"2.mybackendservice.com\",\"port\":\"80\"}");
        expect(&f, "create @" ON, 11, "host \"2.mybackendservice.com\", is \"1.mybackendservice.com\"");
        put(&f,
            "{\"name\":\"target2\",\"host\":\"b\",\"port\":443,\"isEnabled\":false,\"sSLInfo\":{\"enabled\":\"true\"}}");
        expect(&f, "create @" ON, 0, "created");
        kept_is(&f, "target2",
                "{\"name\":\"target2\",\"host\":\"b\",\"port\":443,\"isEnabled\":false,"
                "\"sSLInfo\":{\"enabled\":\"true\"}}");
        put(&f,
            "<TargetServer name=\"TargetServer 1\"><IsEnabled>true</IsEnabled><Host>www.example.com</Host>"
            "<Port>443</Port><SSLInfo><Ciphers/><ClientAuthEnabled>true</ClientAuthEnabled>"
            "<Enabled>true</Enabled><IgnoreValidationErrors>false</IgnoreValidationErrors>"
            "<KeyAlias>keystore-alias</KeyAlias><KeyStore>keystore-name</KeyStore><Protocols/>"
            "<TrustStore>truststore-name</TrustStore></SSLInfo></TargetServer >");
        expect(&f, "create @" ON, 0, "created");
        expect(&f, "get TargetServer%1" ON, 0, "truststore-name");
        close_door(&f);
}

static void test_update_is_the_whole_object(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        put(&f, "{\"name\":\"old\",\"host\":\"new.example.com\",\"port\":443}");
        expect(&f, "update @" ON, 0, "host \"new.example.com\", is \"old.example.com\"");
        kept_is(&f, "old", "{\"name\":\"old\",\"host\":\"new.example.com\",\"port\":443}");
        expect(&f, "update @" ON, 10, "is as it should be");
        put(&f, "{\"name\":\"nobody\",\"host\":\"new.example.com\",\"port\":443}");
        expect(&f, "update @" ON, 11, "TargetServer nobody does not exist");
        kept_is(&f, "nobody", NULL);
        assert_int_equal(asked(&f, "PUT"), 1);
        close_door(&f);
}

/* Nothing that was written is passed over, and nothing is called the same that was not compared. */
static void test_update_of_any_key(void **state _unused_)
{
#define HEAD "{\"name\":\"plain\",\"host\":\"10.0.0.7\",\"port\":8080,\"isEnabled\":false"
#define HEAD_OF \
        "<TargetServer name=\"plain\"><Host>10.0.0.7</Host><Port>8080</Port><IsEnabled>false</IsEnabled>"
        static const struct {
                const char *sent, *says;
                int exit;
        } cases[] = {
                { HEAD "}", "is as it should be", 10 },
                { HEAD ",\"description\":\"a\"}", "description \"a\", is \"\"", 0 },
                { HEAD ",\"description\":\"a\"}", "is as it should be", 10 },
                { HEAD "}", "description \"\", is \"a\"", 0 },
                { HEAD ",\"protocol\":\"HTTP\"}", "other protocol", 0 },
                { HEAD ",\"protocol\":\"HTTP\"}", "is as it should be", 10 },
                { HEAD ",\"sSLInfo\":{\"enabled\":\"false\",\"commonName\":{\"value\":\"a\"}}}",
                  "other sSLInfo.commonName", 0 },
                { HEAD ",\"sSLInfo\":{\"enabled\":false,\"commonName\":{\"value\":\"a\"}}}",
                  "is as it should be", 10 },
                { HEAD ",\"sSLInfo\":{\"enabled\":\"false\",\"commonName\":{\"value\":\"b\"}}}",
                  "other sSLInfo.commonName", 0 },
                { HEAD ",\"x-n\":7}", "\"x-n\" is no documented key", 0 },
                { HEAD ",\"x-n\":\"7\"}", "is as it should be", 10 },
                { HEAD ",\"x-n\":8}", "other x-n", 0 },
                { HEAD_OF "<Description>d</Description></TargetServer>", "description \"d\"", 0 },
                { HEAD_OF "<Description>d</Description></TargetServer>", "is as it should be", 10 },
                { HEAD_OF
                  "<SSLInfo><Enabled>false</Enabled><CommonName>a</CommonName></SSLInfo></TargetServer>",
                  "CommonName, which cannot be compared", 0 },
        };
        Fixture f;
        open_door(&f);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                put(&f, cases[i].sent);
                expect(&f, "update @" ON, cases[i].exit, cases[i].says);
        }
        close_door(&f);
}

/* Edge takes it without a word, and talks without TLS then. */
static void test_misspelt_keys(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        put(&f, "{\"name\":\"new1\",\"host\":\"h\",\"port\":80,\"sslInfo\":{\"enabled\":true}}");
        expect(&f, "create @" ON, 2, "\"sslInfo\" is no key of a target server: it is written \"sSLInfo\"");
        put(&f, "{\"name\":\"new1\",\"host\":\"h\",\"port\":80,\"x\":1,\"sSLInfo\":{\"keystore\":\"a\"}}");
        expect(&f, "create @" ON, 2,
               "\"sSLInfo.keystore\" is no key of a target server: it is written \"keyStore\"");
        char many[600] = "{\"name\":\"new1\",\"host\":\"h\",\"port\":80";
        for (size_t i = 0; i < 21; i++)
                (void) snprintf(many + strlen(many), sizeof(many) - strlen(many), ",\"x%zu\":1%s", i,
                                i < 20 ? "" : "}");
        put(&f, many);
        expect(&f, "create @" ON, 2, "more than 20 keys");
        assert_int_equal(asked(&f, "POST"), 0);
        close_door(&f);
}

static void test_a_switch_keeps_all_else(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        expect(&f, "enable old" ON, 10, "is enabled already");
        expect(&f, "disable old" ON, 0, "old of acme/prod is disabled");
        kept_is(&f, "old",
                "{\"name\":\"old\",\"host\":\"old.example.com\",\"port\":443,\"isEnabled\":false,\"x-mine\":7,"
                "\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyStore\":\"ref://ks\",\"keyAlias\":\"a\","
                "\"ignoreValidationErrors\":false,\"protocols\":[\"TLSv1.2\"]}}");
        expect(&f, "enable plain" ON, 0, "is enabled");
        /* Where the answer is XML, or its booleans are words. */
        standin_write(f.standin, "mode", "xml GET");
        expect(&f, "disable plain" ON, 0, "is disabled");
        kept_is(&f, "plain", "{\"name\":\"plain\",\"host\":\"10.0.0.7\",\"port\":8080,\"isEnabled\":false}");
        standin_write(f.standin, "mode", "string-ports GET");
        expect(&f, "enable plain" ON, 0, "is enabled");
        kept_is(&f, "plain",
                "{\"name\":\"plain\",\"host\":\"10.0.0.7\",\"port\":\"8080\",\"isEnabled\":\"true\"}");
        /* What cannot be sent back as it was is not sent back. */
        standin_write(f.standin, "mode", NULL);
        standin_write(
                f.standin, "edge.json",
                "{\"acme\":{\"prod\":{\"targetservers\":{\"crl\":{\"name\":\"crl\",\"host\":\"h\",\"port\":443,"
                "\"isEnabled\":true,\"sSLInfo\":{\"enabled\":\"true\",\"cRLStore\":\"revoked\"}}}}}}");
        standin_write(f.standin, "mode", "xml GET");
        expect(&f, "disable crl" ON, 11, "more in it than can be sent back");
        standin_write(f.standin, "mode", NULL);
        expect(&f, "disable crl" ON, 0, "is disabled");
        kept_is(&f, "crl",
                "{\"name\":\"crl\",\"host\":\"h\",\"port\":443,\"isEnabled\":false,\"sSLInfo\":{\"enabled\":\"true\","
                "\"cRLStore\":\"revoked\"}}");
        expect(&f, "enable nobody" ON, 11, "does not exist");
        close_door(&f);
}

static void test_delete_asks(void **state _unused_)
{
        Fixture f;
        int fds[2];
        open_door(&f);
        expect(&f, "delete old" ON, 2, "say --yes");
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        f.in = fds[0];
        assert_int_equal(write(fds[1], "n\n", 2), 2);
        expect(&f, "delete old" ON, 11, "Nothing was changed");
        assert_non_null(strstr(f.out, "Target server old of acme/prod is deleted"));
        assert_int_equal(asked(&f, "DELETE"), 0);
        assert_int_equal(write(fds[1], "y\n", 2), 2);
        expect(&f, "delete old" ON, 0, "is deleted");
        kept_is(&f, "old", NULL);
        (void) close(fds[0]);
        (void) close(fds[1]);
        f.in = -1;
        expect(&f, "delete old" ON " --yes", 10, "does not exist");
        expect(&f, "delete plain" ON " --yes --dry-run", 0, "would be deleted");
        expect(&f, "delete plain" ON " --yes --json", 0, "\"result\":\"done\"");
        kept_is(&f, "plain", NULL);
        close_door(&f);
}

static void test_a_full_environment(void **state _unused_)
{
        Fixture f;
        char *edge = NULL;
        size_t size;
        open_door(&f);
        for (int n = 499; n <= 500; n++) {
                FILE *file = open_memstream(&edge, &size);
                (void) fputs("{\"acme\":{\"prod\":{\"targetservers\":{", file);
                for (int i = 0; i < n; i++)
                        (void) fprintf(
                                file,
                                "%s\"t%d\":{\"name\":\"t%d\",\"host\":\"h%d\",\"port\":80,\"isEnabled\":true}",
                                i ? "," : "", i, i, i);
                (void) fputs("}}}}", file);
                assert_int_equal(fclose(file), 0);
                standin_write(f.standin, "edge.json", edge);
                free(edge);
                put(&f, "{\"name\":\"more\",\"host\":\"h\",\"port\":80}");
                if (n == 499)
                        expect(&f, "create @" ON, 0, "created");
                else
                        expect(&f, "create @" ON, 11, "has 500, and Edge allows 500");
        }
        assert_int_equal(asked(&f, "POST"), 1);
        expect(&f, "list" ON, 0, "500 of at most 500");
        close_door(&f);
}

static void test_bad_files(void **state _unused_)
{
        static const struct {
                const char *text, *said;
        } rows[] = {
                { "", "nothing is in it" },
                { "<TargetServer><Port>80</Port></TargetServer>", "without name and host" },
                { "{\"port\":80}", "no target server but" },
                { "  \n", "nothing is in it" },
                { "hello", "Not JSON" },
                { "[]", "no target server" },
                { "{\"host\":\"h\",\"port\":80}", "no name" },
                { "{\"name\":\"a\",\"port\":80}", "no host" },
                { "{\"name\":\"a\",\"host\":\"h\"}", "no port" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":0}", "port" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":65536}", "port" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":\"80x\"}", "port" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":80,\"port\":81}", "more than once" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":80,\"isEnabled\":\"maybe\"}", "isEnabled" },
                { "{\"name\":\"a/b\",\"host\":\"h\",\"port\":80}", "cannot be called" },
                { "{\"name\":\"..\",\"host\":\"h\",\"port\":80}", "cannot be called" },
                { "{\"name\":\"a\",\"host\":\"http://h\",\"port\":80}", "protocol in front" },
                { "{\"name\":\"a\",\"host\":\"h:80\",\"port\":80}", "port behind" },
                { "{\"name\":\"a\",\"host\":\"h/x\",\"port\":80}", "path" },
                { "{\"name\":\"a\",\"host\":\"h x\",\"port\":80}", "no host name" },
                { "{\"name\":\"a\",\"host\":\"h\",\"port\":80,\"sSLInfo\":{\"enabled\":\"1\"}}", "sSLInfo" },
                { "<TargetServer name='a'><Host>h</Host>", "" },
                { "<LoadBalancer/>", "no <TargetServer>" },
                { "<TargetServer name='a'><Host>h</Host><Port>x</Port></TargetServer>", "line 1" },
                { "<TargetServer name='a'>\n<Host>h</Host><Port>80</Port><Colour>red</Colour></TargetServer>",
                  "line 2" },
                { "<TargetServer name='a'><Host>http://h</Host><Port>80</Port></TargetServer>", "protocol" },
                { "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><TargetServer name='a'><Host>&e;</Host>"
                  "<Port>80</Port></TargetServer>",
                  "document type" },
        };
        Fixture f;
        open_door(&f);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                put(&f, rows[i].text);
                print_message("%s\n", rows[i].text);
                expect(&f, "create @" ON, 2, rows[i].said);
                expect(&f, "update @" ON " --json", 2, "\"result\":\"usage\"");
        }
        write_file(&f, "{\"name\":\"a\",\"host\":\"h\",\0\"port\":80}", 34);
        expect(&f, "create @" ON, 2, "NUL");
        char *large = malloc(300000);
        memset(large, ' ', 300000);
        write_file(&f, large, 300000);
        free(large);
        expect(&f, "create @" ON, 2, "more than 262144 bytes");
        assert_int_equal(unlink(f.file), 0);
        expect(&f, "create @" ON, 2, "cannot be read");
        expect(&f, "create /dev/zero" ON, 2, "more than 262144 bytes");
        /* Nothing of this was asked of Edge. */
        _cleanup_(freep) char *log = standin_read(f.standin, "log");
        assert_string_equal(log, "");
        close_door(&f);
}

static void test_bad_calls(void **state _unused_)
{
        static const struct {
                const char *line, *said;
        } rows[] = {
                { "", "targets needs a word" },
                { "lst" ON, "takes one of list, get" },
                { "list --org acme", "needs --org and --env" },
                { "list --env prod", "needs --org and --env" },
                { "list --org= --env prod", "--org" },
                { "list a" ON, "too much" },
                { "get" ON, "needs the name" },
                { "get a b" ON, "too much" },
                { "get a/b" ON, "cannot be called" },
                { "get ../x" ON, "cannot be called" },
                { "create" ON, "needs a file" },
                { "list --org .. --env prod", "cannot be the name" },
                { "list" ON " --cluster", "does not take --cluster" },
                { "list" ON " --management http://admin:pw@h", "must not hold a user" },
        };
        Fixture f;
        open_door(&f);
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                expect(&f, rows[i].line, 2, rows[i].said);
        _cleanup_(freep) char *log = standin_read(f.standin, "log");
        assert_string_equal(log, "");
        close_door(&f);
}

/* Everything that can come instead of an answer: told apart, and nothing is changed. */
static void test_bad_servers(void **state _unused_)
{
        static const struct {
                const char *mode;
                int status;
                const char *said;
        } rows[] = {
                { "401", 18, "does not take user admin" },
                { "403", 18, "may not do that" },
                { "404", 11, "404" },
                { "409", 11, "409" },
                { "400", 11, "400" },
                { "500", 11, "it is not well" },
                { "503", 11, "it is not well" },
                { "redirect", 11, "http://127.0.0.1/login" },
                { "html", 11, "HTML" },
                { "half", 11, "stopped before its end" },
                { "cut-json", 11, "Not JSON" },
                { "huge", 11, "is larger than allowed" },
                { "empty", 11, "is this the URL" },
                { "blank", 11, "is this the" },
                { "cut", 11, "no answer" },
        };
        Fixture f;
        open_door(&f);
        put(&f, "{\"name\":\"old\",\"host\":\"new.example.com\",\"port\":443}");
        _cleanup_(freep) char *before = standin_read(f.standin, "edge.json");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                standin_write(f.standin, "mode", rows[i].mode);
                print_message("%s\n", rows[i].mode);
                expect(&f, "list" ON, rows[i].status, rows[i].said);
                expect(&f, "get old" ON, rows[i].status, rows[i].said);
                expect(&f, "update @" ON, rows[i].status, rows[i].said);
                expect(&f, "disable old" ON, rows[i].status, rows[i].said);
                expect(&f, "delete old --yes" ON " --json", rows[i].status, "\"event\":\"result\"");
                /* What is right on the way there, and wrong at the change itself. */
                char mode[64];
                (void) snprintf(mode, sizeof(mode), "%s targetservers/old", rows[i].mode);
                standin_write(f.standin, "mode", mode);
                if (strcmp(rows[i].mode, "404") != 0) /* one that vanishes meanwhile is no problem */
                        expect(&f, "list" ON, 20, "1 of 2 target servers could not be read");
        }
        static const struct {
                const char *mode;
                int status;
                const char *said;
        } changes[] = {
                { "401 PUT", 18, "does not take user admin" },
                { "403 PUT", 18, "may not do that" },
                { "404 PUT", 11, "refuses it" },
                { "409 PUT", 11, "answered 409" },
                { "400 PUT", 11, "answered 400" },
                { "redirect PUT", 11, "http://127.0.0.1/login" },
                { "html PUT", 1, "whether it was done is not known" },
                { "huge PUT", 1, "whether it was done is not known" },
        };
        for (size_t i = 0; i + 1 < ELEMENTS(changes); i++) {
                standin_write(f.standin, "mode", changes[i].mode);
                expect(&f, "update @" ON, changes[i].status, changes[i].said);
        }
        _cleanup_(freep) char *after = standin_read(f.standin, "edge.json");
        assert_string_equal(before, after);
        standin_write(f.standin, "mode", changes[7].mode); /* it does as it is told */
        expect(&f, "update @" ON, changes[7].status, changes[7].said);
        standin_write(f.standin, "mode", NULL);
        standin_write(f.standin, "user", "admin:another");
        expect(&f, "list" ON, 18, "does not take user admin");
        (void) unsetenv(PASSWORD_ENV);
        expect(&f, "list" ON, 11, "there is no password");
        close_door(&f);
}

/* A change whose answer is lost: it may be there, and the next call finds out. */
static void test_a_change_that_is_not_sure(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        standin_write(f.standin, "mode", "done-cut PUT");
        expect(&f, "disable old" ON, 1, "whether it was done is not known");
        expect(&f, "disable old" ON, 10, "is disabled already");
        standin_write(f.standin, "mode", "cut DELETE");
        expect(&f, "delete old --yes" ON, 1, "whether it was done is not known");
        standin_write(f.standin, "mode", "500 DELETE");
        expect(&f, "delete old --yes" ON, 1, "whether it was done is not known");
        standin_write(f.standin, "mode", NULL);
        expect(&f, "delete old --yes" ON, 0, "is deleted");
        close_door(&f);
}

/* The target servers of prod: one that answers, one that is off, and @more. */
static void servers_are(const Fixture *f, const char *more)
{
        _cleanup_(freep) char *edge = NULL;
        unsigned port = 0;
        assert_int_equal(sscanf(standin_url(f->standin), "http://127.0.0.1:%u", &port), 1);
        assert_true(
                asprintf(
                        &edge,
                        "{\"acme\":{\"prod\":{\"targetservers\":{"
                        "\"good\":{\"name\":\"good\",\"host\":\"127.0.0.1\",\"port\":%u,\"isEnabled\":true},"
                        "\"off\":{\"name\":\"off\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":false}%s}}}}",
                        port, more) > 0);
        standin_write(f->standin, "edge.json", edge);
}

/* ... one that nobody listens at, with TLS and without, and one that cannot be read. */
static void test_check(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        servers_are(&f, "");
        expect(&f, "check" ON, 0, "good  ok");
        assert_non_null(strstr(f.out, "(disabled)"));
        servers_are(
                &f,
                ",\"shut\":{\"name\":\"shut\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":true}"
                ",\"tls\":{\"name\":\"tls\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":true,"
                "\"sSLInfo\":{\"enabled\":\"true\"}}"
                ",\"odd\":{\"name\":\"odd\",\"host\":\"127.0.0.1\",\"port\":\"many\",\"isEnabled\":true}");
        expect(&f, "check" ON " --json", 20, "3 of 5 target servers of acme/prod do not answer");
        assert_non_null(strstr(f.out, "\"name\":\"good\",\"enabled\":true,\"layer\":\"ok\""));
        assert_non_null(strstr(f.out, "\"name\":\"shut\",\"enabled\":true,\"layer\":\"connect\""));
        assert_non_null(strstr(f.out, "\"name\":\"tls\",\"enabled\":true,\"layer\":\"connect\""));
        assert_non_null(strstr(f.out, "\"name\":\"odd\""));
        standin_write(f.standin, "edge.json", EDGE);
        standin_write(f.standin, "mode", "500");
        expect(&f, "check" ON, 11, "it is not well");
        expect(&f, "check a" ON, 2, "too much");
        close_door(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list_and_get),
                cmocka_unit_test(test_create),
                cmocka_unit_test(test_update_is_the_whole_object),
                cmocka_unit_test(test_update_of_any_key),
                cmocka_unit_test(test_misspelt_keys),
                cmocka_unit_test(test_a_switch_keeps_all_else),
                cmocka_unit_test(test_delete_asks),
                cmocka_unit_test(test_a_full_environment),
                cmocka_unit_test(test_bad_files),
                cmocka_unit_test(test_bad_calls),
                cmocka_unit_test(test_bad_servers),
                cmocka_unit_test(test_a_change_that_is_not_sure),
                cmocka_unit_test(test_check),
        };
        if (!standin_have()) {
                (void) puts("python3 is not installed: the stand-in cannot run");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
