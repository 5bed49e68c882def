/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/kept.h"
#include "drain/block.h"

typedef struct Files {
        char root[64];
        char file[80], dir[80];
} Files;

static int setup(void **state)
{
        Files *f = calloc(1, sizeof(*f));
        assert_non_null(f);
        (void) snprintf(f->root, sizeof(f->root), "/tmp/edge-roll-config-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        (void) snprintf(f->file, sizeof(f->file), "%s/main.conf", f->root);
        (void) snprintf(f->dir, sizeof(f->dir), "%s/conf.d", f->root);
        assert_int_equal(mkdir(f->dir, 0700), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Files *f = *state;
        static const char *const names[] = { "main.conf",    "conf.d/10-a.conf", "conf.d/20-b.conf",
                                             "conf.d/notes", "conf.d/.x.conf",   "conf.d" };
        char path[160];
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", f->root, names[i]);
                (void) remove(path);
        }
        assert_int_equal(remove(f->root), 0);
        free(f);
        return 0;
}

static void put_bytes(const Files *f, const char *name, const void *bytes, size_t n)
{
        char path[160];
        (void) snprintf(path, sizeof(path), "%s/%s", f->root, name);
        FILE *out = fopen(path, "we");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes, 1, n, out), n);
        assert_int_equal(fclose(out), 0);
}

static void put(const Files *f, const char *name, const char *text)
{
        put_bytes(f, name, text, strlen(text));
}

static Config *load(const Files *f)
{
        Config *c = NULL;
        Err err = { 0 };
        int r = config_load(&c, f->file, f->dir, &err);
        if (r < 0)
                print_message("%s\n", err.text);
        assert_int_equal(r, 0);
        return c;
}

/* The text must be refused, with every one of @parts in the sentence. */
static void refused_(const Files *f, const char *text, const char *const *parts)
{
        Config *c = NULL;
        Err err = { 0 };
        put(f, "main.conf", text);
        assert_int_equal(config_load(&c, f->file, f->dir, &err), -EINVAL);
        assert_null(c);
        for (; *parts; parts++)
                if (!strstr(err.text, *parts))
                        fail_msg("\"%s\" is not in: %s", *parts, err.text);
}
#define refused(f, text, ...) refused_(f, text, (const char *const[]){ __VA_ARGS__, NULL })

static void nothing_there_is_all_defaults(void **state)
{
        _cleanup_(config_freep) Config *c = load(*state);

        assert_string_equal(c->state_dir, "/var/lib/edge-roll");
        assert_int_equal(c->idle_exit_usec, 10 * USEC_PER_SEC);
        assert_int_equal(c->nft_owner, BLOCK_OWNER_PERSIST);
        assert_true(c->cgroup_ids);
        assert_null(c->pool_members[0]);
        assert_string_equal(c->lock, "auto");
        assert_string_equal(c->cluster_ssh[0], "ssh");
        assert_null(c->cluster_ssh[1]);
        assert_string_equal(c->cluster_bridge[0], "edge-roll");
        assert_string_equal(c->cluster_bridge[1], "bridge");
        assert_int_equal(c->cluster_connect_usec, 15 * USEC_PER_SEC);
        assert_int_equal(c->cluster_answer_usec, 30 * USEC_PER_SEC);
        assert_int_equal(c->cluster_at_once, 8);
        assert_string_equal(c->cluster_journal_dir, "auto");
        assert_string_equal(c->monit_units[1], "monit.service");
        assert_int_equal(c->n_components, 2);

        const Component *r = config_component(c, "router");
        assert_non_null(r);
        assert_int_equal(r->kind, KIND_ROUTER);
        assert_int_equal(r->health_port.n, 1);
        assert_int_equal(r->health_port.ports[0], 15999);
        assert_false(r->health_port.automatic);
        assert_int_equal(r->block, BLOCK_WHOLE);
        assert_true(r->traffic_ports.automatic);
        assert_int_equal(r->next_tier_ports.n, 2);
        assert_string_equal(r->units[0], "edge-router.service");
        assert_string_equal(r->units[1], "edge-component@edge-router.service");
        assert_null(r->units[2]);
        assert_string_equal(r->monit_check, "edge-router");
        assert_string_equal(r->runtime_url, "");
        assert_int_equal(r->check_interval_usec, 0);
        assert_null(r->aliases[0]);

        const Component *m = config_component(c, "mp");
        assert_ptr_equal(m, config_component(c, "message-processor"));
        assert_int_equal(m->kind, KIND_MP);
        assert_true(m->health_port.automatic);
        assert_int_equal(m->block, BLOCK_AUTO);
        assert_int_equal(m->tls, TLS_AUTO);
        assert_int_equal(m->mp_leave, MP_LEAVE_AUTO);
        assert_string_equal(m->routers[0], "auto");
        assert_int_equal(m->check_interval_usec, 5 * USEC_PER_SEC);
        assert_string_equal(m->nginx_dir, "");
        assert_string_equal(m->runtime_url, "http://127.0.0.1:8082/v1/runtime");
        assert_string_equal(m->wait_for_ready, "auto");
        assert_int_equal(m->other_ports.ports[2], 1101);

        assert_null(config_component(c, "mpx"));

        const Component *partner = NULL;
        assert_ptr_equal(config_rmp(c, &partner), r);
        assert_ptr_equal(partner, m);
}

