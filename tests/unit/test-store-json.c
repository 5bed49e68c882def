/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Virtual hosts, references and keystores, as Edge tells them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/store-json.h"
#include "probes/vhost-json.h"

static const char vhost_json[] =
        "{\"name\":\"secure\",\"port\":\"443\",\"hostAliases\":[\"10.0.0.1:443\",\"*.example.com\","
        "\"api.example.com:443\"],\"interfaces\":[],\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"false\","
        "\"keyStore\":\"ref://myRef\",\"keyAlias\":\"myAlias\",\"ignoreValidationErrors\":false,\"ciphers\":[]}}";

static void test_vhost(void **state _unused_)
{
        Vhost *v = NULL;
        Err err = { 0 };
        assert_int_equal(vhost_parse(vhost_json, strlen(vhost_json), &v, &err), 0);
        assert_string_equal(v->name, "secure");
        assert_int_equal(v->port, 443);
        assert_true(v->tls.enabled && !v->tls.client_auth);
        assert_string_equal(v->tls.key_store, "ref://myRef");
        assert_string_equal(v->tls.key_alias, "myAlias");
        assert_string_equal(v->tls.trust_store, "");
        assert_int_equal(v->n_aliases, 3);
        assert_string_equal(v->aliases[0], "10.0.0.1");
        (void) vhost_free(v);

        static const char plain[] = "{\"name\":\"default\",\"port\":9001,\"sSLInfo\":null}";
        assert_int_equal(vhost_parse(plain, strlen(plain), &v, &err), 0);
        assert_int_equal(v->port, 9001);
        assert_false(v->tls.enabled);
        (void) vhost_free(v);
}

/* What is asked for by SNI: a name of its own, else one under a wildcard of its own, else none. */
static void test_the_name_that_is_asked_for(void **state _unused_)
{
#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"
#define LONG    LABEL63 "." LABEL63 "." LABEL63 "."
        static const struct {
                const char *aliases, *name;
        } rows[] = {
                { "", "" },
                { "\"api.example.com\"", "api.example.com" },
                { "\"10.0.0.1:443\",\"*.example.com\",\"api.example.com:443\"", "api.example.com" },
                { "\"*.example.com\"", "edge-roll.example.com" },
                { "\"*.Example.com:443\"", "edge-roll.Example.com" },
                { "\"*\",\"10.0.0.1\",\"*.example.org\",\"*.example.com\"", "edge-roll.example.org" },
                { "\"*\"", "" },
                { "\"*:443\"", "" },
                { "\"*.\"", "" },
                { "\"*..example.com\"", "" },
                { "\"*.*.example.com\"", "" },
                { "\"*example.com\"", "" },
                { "\"api.*.com\"", "" },
                { "\"10.0.0.1\",\"[fd00::1]:443\"", "" },
                { "\"a_b.example.com\"", "" },
                { "\"-a.example.com\"", "" },
                /* 253 characters are a name, 254 are none; with a label before it, either. */
                { "\"" LONG LABEL63 "\"", "" },
                { "\"" LONG "b234567890123456789012345678901234567890123456789012345678901\"",
                  LONG "b234567890123456789012345678901234567890123456789012345678901" },
                { "\"*." LONG "b23456789012345678901234567890123456789012345678901\"",
                  "edge-roll." LONG "b23456789012345678901234567890123456789012345678901" },
                { "\"*." LONG "b234567890123456789012345678901234567890123456789012\"", "" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char json[1000], name[VHOST_HOST_SIZE];
                Vhost *v = NULL;
                Err err = { 0 };
                (void) snprintf(json, sizeof(json), "{\"name\":\"a\",\"hostAliases\":[%s]}", rows[i].aliases);
                print_message("%s\n", json);
                assert_int_equal(vhost_parse(json, strlen(json), &v, &err), 0);
                assert_int_equal(vhost_server_name(v, name), *rows[i].name != '\0');
                assert_string_equal(name, rows[i].name);
                (void) vhost_free(v);
        }
}

static void test_bad_vhosts(void **state _unused_)
{
        static const char *const rows[][2] = {
                { "<html>", "Not JSON" },
                { "[\"secure\"]", "no virtual host" },
                { "{\"port\":1}", "no \"name\"" },
                { "{\"name\":7}", "name" },
                { "{\"name\":\"a\",\"port\":\"0\"}", "port" },
                { "{\"name\":\"a\",\"port\":\"65536\"}", "port" },
                { "{\"name\":\"a\",\"port\":\"44x\"}", "port" },
                { "{\"name\":\"a\",\"hostAliases\":\"b\"}", "hostAliases" },
                { "{\"name\":\"a\",\"hostAliases\":[7]}", "hostAliases" },
                { "{\"name\":\"a\",\"hostAliases\":[\"a b\"]}", "hostAliases" },
                { "{\"name\":\"a\",\"sSLInfo\":[]}", "sSLInfo" },
                { "{\"name\":\"a\",\"sSLInfo\":{\"enabled\":\"yes\"}}", "enabled" },
                { "{\"name\":\"a\",\"sSLInfo\":{\"keyStore\":{}}}", "keyStore" },
                { "{\"name\":\"a\",\"name\":\"b\"}", "more than once" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Vhost *v = NULL;
                Err err = { 0 };
                assert_int_equal(vhost_parse(rows[i][0], strlen(rows[i][0]), &v, &err), -EBADMSG);
                if (!strstr(err.text, rows[i][1]))
                        fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], err.text, rows[i][1]);
                assert_null(v);
        }
}

