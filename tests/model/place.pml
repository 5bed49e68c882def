/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The places of one pool in ZooKeeper: agents that stand in line, go out by one multi, come back or are held.
 * See README.md for what is left out and why.
 *
 * N agents, SIZE places, JOBS jobs for each agent, DOWN: one of them does not serve, by itself. How often each
 * mishap may come: CUTS (connections lost), EXPIRIES (sessions over: the agent was silent for that long), KILLS
 * (agents that die), STEALS (a person takes away the place of a node that is gone), QUITS (one waits no longer),
 * FALLS (one does not serve any more, by itself).
 *
 * A tag in capitals behind "model:" stands here and in the C code at what is the same.
 */

#ifndef N
#define N 3
#endif
#ifndef SIZE
#define SIZE 1
#endif
#ifndef JOBS
#define JOBS 1
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef EXPIRIES
#define EXPIRIES 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef STEALS
#define STEALS 0
#endif
#ifndef QUITS
#define QUITS 0
#endif
#ifndef FALLS
#define FALLS 0
#endif

/* ---- what the nodes have ---- */

bit fresh[N];    /* by its own clock nobody can have believed it dead */
bit refused[N];  /* out of traffic, really */
bit held[N];
bit down[N];     /* not serving, by itself */
byte job[N];     /* job.json: 0 none, 1 nothing refused yet, 2 refused */
bit kill[N];     /* to die now */
bit over[N];     /* nothing more to do */

byte cuts = CUTS, expiries = EXPIRIES, kills = KILLS, steals = STEALS, quits = QUITS, falls = FALLS;

#define SERVES(x) (!refused[x] && !down[x])
#define MATES(a) (SERVES((a + 1) % N) || SERVES((a + 2) % N) && (a + 2) % N != a)
#define MAY_QUIT(a) (quits > 0)

inline quit(a)
{
        quits--;
        job[a] = 0
}

#include "zookeeper.inc.pml"

inline refuse(a)
{
        refused[a] = 1;
        printf("%d: refuses\n", a);
        n = 0;
        serving = 0;
        for (i : 0 .. N - 1) {
                n = n + refused[i];
                serving = serving + SERVES(i)
        }
        assert(n <= SIZE); /* never more out than allowed */
        assert(serving > 0); /* never the last one */
        asked[a] = 0;
        n = 0
}

proctype Agent(byte a)
{
        byte outs, verdict, n, jobs = JOBS;
        bit stale, own_out, done, sent;

alive:
        {
                /* ---- taken up again ---- */
                if
                :: job[a] == 2 -> goto works /* model: PLACE-KEEP reach: taken-up-refused */
                :: job[a] == 1 -> goto connect /* reach: taken-up-before-refused */
                :: job[a] == 0 && record[a] -> goto settle /* reach: settled-by-the-next-agent */
                :: else
                fi;
idle:
                if
                :: atomic { jobs > 0 -> jobs--; job[a] = 1 }
                :: jobs == 0 -> goto ended
                fi;
connect:
                stand_in_line(a);
taken:
                /* ---- out ---- */
                /* Hooks before the block take their time, and so may a frozen machine. */
                if
#ifndef MUT_LAST_CHECK
                :: atomic { !fresh[a] -> asked[a] = 0; goto back } /* model: PLACE-LAST-CHECK reach: too-late-to-go-out */
                :: atomic { fresh[a] -> job[a] = 2; refuse(a) } /* reach: went-out */
#else
                :: atomic { job[a] = 2; refuse(a) }
#endif
                fi;
works:
                /* The block may have lapsed while no agent renewed it; it is closed again. */
                if
                :: !refused[a] -> atomic { refuse(a) } /* reach: closed-again */
                :: else
                fi;
                done = 0;
                if
                :: atomic { /* Restarted, or undone, and let in again. */
                        refused[a] = 0;
                        job[a] = 1;
                        printf("%d: open again\n", a)
                   };
                   goto back
                :: atomic { /* Held: nobody works on it. */
                        held[a] = 1;
                        job[a] = 0;
                        printf("%d: held\n", a);
                        d_step { session_close(a); own_out = 0 }
                   };
                   goto settle
#ifdef MUT_GIVE_EARLY
                :: atomic { job[a] = 0; goto give }
#endif
                fi;
back:
                atomic {
                        job[a] = 0;
                        d_step { line_has(OWN(a), n); n = n && out[a] == 1; own_out = 0; done = 0 };
                        if
                        /* Both at once, where both are known to be there. model: PLACE-GIVE-BOTH */
                        :: n && conn[a] -> d_step { line_drop(OWN(a)); out_drop(a); n = 0 }; goto given
                        :: else -> n = 0
                        fi
                };
settle:
                /* A place is given back only when the node is not out any more. model: PLACE-SETTLE */
                if
                :: atomic { !record[a] -> d_step { session_close(a) }; goto idle }
#ifndef MUT_GIVE_HELD
                :: record[a] && !held[a]
                :: record[a] && held[a] -> /* reach: held-place-kept */
                        !held[a]; /* a person has ended it */
#else
                :: record[a]
#endif
                fi;
give:
                give_back(a);
given:
                atomic { record[a] = 0; d_step { session_close(a); fresh[a] = 0 } };
                goto idle
        } unless {
                kill[a] -> d_step { kill[a] = 0; session_left(a) }; goto alive /* reach: killed */
        };
ended:
        atomic { over[a] = 1; }
}

/* What happens to it. */
proctype World(byte a)
{
        byte n;
end:
        do
        :: atomic { cuts > 0 && conn[a] -> cuts--; d_step { cut(a) }; printf("%d: connection cut\n", a) }
        /* Its session is over: for at least that long nothing was heard of the agent. */
        :: atomic { expiries > 0 && conn[a] -> expiries--; d_step { session_close(a); fresh[a] = 0 };
                printf("%d: silent, session over\n", a) }
        :: atomic { kills > 0 && !over[a] && !kill[a] -> kills--; kill[a] = 1; printf("%d: killed\n", a) }
        /* Nobody renews the block of a dead agent for long. */
        :: atomic { kill[a] && refused[a] && !held[a] -> refused[a] = 0; printf("%d: block lapsed\n", a) }
        :: atomic { HAS(OLD(a)) -> d_step { line_drop(OLD(a)) } }
        :: atomic {
                late[a] -> /* reach: late-multi */
                d_step { multi(OLD(a), late_version[a], late_own_out[a], n); late[a] = 0 };
                printf("%d: late multi: %d\n", a, n)
        }
        :: atomic {
                steals > 0 && job[a] != 2 && FORSAKEN(a) ->
                steals--; /* reach: stolen */
                d_step { out_drop(a) };
                printf("%d: place stolen\n", a)
        }
        :: atomic { held[a] -> held[a] = 0; refused[a] = 0; printf("%d: undrained by a person\n", a) }
        /* By itself; what falls over behind the question does so in any case. */
        :: atomic { falls > 0 && !refused[a] && !down[a] && !asked[(a + 1) % N] && !asked[(a + 2) % N] ->
                falls--; down[a] = 1; printf("%d: down\n", a) }
        :: atomic { down[a] -> down[a] = 0 }
        od
}

init
{
        byte a;
        atomic {
                /* One of them may be down by itself. */
#ifdef DOWN
                down[N - 1] = 1;
#endif
                for (a : 0 .. N - 1) {
                        run World(a);
                        run Agent(a)
                }
        }
}
