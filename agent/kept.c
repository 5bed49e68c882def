/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/kept.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define NOWHERE "/nonexistent"

/* The lines that some file has set, and the sections; without where they came from. */
static void kept_lines(char *text, FILE *out)
{
        char *state;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                char *origin = strstr(line, " ; ");
                if (*line != '[' && (!origin || strcmp(origin, " ; default") == 0))
                        continue;
                if (origin)
                        *origin = '\0';
                (void) fprintf(out, "%s\n", line);
        }
}

static int directory_sync(const char *path)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int kept_write(const Config *config)
{
        _cleanup_(freep) char *text = NULL;
        _cleanup_(config_freep) Config *again = NULL;
        char path[512], temporary[520];
        size_t size;

        FILE *memory = text_open(&text, &size);
        if (!memory)
                return -errno;
        int r = config_print(config, memory, CONFIG_KEPT);
        if (text_close(memory, &text) < 0 || r < 0)
                return r < 0 ? r : -ENOMEM;
        if ((size_t) snprintf(path, sizeof(path), "%s/" KEPT_CONFIG, config->state_dir) >= sizeof(path))
                return -ENAMETOOLONG;
        (void) snprintf(temporary, sizeof(temporary), "%s.tmp", path);
        FILE *out = fopen(temporary, "we");
        if (!out)
                return -errno;
        /* The configuration may be readable by less than all. */
        (void) fchmod(fileno(out), 0600);
        kept_lines(text, out);
        /* On the disk before it takes the place of the old one: a power cut must not leave an empty one,
         * which would read as the defaults. */
        if (fflush(out) != 0 || fsync(fileno(out)) < 0)
                r = -EIO;
        if (fclose(out) != 0)
                r = -EIO;
        /* What does not read back would be worse than none. */
        if (r == 0)
                r = config_load(&again, temporary, NOWHERE, NULL);
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlink(temporary);
                return r;
        }
        return directory_sync(config->state_dir);
}

int kept_load(Config **ret, char *ret_trouble, size_t size)
{
        Err err = { 0 };
        ret_trouble[0] = '\0';
        if (config_load(ret, NULL, NULL, &err) == 0)
                return 0;
        bool kept = access(KEPT_STATE_DIR "/" KEPT_CONFIG, R_OK) == 0 &&
                    config_load(ret, KEPT_STATE_DIR "/" KEPT_CONFIG, NOWHERE, NULL) == 0;
        (void) snprintf(ret_trouble, size, "%.400s; going on with %s", err.text,
                        kept ? "the configuration of the last job (" KEPT_STATE_DIR "/" KEPT_CONFIG ")"
                             : "the defaults");
        return kept ? 0 : config_load(ret, NOWHERE, NOWHERE, NULL);
}