static void every_key_can_be_set(void **state)
{
        put(*state, "main.conf",
            "# comment\n"
            "[agent]\nstate_dir=/srv/er\nidle_exit = 250ms\nnft_owner: none\ncgroup_ids=off\n"
            "[pool]\nmembers = r1 r2\n\tr3\nlock=none\n"
            "[monit]\nunits=\nstop=no\nstatus_url=\nunmonitor=/bin/u {check}\nmonitor=\n"
            "[component router]   ; inline\n"
            "aliases = r edge\nunits=a.service b@c.service\nhealth_port=16000\nblock=syn\n"
            "self_url=https://h/s\nup_url=http://h/u\nreachable_url=\nruntime_url=http://h/r\norganizations=acme x\n"
            "traffic_ports=9001 443\nother_ports=\nnext_tier_ports=1\ntls=yes\ncheck_interval=1s\ncheck_fall=5\n"
            "check_rise=7\nwatch_max=3s\nquiet_time=1s\nrequest_limit=2m\ndrain_max=1h\npersistent=give-back\n"
            "at_cap=go-on\nproperties=/a /b\nnginx_dir=/n\nready_count=1\nready_interval=100ms\nwait_for_ready=\n"
            "stop_command=/bin/s x\n"
            "partner=\nmonit_check=none\nlimit_notice=7s\nlimit_start-monit=8s\n");
        _cleanup_(config_freep) Config *c = load(*state);
        const Component *r = config_component(c, "edge");

        assert_string_equal(c->state_dir, "/srv/er");
        assert_int_equal(c->idle_exit_usec, 250 * USEC_PER_MSEC);
        assert_int_equal(c->nft_owner, BLOCK_OWNER_NONE);
        assert_false(c->cgroup_ids);
        assert_string_equal(c->pool_members[2], "r3");
        assert_null(c->monit_units[0]);
        assert_string_equal(c->monit_unmonitor, "/bin/u {check}");
        assert_int_equal(c->monit_stop, MONIT_STOP_NO);
        assert_non_null(r);
        assert_int_equal(r->health_port.ports[0], 16000);
        assert_int_equal(r->block, BLOCK_SYN);
        assert_string_equal(r->self_url, "https://h/s");
        assert_string_equal(r->reachable_url, "");
        assert_string_equal(r->organizations, "acme x");
        assert_int_equal(r->traffic_ports.ports[1], 443);
        assert_false(r->traffic_ports.automatic);
        assert_int_equal(r->other_ports.n, 0);
        assert_int_equal(r->tls, TLS_YES);
        assert_int_equal(r->check_fall, 5);
        assert_int_equal(r->check_rise, 7);
        assert_int_equal(r->request_limit_usec, 120 * USEC_PER_SEC);
        assert_int_equal(r->persistent, PERSISTENT_GIVE_BACK);
        assert_int_equal(r->at_cap, AT_CAP_GO_ON);
        assert_string_equal(r->properties[1], "/b");
        assert_int_equal(r->ready_interval_usec, 100 * USEC_PER_MSEC);
        assert_string_equal(r->wait_for_ready, "");
        assert_string_equal(r->stop_command, "/bin/s x");
        assert_null(config_rmp(c, NULL));
        assert_int_equal(component_limit(r, PHASE_NOTICE), 7 * USEC_PER_SEC);
        assert_int_equal(component_limit(r, PHASE_START_MONIT), 8 * USEC_PER_SEC);
}

