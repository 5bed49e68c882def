/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Both locks together on two nodes of one pool: a roll with leases whose jobs take their place in ZooKeeper as well, local
 * callers who restart or drain a node by hand and have nothing but that place, and persons who undrain. One may be out.
 * See README.md for what is left out and why.
 *
 * How often each mishap may come: LOCALS (calls of people on a node), DEATHS (of the coordinator, which is resumed), LINKS
 * (of the coordinator, cut), DUPS (orders given once more), KILLS (agents that die), FREEZES (agents that stand still for so long
 * that their block lapses), CUTS (connections to ZooKeeper), EXPIRIES (its sessions), QUITS (one waits no longer), STEALS (a person
 * takes away the place of a node that is gone).
 * AWAY: ZooKeeper does not answer anybody; a person who drains all the same has looked. FALLBACK: it may not answer a
 * job of the roll though it answers others.
 */

#define N 2
#define SIZE 1
#define ROLLS 1
#ifndef STEPS
#define STEPS 1
#endif
#ifndef LOCALS
#define LOCALS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef LINKS
#define LINKS 0
#endif
#ifndef DUPS
#define DUPS 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FREEZES
#define FREEZES 0
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef EXPIRIES
#define EXPIRIES 0
#endif
#ifndef QUITS
#define QUITS 0
#endif
#ifndef STEALS
#define STEALS 0
#endif
#ifndef SLOW
#define SLOW 1
#endif

#include "roll.inc.pml"

#define ROLL 1 /* in job[] */
#define LEASED(a) LEASED_BY(0, a)

bit acted[N]; /* job.json: it has refused something */
bit fresh[N]; /* by its own clock nobody can have believed it dead */
bit kill[N];  /* an agent: to die now */

byte locals = LOCALS, deaths = DEATHS, links = LINKS, kills = KILLS, freezes = FREEZES, cuts = CUTS, expiries = EXPIRIES, quits = QUITS, steals = STEALS;

/* A roll has asked the others itself. */
#define MATES(a) (job[a] == ROLL || !refused[1 - (a)])
/* A job of a roll that has refused nothing yet ends with its lease. model: BOTH-LEASE-ENDED */
#define MAY_QUIT(a) ((job[a] == ROLL && !LEASED(a)) || quits > 0)

inline quit(a)
{
        if
        :: job[a] == ROLL -> ended[a] = 3; quits = (LEASED(a) -> quits - 1 : quits)
        :: job[a] != ROLL -> quits--
        fi;
        job[a] = 0
}

#define COARSE
#include "zookeeper.inc.pml"

inline refuse(a)
{
        refused[a] = 1;
        printf("node %d: refuses\n", a);
        assert(!refused[1 - (a)]); /* never more out than allowed, never the last one */
        asked[a] = 0
}

proctype Agent(byte a)
{
        byte outs, verdict, n;
        bit stale, own_out, done, sent, bare;

alive:
        {
                bare = 0;
                if
                :: job[a] != 0 && acted[a] -> goto works /* reach: taken-up-refused */
                :: job[a] != 0 && !acted[a] -> goto begins /* reach: taken-up-before-refused */
                :: job[a] == 0 && record[a] -> goto settle /* reach: settled-by-the-next-agent */
                :: else
                fi;
idle:
end:
                job[a] != 0;
begins:
                /* The own lease first, then the place, never the other way. model: BOTH-LEASE-FIRST */
                if
                :: atomic { job[a] == ROLL && !LEASED(a) -> job[a] = 0; ended[a] = 3; goto settle } /* reach: lapsed-before-the-place */
#ifdef AWAY
                :: atomic { job[a] != ROLL || LEASED(a) -> bare = 1; goto taken } /* model: BOTH-WITHOUT */
#else
                :: job[a] != ROLL || LEASED(a)
#ifdef FALLBACK
                :: atomic { job[a] == ROLL && LEASED(a) -> bare = 1; goto taken }
#endif
#endif
                fi;
connect:
                stand_in_line(a);
taken:
                atomic { placed[a] = 1 };
                /* Hooks before the block take their time. */
                if
#ifndef MUT_LAST_CHECK
                :: atomic { !(fresh[a] || bare) || (job[a] == ROLL && !LEASED(a)) -> /* reach: too-late-to-go-out */
                        ended[a] = (job[a] == ROLL -> 3 : ended[a]);
                        placed[a] = 0;
                        goto back
                   }
                :: atomic { (fresh[a] || bare) && (job[a] != ROLL || LEASED(a)) -> acted[a] = 1; refuse(a) } /* reach: went-out */
#else
                :: atomic { acted[a] = 1; refuse(a) }
#endif
                fi;
works:
                if
                :: !refused[a] -> atomic { refuse(a) } /* reach: closed-again */
                :: else
                fi;
                atomic { done = 0; bare = 0 };
                if
                :: atomic { /* Restarted, or undone, and let in again. */
                        refused[a] = 0;
                        held[a] = 0;
                        printf("node %d: open again\n", a);
                        if
                        :: job[a] == ROLL -> ended[a] = 1 /* reach: restarted */
                        :: job[a] == ROLL -> ended[a] = 3 /* reach: undone */
                        :: job[a] != ROLL
                        fi;
                        placed[a] = 0;
                        acted[a] = 0
                   };
                   goto back
                :: atomic { /* Held, or drained: nobody works on it. */
                        refused[a] -> held[a] = 1;
                        ended[a] = (job[a] == ROLL -> 2 : ended[a]);
                        placed[a] = 0;
                        acted[a] = 0;
                        job[a] = 0;
                        printf("node %d: held\n", a);
                        d_step { session_close(a); own_out = 0 }
                   };
                   goto settle
                fi;
back:
                atomic {
                        job[a] = 0;
                        d_step { line_has(OWN(a), n); n = n && out[a] == 1; own_out = 0; done = 0 };
                        if
                        :: n && conn[a] -> d_step { line_drop(OWN(a)); out_drop(a); n = 0 }; goto given
                        :: else -> n = 0
                        fi
                };
settle:
                if
                :: atomic { !record[a] -> d_step { session_close(a) }; goto idle }
                :: record[a] && !held[a]
                :: record[a] && held[a] ->
                        if
                        :: !held[a] /* reach: undrained */
                        :: job[a] != 0 -> goto begins /* reach: restarted-while-held */
                        fi
                fi;
                give_back(a);
given:
                atomic { record[a] = 0; d_step { session_close(a); fresh[a] = 0 } };
                goto idle
        } unless {
                kill[a] -> d_step { kill[a] = 0; session_left(a) }; goto alive /* reach: killed */
        }
}

