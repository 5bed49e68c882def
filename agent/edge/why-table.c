/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/why-table.h"

#include <string.h>

#include "base/cleanup.h"

#define USE(use) (1U << (use))
#define VHOSTS   (USE(WHY_VHOST_KEYS) | USE(WHY_VHOST_TRUST))
#define TARGETS  (USE(WHY_TARGET_KEYS) | USE(WHY_TARGET_TRUST))

const WhyRow why_table[] = {
        { STORE_BY_REFERENCE, WHY_NEW_STORE, VHOSTS | TARGETS, WHY_NOTHING, true,
          "a reference that is pointed at another store takes effect without a restart" },
        { STORE_BY_VARIABLE, WHY_NEW_STORE, TARGETS, WHY_NOTHING, true,
          "a flow variable names the store for each request" },
        { STORE_DIRECT, WHY_NEW_STORE, VHOSTS, WHY_ROUTERS, true,
          "a virtual host that names another store directly takes effect when routers are restarted" },
        { STORE_DIRECT, WHY_NEW_STORE, USE(WHY_TARGET_TRUST), WHY_REDEPLOY, true,
          "another truststore of a target takes effect when the proxy is deployed again" },
        { STORE_DIRECT, WHY_RECREATED, VHOSTS, WHY_NOTHING, true,
          "a store that was deleted and created again under its name is found by routers without a restart; requests "
          "fail until it is whole" },
        { STORE_DIRECT, WHY_RECREATED, USE(WHY_TARGET_KEYS), WHY_MPS, true,
          "a store that was created again and is used for two-way TLS to a target is read when message processors are "
          "restarted" },
        { STORE_DIRECT, WHY_UPLOADED, USE(WHY_VHOST_TRUST), WHY_ROUTERS, true,
          "a certificate put into the truststore of a virtual host takes effect when routers are restarted" },
        { STORE_DIRECT, WHY_UPLOADED, USE(WHY_TARGET_TRUST), WHY_MPS, true,
          "a certificate put into the truststore of a target takes effect when message processors are restarted" },
        { STORE_BY_REFERENCE, WHY_TO_REFERENCE, VHOSTS, WHY_ROUTERS, true,
          "the first change of a virtual host from a store to a reference takes effect when routers are restarted" },

        /* Apigee's table does not speak of these. */
        { STORE_DIRECT, WHY_NEW_STORE, USE(WHY_TARGET_KEYS), WHY_MPS, false,
          "whether another keystore of a target needs a restart is not documented, so message processors are "
          "restarted" },
        { STORE_DIRECT, WHY_RECREATED, USE(WHY_TARGET_TRUST), WHY_MPS, false,
          "whether the truststore of a target that was created again is read without a restart is not documented, so "
          "message processors are restarted" },
        { STORE_DIRECT, WHY_UPLOADED, USE(WHY_VHOST_KEYS), WHY_ROUTERS, false,
          "whether a certificate put into the keystore of a virtual host is served without a restart is not "
          "documented, so routers are restarted" },
        { STORE_DIRECT, WHY_UPLOADED, USE(WHY_TARGET_KEYS), WHY_MPS, false,
          "whether a certificate put into the keystore of a target is read without a restart is not documented, so "
          "message processors are restarted" },
        { STORE_BY_REFERENCE, WHY_RECREATED, VHOSTS, WHY_ROUTERS, false,
          "whether a store behind a reference that was created again is read without a restart is not documented, so "
          "routers are restarted" },
        { STORE_BY_REFERENCE, WHY_RECREATED, TARGETS, WHY_MPS, false,
          "whether a store behind a reference that was created again is read without a restart is not documented, so "
          "message processors are restarted" },
        { STORE_BY_REFERENCE, WHY_UPLOADED, VHOSTS, WHY_ROUTERS, false,
          "whether a certificate put into a store behind a reference takes effect without a restart is not "
          "documented, so routers are restarted" },
        { STORE_BY_REFERENCE, WHY_UPLOADED, TARGETS, WHY_MPS, false,
          "whether a certificate put into a store behind a reference takes effect without a restart is not "
          "documented, so message processors are restarted" },
        { STORE_BY_REFERENCE, WHY_TO_REFERENCE, TARGETS, WHY_REDEPLOY, false,
          "whether the change of a target from a store to a reference takes effect by itself is not documented: the "
          "proxies that use it are deployed again" },
        { STORE_BY_VARIABLE, WHY_RECREATED, TARGETS, WHY_MPS, false,
          "whether a store behind a flow variable that was created again is read without a restart is not documented, "
          "so message processors are restarted" },
        { STORE_BY_VARIABLE, WHY_UPLOADED, TARGETS, WHY_MPS, false,
          "whether a certificate put into a store behind a flow variable takes effect without a restart is not "
          "documented, so message processors are restarted" },

        /* What cannot be: a virtual host knows no flow variables, and a change to a reference leaves one. */
        { STORE_DIRECT, WHY_TO_REFERENCE, VHOSTS, WHY_ROUTERS, false,
          "it names a store directly, and no reference: what was changed is not understood, so routers are "
          "restarted" },
        { STORE_DIRECT, WHY_TO_REFERENCE, TARGETS, WHY_MPS, false,
          "it names a store directly, and no reference: what was changed is not understood, so message processors "
          "are restarted" },
        { STORE_BY_VARIABLE, WHY_TO_REFERENCE, TARGETS, WHY_MPS, false,
          "it names a flow variable, and no reference: what was changed is not understood, so message processors are "
          "restarted" },
        { STORE_BY_VARIABLE, WHY_NEW_STORE, VHOSTS, WHY_ROUTERS, false,
          "a virtual host that names a flow variable is not documented, so routers are restarted" },
        { STORE_BY_VARIABLE, WHY_RECREATED, VHOSTS, WHY_ROUTERS, false,
          "a virtual host that names a flow variable is not documented, so routers are restarted" },
        { STORE_BY_VARIABLE, WHY_UPLOADED, VHOSTS, WHY_ROUTERS, false,
          "a virtual host that names a flow variable is not documented, so routers are restarted" },
        { STORE_BY_VARIABLE, WHY_TO_REFERENCE, VHOSTS, WHY_ROUTERS, false,
          "a virtual host that names a flow variable is not documented, so routers are restarted" },
};
const size_t why_table_rows = ELEMENTS(why_table);

