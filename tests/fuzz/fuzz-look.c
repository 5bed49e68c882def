/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What agents answer to Look: believed as far as it is understood, planned with, and shown. */

#include "agent/cluster/nodes-view.h"
#include "agent/cluster/plan.h"
#include "agent/cluster/status-view.h"
#include "probes/json.h"
#include "tests/fuzz/fuzz.h"

#define NODES 4

static void plan(const Nodes *list, const PlanNode *nodes, size_t n)
{
        _cleanup_(plan_freep) Plan *p = NULL;
        _cleanup_(freep) char *text = NULL, *json = NULL;
        _cleanup_(json_closep) cJSON *o = NULL;
        const PlanOptions options = { .component = "router",
                                      .max_unavailable = { .number = 1 },
                                      .now = 1.8e9 };
        char summary[600];
        Err err = { 0 };

        if (plan_make(&p, nodes, n, list, &options, &err) == 0) {
                size_t selected = 0;
                (void) plan_summary(p, summary, sizeof(summary));
                (void) plan_waits(p);
                if (plan_render_text(p, true, &text) == 0)
                        fuzz_check(fuzz_is_clean(text, "\n"));
                fuzz_any(plan_to_json(p, &o));
                for (size_t i = 0; i < n; i++)
                        selected += nodes[i].node->selected;
                fuzz_check(p->n_steps <= selected);
        }
        free(text);
        text = NULL;
        if (nodes_view_text(list, nodes, n, &text) == 0)
                fuzz_check(fuzz_is_clean(text, "\n"));
        fuzz_any(nodes_view_json(list, nodes, n, &json));
}

/* The same answer as `status` shows it, unparsed. */
static void status(const char *json)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        _cleanup_(freep) char *text = NULL, *lines = NULL;
        const TableMode mode = { .width = 80 };

        if (json_open(json, strlen(json), LOOK_MAX, &o, NULL) < 0)
                return;
        const StatusNode node = {
                .name = "r1", .dest = "", .component = "router", .look = o, .trouble = "", .hint = ""
        };
        if (status_view_text(&node, 1, &mode, "ssh", 1800000000 * USEC_PER_SEC, &text) == 0)
                fuzz_check(fuzz_is_clean(text, "\n"));
        fuzz_any(status_view_json(&node, 1, &lines));
        (void) status_view_result(&node, 1);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        _cleanup_(nodes_freep) Nodes *list = NULL;
        NodeLook *looks[NODES] = { NULL };
        PlanNode nodes[NODES] = { { 0 } };
        size_t n = 0;
        Err err = { 0 };

        if (nodes_new(&list, "a fuzzer", &err) < 0 || nodes_add_words(list, "r1,r2,r3,r4", &err) < 0)
                return;
        for (; n < NODES && (n == 0 || f.left > 0); n++) {
                _cleanup_(freep) char *json = fuzz_text(&f, NULL);
                nodes[n] = (PlanNode){ .node = &list->nodes[n],
                                       .contact = PLAN_UNREACHABLE,
                                       .trouble = "no route" };
                if (look_parse(json, strlen(json), &looks[n], &err) == 0) {
                        fuzz_check(fuzz_is_ascii(looks[n]->component) && fuzz_is_ascii(looks[n]->pool));
                        if (n > 0 && looks[n - 1])
                                (void) look_share_members(looks[n], looks[n - 1]);
                        nodes[n] = (PlanNode){ .node = &list->nodes[n], .looks = &looks[n], .n_looks = 1 };
                } else
                        fuzz_check(*err.text && fuzz_is_ascii(err.text));
                if (n == 0)
                        status(json);
        }
        plan(list, nodes, n);
        for (size_t i = 0; i < n; i++)
                (void) look_free(looks[i]);
}