static void limits_have_defaults(void **state)
{
        put(*state, "main.conf",
            "[component router]\nwatch_max=3s\n[component message-processor]\nlimit_drain=9s\n");
        _cleanup_(config_freep) Config *c = load(*state);
        const Component *r = config_component(c, "router"), *m = config_component(c, "mp");

        assert_int_equal(component_limit(r, PHASE_WATCH), 3 * USEC_PER_SEC);
        assert_int_equal(component_limit(r, PHASE_DRAIN), 120 * USEC_PER_SEC);
        assert_int_equal(component_limit(m, PHASE_DRAIN), 9 * USEC_PER_SEC);
        assert_int_equal(component_limit(r, PHASE_GATE), phase_info(PHASE_GATE)->limit_usec);
        assert_int_equal(component_limit(r, PHASE_END), 0);
        assert_int_equal(component_limit(r, PHASE_NONE), 0);
}

static void later_files_win_in_alphabetical_order(void **state)
{
        put(*state, "main.conf", "[component router]\ncheck_fall=2\nquiet_time=1s\ncheck_rise=9\n");
        put(*state, "conf.d/20-b.conf", "[component router]\ncheck_fall=5\n");
        put(*state, "conf.d/10-a.conf", "[component router]\ncheck_fall=4\nquiet_time=2s\n");
        put(*state, "conf.d/notes", "not read at all\n");
        put(*state, "conf.d/.x.conf", "nor this\n");
        _cleanup_(config_freep) Config *c = load(*state);
        const Component *r = config_component(c, "router");

        assert_int_equal(r->check_fall, 5);
        assert_int_equal(r->quiet_usec, 2 * USEC_PER_SEC);
        assert_int_equal(r->check_rise, 9);
}

static void a_section_makes_a_component(void **state)
{
        /* kind decides the defaults, even when it stands last or in another file. */
        put(*state, "main.conf", "[component  edge-2 ]\naliases=e2\nhealth_port=16001\n");
        put(*state, "conf.d/10-a.conf", "[component edge-2]\nkind=message-processor\n");
        _cleanup_(config_freep) Config *c = load(*state);
        const Component *e = config_component(c, "e2");

        assert_int_equal(c->n_components, 3);
        assert_non_null(e);
        assert_string_equal(e->name, "edge-2");
        assert_int_equal(e->kind, KIND_MP);
        assert_int_equal(e->block, BLOCK_AUTO);
        assert_int_equal(e->health_port.ports[0], 16001);
        assert_string_equal(e->units[0], "edge-2.service");
        assert_string_equal(e->units[1], "edge-component@edge-2.service");
        assert_string_equal(e->monit_check, "edge-2");
}