static const char *const change_names[] = {
        [WHY_NEW_STORE] = "new",
        [WHY_RECREATED] = "recreated",
        [WHY_UPLOADED] = "uploaded",
        [WHY_TO_REFERENCE] = "to-reference",
};
_Static_assert(ELEMENTS(change_names) == WHY_CHANGE_COUNT, "every change has a name");

static const char *const use_names[] = {
        [WHY_VHOST_KEYS] = "the keystore",
        [WHY_VHOST_TRUST] = "the truststore",
        [WHY_TARGET_KEYS] = "the keystore",
        [WHY_TARGET_TRUST] = "the truststore",
};
_Static_assert(ELEMENTS(use_names) == WHY_USE_COUNT, "every use has a name");

static const char *const action_names[] = {
        [WHY_NOTHING] = "nothing",
        [WHY_REDEPLOY] = "redeploy",
        [WHY_MPS] = "message-processors",
        [WHY_ROUTERS] = "routers",
};
_Static_assert(ELEMENTS(action_names) == WHY_ACTION_COUNT, "every action has a name");

const char *why_change_name(WhyChange change)
{
        return change >= 0 && change < WHY_CHANGE_COUNT ? change_names[change] : "not said how";
}

WhyChange why_change_from_name(const char *name)
{
        for (int i = 0; i < WHY_CHANGE_COUNT; i++)
                if (strcmp(name, change_names[i]) == 0)
                        return (WhyChange) i;
        return WHY_CHANGE_INVALID;
}

const char *why_use_name(WhyUse use)
{
        return use >= 0 && use < WHY_USE_COUNT ? use_names[use] : "invalid";
}

const char *why_action_name(WhyAction action)
{
        return action >= 0 && action < WHY_ACTION_COUNT ? action_names[action] : "invalid";
}

const WhyRow *why_look_up(StoreNaming naming, WhyChange change, WhyUse use)
{
        const WhyRow *found = NULL;
        for (size_t i = 0; i < ELEMENTS(why_table); i++) {
                const WhyRow *row = &why_table[i];
                if (row->naming != naming || !(row->uses & USE(use)))
                        continue;
                if (change >= 0 && row->change == change)
                        return row;
                /* Not said how: the strongest. A switch to a reference happens once; whoever has made it says
                 * so. */
                bool better = !found || row->action > found->action ||
                              (row->action == found->action && row->documented && !found->documented);
                if (change < 0 && row->change != WHY_TO_REFERENCE && better)
                        found = row;
        }
        return found;
}
