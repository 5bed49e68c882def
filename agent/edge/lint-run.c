/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/lint-run.h"

#include <string.h>

#include "agent/put.h"
#include "probes/bundle.h"
#include "probes/json.h"

static int ignore_parse(LintRun *run, const char *text, Err *err)
{
        char name[64];
        for (const char *p = text ? text : "";;) {
                p += strspn(p, ", ");
                size_t n = strcspn(p, ", ");
                if (n == 0)
                        return 0;
                (void) snprintf(name, sizeof(name), "%.*s", (int) MIN(n, sizeof(name) - 1), p);
                LintRule rule = lint_rule_from_name(name);
                if (rule < 0)
                        return err_set(
                                err, -EINVAL,
                                "there is no rule \"%s\"; edge-roll(1) lists them, and each finding names its own",
                                name);
                run->ignored[rule] = true;
                p += n;
        }
}

/* ---- a finding ---- */

static int finding_json(FILE *f, const char *file, const LintFinding *fi)
{
        const LintRuleInfo *rule = lint_rule(fi->rule);
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        if (!o || !cJSON_AddStringToObject(o, "event", "finding") ||
            !cJSON_AddStringToObject(o, "file", file) || !cJSON_AddNumberToObject(o, "line", fi->line) ||
            !cJSON_AddStringToObject(o, "rule", rule->name) ||
            !cJSON_AddStringToObject(o, "level", lint_level_name(fi->level)) ||
            !cJSON_AddStringToObject(o, "text", fi->text) || !cJSON_AddStringToObject(o, "why", rule->why) ||
            !cJSON_AddStringToObject(o, "fix", rule->fix))
                return -ENOMEM;
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
        return text && fprintf(f, "%s\n", text) > 0 ? 0 : -ENOMEM;
}

static int finding_text(FILE *f, const char *file, const LintFinding *fi, bool explained, bool colour)
{
        static const Colour colours[] = { COLOUR_DIM, COLOUR_WARN, COLOUR_BAD };
        const LintRuleInfo *rule = lint_rule(fi->rule);
        /* As compilers write it, so that editors find the place. */
        put_clean(f, file);
        (void) fprintf(f, ":%u: ", MAX(fi->line, 1U));
        put_colour(f, colour, colours[fi->level]);
        (void) fputs(lint_level_name(fi->level), f);
        put_plain(f, colour);
        (void) fputs(": ", f);
        put_clean(f, fi->text);
        (void) fprintf(f, " [%s]\n", rule->name);
        if (!explained) {
                (void) fputs("    why: ", f);
                put_wrapped(f, rule->why, 9, 9, PUT_WIDTH_DEFAULT);
                (void) fputs("\n    fix: ", f);
                put_wrapped(f, rule->fix, 9, 9, PUT_WIDTH_DEFAULT);
                (void) fputc('\n', f);
        }
        return ferror(f) ? -EIO : 0;
}

static int tell(LintRun *run, const char *path, const LintFindings *findings)
{
        for (size_t i = 0; i < findings->n; i++) {
                const LintFinding *fi = &findings->items[i];
                if (run->ignored[fi->rule])
                        continue;
                run->sums.errors += fi->level == LINT_ERROR;
                run->sums.warnings += fi->level == LINT_WARNING;
                run->sums.notes += fi->level == LINT_NOTE;
                bool explained = run->explained[fi->rule];
                run->explained[fi->rule] = true;
                int r = run->found  ? run->found(path, fi, run->userdata)
                        : run->json ? finding_json(run->out, path, fi)
                                    : finding_text(run->out, path, fi, explained, run->colour);
                if (r < 0)
                        return err_set(run->err, r, "The findings cannot be written");
        }
        return 0;
}

/* ---- a document ---- */

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        LintRun *run = userdata;
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        _cleanup_(lint_done) LintFindings findings = { 0 };
        Err err = { 0 };

        int r = edge_xml_read(text, len, &x, &err);
        if (r == -EBADMSG || r == -E2BIG) {
                run->sums.documents++;
                r = lint_unreadable(err.text, &findings);
        } else if (r < 0)
                return err_set(run->err, r, "%s", err.text);
        else if (x->kind != EDGE_XML_OTHER) {
                run->sums.documents++;
                r = lint_document(x, run->servers, &findings);
        }
        return r < 0 ? err_set(run->err, r, "Out of memory") : tell(run, path, &findings);
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        LintRun *run = userdata;
        _cleanup_(lint_done) LintFindings findings = { 0 };
        if (lint_unreadable(problem, &findings) < 0)
                return err_set(run->err, -ENOMEM, "Out of memory");
        return tell(run, path, &findings);
}

/* ---- all ---- */

const BundleHandlers lint_handlers = { .document = on_document, .problem = on_problem };

int lint_begin(LintRun *run, Err *err)
{
        run->err = err;
        return ignore_parse(run, run->ignore, err);
}

Result lint_result(const LintRun *run)
{
        const LintSums *s = &run->sums;
        return s->errors > 0 || (run->strict && s->warnings > 0) ? RESULT_PROBLEMS : RESULT_DONE;
}

void lint_counts(const LintSums *s, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%zu error%s, %zu warning%s, %zu note%s in %zu document%s", s->errors,
                        s->errors == 1 ? "" : "s", s->warnings, s->warnings == 1 ? "" : "s", s->notes,
                        s->notes == 1 ? "" : "s", s->documents, s->documents == 1 ? "" : "s");
}