static void bad_values_are_refused_with_their_place(void **state)
{
        const Files *f = *state;
        refused(f, "[agent]\n\nidle_exit = 5x\n", "main.conf:3: [agent] idle_exit = \"5x\": not a duration",
                "accepted: a duration from");
        refused(f, "[component router]\nhealth_port=0\n", ":2:", "\"0\" is not a port (1 to 65535)");
        refused(f, "[component router]\nhealth_port=70000\n", "\"70000\" is not a port");
        refused(f, "[component router]\nhealth_port=80 81\n", "2 ports", "one port from 1 to 65535, or auto");
        refused(f, "[component router]\nhealth_port=8 000x\n", "\"000x\" is not a port");
        refused(f, "[component router]\nhealth_port=auto\n", "health_port: auto is the tag http.port");
        refused(f, "[component router]\nhealth_port=\n", "no value");
        refused(f, "[component mp]\n", "needs kind = router or message-processor");
        refused(f, "[component router]\nother_ports=1 2 1\n", "port 1 is there twice");
        refused(f, "[component router]\ntraffic_ports=-1\n", "\"-1\" is not a port");
        refused(f, "[component router]\nblock=some\n",
                "unknown value; accepted: whole, syn, routers or auto");
        refused(f, "[component router]\nmp_leave=graceful\n", "a router can only leave by block");
        refused(f, "[component message-processor]\nrouters=r1\n",
                "\"r1\" is none; accepted: IP addresses, auto, or both");
        refused(f, "[component message-processor]\ntls=maybe\n", "accepted: no, yes or auto");
        refused(f, "[component router]\npersistent=Close\n", "accepted: close, wait or give-back");
        refused(f, "[component router]\ncheck_fall=0\n", "too small; accepted: a number from 1 to 100");
        refused(f, "[component router]\ncheck_fall=3.5\n", "not a number");
        refused(f, "[component router]\nquiet_time=2h\n", "too long");
        refused(f, "[component router]\nquiet_time=auto\n", "not a duration");
        refused(f, "[component router]\nself_url=127.0.0.1:8081\n",
                "a URL that begins with http:// or https://");
        refused(f, "[component router]\nself_url=\n", "no value");
        refused(f, "[component router]\nunits=edge-router\n", "\"edge-router\" is none", "end in .service");
        refused(f, "[component router]\nunits=\n", "no value");
        refused(f, "[component router]\nproperties=a\n", "\"a\" is none; accepted: absolute paths");
        refused(f, "[component router]\nwait_for_ready=apigee-service x\n", "begins with an absolute path");
        refused(f, "[component router]\naliases=A\n", "\"A\" is none");
        refused(f, "[component router]\naliases=mp\n", "\"mp\" is the name of component message-processor");
        refused(f, "[component router]\npartner=router\n",
                "\"router\": no component of kind message-processor is called so");
        refused(f, "[component message-processor]\npartner=router\n", "only a router has a partner");
        refused(f, "[component router]\naliases=router\n", "is the name of component router");
        refused(f, "[component router]\nkind=mp\n", "router or message-processor");
        refused(f, "[component router]\ntraffic_ports=15999\n", "port 15999 carries traffic",
                "set block = syn");
        refused(f, "[component router]\ntraffic_ports=8081\n", "port 8081 is in other_ports, too");
        refused(f, "[pool]\nlock=zookeeper\n", "accepted: auto, none, lease or zookeeper://");
        static const char *const locks[] = {
                "zookeeper://",          "zookeeper://,a",      "zookeeper://a:0", "zookeeper://a:65536",
                "zookeeper://a:",        "zookeeper://a,b,",    "zookeeper://a/",  "zookeeper://a/b//c",
                "zookeeper://a/b/",      "zookeeper://a/../b",  "zookeeper://a b", "zookeeper://[::1",
                "zookeeper://[::1]2181", "zookeeper://a:21x81", "zookeeper://::1"
        };
        for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
                char text[96];
                (void) snprintf(text, sizeof(text), "[pool]\nlock = %s\n", locks[i]);
                refused(f, text, "accepted: auto, none, lease or zookeeper://");
        }
        refused(f, "[pool]\nname = a/b\n", "accepted: auto, or at most 63 letters");
        refused(f, "[pool]\nname = ..\n", "accepted: auto, or at most 63 letters");
        refused(f, "[agent]\nstate_dir=var\n", "an absolute path");
        refused(f, "[agent]\nstate_dir=auto\n", "an absolute path");
        refused(f, "[cluster]\njournal_dir=rolls\n", "an absolute path, or auto");
        refused(f, "[component router]\nlimit_gate=0s\n", "too short");
}

static void unknown_names_come_with_the_nearest(void **state)
{
        const Files *f = *state;
        refused(f, "[agnt]\nx=1\n", ":1: unknown section [agnt]", "did you mean [agent]?");
        refused(f, "[router]\n", "did you mean [component router]?");
        refused(f, "[something]\nx=1\n",
                "known: [agent], [pool], [cluster], [targets], [monit], [component NAME]");
        refused(f, "[component routr]\n", "needs kind", "did you mean [component router]?");
        refused(f, "[component router]\nquiettime=1s\n",
                ":2:", "has no key quiettime; did you mean quiet_time?");
        refused(f, "[component router]\nlimit_notise=1s\n", "did you mean limit_notice?");
        refused(f, "[component router]\nlimit_end=1s\n", "has no key limit_end");
        refused(f, "[component router]\nlimit_none=1s\n", "has no key limit_none");
        refused(f, "[component router]\nzzzzzz=1s\n", "has no key zzzzzz (edge-roll.conf(5) has the list)");
        refused(f, "[agent]\nquiet_time=1s\n", "it is a key of [component NAME]");
        refused(f, "[component router]\nidle_exit=1s\n", "it is a key of [agent]");
}

