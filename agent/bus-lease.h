/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Leases on the bus: who takes, renews and gives them, and whether a call is to be obeyed that was sent under
 * one. */

#include "agent/bus.h"
#include "agent/leases.h"

int method_introduce(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lease_take(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lease_renew(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lease_give(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lease_steal(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);

/* bus_lease_steal() - the same, of a caller who may. Answers @m. */
int bus_lease_steal(Agent *a, sd_bus_message *m, const char *name, const char *reason,
                    const BusCaller *caller, sd_bus_error *error) _must_check_;

int method_go(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);

/* What a call that changes something was sent with: options lease, lease-partner, step, expires. */
typedef struct BusOrder {
        uint64_t lease, lease_partner, step;
        Usec expires; /* CLOCK_BOOTTIME of this node */
        bool has_lease, has_partner, has_step, has_expires;
} BusOrder;

/* bus_order_option() - read option @key of type t. Return: 1 (it was one of these); 0 (no: nothing was read);
 * negative errno. */
int bus_order_option(sd_bus_message *m, const char *key, BusOrder *order) _must_check_;

/*
 * bus_order_check() - is the call to be obeyed? With a lease: current, a new step, in time; the step is kept
 * before anything is done. Without one: nobody has the lease of what goes out. @options: gets the lease and
 * the roll. @ret_job: the job of this very step, which runs or has just ended; NULL: none, begin one. Return:
 * 0; a negative errno with @error set, and nothing has happened.
 */
int bus_order_check(Agent *a, const Component *c, RollKind kind, JobOptions *options, const BusOrder *order,
                    Job **ret_job, sd_bus_error *error) _must_check_;

/* bus_order_read() - a{sv} of nothing but these. @ret_job: option job t, too; NULL: it is not known here.
 * Return: 0; a negative errno with @error set. */
int bus_order_read(sd_bus_message *m, BusOrder *order, uint64_t *ret_job, bool *ret_has_job,
                   sd_bus_error *error) _must_check_;

/*
 * bus_order_of_job() - is an order about @job, which runs under a lease, to be obeyed? Nothing is kept of it.
 * @ret_again: it is the last one that was obeyed, once more. bus_order_obeyed() - its step is kept: before it
 * is done. bus_order_undoes() - the same of one that undoes: also where it cannot be written.
 * bus_order_late() - has it been too long on its way? Return: 0; a negative errno with @error set.
 */
int bus_order_of_job(Agent *a, const Job *job, const BusOrder *order, bool *ret_again,
                     sd_bus_error *error) _must_check_;
int bus_order_obeyed(Agent *a, const Job *job, const BusOrder *order, sd_bus_error *error) _must_check_;
void bus_order_undoes(Agent *a, const Job *job, const BusOrder *order);
int bus_order_late(const BusOrder *order, sd_bus_error *error) _must_check_;

/* bus_lease_json() - {epoch, holder, by, since, left} of a lease that somebody has; else null. */
cJSON *bus_lease_json(const LeaseSlot *slot);
