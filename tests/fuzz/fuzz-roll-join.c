/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The notes beside the journal of a roll, which whoever wants the same leaves there: taken up in two parts,
 * as they grow; and with them the journal that they go into. A cut is where the first part ends.
 */

#include <sys/stat.h>

#include "agent/cluster/roll-join.h"
#include "agent/cluster/roll-record.h"
#include "probes/json.h"
#include "tests/fuzz/fuzz.h"

#define JOURNAL "roll.jsonl"

static const char begin[] =
        "{\"event\":\"roll\",\"format\":1,\"id\":\"roll\",\"component\":\"router\",\"nodes\":[]}\n";

/* Return: how many events came. */
static int take(const char *journal, off_t size, off_t *at)
{
        static const char *const texts[] = { "by", "host", "reason", "call" };
        off_t before = *at;
        cJSON *events = roll_join_take(journal, at), *e;
        int n = cJSON_GetArraySize(events);

        fuzz_check(*at >= before && *at <= size);
        fuzz_check(n == 0 || *at > before);
        cJSON_ArrayForEach(e, events)
        {
                fuzz_check(strcmp(json_text(e, "event"), "join") == 0);
                for (size_t i = 0; i < ELEMENTS(texts); i++)
                        fuzz_check(strlen(json_text(e, texts[i])) < 512);
        }
        cJSON_Delete(events);
        return n;
}

/* As the coordinator writes them down, and as they are read again. */
static void write_down(const char *journal)
{
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        _cleanup_(freep) char *text = NULL;
        size_t len = 0;
        off_t at = 0;
        cJSON *events = roll_join_take(journal, &at), *e;
        FILE *f = open_memstream(&text, &len);

        if (f)
                (void) fputs(begin, f);
        cJSON_ArrayForEach(e, events)
        {
                char *line = cJSON_PrintUnformatted(e);
                if (f && line)
                        (void) fprintf(f, "%s\n", line);
                cJSON_free(line);
        }
        if (f && fclose(f) == 0 && roll_record_parse(text, len, JOURNAL, &record, NULL) == 0)
                fuzz_check(fuzz_is_ascii(record->trouble));
        cJSON_Delete(events);
}

/* Another one joins: his note is behind what was there. */
static void join(const char *journal, const char *reason, off_t at)
{
        struct stat st;
        char path[300];
        cJSON *who = cJSON_CreateObject();

        cJSON_AddStringToObject(who, "by", "a fuzzer");
        cJSON_AddStringToObject(who, "reason", reason);
        cJSON_AddNumberToObject(who, "pid", 7);
        int r = roll_join_ask(fuzz_dir(), "roll", who, NULL);
        (void) snprintf(path, sizeof(path), "%s.joins", journal);
        if (r == 0 && stat(path, &st) == 0 && st.st_size <= (off_t) ROLL_JOIN_MAX_BYTES)
                (void) take(journal, st.st_size, &at);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        const uint8_t *cut = size > 0 ? memchr(data, FUZZ_CUT, size) : NULL;
        const size_t first = cut ? (size_t) (cut - data) : size, behind = first + (cut != NULL);
        Fuzz f = { data + behind, size - behind };
        char journal[256];
        off_t at = 0;

        (void) snprintf(journal, sizeof(journal), "%s/" JOURNAL, fuzz_dir());
        (void) fuzz_file(JOURNAL ".joins", data, first);
        (void) take(journal, (off_t) first, &at);
        (void) fuzz_file(JOURNAL ".joins", data, size);
        (void) take(journal, (off_t) size, &at);
        write_down(journal);
        _cleanup_(freep) char *reason = fuzz_text(&f, NULL);
        join(journal, reason, at);
        roll_join_done(journal);
}
