/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What ssh, sudo, login shells and agents complain of. */

#include "agent/cluster/ssh-trouble.h"
#include "tests/fuzz/fuzz.h"

static void good(const SshTrouble *t)
{
        fuzz_check(t->kind >= 0 && t->kind < REMOTE_TROUBLE_COUNT && *t->text);
        fuzz_check(fuzz_is_ascii(t->text) && fuzz_is_ascii(t->hint));
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        int status = (int) (int16_t) fuzz_u16(&f);
        bool was_up = fuzz_byte(&f) & 1;
        _cleanup_(freep) char *complaint = fuzz_text(&f, NULL), *line = fuzz_text(&f, NULL),
                              *name = fuzz_text(&f, NULL);
        SshTried tried = { .command = "ssh -l edge r1",
                           .host = "r1",
                           .user = "edge",
                           .bridge = "sudo -n edge-roll bridge",
                           .was_up = was_up };
        SshTrouble t;

        ssh_trouble(status, complaint, "15 s", &tried, &t);
        good(&t);
        ssh_foreign(line, &tried, &t);
        good(&t);
        if (remote_error_trouble(name, line, &tried, &t))
                good(&t);
}
