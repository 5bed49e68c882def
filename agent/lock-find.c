/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lock-find.h"

#include "agent/properties.h"

/* The first key in the first file that names servers. */
static bool find_in(const Config *config, const char *file, LockFound *ret)
{
        _cleanup_(properties_freep) Properties *p = NULL;
        if (properties_new(&p, NULL) < 0 || properties_read(p, file, NULL) != PROPERTIES_FOUND)
                return false;
        for (char **key = config->lock_keys; key && *key; key++) {
                const char *value = properties_get(p, "zookeeper", *key);
                if (!value || lock_spec_hosts(value, &ret->spec, NULL) < 0)
                        continue;
                (void) snprintf(ret->from, sizeof(ret->from), "%.80s in %.200s", *key, file);
                return true;
        }
        return false;
}

void lock_find(const Config *config, LockFound *ret)
{
        *ret = (LockFound){ .from = "lock in the configuration" };
        if (lock_spec_parse(config->lock, &ret->spec, NULL) < 0)
                ret->spec.kind = LOCK_LEASE;
        if (ret->spec.kind != LOCK_AUTO)
                return;
        ret->automatic = true;
        for (char **file = config->lock_files; file && *file; file++)
                if (find_in(config, *file, ret))
                        return;
        ret->spec = (LockSpec){ .kind = LOCK_LEASE };
        (void) snprintf(ret->from, sizeof(ret->from), "no property of Edge names ZooKeeper");
}

const char *lock_found_text(const LockFound *f, char *buf, size_t size)
{
        char servers[512];
        if (f->spec.kind == LOCK_ZOOKEEPER)
                (void) snprintf(buf, size, "ZooKeeper at %s (%s)",
                                lock_spec_text(&f->spec, servers, sizeof(servers)), f->from);
        else if (f->spec.kind == LOCK_NONE)
                (void) snprintf(buf, size, "lock = none");
        else
                (void) snprintf(buf, size, "leases of a roll over the cluster only (%s)", f->from);
        return buf;
}

int lock_zk(const Config *config, const LockSpec *spec, ZkOptions *ret, Err *err)
{
        *ret = (ZkOptions){ .spec = *spec, .session_usec = config->lock_session_usec };
        return zk_auth_read(config->lock_auth_file, ret->auth, sizeof(ret->auth), err);
}