static void test_reference(void **state _unused_)
{
        static const char good[] =
                "{\"name\":\"sampleReference\",\"refers\":\"testKeyStore\",\"resourceType\":\"KeyStore\"}";
        static const char *const bad[] = { "{\"name\":\"a\"}", "{\"refers\":\"a\"}", "[]",
                                           "{\"name\":1,\"refers\":\"a\"}" };
        StoreReference ref;
        Err err = { 0 };
        assert_int_equal(store_reference_parse(good, strlen(good), &ref, &err), 0);
        assert_string_equal(ref.name, "sampleReference");
        assert_string_equal(ref.refers, "testKeyStore");
        assert_string_equal(ref.type, "KeyStore");
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(store_reference_parse(bad[i], strlen(bad[i]), &ref, &err), -EBADMSG);
}

static void test_store(void **state _unused_)
{
        static const char good[] =
                "{ \"certs\":[\"mycert\",\"mycert-new\"], \"keys\":[\"mycert\"], \"name\":\"ts\" }";
        static const char *const bad[] = { "{\"certs\":[]}", "{\"name\":\"a\",\"certs\":[{}]}",
                                           "{\"name\":\"a\",\"keys\":7}", "7" };
        Store *s = NULL;
        Err err = { 0 };
        assert_int_equal(store_parse(good, strlen(good), &s, &err), 0);
        assert_string_equal(s->name, "ts");
        assert_string_equal(s->certs[1], "mycert-new");
        assert_string_equal(s->keys[0], "mycert");
        assert_null(s->keys[1]);
        (void) store_free(s);
        s = NULL;
        assert_int_equal(store_parse("{\"name\":\"e\"}", 12, &s, &err), 0);
        assert_null(s->certs[0]);
        (void) store_free(s);
        s = NULL;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_int_equal(store_parse(bad[i], strlen(bad[i]), &s, &err), -EBADMSG);
                assert_null(s);
        }
}

static void test_naming(void **state _unused_)
{
        const char *name;
        assert_int_equal(store_naming("", &name), STORE_NONE);
        assert_int_equal(store_naming("store", &name), STORE_DIRECT);
        assert_string_equal(name, "store");
        assert_int_equal(store_naming("ref://r", &name), STORE_BY_REFERENCE);
        assert_string_equal(name, "r");
        assert_int_equal(store_naming("{ssl.store}", &name), STORE_BY_VARIABLE);
        assert_int_equal(store_naming("ref://{a}", &name), STORE_BY_VARIABLE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vhost),      cmocka_unit_test(test_the_name_that_is_asked_for),
                cmocka_unit_test(test_bad_vhosts), cmocka_unit_test(test_reference),
                cmocka_unit_test(test_store),      cmocka_unit_test(test_naming),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
