/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/cluster/roll-log.c and roll-record.c: what is in the journal of a roll, whatever has become of the
 * process, the file and the disk. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/cluster/roll-log.h"
#include "agent/cluster/roll-record.h"
#include "probes/json.h"

static char base[64], dir[80];

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
        /* Thousands of fsyncs: in memory where there is a file system for that. */
        strcpy(base, "/dev/shm/edge-roll-log-XXXXXX");
        if (!mkdtemp(base)) {
                strcpy(base, "/tmp/edge-roll-log-XXXXXX");
                if (!mkdtemp(base))
                        return -1;
        }
        (void) snprintf(dir, sizeof(dir), "%s/a/rolls", base);
        return 0;
}

static int teardown(void **state)
{
        (void) state;
        return nftw(base, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *id)
{
        static char path[256];
        (void) snprintf(path, sizeof(path), "%s/%s.jsonl", dir, id);
        return path;
}

static void put(const char *id, const char *text, size_t len)
{
        FILE *f = fopen(path_of(id), "we");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

static size_t file_size(const char *id)
{
        struct stat st;
        assert_int_equal(stat(path_of(id), &st), 0);
        return (size_t) st.st_size;
}

static RollLog *create(const char *name, const char *roll)
{
        RollLog *log = NULL;
        Err err = { 0 };
        if (roll_log_create(&log, dir, name, cJSON_Parse(roll), NULL, &err) < 0)
                fail_msg("%s", err.text);
        return log;
}

static RollLog *open_good(const char *id, char said[256])
{
        RollLog *log = NULL;
        Err err = { 0 };
        if (roll_log_open(&log, dir, id, false, said, 256, &err) < 0)
                fail_msg("%s", err.text);
        return log;
}

static int open_result(const char *id, bool anyhow, Err *err)
{
        RollLog *log = NULL;
        char said[256];
        int r = roll_log_open(&log, dir, id, anyhow, said, sizeof(said), err);
        (void) roll_log_free(log);
        return r;
}

static void append(RollLog *log, const char *event)
{
        Err err = { 0 };
        if (roll_log_append(log, cJSON_Parse(event), NULL, &err) < 0)
                fail_msg("%s", err.text);
}

static RollRecord *read_good(const char *id)
{
        RollRecord *r = NULL;
        Err err = { 0 };
        if (roll_log_read(dir, id, &r, &err) < 0)
                fail_msg("%s", err.text);
        return r;
}

static RollRecord *parse(const char *text, size_t len)
{
        RollRecord *r = NULL;
        Err err = { 0 };
        if (roll_record_parse(text, len, "FILE", &r, &err) < 0)
                fail_msg("%s", err.text);
        return r;
}

#define ROLL                                                                                                 \
        "{\"event\":\"roll\",\"time\":\"2026-11-28T18:45:12.000Z\",\"format\":1,\"id\":\"X\","               \
        "\"what\":\"restart\",\"component\":\"router\",\"by\":\"alice\",\"host\":\"bastion\",\"pid\":7,"     \
        "\"reason\":\"new keystore\",\"options\":{\"soak\":\"10s\"},\"pools\":[{\"name\":\"router/dc-1\"}]," \
        "\"nodes\":[{\"name\":\"r1\",\"dest\":\"edge@r1\",\"pool\":\"router/dc-1\",\"uuid\":\"u1\"},"        \
        "{\"name\":\"r2\",\"pool\":\"router/dc-1\",\"uuid\":\"u2\"},"                                        \
        "{\"name\":\"r3\",\"pool\":\"router/dc-1\",\"uuid\":\"u3\"},"                                        \
        "{\"name\":\"r4\",\"pool\":\"router/dc-1\",\"uuid\":\"u4\"},"                                        \
        "{\"name\":\"r9\",\"pool\":\"router/dc-1\",\"uuid\":\"u9\",\"selected\":false}]}\n"
#define OVERRIDE \
        "{\"event\":\"override\",\"time\":\"T1\",\"name\":\"degraded\",\"reason\":\"r9 is being repaired\"}\n"
#define BEGIN1 "{\"event\":\"node\",\"time\":\"T2\",\"node\":\"r1\",\"step\":1,\"state\":\"begin\"}\n"
#define PHASE1 \
        "{\"event\":\"node\",\"time\":\"T3\",\"node\":\"r1\",\"state\":\"phase\",\"phase\":\"drain\"}\n"
#define END1                                                                                           \
        "{\"event\":\"node\",\"time\":\"T4\",\"node\":\"r1\",\"step\":1,\"state\":\"end\",\"result\":" \
        "{\"result\":\"done\",\"exit\":0,\"reason\":\"restarted\",\"elapsed\":58.2}}\n"
#define BEGIN2 "{\"event\":\"node\",\"time\":\"T5\",\"node\":\"r2\",\"step\":2,\"state\":\"begin\"}\n"
#define PHASE2 \
        "{\"event\":\"node\",\"time\":\"T6\",\"node\":\"r2\",\"state\":\"phase\",\"phase\":\"ready\"}\n"
#define END2                                                                                                  \
        "{\"event\":\"node\",\"time\":\"T7\",\"node\":\"r2\",\"step\":2,\"state\":\"end\",\"result\":"        \
        "{\"result\":\"held\",\"reason\":\"environment prod is gone\",\"hint\":\"edge-roll undrain router\"," \
        "\"elapsed\":12}}\n"
#define WARNING "{\"event\":\"warning\",\"time\":\"T8\",\"text\":\"slow\"}\n"
#define STOP    "{\"event\":\"stop\",\"time\":\"T9\",\"text\":\"r2 was held\",\"cause\":\"failure\"}\n"
#define END                                                                                             \
        "{\"event\":\"end\",\"time\":\"T10\",\"result\":\"held\",\"exit\":16,\"text\":\"r2 was held\"," \
        "\"elapsed\":80.5}\n"
#define RESUME "{\"event\":\"resume\",\"time\":\"T11\",\"by\":\"bob\",\"host\":\"other\",\"pid\":8}\n"
#define ALL    ROLL OVERRIDE BEGIN1 PHASE1 END1 BEGIN2 PHASE2 END2 WARNING STOP END

static const char all[] = ALL;

static int events_of(const RollRecord *r)
{
        return cJSON_GetArraySize(r->events);
}

/* ---- the ordinary ---- */

static void a_new_journal(void **state)
{
        (void) state;
        _cleanup_(roll_log_freep) RollLog *log = NULL;
        _cleanup_(freep) char *line = NULL, *second = NULL;
        Err err = { 0 };
        struct stat st;
        mode_t mask = umask(077);

        cJSON *roll = cJSON_Parse(ROLL);
        assert_int_equal(roll_log_create(&log, dir, "router", roll, &line, &err), 0);
        (void) umask(mask);

        /* 20261128T184512-router-3f2a */
        const char *id = roll_log_id(log);
        assert_int_equal(strlen(id), strlen("20261128T184512-router-3f2a"));
        for (const char *p = id, *form = "nnnnnnnnTnnnnnn-router-xxxx"; *p; p++, form++)
                assert_true(*form == 'n' ? isdigit(*p) : *form == 'x' ? isxdigit(*p) : *p == *form);
        assert_true(roll_log_id_valid(id));
        assert_string_equal(roll_log_path(log), path_of(id));
        assert_int_equal(stat(path_of(id), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0750);

        assert_int_equal(roll_log_append(log, roll_log_event("stop"), &second, &err), 0);
        _cleanup_(json_closep) cJSON *e = cJSON_Parse(line);
        char host[128] = "";
        (void) gethostname(host, sizeof(host) - 1);
        assert_string_equal(json_text(e, "id"), id);
        assert_string_equal(json_text(e, "host"), host);
        assert_int_equal(json_count(e, "pid"), getpid());
        assert_int_equal(json_count(e, "format"), ROLL_LOG_FORMAT);
        assert_true(*json_text(e, "version"));
        assert_string_not_equal(json_text(e, "time"), "2026-11-28T18:45:12.000Z");
        assert_null(strchr(line, '\n'));
        assert_non_null(strstr(second, "{\"event\":\"stop\",\"time\":\"20"));
        assert_int_equal(file_size(id), strlen(line) + strlen(second) + 2);

        _cleanup_(roll_record_freep) RollRecord *r = read_good(id);
        assert_int_equal(events_of(r), 2);
        assert_true(r->begun && !r->ended && r->running && !r->torn);
        assert_string_equal(r->id, id);
}

static void a_name_becomes_part_of_a_file_name(void **state)
{
        (void) state;
        _cleanup_(roll_log_freep) RollLog *log = create("../a b\n", ROLL);
        assert_non_null(strstr(roll_log_id(log), "----a-b--"));
        assert_true(roll_log_id_valid(roll_log_id(log)));
        assert_false(roll_log_id_valid("../x"));
        assert_false(roll_log_id_valid(".x"));
        assert_false(roll_log_id_valid(""));
        assert_false(roll_log_id_valid("a/b"));
        char longer[200];
        memset(longer, 'a', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_false(roll_log_id_valid(longer));
        _cleanup_(roll_log_freep) RollLog *other = create(longer, ROLL);
        assert_true(roll_log_id_valid(roll_log_id(other)));
}

static void what_it_all_means(void **state)
{
        (void) state;
        _cleanup_(roll_record_freep) RollRecord *r = parse(all, strlen(all));
        assert_int_equal(events_of(r), 11);
        assert_int_equal(r->damaged, 0);
        assert_string_equal(r->what, "restart");
        assert_string_equal(r->component, "router");
        assert_string_equal(r->by, "alice");
        assert_string_equal(json_text(r->options, "soak"), "10s");
        assert_int_equal(r->n_nodes, 5);
        const RollNode *n = roll_record_node(r, "r1", NULL);
        assert_string_equal(n->dest, "edge@r1");
        assert_string_equal(n->component, "router");
        assert_int_equal(n->state, ROLL_NODE_ENDED);
        assert_string_equal(n->result, "done");
        assert_string_equal(n->phase, "drain");
        assert_true(n->elapsed > 58 && n->elapsed < 59);
        n = roll_record_node(r, "r2", NULL);
        assert_string_equal(n->result, "held");
        assert_string_equal(n->hint, "edge-roll undrain router");
        assert_int_equal(n->step, 2);
        assert_int_equal(roll_record_node(r, "r3", NULL)->state, ROLL_NODE_WAITING);
        assert_false(roll_record_node(r, "r9", NULL)->selected);
        assert_null(roll_record_node(r, "r5", NULL));
        assert_null(roll_record_node(r, "r1", "mp"));
        assert_non_null(roll_record_node(r, "r1", "router"));
        assert_int_equal(r->counts.total, 4);
        assert_int_equal(r->counts.done, 1);
        assert_int_equal(r->counts.failed, 1);
        assert_int_equal(r->counts.left, 2);
        assert_int_equal(r->counts.open, 0);
        assert_int_equal(r->overrides, 1);
        assert_int_equal(r->warnings, 1);
        assert_true(r->ended);
        assert_string_equal(r->result, "held");
        assert_int_equal(r->exit, 16);
        assert_string_equal(r->stopped, "r2 was held");
        assert_int_equal(r->last_step, 2);
        assert_true(r->resumable);

        /* Somebody goes on: the end before it does not count, what nodes did does. */
        static const char more[] = ALL RESUME
                "{\"event\":\"node\",\"node\":\"r2\",\"step\":3,\"state\":\"begin\"}\n"
                "{\"event\":\"node\",\"node\":\"r3\",\"state\":\"end\",\"result\":\"not-needed\"}\n"
                "{\"event\":\"node\",\"node\":\"unknown\",\"step\":9,\"state\":\"begin\"}\n"
                "{\"event\":\"of a later version\",\"node\":\"r4\"}\n";
        _cleanup_(roll_record_freep) RollRecord *again = parse(more, strlen(more));
        assert_false(again->ended);
        assert_false(again->resumable);
        assert_string_equal(again->result, "");
        assert_string_equal(again->stopped, "");
        assert_string_equal(again->by, "bob");
        assert_string_equal(again->host, "other");
        assert_int_equal(again->resumed, 1);
        n = roll_record_node(again, "r2", NULL);
        assert_int_equal(n->state, ROLL_NODE_BEGUN);
        assert_int_equal(n->begun, 2);
        assert_int_equal(n->step, 3);
        assert_string_equal(n->result, "");
        assert_int_equal(again->counts.done, 1);
        assert_int_equal(again->counts.skipped, 1);
        assert_int_equal(again->counts.open, 1);
        assert_int_equal(again->counts.left, 1);
        assert_int_equal(again->last_step, 9);
}

/* A node may have two components that are restarted one after the other. */
static void a_node_with_two_components(void **state)
{
        (void) state;
        static const char text[] =
                "{\"event\":\"roll\",\"format\":1,\"component\":\"all\",\"nodes\":["
                "{\"name\":\"n\",\"component\":\"mp\"},{\"name\":\"n\",\"component\":\"router\",\"user\":\"edge\",\"port\":2222}]}\n"
                "{\"event\":\"node\",\"node\":\"n\",\"component\":\"router\",\"step\":1,\"state\":\"begin\"}\n";
        _cleanup_(roll_record_freep) RollRecord *r = parse(text, strlen(text));
        assert_int_equal(roll_record_node(r, "n", "mp")->state, ROLL_NODE_WAITING);
        assert_int_equal(roll_record_node(r, "n", "router")->state, ROLL_NODE_BEGUN);
        assert_string_equal(roll_record_node(r, "n", "mp")->user, "");
        assert_string_equal(roll_record_node(r, "n", "router")->user, "edge");
        assert_int_equal(roll_record_node(r, "n", "router")->port, 2222);
}

/* ---- crashes ---- */

static unsigned whole_lines(const char *text, size_t len)
{
        unsigned n = 0;
        for (size_t i = 0; i < len; i++)
                n += text[i] == '\n';
        return n;
}

/* Wherever the file ends, all whole lines are there, and it can be written on. */
static void cut_off_at_every_byte(void **state)
{
        (void) state;
        (void) roll_log_free(create("first", ROLL)); /* makes the directory */
        for (size_t len = 0; len <= strlen(all); len++) {
                unsigned whole = whole_lines(all, len);
                bool torn = len > 0 && all[len - 1] != '\n';
                char said[256];
                put("X", all, len);
                {
                        _cleanup_(roll_record_freep) RollRecord *r = read_good("X");
                        assert_int_equal(events_of(r), whole);
                        assert_int_equal(r->torn, torn);
                        assert_int_equal(r->damaged, 0);
                        assert_int_equal(r->begun, whole > 0);
                        assert_int_equal(r->ended, whole == 11);
                }
                if (whole == 0) {
                        Err err = { 0 };
                        assert_int_equal(open_result("X", false, &err), -ENOENT);
                        assert_non_null(strstr(err.text, "never begun"));
                        continue;
                }
                RollLog *log = open_good("X", said);
                assert_int_equal(*said != '\0', torn);
                append(log, RESUME);
                append(log, END);
                (void) roll_log_free(log);
                _cleanup_(roll_record_freep) RollRecord *r = read_good("X");
                assert_int_equal(events_of(r), whole + 2);
                assert_true(r->ended && !r->torn && r->damaged == 0);
        }
}

/* A file system may keep the length of the last write and lose its bytes. */
static void a_last_line_of_zeros(void **state)
{
        (void) state;
        char text[sizeof(all)], said[256];
        (void) roll_log_free(create("first", ROLL));
        size_t before = strlen(all) - strlen(END);
        for (int with_end = 0; with_end < 2; with_end++) {
                memcpy(text, all, sizeof(all));
                memset(text + before, 0, strlen(END) - (size_t) with_end);
                put("X", text, strlen(END) + before);
                _cleanup_(roll_record_freep) RollRecord *r = read_good("X");
                assert_int_equal(events_of(r), 10);
                assert_true(r->torn && r->damaged == 0 && !r->ended);
                (void) roll_log_free(open_good("X", said));
                assert_non_null(strstr(said, "cut off"));
                assert_int_equal(file_size("X"), before);
        }
}

/* What is damaged in the middle was once good: that is no crash, and nobody may just go on. */
static void a_damaged_line(void **state)
{
        (void) state;
        static const char *const harm[] = { "{\"event\":", "not JSON", "[]", "{\"no\":\"event\"}", "" };
        (void) roll_log_free(create("first", ROLL));
        unsigned line = 0;
        for (const char *p = all; *p; p = strchr(p, '\n') + 1) {
                line++;
                if (!strchr(p, '\n')[1])
                        break; /* the last: as above */
                for (size_t i = 0; i < ELEMENTS(harm); i++) {
                        char text[sizeof(all) + 64], place[32];
                        Err err = { 0 };
                        int n = snprintf(text, sizeof(text), "%.*s%s%s", (int) (p - all), all, harm[i],
                                         strchr(p, '\n'));
                        put("X", text, (size_t) n);
                        _cleanup_(roll_record_freep) RollRecord *r = read_good("X");
                        assert_int_equal(events_of(r), 10);
                        assert_int_equal(r->damaged, 1);
                        assert_false(r->torn);
                        assert_true(r->ended);
                        (void) snprintf(place, sizeof(place), "/X.jsonl:%u: ", line);
                        assert_non_null(strstr(r->trouble, place));
                        assert_int_equal(open_result("X", false, &err), -EBADMSG);
                        assert_non_null(strstr(err.text, place));
                        assert_int_equal(file_size("X"), n);
                        /* ... but to write that it is given up. */
                        assert_int_equal(open_result("X", true, &err), 0);
                }
        }
        assert_int_equal(line, 11);
}

static void another_format(void **state)
{
        (void) state;
        static const char newer[] = "{\"event\":\"roll\",\"format\":2,\"id\":\"X\"}\n";
        RollRecord *r = NULL;
        Err err = { 0 };
        (void) roll_log_free(create("first", ROLL));
        put("X", newer, strlen(newer));
        assert_int_equal(roll_log_read(dir, "X", &r, &err), -EPROTO);
        assert_non_null(strstr(err.text, "format 2"));
        assert_int_equal(open_result("X", true, &err), -EPROTO);
        /* Whoever wrote it may still be at it: it is not overlooked. */
        char **ids = NULL;
        assert_int_equal(roll_log_unfinished(dir, NULL, &ids, &err), 0);
        assert_string_equal(ids[0], "X");
        (void) roll_ids_free(ids);
}

static void things_that_are_no_journal(void **state)
{
        (void) state;
        RollRecord *r = NULL;
        Err err = { 0 };
        (void) roll_log_free(create("first", ROLL));
        assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
        assert_int_equal(mkdir(path_of("folder"), 0700), 0);
        assert_int_equal(symlink("/etc/passwd", path_of("link")), 0);
        assert_int_equal(roll_log_read(dir, "fifo", &r, &err), -EBADMSG);
        assert_int_equal(roll_log_read(dir, "folder", &r, &err), -EBADMSG);
        assert_int_equal(roll_log_read(dir, "link", &r, &err), -ELOOP);
        assert_int_equal(roll_log_read(dir, "../../../etc/passwd", &r, &err), -ENOENT);
        assert_int_equal(roll_log_read(dir, "missing", &r, &err), -ENOENT);
        assert_int_equal(open_result("missing", false, &err), -ENOENT);
        assert_int_equal(open_result("..", false, &err), -ENOENT);
        /* Sparse: nobody has to have that much disk for this test. */
        put("large", "", 0);
        assert_int_equal(truncate(path_of("large"), (off_t) ROLL_LOG_MAX_BYTES + 1), 0);
        assert_int_equal(roll_log_read(dir, "large", &r, &err), -E2BIG);
        assert_int_equal(open_result("large", false, &err), -E2BIG);
        RollList list;
        assert_int_equal(roll_log_list(dir, &list, &err), 0);
        assert_int_equal(list.n, 5);
        unsigned troubles = 0;
        for (size_t i = 0; i < list.n; i++)
                troubles += list.rolls[i].trouble[0] != '\0';
        assert_int_equal(troubles, 4);
        roll_list_done(&list);
}

/* ---- disks that fail ---- */

static int append_long(RollLog *log, size_t len, Err *err)
{
        char *text = malloc(len + 1);
        cJSON *e = roll_log_event("warning");
        memset(text, 'x', len);
        text[len] = '\0';
        (void) cJSON_AddStringToObject(e, "text", text);
        free(text);
        return roll_log_append(log, e, NULL, err);
}

/* What cannot be stored leaves nothing behind, and the next that can is whole. */
static void no_room(RollLog *log, int error, void (*make_room)(void))
{
        const char *id = roll_log_id(log);
        _cleanup_(freep) char *line = NULL;
        size_t before = file_size(id);
        Err err = { 0 };
        assert_int_equal(append_long(log, 20000, &err), error);
        assert_non_null(strstr(err.text, path_of(id)));
        assert_int_equal(file_size(id), before);
        assert_int_equal(append_long(log, 20000, &err), error);
        {
                _cleanup_(roll_record_freep) RollRecord *r = read_good(id);
                assert_false(r->torn);
        }
        make_room();
        assert_int_equal(roll_log_append(log, cJSON_Parse(END), &line, &err), 0);
        assert_non_null(line);
        _cleanup_(roll_record_freep) RollRecord *r = read_good(id);
        assert_true(r->ended && !r->torn && r->damaged == 0);
        assert_int_equal(events_of(r), 2);
}

static int filler = -1;

static void drop_filler(void)
{
        assert_int_equal(ftruncate(filler, 0), 0);
        (void) close(filler);
        filler = -1;
}

static void a_full_disk(void **state)
{
        (void) state;
        char block[4096] = "";
        RollLog *none = NULL;
        Err err = { 0 };
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", base, "tmpfs", 0, "size=64k") < 0)
                skip();
        _cleanup_(roll_log_freep) RollLog *log = create("router", ROLL);
        filler = open(path_of("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(filler, block, sizeof(block)) > 0)
                ;
        no_room(log, -ENOSPC, drop_filler);

        /* A roll that cannot be written down is not begun, and no empty file stays. */
        filler = open(path_of("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(filler, block, sizeof(block)) > 0)
                ;
        assert_int_equal(roll_log_create(&none, dir, "router", cJSON_Parse(ROLL), NULL, &err), -ENOSPC);
        assert_null(none);
        (void) unlink(path_of("filler"));
        drop_filler();
        RollList list;
        assert_int_equal(roll_log_list(dir, &list, &err), 0);
        assert_int_equal(list.n, 1);
        roll_list_done(&list);

        log = roll_log_free(log);
        assert_int_equal(mount(NULL, base, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(roll_log_create(&none, dir, "router", cJSON_Parse(ROLL), NULL, &err), -EROFS);
        assert_non_null(strstr(err.text, dir));
        assert_int_equal(umount(base), 0);
}

static void no_limit(void)
{
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_file_that_may_not_grow(void **state)
{
        (void) state;
        _cleanup_(roll_log_freep) RollLog *log = create("router", ROLL);
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = file_size(roll_log_id(log)) + 100; /* a part of the line fits */
        (void) signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        no_room(log, -EFBIG, no_limit);
}

static void a_line_that_is_too_long(void **state)
{
        (void) state;
        _cleanup_(roll_log_freep) RollLog *log = create("router", ROLL);
        Err err = { 0 };
        size_t before = file_size(roll_log_id(log));
        assert_int_equal(append_long(log, ROLL_LOG_MAX_LINE, &err), -EFBIG);
        assert_int_equal(file_size(roll_log_id(log)), before);
        assert_int_equal(append_long(log, ROLL_LOG_MAX_LINE / 2, &err), 0);
        assert_int_equal(roll_log_append(log, NULL, NULL, &err), -ENOMEM);
}

/* ---- one writer ---- */

static void one_process_at_a_time(void **state)
{
        (void) state;
        RollLog *log = create("router", ROLL);
        char id[ROLL_ID_SIZE], pid[64], said[256];
        Err err = { 0 };
        int status;
        (void) snprintf(id, sizeof(id), "%s", roll_log_id(log));
        (void) snprintf(pid, sizeof(pid), "process %d on ", getpid());

        assert_int_equal(open_result(id, false, &err), -EBUSY);
        assert_non_null(strstr(err.text, pid));
        assert_non_null(strstr(err.text, id));
        assert_non_null(strstr(err.text, "alice"));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
                _exit(open_result(id, true, NULL) == -EBUSY ? 0 : 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

        /* Who reads is never in the way of who writes. */
        _cleanup_(roll_record_freep) RollRecord *r = read_good(id);
        assert_true(r->running);
        append(log, WARNING);
        (void) roll_log_free(log);
        _cleanup_(roll_record_freep) RollRecord *later = read_good(id);
        assert_false(later->running);
        log = open_good(id, said);
        assert_string_equal(said, "");
        (void) roll_log_free(log);
}

/* The lock goes with a process that is killed, whatever its children are. */
static void a_killed_process(void **state)
{
        (void) state;
        int ready[2], status;
        char id[ROLL_ID_SIZE] = "", said[256];
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                RollLog *log = create("router", ROLL);
                (void) !write(ready[1], roll_log_id(log), ROLL_ID_SIZE);
                (void) pause();
                _exit(0);
        }
        assert_true(read(ready[0], id, sizeof(id)) > 0);
        assert_int_equal(open_result(id, false, NULL), -EBUSY);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        (void) close(ready[0]);
        (void) close(ready[1]);
        (void) roll_log_free(open_good(id, said));
        assert_string_equal(said, "");
}

/* ---- many ---- */

static void what_is_in_the_directory(void **state)
{
        (void) state;
        RollList list;
        char **ids = NULL, id[ROLL_ID_SIZE];
        Err err = { 0 };

        assert_int_equal(roll_log_list(dir, &list, &err), 0); /* no directory */
        assert_int_equal(list.n, 0);
        assert_int_equal(roll_log_find(dir, NULL, false, id, &err), -ENOENT);
        (void) roll_log_free(create("first", ROLL));
        assert_int_equal(nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        assert_int_equal(mkdir(dir, 0700), 0);

        put("20260101T000000-router-0001", all, strlen(all));
        put("20260102T000000-router-0002", all, strlen(all) - strlen(END));
        put("20260103T000000-mp-0003", ROLL, strlen(ROLL) / 2);
        put("20260104T000000-mp-0004", "", 0);
        put("20260105T000000-mp-0005", ALL RESUME, strlen(ALL RESUME));
        put("20260106T000000-mp-0006", "broken\n" STOP, strlen("broken\n" STOP));
        put("20260107T000000-mp-0007", "broken\n", strlen("broken\n"));

        assert_int_equal(roll_log_list(dir, &list, &err), 0);
        assert_int_equal(list.n, 7);
        assert_string_equal(list.rolls[6].id, "20260101T000000-router-0001");
        assert_true(list.rolls[6].begun && list.rolls[6].ended);
        assert_string_equal(json_text(list.rolls[6].last, "result"), "held");
        assert_true(list.rolls[5].begun && !list.rolls[5].ended);
        assert_false(list.rolls[4].begun);
        assert_false(list.rolls[3].begun);
        assert_true(list.rolls[2].begun && !list.rolls[2].ended);
        assert_true(list.rolls[1].begun && !list.rolls[1].ended);
        assert_true(list.rolls[1].trouble[0]);
        assert_false(list.rolls[0].begun);
        roll_list_done(&list);

        assert_int_equal(roll_log_unfinished(dir, "router/dc-1", &ids, &err), 0);
        assert_string_equal(ids[0], "20260106T000000-mp-0006"); /* nobody knows its pools */
        assert_string_equal(ids[1], "20260105T000000-mp-0005");
        assert_string_equal(ids[2], "20260102T000000-router-0002");
        assert_null(ids[3]);
        (void) roll_ids_free(ids);
        assert_int_equal(roll_log_unfinished(dir, "router/dc-2", &ids, &err), 0);
        assert_string_equal(ids[0], "20260106T000000-mp-0006");
        assert_null(ids[1]);
        (void) roll_ids_free(ids);

        assert_int_equal(roll_log_find(dir, "0002", false, id, &err), 0);
        assert_string_equal(id, "20260102T000000-router-0002");
        assert_int_equal(roll_log_find(dir, "20260105", false, id, &err), 0);
        assert_string_equal(id, "20260105T000000-mp-0005");
        assert_int_equal(roll_log_find(dir, "2026010", false, id, &err), -ENOTUNIQ);
        assert_int_equal(roll_log_find(dir, "nothing", false, id, &err), -ENOENT);
        assert_int_equal(roll_log_find(dir, NULL, false, id, &err), 0);
        assert_string_equal(id, "20260106T000000-mp-0006");
        (void) unlink(path_of("20260106T000000-mp-0006"));
        (void) unlink(path_of("20260105T000000-mp-0005"));
        assert_int_equal(roll_log_find(dir, NULL, true, id, &err), 0);
        assert_string_equal(id, "20260102T000000-router-0002");
        (void) unlink(path_of("20260102T000000-router-0002"));
        assert_int_equal(roll_log_find(dir, NULL, true, id, &err), -ENOENT);
}

/* A long last line, of a node, and then the end: only the end of the file is read. */
static void the_last_line_is_found_behind_long_ones(void **state)
{
        (void) state;
        RollLog *log = create("router", ROLL);
        RollList list;
        Err err = { 0 };
        assert_int_equal(append_long(log, 200000, &err), 0);
        assert_int_equal(roll_log_list(dir, &list, &err), 0);
        assert_true(list.n == 1 && list.rolls[0].begun && !list.rolls[0].ended && list.rolls[0].running);
        roll_list_done(&list);
        append(log, END);
        (void) roll_log_free(log);
        assert_int_equal(roll_log_list(dir, &list, &err), 0);
        assert_true(list.n == 1 && list.rolls[0].ended && !list.rolls[0].running);
        roll_list_done(&list);
}

/* ---- where ---- */

static void expect_dir(const char *configured, const char *expected)
{
        _cleanup_(freep) char *path = NULL;
        Err err = { 0 };
        if (roll_log_dir(configured, &path, &err) < 0)
                fail_msg("%s", err.text);
        assert_string_equal(path, expected);
}

static void the_directory(void **state)
{
        (void) state;
        char *path = NULL;
        Err err = { 0 };
        bool root = geteuid() == 0;
        if (root)
                expect_dir("auto", "/var/lib/edge-roll/rolls");
        expect_dir("/srv/rolls", "/srv/rolls");
        assert_int_equal(roll_log_dir("rolls", &path, &err), -EINVAL);
        assert_non_null(strstr(err.text, "journal_dir"));

        if (root)
                assert_int_equal(seteuid(65534), 0);
        (void) setenv("HOME", "/home/alice", 1);
        (void) setenv("XDG_STATE_HOME", "/state", 1);
        expect_dir("auto", "/state/edge-roll/rolls");
        (void) setenv("XDG_STATE_HOME", "relative", 1);
        expect_dir("auto", "/home/alice/.local/state/edge-roll/rolls");
        (void) unsetenv("XDG_STATE_HOME");
        expect_dir("auto", "/home/alice/.local/state/edge-roll/rolls");
        if (root)
                assert_int_equal(seteuid(0), 0);
}

static void a_directory_that_cannot_be_made(void **state)
{
        (void) state;
        RollLog *log = NULL;
        Err err = { 0 };
        char under[128];
        (void) snprintf(under, sizeof(under), "%s/file", base);
        FILE *f = fopen(under, "we");
        assert_int_equal(fclose(f), 0);
        (void) snprintf(under, sizeof(under), "%s/file/rolls", base);
        assert_int_equal(roll_log_create(&log, under, "router", cJSON_Parse(ROLL), NULL, &err), -ENOTDIR);
        assert_non_null(strstr(err.text, "/file"));
        assert_null(log);
        /* One slash more changes nothing. */
        (void) snprintf(under, sizeof(under), "%s/b//c/", base);
        assert_int_equal(roll_log_create(&log, under, "router", cJSON_Parse(ROLL), NULL, &err), 0);
        (void) roll_log_free(log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(a_new_journal),
                TEST(a_name_becomes_part_of_a_file_name),
                TEST(what_it_all_means),
                TEST(a_node_with_two_components),
                TEST(cut_off_at_every_byte),
                TEST(a_last_line_of_zeros),
                TEST(a_damaged_line),
                TEST(another_format),
                TEST(things_that_are_no_journal),
                TEST(a_full_disk),
                TEST(a_file_that_may_not_grow),
                TEST(a_line_that_is_too_long),
                TEST(one_process_at_a_time),
                TEST(a_killed_process),
                TEST(what_is_in_the_directory),
                TEST(the_last_line_is_found_behind_long_ones),
                TEST(the_directory),
                TEST(a_directory_that_cannot_be_made),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