#ifndef MUT_LOCAL
#define UNLEASED(a) !CURRENT(a) /* model: LEASE-LOCAL */
#else
#define UNLEASED(a) 1
#endif
/* Whoever says that he needs no lock has looked. */
#ifndef AWAY
#define MAY_CALL(a) UNLEASED(a)
#else
#define MAY_CALL(a) (UNLEASED(a) && !SAYS_OUT(0) && !SAYS_OUT(1))
#endif

/* What happens to a node. */
proctype World(byte a)
{
        byte n;
end:
        do
        :: atomic { locals > 0 && job[a] == 0 && !held[a] && MAY_CALL(a) -> locals--; job[a] = LOCAL; printf("node %d: called by hand\n", a) } /* reach: called-by-hand */
        :: atomic { cuts > 0 && conn[a] -> cuts--; d_step { cut(a) }; printf("node %d: connection cut\n", a) }
        :: atomic { expiries > 0 && conn[a] -> expiries--; d_step { session_close(a); fresh[a] = 0 }; printf("node %d: silent, session over\n", a) }
        :: atomic { kills > 0 && !kill[a] && (job[a] != 0 || record[a]) -> kills--; kill[a] = 1; printf("node %d: killed\n", a) }
        :: atomic { kill[a] && refused[a] && !held[a] -> refused[a] = 0; printf("node %d: block lapsed\n", a) }
        :: atomic { freezes > 0 && acted[a] && refused[a] && !held[a] -> freezes--; refused[a] = 0; printf("node %d: stands still, block lapsed\n", a) }
        :: atomic { HAS(OLD(a)) -> d_step { line_drop(OLD(a)) } }
        :: atomic {
                late[a] -> /* reach: late-multi */
                d_step { multi(OLD(a), late_version[a], late_own_out[a], n); late[a] = 0 };
                n = 0
        }
        :: atomic { steals > 0 && !acted[a] && FORSAKEN(a) -> steals--; d_step { out_drop(a) }; printf("node %d: place stolen\n", a) } /* reach: stolen */
        :: atomic { held[a] && job[a] == 0 -> held[a] = 0; refused[a] = 0; printf("node %d: undrained\n", a) }
        od
}

/* What happens to the roll, and the bus that brings its orders. */
proctype Clock()
{
end:
        do
        :: d_step { MAY_TICK -> tick() }
        :: atomic { deaths > 0 && !rolled[0] && !dies[0] -> deaths--; dies[0] = 1 }
        :: atomic { links > 0 && link[0] -> links--; link[0] = 0; printf("roll, node 0: cut\n") }
        :: atomic { links > 0 && link[1] -> links--; link[1] = 0; printf("roll, node 1: cut\n") }
        od
}

proctype Bus()
{
end:
        do
        :: d_step { order[0] != 0 -> arrives(0, order_to[0], order[0], order_epoch[0], 0); order[0] = 0 }
        :: d_step { again != 0 -> arrives(0, again_to, again, again_epoch, again_old); again = 0 }
        od
}

init
{
        byte a;
        atomic {
                for (a : 0 .. N - 1) {
                        link[a] = 1;
#if LINKS > 0
                        run Link(a);
#endif
                        run World(a);
                        run Agent(a)
                }
                run Clock();
                run Bus();
                run Roll(0)
        }
}
