/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Rolls with leases: coordinators that take the lease of each node of a pool, order one node after the other, die,
 * are resumed, stand still and are cut off; agents that obey or do not; people beside them. One may be out at once.
 * See README.md for what is left out and why.
 *
 * How often each mishap may come: CUTS (links), DEATHS (of coordinators, each resumed), REBOOTS (of nodes), STEALS (of
 * leases), DRAINS (by hand, where no roll has the lease), UNDRAINS, DUPS (orders that are given once more).
 */

#define N 2
#ifndef STEPS
#define STEPS N /* nodes that each roll restarts */
#endif
#ifndef ROLLS
#define ROLLS 2
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef REBOOTS
#define REBOOTS 0
#endif
#ifndef STEALS
#define STEALS 0
#endif
#ifndef DRAINS
#define DRAINS 0
#endif
#ifndef UNDRAINS
#define UNDRAINS 0
#endif
#ifndef DUPS
#define DUPS 0
#endif
#ifndef SLOW
#define SLOW 1
#endif

#include "roll.inc.pml"

byte cuts = CUTS, deaths = DEATHS, reboots = REBOOTS, steals = STEALS, drains = DRAINS, undrains = UNDRAINS;

/* scratch, meaningless between steps */
hidden byte i;

inline goes_out(n)
{
        refused[n] = 1;
        assert(job[n] == LOCAL || (holder[n] == job[n] && CURRENT(n))); /* under a lease that is in force */
        printf("node %d: out\n", n);
        k = 0;
        for (i : 0 .. N - 1) {
                k = k + refused[i]
        }
        assert(k <= 1); /* never more than allowed, never the last one */
        i = 0
}

/* One step of the agent of a node; its records survive it, so that its death changes nothing here. */
proctype Agent(byte n)
{
        byte c;
end:
        do
        :: d_step { order[0] != 0 && order_to[0] == n -> arrives(0, n, order[0], order_epoch[0], 0); order[0] = 0 }
        :: d_step {
                ROLLS > 1 && order[ROLLS - 1] != 0 && order_to[ROLLS - 1] == n ->
                arrives((ROLLS - 1), n, order[ROLLS - 1], order_epoch[ROLLS - 1], 0);
                order[ROLLS - 1] = 0
        }
        :: d_step { again != 0 && again_to == n -> arrives(again_of, n, again, again_epoch, again_old); again = 0 }
        /* The last check before the block. model: LEASE-LAST-CHECK */
#ifndef MUT_LAST_CHECK
        :: atomic {
                job[n] != 0 && job[n] != LOCAL && !placed[n] && !(holder[n] == job[n] && CURRENT(n)) ->
                ended[n] = 3; /* reach: lapsed-before-block */
                job[n] = 0
        }
        :: atomic {
                job[n] != 0 && (job[n] == LOCAL || (holder[n] == job[n] && CURRENT(n))) && !placed[n] ->
#else
        :: atomic {
                job[n] != 0 && !placed[n] ->
#endif
                placed[n] = 1;
                d_step { goes_out(n) } /* reach: went-out */
        }
        :: atomic {
                placed[n] && job[n] != LOCAL -> /* reach: restarted */
                refused[n] = 0;
                placed[n] = 0;
                job[n] = 0;
                ended[n] = 1;
                printf("node %d: back\n", n)
        }
        :: atomic {
                placed[n] -> /* reach: held */
                placed[n] = 0;
                held[n] = 1;
                ended[n] = (job[n] == LOCAL -> ended[n] : 2);
                job[n] = 0;
                printf("node %d: held\n", n)
        }
        od
}

/* Who takes a lease away from a coordinator that is at work takes the consequences: it believes in it for a while yet. */
#define NOT_AT_WORK(n) !(have[X(holder[n] - 1, n)] == 1 && age[X(holder[n] - 1, n)] < FRESH)

proctype World()
{
end:
        do
        :: d_step { MAY_TICK -> tick() }
        :: atomic { cuts > 0 && link[0] -> cuts--; link[0] = 0; printf("roll 0, node 0: cut\n") }
        :: atomic { cuts > 0 && link[1] -> cuts--; link[1] = 0; printf("roll 0, node 1: cut\n") }
#if ROLLS > 1
        :: atomic { cuts > 0 && link[2] -> cuts--; link[2] = 0; printf("roll 1, node 0: cut\n") }
        :: atomic { cuts > 0 && link[3] -> cuts--; link[3] = 0; printf("roll 1, node 1: cut\n") }
#endif
        :: atomic { deaths > 0 && !rolled[0] && !dies[0] -> deaths--; dies[0] = 1 }
        /* The clock begins anew: whoever had the lease gets its whole time once more; a job that had
         * refused nothing yet is over. model: LEASE-REBOOT */
        :: atomic { reboots > 0 && holder[0] != 0 && !placed[0] -> reboots--; left[0] = TTL; ended[0] = (job[0] != 0 -> 3 : ended[0]); job[0] = 0; printf("node 0: rebooted\n") }
        /* model: LEASE-STEAL */
        :: atomic { steals > 0 && CURRENT(0) && !placed[0] && NOT_AT_WORK(0) -> steals--; holder[0] = 0; left[0] = 0; printf("node 0: lease stolen\n") }
        :: atomic { steals > 0 && CURRENT(1) && !placed[1] && NOT_AT_WORK(1) -> steals--; holder[1] = 0; left[1] = 0; printf("node 1: lease stolen\n") }
        /* A person: no roll has the lease, and nobody is out, or about to be. model: LEASE-LOCAL */
        :: atomic {
                drains > 0 && !CURRENT(0) && !CURRENT(1) && job[0] == 0 && job[1] == 0 && !refused[0] && !refused[1] ->
                drains--;
                job[0] = LOCAL;
                printf("node 0: drained by hand\n")
        }
        :: atomic { undrains > 0 && held[0] -> undrains--; held[0] = 0; refused[0] = 0; printf("node 0: undrained\n") }
        :: atomic { undrains > 0 && held[1] -> undrains--; held[1] = 0; refused[1] = 0; printf("node 1: undrained\n") }
        od
}

init
{
        byte c;
        atomic {
                for (c : 0 .. ROLLS * N - 1) {
                        link[c] = 1;
#if CUTS > 0
                        run Link(c)
#endif
                }
                run World();
                run Agent(0);
                run Agent(1);
                for (c : 0 .. ROLLS - 1) {
                        run Roll(c)
                }
        }
}
