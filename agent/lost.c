/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lost.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/facts.h"
#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/known.h"
#include "agent/state.h"
#include "drain/block.h"
#include "probes/json.h"

static void jsonp(cJSON **json)
{
        cJSON_Delete(*json);
}

/* Whatever of it is JSON. NULL: nothing. */
static cJSON *record_any(const char *dir, const char *name)
{
        char path[512];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_(freep) char *text = malloc(STATE_MAX_BYTES + 1);
        if (fd < 0 || !text)
                return NULL;
        ssize_t n = read(fd, text, STATE_MAX_BYTES);
        if (n <= 0)
                return NULL;
        text[n] = '\0';
        cJSON *record = json_object(text, STATE_MAX_BYTES);
        if (cJSON_IsObject(record))
                return record;
        cJSON_Delete(record);
        return NULL;
}

static const char *string_of(const cJSON *record, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, key));
        return text ? text : "";
}

/* Does the transit table refuse this component? It is the only witness when the record says nothing. */
static bool plan_from_table(const Config *config, const Component *c, Block *block, const char *table,
                            BlockPlan *ret)
{
        uint16_t port = c->health_port.automatic ? known_port(config, c) : c->health_port.ports[0];
        BlockState state = { 0 };
        if (facts_refused_from(c, table, ret))
                return true;
        if (port == 0)
                return false;
        *ret = (BlockPlan){ 0 };
        if (facts_block(c, false) == BLOCK_WHOLE)
                ret->whole_ports[ret->n_whole++] = port;
        else
                ret->syn_ports[ret->n_syn++] = port;
        return block_adopt(block, ret, NULL) == 0 && block_read(block, &state, NULL) == 0 && state.refusing;
}

/* The table as the records say would open what else is refused without one. Return: @component is held. */
static bool lost_hold(const Config *config, const char *component, const BlockPlan *plan, const char *why,
                      Unwritten *unwritten)
{
        JournalContext context = { .component = component };
        Err err = { 0 };
        Hold hold = { 0 };
        bool found = false, recorded = true;

        if (hold_read(config->state_dir, component, &hold, &found, NULL) < 0 || !found) {
                hold = (Hold){ .by = "edge-roll", .since_wall_usec = time_wall(), .plan = *plan };
                (void) snprintf(hold.component, sizeof(hold.component), "%.63s", component);
                (void) snprintf(hold.reason, sizeof(hold.reason), "an unfinished job is unknown: %.220s",
                                why);
                recorded = hold_write(config->state_dir, &hold, &err) == 0;
        }
        unwritten_find(unwritten, config, component);
        if (!recorded)
                unwritten_add(unwritten, &hold);
        if (unwritten->n == 0)
                (void) hold_main(config, "apply");
        else if (!hold_unrecorded(config, unwritten) && !recorded) {
                journal_log(
                        LOG_CRIT, JOURNAL_AGENT, &context,
                        "%s: its unfinished job is unknown (%s), and it cannot be held: %s. Look whether it "
                        "runs and is good; its load balancer may send it traffic",
                        component, why, err.text);
                return false;
        }
        if (!recorded)
                journal_log(LOG_WARNING, JOURNAL_AGENT, &context,
                            "%s: the hold cannot be recorded, so it does not survive a reboot: %s", component,
                            err.text);
        journal_log(
                LOG_ERR, JOURNAL_HELD, &context,
                "%s is held, because an unfinished job is unknown: %s. Look whether it runs, and whether monit runs and "
                "watches it (`monit summary`). Then `edge-roll restart %s` proves it, starting it if it is stopped, and "
                "ends the hold; `edge-roll undrain %s` gives it back as it is",
                component, why, component, component);
        return true;
}

int lost_settle(const Config *config, JobPlace place, const char *why, bool understood, int nft_fd,
                Unwritten *unwritten)
{
        _cleanup_(block_freep) Block *block = NULL;
        const char *name = job_record_name(place);
        _cleanup_(jsonp) cJSON *record = record_any(config->state_dir, name);
        const char *component = string_of(record, "component");
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(record, "changes");
        bool stopped = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(changes, "stopped"));
        bool monit = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(changes, "monit"));
        JournalContext context = { .component = component };
        char aside[NAME_MAX + 1];
        BlockPlan plan;
        Err err = { 0 };
        int held = 0;

        if (block_new(&block, nft_fd, (BlockOwner) config->nft_owner, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, &context, "the table of that job cannot be read: %s",
                            err.text);
        else
                block_set_table(block, job_place_table(place));
        if (understood && cJSON_IsObject(changes) && !stopped) {
                journal_log(
                        LOG_ERR, JOURNAL_AGENT, &context,
                        "the unfinished job of %s cannot go on: %s. It had stopped nothing, so the component is as it "
                        "was; its block is taken away%s",
                        component, why,
                        monit ? ". Monit was asked to leave it alone: start monit, and `monit monitor` it"
                              : "");
        } else if (*component && hold_plan_from_job(record, config_component(config, component), &plan)) {
                held += lost_hold(config, component, &plan, why, unwritten);
        } else {
                for (size_t i = 0; block && i < config->n_components; i++)
                        if (plan_from_table(config, &config->components[i], block, job_place_table(place),
                                            &plan))
                                held += lost_hold(config, config->components[i].name, &plan, why, unwritten);
                if (held == 0)
                        journal_log(
                                LOG_ERR, JOURNAL_AGENT, NULL,
                                "an unfinished job is unknown: %s. Nothing is blocked. Look whether each component runs, "
                                "and whether monit runs and watches it (`monit summary`)",
                                why);
        }
        /* What it refused is held now, or was to end anyway. */
        if (block && block_remove(block, &err) < 0)
                journal_log(
                        LOG_WARNING, JOURNAL_AGENT, &context,
                        "the table inet %s of that job is still there, but refuses nothing after 30 s: %s",
                        job_place_table(place), err.text);
        if ((size_t) snprintf(aside, sizeof(aside), LOST_PREFIX "%s", name) >= sizeof(aside))
                return -ENAMETOOLONG;
        int r = state_set_aside(config->state_dir, name, aside, &err);
        if (r < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, &context, "%s", err.text);
                return r;
        }
        return held > 0 && unwritten->n == 0;
}

bool lost_text(const Config *config, char *buf, size_t size)
{
        _cleanup_(state_list_freep) char **names = NULL;
        if (state_list(config->state_dir, LOST_PREFIX, &names, NULL) < 0 || !names[0])
                return false;
        (void) snprintf(
                buf, size,
                "an unfinished job could not be gone on with; its record is kept as %.200s/%.100s. When component and "
                "monit are as they should be, delete that file; `journalctl -u edge-roll-agent -u edge-roll-heal` says "
                "why",
                config->state_dir, names[0]);
        return true;
}