static void broken_files_are_refused(void **state)
{
        const Files *f = *state;
        char text[4096];

        refused(f, "[agent]\nidle_exit\n", "main.conf:2: neither [section] nor key = value");
        refused(f, "idle_exit=1s\n", ":1: a key before the first [section]");
        refused(f, "[agent\n", ":1: neither");
        refused(f, "[agent]\nidle_exit=1s\n# no\nidle_exit=2s\n",
                ":4: [agent] idle_exit is set a second time (first in line 2)");
        refused(f, "[component A b]\nkind=router\n", ":1: [component A b]: the name of a component");
        refused(f, "[component ]\nkind=router\n", "unknown section [component]");
        refused(f, "[component abcdefghijklmnopqrstuvwxyz0123456789]\nkind=router\n", "at most 32");

        (void) snprintf(text, sizeof(text), "[pool]\nmembers=%0300d\n", 1);
        refused(f, text, ":2: the line is too long");
        (void) snprintf(text, sizeof(text), "[pool]\n");
        for (int i = 0; i < CONFIG_COMPONENTS; i++)
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text),
                                "[component c%d]\nkind=router\n", i);
        refused(f, text, "more than 16 components");

        Config *c = NULL;
        Err err = { 0 };
        put_bytes(f, "main.conf", "[agent]\nidle\0exit=1s\n", 21);
        assert_int_equal(config_load(&c, f->file, f->dir, &err), -EINVAL);
        assert_non_null(strstr(err.text, "zero byte"));
        /* The directory in place of a file. */
        assert_int_equal(config_load(&c, f->dir, "/nonexistent", &err), -EISDIR);
        assert_non_null(strstr(err.text, f->dir));
}

static void odd_but_good_files(void **state)
{
        put(*state, "main.conf",
            "\xef\xbb\xbf[agent]\r\nidle_exit=1s\r\n\r\n[pool]\nmembers = a ; comment\n   b\n   c\n\n[pool]\n");
        put(*state, "conf.d/10-a.conf", "   [agent]\n cgroup_ids = off");
        _cleanup_(config_freep) Config *c = load(*state);
        assert_int_equal(c->idle_exit_usec, USEC_PER_SEC);
        assert_false(c->cgroup_ids);
        assert_string_equal(c->pool_members[0], "a");
        assert_string_equal(c->pool_members[2], "c");
        assert_null(c->pool_members[3]);
}

static void printed_config_is_a_config(void **state)
{
        const Files *f = *state;
        put(f, "main.conf",
            "[component router]\nquiet_time=1500ms\n[component x]\nkind=router\nlimit_gate=3s\n");
        _cleanup_(config_freep) Config *c = load(f);
        _cleanup_(freep) char *text = NULL, *again = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        assert_int_equal(config_print(c, out, CONFIG_TEXT), 0);
        assert_int_equal(fclose(out), 0);
        assert_non_null(strstr(text, "quiet_time ="));
        char place[160];
        (void) snprintf(place, sizeof(place), "; %s:2\n", f->file);
        assert_non_null(strstr(text, place));
        assert_non_null(strstr(text, "; default\n"));

        /* What is printed can be read again and means the same; only the places differ. */
        put(f, "main.conf", text);
        _cleanup_(config_freep) Config *d = load(f);
        assert_int_equal(config_component(d, "router")->quiet_usec, 1500 * USEC_PER_MSEC);
        assert_int_equal(component_limit(config_component(d, "x"), PHASE_GATE), 3 * USEC_PER_SEC);
        out = open_memstream(&again, &size);
        assert_int_equal(config_print(d, out, CONFIG_TEXT), 0);
        assert_int_equal(fclose(out), 0);
        for (char *p = text, *q = again; *p || *q;) {
                size_t n = strcspn(p, ";\n"), m = strcspn(q, ";\n");
                assert_int_equal(n, m);
                assert_memory_equal(p, q, n);
                p += strcspn(p, "\n");
                q += strcspn(q, "\n");
                p += *p == '\n';
                q += *q == '\n';
        }
}

/* monit may want a password; nothing else that is asked by URL does. */
static void a_password_in_a_url_is_never_shown(void **state)
{
        static const char *const others[] = { "[cluster]\nmanagement_url", "[component router]\nself_url",
                                              "[component router]\nreachable_url",
                                              "[component message-processor]\nruntime_url" };
        const Files *f = *state;
        put(f, "main.conf", "[monit]\nstatus_url = http://admin:MARKED@127.0.0.1:2812/_status?x=a@b\n");
        _cleanup_(config_freep) Config *c = load(f);
        for (int form = CONFIG_TEXT; form <= CONFIG_KEPT; form++) {
                _cleanup_(freep) char *text = NULL;
                size_t size;
                FILE *out = open_memstream(&text, &size);
                assert_int_equal(config_print(c, out, (ConfigForm) form), 0);
                assert_int_equal(fclose(out), 0);
                assert_int_equal(strstr(text, "MARKED") != NULL, form == CONFIG_KEPT);
                assert_int_equal(strstr(text, "http://***@127.0.0.1:2812/_status?x=a@b") != NULL,
                                 form != CONFIG_KEPT);
        }
        for (size_t i = 0; i < ELEMENTS(others); i++) {
                char text[256];
                Config *none;
                Err err = { 0 };
                (void) snprintf(text, sizeof(text), "%s = http://admin:MARKED@127.0.0.1:8080/\n", others[i]);
                put(f, "main.conf", text);
                assert_true(config_load(&none, f->file, f->dir, &err) < 0);
                assert_non_null(strstr(err.text, "a user or a password has no place in it"));
                assert_null(strstr(err.text, "MARKED"));
        }
}

