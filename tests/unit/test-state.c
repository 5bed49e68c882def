/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/state.c, and the records of agent/hold.c on top of it: what is on the disk, whatever the disk does.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/hold.h"
#include "agent/state.h"
#include "agent/tickets.h"
#include "probes/json.h"

static char dir[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static int setup(void **state)
{
        (void) state;
        strcpy(dir, "/tmp/edge-roll-state-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *at(const char *name)
{
        static char path[320];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static void put(const char *name, const char *text, size_t len)
{
        FILE *file = fopen(at(name), "we");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
}

static unsigned count_files(void)
{
        char command[128];
        unsigned n = 0;
        (void) snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
        FILE *p = popen(command, "re");
        assert_non_null(p);
        assert_int_equal(fscanf(p, "%u", &n), 1);
        (void) pclose(p);
        return n;
}

static int write_number(const char *name, double number, Err *err)
{
        cJSON *record = cJSON_CreateObject();
        (void) cJSON_AddNumberToObject(record, "number", number);
        int r = state_write(dir, name, record, err);
        cJSON_Delete(record);
        return r;
}

/* -1 when there is none. */
static double read_number(const char *name)
{
        cJSON *record = NULL;
        Err err = {};
        assert_int_equal(state_read(dir, name, &record, NULL, &err), 0);
        double number = record ? cJSON_GetObjectItem(record, "number")->valuedouble : -1;
        cJSON_Delete(record);
        return number;
}

static int read_result(const char *name, Err *err)
{
        cJSON *record = NULL;
        int r = state_read(dir, name, &record, NULL, err);
        assert_null(record);
        return r;
}

/* ---- the ordinary ---- */

static void test_write_and_read(void **state)
{
        (void) state;
        Err err = {};
        bool same_boot = false;
        cJSON *record = cJSON_CreateObject(), *back = NULL;
        struct stat st;

        (void) cJSON_AddStringToObject(record, "reason", "a \"quoted\"\nreason");
        (void) cJSON_AddNumberToObject(record, "since", 1795374000123456.0);
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        assert_int_equal(state_read(dir, "job.json", &back, &same_boot, &err), 0);
        assert_true(same_boot);
        assert_string_equal(cJSON_GetObjectItem(back, "reason")->valuestring, "a \"quoted\"\nreason");
        assert_true(cJSON_GetObjectItem(back, "since")->valuedouble == 1795374000123456.0);
        assert_int_equal(cJSON_GetObjectItem(back, "format")->valueint, STATE_FORMAT);
        assert_true(cJSON_Compare(record, back, true));
        assert_int_equal(stat(at("job.json"), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(count_files(), 1);
        cJSON_Delete(record);
        cJSON_Delete(back);
}

static void test_missing_is_an_answer(void **state)
{
        (void) state;
        Err err = {};
        bool same_boot = true;
        cJSON *record = (cJSON *) &err;

        assert_int_equal(state_read(dir, "job.json", &record, &same_boot, &err), 0);
        assert_null(record);
        assert_false(same_boot);
        assert_int_equal(state_read("/nonexistent/dir", "job.json", &record, NULL, &err), 0);
        assert_int_equal(state_remove(dir, "job.json", &err), 0);
        assert_int_equal(state_remove("/nonexistent/dir", "job.json", &err), 0);
}

static void test_remove(void **state)
{
        (void) state;
        Err err = {};
        assert_int_equal(write_number("job.json", 1, &err), 0);
        assert_int_equal(state_remove(dir, "job.json", &err), 0);
        assert_true(read_number("job.json") == -1);
        assert_int_equal(count_files(), 0);
}

static void test_list(void **state)
{
        (void) state;
        char **list = NULL;
        Err err = {};

        put("hold-router.json", "", 0);
        put("hold-mp.json", "", 0);
        put("job.json", "", 0);
        put("hold-router.txt", "", 0);
        put(".hold-router.json.tmp", "", 0);
        assert_int_equal(state_list(dir, "hold-", &list, &err), 0);
        assert_string_equal(list[0], "hold-mp.json");
        assert_string_equal(list[1], "hold-router.json");
        assert_null(list[2]);
        list = state_list_free(list);
        assert_int_equal(state_list("/nonexistent/dir", "hold-", &list, &err), 0);
        assert_null(list[0]);
        list = state_list_free(list);
        assert_int_equal(state_list(at("job.json"), "hold-", &list, &err), -ENOTDIR);
        assert_null(list);
}

static void test_names(void **state)
{
        (void) state;
        static const char *const bad[] = {
                "", ".json", "../x.json", "a/b.json", ".x.json", "x", "x.json.bak"
        };
        char longest[300];
        Err err = {};

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_int_equal(write_number(bad[i], 1, &err), -EINVAL);
                assert_int_equal(read_result(bad[i], &err), -EINVAL);
                assert_int_equal(state_remove(dir, bad[i], &err), -EINVAL);
        }
        memset(longest, 'a', sizeof(longest));
        strcpy(longest + 250, ".json");
        assert_int_equal(write_number(longest, 1, &err), -EINVAL);
        strcpy(longest + 245, ".json");
        assert_int_equal(write_number(longest, 1, &err), 0);
}

/* ---- what may lie there ---- */

static void test_damaged(void **state)
{
        (void) state;
        static const char *const bad[] = { "",     "{",          "{\"format\":1", "{\"format\":1}{}", "[1]",
                                           "null", "\"format\"", "\xff\xfe",      "{\"format\":1} x" };
        Err err = {};

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                put("job.json", bad[i], strlen(bad[i]));
                assert_int_equal(read_result("job.json", &err), -EBADMSG);
                assert_non_null(strstr(err.text, "job.json"));
        }
        put("job.json", "{\"format\":1}\0{}", 15);
        assert_int_equal(read_result("job.json", &err), -EBADMSG);
}

static void test_cut_off_anywhere(void **state)
{
        (void) state;
        char text[512];
        Err err = {};

        assert_int_equal(write_number("job.json", 42, &err), 0);
        FILE *file = fopen(at("job.json"), "re");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof(text), file);
        (void) fclose(file);
        /* The last byte is a newline, and the record is whole without it. */
        for (size_t cut = 0; cut + 1 < len; cut++) {
                put("job.json", text, cut);
                assert_int_equal(read_result("job.json", &err), -EBADMSG);
        }
}

static void test_foreign_formats(void **state)
{
        (void) state;
        static const char *const foreign[] = { "{}",
                                               "{\"format\":2}",
                                               "{\"format\":0}",
                                               "{\"format\":1.5}",
                                               "{\"format\":\"1\"}",
                                               "{\"format\":null}" };
        Err err = {};

        for (size_t i = 0; i < ELEMENTS(foreign); i++) {
                put("job.json", foreign[i], strlen(foreign[i]));
                assert_int_equal(read_result("job.json", &err), -EPROTO);
        }
}

static void test_one_works_at_a_time(void **state)
{
        Err err = { 0 };
        (void) state;
        int first = -1, second = -1;
        assert_int_equal(state_lock(dir, &first, &err), 0);
        assert_true(first >= 0);
        assert_int_equal(state_lock(dir, &second, &err), -EBUSY);
        (void) close(first);
        assert_int_equal(state_lock(dir, &second, &err), 0);
        (void) close(second);
        assert_int_equal(state_lock("/nonexistent", &second, &err), 0);
        assert_int_equal(second, -1);
}

static void test_set_aside(void **state)
{
        static const char text[] = "{\"format\":99}";
        (void) state;
        cJSON *record = NULL;
        Err err = { 0 };
        put("job.json", text, strlen(text));
        assert_int_equal(state_set_aside(dir, "job.json", "unreadable-job.json", &err), 0);
        assert_int_equal(state_read(dir, "job.json", &record, NULL, &err), 0);
        assert_null(record);
        assert_int_equal(state_read(dir, "unreadable-job.json", &record, NULL, &err), -EPROTO);
        assert_int_equal(state_set_aside(dir, "job.json", "unreadable-job.json", &err), -ENOENT);
        assert_int_equal(state_set_aside(dir, "job.json", "../job.json", &err), -EINVAL);
}

static void test_another_boot(void **state)
{
        (void) state;
        static const char text[] = "{\"format\":1,\"boot_id\":\"00000000000000000000000000000001\"}";
        cJSON *record = NULL;
        bool same_boot = true;
        Err err = {};

        put("job.json", text, strlen(text));
        assert_int_equal(state_read(dir, "job.json", &record, &same_boot, &err), 0);
        assert_false(same_boot);
        cJSON_Delete(record);
}

static void test_not_a_file(void **state)
{
        (void) state;
        Err err = {};
        char *large = calloc(1, STATE_MAX_BYTES + 1);

        assert_non_null(large);
        memset(large, ' ', STATE_MAX_BYTES + 1);
        put("large.json", large, STATE_MAX_BYTES + 1);
        free(large);
        assert_int_equal(read_result("large.json", &err), -EBADMSG);
        assert_int_equal(mkdir(at("dir.json"), 0755), 0);
        assert_int_equal(read_result("dir.json", &err), -EBADMSG);
        assert_int_equal(mkfifo(at("fifo.json"), 0600), 0);
        assert_int_equal(read_result("fifo.json", &err), -EBADMSG);
        assert_int_equal(symlink("/etc/passwd", at("link.json")), 0);
        assert_int_equal(read_result("link.json", &err), -ELOOP);
}

static void test_leftovers_are_no_obstacle(void **state)
{
        (void) state;
        Err err = {};

        /* Of a process that died in mid-write; and somebody's link must not be written through. */
        put(".job.json.tmp", "half", 4);
        assert_int_equal(write_number("job.json", 1, &err), 0);
        put("victim", "precious", 8);
        assert_int_equal(symlink("victim", at(".job.json.tmp")), 0);
        assert_int_equal(write_number("job.json", 2, &err), 0);
        assert_true(read_number("job.json") == 2);
        char text[16] = "";
        FILE *file = fopen(at("victim"), "re");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        (void) fclose(file);
        assert_string_equal(text, "precious");
        assert_int_equal(count_files(), 2);
}

/* ---- disks that fail ---- */

/* A tmpfs of our own at the directory. Return: false when this user may not. */
static bool mount_tmpfs(const char *options, unsigned long flags)
{
        static bool private;

        if (!private) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        return false;
                private = true;
        }
        return mount("tmpfs", dir, "tmpfs", flags, options) == 0;
}

static void test_full_disk(void **state)
{
        (void) state;
        Err err = {};
        char filler[4096] = "";

        if (!mount_tmpfs("size=32k", 0))
                skip();
        assert_int_equal(write_number("job.json", 1, &err), 0);
        int fd = open(at("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        while (write(fd, filler, sizeof(filler)) > 0)
                ;
        assert_int_equal(write_number("job.json", 2, &err), -ENOSPC);
        assert_non_null(strstr(err.text, "job.json"));
        assert_true(read_number("job.json") == 1);
        assert_int_equal(count_files(), 2); /* the temporary file is gone */

        assert_int_equal(ftruncate(fd, 0), 0);
        (void) close(fd);
        assert_int_equal(write_number("job.json", 2, &err), 0);
        assert_true(read_number("job.json") == 2);
        assert_int_equal(umount(dir), 0);
}

static void test_no_inodes(void **state)
{
        (void) state;
        Err err = {};

        if (!mount_tmpfs("nr_inodes=2", 0)) /* the directory's own, and one file */
                skip();
        assert_int_equal(write_number("job.json", 1, &err), 0);
        assert_int_equal(write_number("job.json", 2, &err), -ENOSPC);
        assert_true(read_number("job.json") == 1);
        assert_int_equal(umount(dir), 0);
}

static void test_read_only(void **state)
{
        (void) state;
        Err err = {};

        if (!mount_tmpfs("size=64k", 0))
                skip();
        assert_int_equal(write_number("job.json", 1, &err), 0);
        assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(write_number("job.json", 2, &err), -EROFS);
        assert_int_equal(state_remove(dir, "job.json", &err), -EROFS);
        assert_int_equal(state_remove(dir, "hold-router.json", &err), 0); /* there is none */
        assert_true(read_number("job.json") == 1);
        assert_int_equal(umount(dir), 0);
}

static void test_short_of_memory(void **state)
{
        (void) state;
        volatile size_t too_much = SIZE_MAX / 2;
        Err err = {};
        cJSON *record = json_record();
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        assert_null(cJSON_malloc(too_much));
        assert_int_equal(state_write(dir, "job.json", record, &err), -ENOMEM);
        /* Told once, and also where the name is refused; what begins anew knows nothing of it. */
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        assert_null(cJSON_malloc(too_much));
        assert_int_equal(state_write(dir, "../job.json", record, &err), -EINVAL);
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        assert_null(cJSON_malloc(too_much));
        cJSON_Delete(record);
        record = json_record();
        assert_int_equal(state_write(dir, "job.json", record, &err), 0);
        cJSON_Delete(record);
}

/* ---- tickets ---- */

static void test_ticket_damaged(void **state)
{
        (void) state;
        static const char *const texts[] = { "", "{\"format\":1,\"compon", "[]" };
        const Ticket ticket = { .component = "router", .by = "root" };
        Ticket now;
        bool fresh = false;
        char text[512];
        Err err = {};

        assert_false(tickets_unreadable(dir, text, sizeof(text)));
        assert_int_equal(tickets_put(dir, &ticket, &now, &fresh, &err), 0);
        assert_false(tickets_unreadable(dir, text, sizeof(text)));
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                put("ticket-router.json", texts[i], strlen(texts[i]));
                assert_true(tickets_unreadable(dir, text, sizeof(text)));
                assert_non_null(strstr(text, "ticket-router.json"));
        }
        /* Whoever asks again mends it. */
        assert_int_equal(tickets_put(dir, &ticket, &now, &fresh, &err), 0);
        assert_true(fresh);
        assert_false(tickets_unreadable(dir, text, sizeof(text)));
}

/* ---- holds ---- */

static Hold a_hold(const char *component)
{
        Hold hold = {
                .by = "root", .reason = "drain by hand", .since_wall_usec = 1795374000123456, .by_hand = true
        };
        (void) snprintf(hold.component, sizeof(hold.component), "%s", component);
        hold.plan.whole_ports[hold.plan.n_whole++] = 15999;
        hold.plan.syn_ports[hold.plan.n_syn++] = 8998;
        hold.plan.syn_ports[hold.plan.n_syn++] = 65535;
        return hold;
}

static void test_hold_left(void **state)
{
        (void) state;
        const Usec wall = 1795374000000000, hour = 3600 * USEC_PER_SEC, boot = 5 * hour;
        Hold hold = a_hold("router");

        assert_true(hold_left(&hold, boot, wall) == USEC_INFINITY);
        hold.until_wall_usec = wall + 2 * hour;
        hold.until_boot_usec = boot + 2 * hour;
        hold.same_boot = true;
        assert_true(hold_left(&hold, boot, wall) == 2 * hour);
        /* Whoever sets the wall clock, by a day in either direction, changes nothing. */
        assert_true(hold_left(&hold, boot + hour, wall + 25 * hour) == hour);
        assert_true(hold_left(&hold, boot + hour, wall - 23 * hour) == hour);
        assert_true(hold_left(&hold, boot + 2 * hour, wall - 22 * hour) == 0);
        /* A machine that slept for long: it is over. */
        assert_true(hold_left(&hold, boot + 24 * hour, wall + 24 * hour) == 0);
        /* In another boot the clock of this one says nothing. */
        hold.same_boot = false;
        assert_true(hold_left(&hold, USEC_PER_SEC, wall + hour) == hour);
        assert_true(hold_left(&hold, 24 * hour, wall + hour) == hour);
        assert_true(hold_left(&hold, USEC_PER_SEC, wall + 2 * hour) == 0);
        /* A record of an agent that did not keep it. */
        hold.same_boot = true;
        hold.until_boot_usec = 0;
        assert_true(hold_left(&hold, 24 * hour, wall + hour) == hour);
}

static void test_hold_write_and_read(void **state)
{
        (void) state;
        Hold hold = a_hold("router"), back;
        bool found = false;
        Err err = {};

        hold.until_wall_usec = 1795374000123457;
        hold.until_boot_usec = 7200000001;
        assert_int_equal(hold_write(dir, &hold, &err), 0);
        assert_int_equal(hold_read(dir, "router", &back, &found, &err), 0);
        assert_true(found);
        assert_true(back.same_boot);
        assert_string_equal(back.component, "router");
        assert_string_equal(back.by, "root");
        assert_string_equal(back.reason, "drain by hand");
        assert_true(back.since_wall_usec == hold.since_wall_usec &&
                    back.until_wall_usec == hold.until_wall_usec);
        assert_true(back.until_boot_usec == hold.until_boot_usec);
        assert_true(back.by_hand);
        assert_int_equal(back.plan.n_whole, 1);
        assert_int_equal(back.plan.whole_ports[0], 15999);
        assert_int_equal(back.plan.n_syn, 2);
        assert_int_equal(back.plan.syn_ports[1], 65535);
        assert_int_equal(hold_remove(dir, "router", &err), 0);
        assert_int_equal(hold_remove(dir, "router", &err), 0);
        assert_int_equal(hold_read(dir, "router", &back, &found, &err), 0);
        assert_false(found);
}

/* The management port of a message processor behind TLS, refused from its routers. */
static void test_hold_from_sources(void **state)
{
        (void) state;
        Hold hold = a_hold("mp"), back;
        bool found = false;
        Err err = {};

        hold.plan = (BlockPlan){ .from_ports = { 8082 }, .n_from_ports = 1 };
        assert_int_equal(hold_write(dir, &hold, &err), -EINVAL); /* from nobody */
        assert_true(addr_parse("10.0.0.5", &hold.plan.from[hold.plan.n_from++]));
        assert_true(addr_parse("fd77::5", &hold.plan.from[hold.plan.n_from++]));
        assert_int_equal(hold_write(dir, &hold, &err), 0);
        assert_int_equal(hold_read(dir, "mp", &back, &found, &err), 0);
        assert_true(found);
        assert_int_equal(back.plan.n_from_ports, 1);
        assert_int_equal(back.plan.from_ports[0], 8082);
        assert_int_equal(back.plan.n_from, 2);
        assert_true(addr_equal(&back.plan.from[1], &hold.plan.from[1]));
        assert_int_equal(back.plan.n_whole + back.plan.n_syn, 0);
        assert_int_equal(hold_remove(dir, "mp", &err), 0);
}

static void test_hold_plan_of_the_configuration(void **state)
{
        (void) state;
        char *both[] = { "auto", "10.0.0.5", NULL }, *found[] = { "auto", NULL };
        Component c = { .kind = KIND_MP, .block = BLOCK_ROUTERS, .routers = both };
        BlockPlan plan;

        c.health_port = (PortList){ .automatic = true };
        assert_false(hold_plan_from_config(&c, &plan));
        c.health_port = (PortList){ .ports = { 8082 }, .n = 1 };
        assert_true(hold_plan_from_config(&c, &plan));
        assert_int_equal(plan.n_from_ports, 1);
        assert_int_equal(plan.n_from, 1);
        c.routers = found;
        assert_false(hold_plan_from_config(&c, &plan)); /* from whom is not known */
        c.block = BLOCK_AUTO;
        assert_true(hold_plan_from_config(&c, &plan));
        assert_int_equal(plan.n_syn, 1);
        c.kind = KIND_ROUTER;
        assert_true(hold_plan_from_config(&c, &plan));
        assert_int_equal(plan.n_whole, 1);
}

/* What a job refused, by its record. */
static void test_hold_plan_of_a_job(void **state)
{
        static const struct {
                const char *record;
                bool known, configured;
                size_t n_whole, n_syn, n_from;
        } rows[] = {
                { "{}", false, false, 0, 0, 0 },
                { "{\"health_port\":0,\"block\":\"whole\"}", false, false, 0, 0, 0 },
                { "{\"health_port\":70000,\"block\":\"whole\"}", false, false, 0, 0, 0 },
                { "{\"health_port\":15999,\"block\":\"whole\"}", true, false, 1, 0, 0 },
                { "{\"health_port\":8998,\"block\":\"syn\"}", true, false, 0, 1, 0 },
                { "{\"health_port\":8998}", true, false, 0, 1, 0 },
                { "{\"health_port\":8998,\"block\":\"?\"}", true, true, 0, 1, 0 },
                { "{\"health_port\":8082,\"block\":\"routers\",\"routers\":[\"10.0.0.5\",7,\"fd77::5\"]}",
                  true, false, 0, 0, 2 },
                /* Who they are is not known: everybody. */
                { "{\"health_port\":8082,\"block\":\"routers\",\"routers\":[]}", true, false, 1, 0, 0 },
                /* The record has been cut off, the configuration knows. */
                { "{}", true, true, 0, 1, 0 },
        };
        Component c = { .kind = KIND_MP, .block = BLOCK_AUTO, .health_port = { .ports = { 8998 }, .n = 1 } };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                BlockPlan plan = { 0 };
                cJSON *record = cJSON_Parse(rows[i].record);
                assert_non_null(record);
                assert_int_equal(hold_plan_from_job(record, rows[i].configured ? &c : NULL, &plan),
                                 rows[i].known);
                assert_int_equal(plan.n_whole, rows[i].n_whole);
                assert_int_equal(plan.n_syn, rows[i].n_syn);
                assert_int_equal(plan.n_from, rows[i].n_from);
                assert_int_equal(plan.n_from_ports, rows[i].n_from > 0);
                cJSON_Delete(record);
        }
}

static void test_hold_list(void **state)
{
        (void) state;
        Hold router = a_hold("router"), mp = a_hold("message-processor"), *list = NULL;
        size_t n = 99;
        Err err = {};

        assert_int_equal(hold_list(dir, &list, &n, &err), 0);
        assert_int_equal(n, 0);
        free(list);
        assert_int_equal(hold_write(dir, &router, &err), 0);
        assert_int_equal(hold_write(dir, &mp, &err), 0);
        assert_int_equal(hold_list(dir, &list, &n, &err), 0);
        assert_int_equal(n, 2);
        assert_string_equal(list[0].component, "message-processor");
        assert_string_equal(list[1].component, "router");
        free(list);
        list = NULL;
        put("hold-x.json", "{", 1);
        assert_int_equal(hold_list(dir, &list, &n, &err), -EBADMSG);
        assert_non_null(strstr(err.text, "hold-x.json"));
        assert_null(list);
}

static void test_hold_refuses(void **state)
{
        (void) state;
        static const char *const names[] = { "", "a/b", "..", "a b", "a.b" };
        Hold hold = a_hold("router");
        bool found;
        Err err = {};

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                Hold bad = a_hold(names[i]);
                assert_int_equal(hold_write(dir, &bad, &err), -EINVAL);
                assert_int_equal(hold_read(dir, names[i], &bad, &found, &err), -EINVAL);
                assert_int_equal(hold_remove(dir, names[i], &err), -EINVAL);
        }
        hold.plan = (BlockPlan){};
        assert_int_equal(hold_write(dir, &hold, &err), -EINVAL);
}

static void test_hold_damaged(void **state)
{
        (void) state;
#define TEXTS_OF(name) "\"format\":1,\"component\":\"" name "\",\"by\":\"\",\"reason\":\"\",\"by_hand\":true,"
#define TEXTS          TEXTS_OF("x")
        static const char *const bad[] = {
                "{\"format\":1}",
                "{" TEXTS
                "\"since\":1,\"until\":0,\"whole_ports\":[],\"syn_ports\":[],\"from_ports\":[8082],\"from\":[]}",
                "{" TEXTS
                "\"since\":1,\"until\":0,\"whole_ports\":[],\"syn_ports\":[],\"from_ports\":[8082],\"from\":[\"x\"]}",
                "{" TEXTS
                "\"since\":1,\"until\":0,\"whole_ports\":[],\"syn_ports\":[],\"from_ports\":[8082]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[0],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[65536],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[1.5],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[\"80\"],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[80]}",
                "{" TEXTS "\"since\":-1,\"until\":0,\"whole_ports\":[80],\"syn_ports\":[]}",
                "{" TEXTS "\"since\":1,\"until\":1e300,\"whole_ports\":[80],\"syn_ports\":[]}",
                "{" TEXTS_OF("y") "\"since\":1,\"until\":0,\"whole_ports\":[80],\"syn_ports\":[]}",
        };
        static const char good[] = "{" TEXTS "\"since\":1,\"until\":0,\"whole_ports\":[80],\"syn_ports\":[]}";
        Hold hold;
        bool found;
        Err err = {};

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                put("hold-x.json", bad[i], strlen(bad[i]));
                assert_int_equal(hold_read(dir, "x", &hold, &found, &err), -EBADMSG);
        }
        put("hold-x.json", good, strlen(good));
        assert_int_equal(hold_read(dir, "x", &hold, &found, &err), 0);
        assert_false(hold.same_boot);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_missing_is_an_answer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cut_off_anywhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_foreign_formats, setup, teardown),
                cmocka_unit_test_setup_teardown(test_another_boot, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_works_at_a_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_set_aside, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_a_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_leftovers_are_no_obstacle, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_inodes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
                cmocka_unit_test_setup_teardown(test_short_of_memory, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ticket_damaged, setup, teardown),
                cmocka_unit_test(test_hold_left),
                cmocka_unit_test_setup_teardown(test_hold_write_and_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hold_from_sources, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hold_plan_of_the_configuration, setup, teardown),
                cmocka_unit_test(test_hold_plan_of_a_job),
                cmocka_unit_test_setup_teardown(test_hold_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hold_refuses, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hold_damaged, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
