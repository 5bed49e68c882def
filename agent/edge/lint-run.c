/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/lint-run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/put.h"
#include "agent/render.h"
#include "probes/bundle.h"
#include "probes/json.h"

typedef struct Run {
        const LintRun *options;
        bool ignored[LINT_RULE_COUNT];
        bool explained[LINT_RULE_COUNT]; /* to people, each rule once is enough */
        LintSums sums;
        Err *err;
} Run;

static int ignore_parse(Run *run, const char *text, Err *err)
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

static int tell(Run *run, const char *path, const LintFindings *findings)
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
                int r = run->options->json
                                ? finding_json(run->options->out, path, fi)
                                : finding_text(run->options->out, path, fi, explained, run->options->colour);
                if (r < 0)
                        return err_set(run->err, r, "The findings cannot be written");
        }
        return 0;
}

/* ---- a document ---- */

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        Run *run = userdata;
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
                r = lint_document(x, run->options->servers, &findings);
        }
        return r < 0 ? err_set(run->err, r, "Out of memory") : tell(run, path, &findings);
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        Run *run = userdata;
        _cleanup_(lint_done) LintFindings findings = { 0 };
        if (lint_unreadable(problem, &findings) < 0)
                return err_set(run->err, -ENOMEM, "Out of memory");
        return tell(run, path, &findings);
}

/* ---- all ---- */

static void sums_text(const Run *run)
{
        const LintSums *s = &run->sums;
        (void) fprintf(run->options->out, "%zu error%s, %zu warning%s, %zu note%s in %zu document%s\n",
                       s->errors, s->errors == 1 ? "" : "s", s->warnings, s->warnings == 1 ? "" : "s",
                       s->notes, s->notes == 1 ? "" : "s", s->documents, s->documents == 1 ? "" : "s");
}

Result lint_run(const LintRun *options, LintSums *ret, Err *err)
{
        static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };
        Run run = { .options = options, .err = err };

        if (ignore_parse(&run, options->ignore, err) < 0)
                return RESULT_USAGE;
        for (char *const *path = options->paths; *path; path++) {
                int r = bundle_read(*path, &handlers, &run, err);
                if (r < 0)
                        return r == -ENOMEM || r == -EIO || r == -ELIBACC ? RESULT_FAILED : RESULT_USAGE;
        }
        *ret = run.sums;
        if (run.sums.documents == 0 && run.sums.errors == 0) {
                (void) err_set(
                        err, -ENOENT,
                        "there is no TargetEndpoint, ServiceCallout or TargetServer in %.200s%s: bundles have them in "
                        "apiproxy/targets and apiproxy/policies",
                        options->paths[0], options->paths[1] ? " and the others" : "");
                return RESULT_USAGE;
        }
        if (!options->json)
                sums_text(&run);
        return run.sums.errors > 0 || (options->strict && run.sums.warnings > 0) ? RESULT_PROBLEMS
                                                                                 : RESULT_DONE;
}

/* With --json the last line is a result, as with every verb. */
static int end_json(Result result, const LintSums *sums, const char *reason)
{
        _cleanup_(freep) char *json = NULL;
        char counts[160];

        (void) snprintf(counts, sizeof(counts), "%zu errors, %zu warnings, %zu notes in %zu documents",
                        sums->errors, sums->warnings, sums->notes, sums->documents);
        int r = render_result_json(NULL, "lint", result_name(result), result_exit_code(result),
                                   *reason ? reason : counts, "", &json);
        return r < 0 || printf("%s\n", json) < 0 ? -EIO : 0;
}

int lint_main(const CliRequest *rq)
{
        LintRun run = {
                .paths = rq->paths,
                .ignore = rq->ignore,
                .strict = rq->strict,
                .json = rq->json,
                .colour = client_mode(STDOUT_FILENO, rq->json, false).live,
                .out = stdout,
        };
        LintSums sums = { 0 };
        Err err = { 0 };

        Result result = lint_run(&run, &sums, &err);
        if (rq->json) {
                if (end_json(result, &sums, err.text) < 0)
                        result = RESULT_FAILED;
        } else if (err.code != 0)
                (void) fprintf(stderr, "edge-roll: %s\n", err.text);
        return result_exit_code(result);
}