static void json_names_value_origin_and_meaning(void **state)
{
        _cleanup_(config_freep) Config *c = load(*state);
        _cleanup_(freep) char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        assert_int_equal(config_print(c, out, CONFIG_JSON), 0);
        assert_int_equal(fclose(out), 0);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        cJSON *o = cJSON_Parse(text);
        const cJSON *router = cJSON_GetObjectItemCaseSensitive(o, "component router");
        const cJSON *port = cJSON_GetObjectItemCaseSensitive(router, "health_port");
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(port, "value")->valuestring, "15999");
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(port, "origin")->valuestring, "default");
        assert_true(strlen(cJSON_GetObjectItemCaseSensitive(port, "meaning")->valuestring) > 10);
        cJSON_Delete(o);
}

static void names_go_both_ways(void **state)
{
        (void) state;
        for (int i = 0; i < PERSISTENT_COUNT; i++)
                assert_int_equal(persistent_from_name(persistent_name((Persistent) i)), i);
        for (int i = 0; i < AT_CAP_COUNT; i++)
                assert_int_equal(at_cap_from_name(at_cap_name((AtCap) i)), i);
        assert_int_equal(persistent_from_name(NULL), PERSISTENT_INVALID);
        assert_int_equal(at_cap_from_name("x"), AT_CAP_INVALID);
        assert_string_equal(persistent_name(PERSISTENT_INVALID), "invalid");
        assert_string_equal(at_cap_name(AT_CAP_COUNT), "invalid");
        assert_null(config_free(NULL));
}

/* What is kept for a restarted agent is what was set, and only that. */
static void the_kept_copy_reads_back(void **state)
{
        const Files *f = *state;
        char text[512], path[160];
        (void) snprintf(
                text, sizeof(text),
                "[agent]\nstate_dir=%s\n[component router]\nunits=a.service b.service\nlimit_ready=7s\n"
                "check_fall=3\n[component third]\nkind=router\nunits=t.service\n",
                f->root);
        put(f, "main.conf", text);
        _cleanup_(config_freep) Config *c = load(f);
        (void) snprintf(path, sizeof(path), "%s/" KEPT_CONFIG, f->root);
        assert_int_equal(kept_write(c), 0);

        _cleanup_(config_freep) Config *again = NULL;
        assert_int_equal(config_load(&again, path, "/nonexistent", NULL), 0);
        const Component *router = config_component(again, "router");
        assert_string_equal(again->state_dir, f->root);
        assert_string_equal(router->units[1], "b.service");
        assert_int_equal(router->limit_usec[PHASE_READY], 7 * USEC_PER_SEC);
        assert_true(config_was_set(again, router, "check_fall"));
        assert_false(config_was_set(again, router, "check_interval"));
        assert_non_null(config_component(again, "third"));
        assert_int_equal(remove(path), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(nothing_there_is_all_defaults, setup, teardown),
                cmocka_unit_test_setup_teardown(every_key_can_be_set, setup, teardown),
                cmocka_unit_test_setup_teardown(limits_have_defaults, setup, teardown),
                cmocka_unit_test_setup_teardown(later_files_win_in_alphabetical_order, setup, teardown),
                cmocka_unit_test_setup_teardown(a_section_makes_a_component, setup, teardown),
                cmocka_unit_test_setup_teardown(bad_values_are_refused_with_their_place, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_names_come_with_the_nearest, setup, teardown),
                cmocka_unit_test_setup_teardown(broken_files_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(odd_but_good_files, setup, teardown),
                cmocka_unit_test_setup_teardown(printed_config_is_a_config, setup, teardown),
                cmocka_unit_test_setup_teardown(the_kept_copy_reads_back, setup, teardown),
                cmocka_unit_test_setup_teardown(a_password_in_a_url_is_never_shown, setup, teardown),
                cmocka_unit_test_setup_teardown(json_names_value_origin_and_meaning, setup, teardown),
                cmocka_unit_test(names_go_both_ways),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
