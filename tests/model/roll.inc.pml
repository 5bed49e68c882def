/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Part of lease.pml and both.pml: leases with epochs, and the coordinators that take them and give orders. Whoever includes
 * it defines N (2), ROLLS, STEPS (nodes that each roll restarts), and has DEATHS, DUPS of them.
 * Time goes in ticks: a lease lasts TTL of them, its owner believes in it for one less (FRESH), in a node's word within one
 * (WORD), and an order is good within one.
 *
 * LIVE: whether a roll comes to its end. Then the first SLOW ticks come at any moment, and the others when no coordinator
 * has anything to do: it is faster than the clock of its leases at some time.
 */

#ifndef TTL
#define TTL 2
#endif
#define FRESH (TTL - 1)
#define WORD 1
#define LATE 2 /* an order's age: 1 is good */
#define X(c, n) ((c) *N + (n))
#define LOCAL 9

/* ---- nodes: what their records say ---- */

byte holder[N]; /* who has the lease: roll + 1; until it is given back or another one takes it */
byte left[N];   /* how long yet; 0: lapsed */
byte job[N];    /* whose job runs: roll + 1, LOCAL; 0 none */
bit placed[N];  /* ... and it may be out */
bit refused[N]; /* out of traffic, really */
bit held[N];
byte ended[N];  /* how the last job of a roll ended: 0 not, 1 done, 2 held, 3 given back */
byte endof[N];

/* ---- what each roll believes of each node ---- */

bit epoch[ROLLS * N];  /* its epoch is the one in force */
bit link[ROLLS * N];
bit up[ROLLS * N];     /* what it heard last */
byte heard[ROLLS * N]; /* how long ago */
byte age[ROLLS * N];   /* since it renewed the lease */
byte have[ROLLS * N];  /* 0 no lease, 1 has it, 2 lost */
bit did[ROLLS * N];
bit given_up[ROLLS * N];

/* ---- orders on their way ---- */

byte order[ROLLS];      /* its age; 0: none */
bit order_epoch[ROLLS]; /* its epoch is in force */
byte order_to[ROLLS];
byte again;             /* an earlier copy of one */
byte again_of, again_to;
bit again_epoch, again_old; /* a later one was obeyed */

bit failed[ROLLS], rolled[ROLLS];
bit dies[ROLLS]; /* a coordinator: now */
byte dups = DUPS;
#ifdef LIVE
bit rests[ROLLS];
byte slow = SLOW;
#endif

/* scratch, meaningless between steps */
hidden byte k, ok;

#define CURRENT(n) (left[n] > 0)
/* As it says of itself: the job of a roll counts from the moment on in which it has the word. */
#define SAYS_OUT(n) (refused[n] || placed[n] || (job[n] != 0 && job[n] != LOCAL))
#define LEASED_BY(c, n) (holder[n] == c + 1 && CURRENT(n))

/* What was sent with an epoch that is not the last one any more. */
inline epoch_new(c, n)
{
        for (k : 0 .. ROLLS - 1) {
                epoch[X(k, n)] = 0;
                if
                :: order_to[k] == n -> order_epoch[k] = 0
                :: else
                fi
        }
        if
        :: again_to == n -> again_epoch = 0
        :: else
        fi;
        epoch[X(c, n)] = 1;
        k = 0
}

/* model: LEASE-TAKE */
inline take(c, n)
{
        if
        :: holder[n] != c + 1 && CURRENT(n) -> ok = 0 /* reach: two-rolls-meet */
#ifndef MUT_BUSY
        :: !(holder[n] != c + 1 && CURRENT(n)) && job[n] != 0 && job[n] != c + 1 && !LEASED_BY(c, n) -> ok = 0 /* reach: busy */
#endif
#ifndef MUT_OUT
        :: !(holder[n] != c + 1 && CURRENT(n)) && SAYS_OUT(n) && job[n] != c + 1 && !LEASED_BY(c, n) -> ok = 0 /* reach: refused-because-out */
#endif
        :: else -> ok = 1
        fi;
        if
        :: ok ->
                holder[n] = c + 1;
                left[n] = TTL;
                epoch_new(c, n);
                age[X(c, n)] = 0;
                have[X(c, n)] = 1
        :: else
        fi
}

/* An order comes: is it obeyed? model: LEASE-ORDER */
inline arrives(c, n, its_age, its_epoch, its_old)
{
        ok = 1;
#ifndef MUT_EPOCH
        ok = ok && its_epoch;
#endif
        ok = ok && LEASED_BY(c, n);
#ifndef MUT_EXPIRY
        ok = ok && its_age < LATE;
#endif
#ifndef MUT_STEP
        ok = ok && !its_old;
#endif
        ok = ok && job[n] == 0 && (its_old || !(endof[n] == c + 1 && ended[n] != 0));
        if
        :: ok ->
                printf("node %d: obeys roll %d\n", n, c);
                assert(!given_up[X(c, n)]); /* what its coordinator called not begun does not begin */
                assert(its_epoch);          /* an order of an epoch that is over is not obeyed */
                assert(!its_old);           /* nor what is older than what was obeyed */
                job[n] = c + 1;
                ended[n] = 0;
                endof[n] = c + 1;
                if
                :: again != 0 && again_of == c && again_to == n -> again_old = 1
                :: else
                fi
        :: else
        fi
}

/* Own clock: no order where the lease is not renewed for half its life. model: TENURE-FRESH */
#define IS_FRESH(c, n) (!(have[X(c, n)] == 1 && link[X(c, n)]) || age[X(c, n)] < FRESH)
#ifndef MUT_FENCE
#define ALL_FRESH(c) (IS_FRESH(c, 0) && IS_FRESH(c, 1))
#define MINE(c, n) (have[X(c, n)] == 1 && age[X(c, n)] < FRESH)
#else
#define ALL_FRESH(c) 1
#define MINE(c, n) (have[X(c, n)] == 1)
#endif
/* The word of a node is believed for a while, if the lease there was ours by our own clock when it came: so it is ours for as
 * long as that. model: WORD-BELIEVED */
#ifndef MUT_WORD
#define WORD_COUNTS(c, n) MINE(c, n)
#else
#define WORD_COUNTS(c, n) 1
#endif
#define HEARD_UP(c, n) (up[X(c, n)] && heard[X(c, n)] < WORD)

#ifndef MUT_FITS
#define FITS(c, n) HEARD_UP(c, (1 - n)) /* model: SEQ-FITS */
#else
#define FITS(c, n) 1
#endif

inline renew(c, n)
{
        if
        :: epoch[X(c, n)] && LEASED_BY(c, n) -> left[n] = TTL; age[X(c, n)] = 0 /* model: LEASE-RENEW */
        :: else ->
                /* Its time was over while the link was cut: taken again, unless somebody else has it. model: TENURE-RETAKE */
                take(c, n); /* reach: taken-again */
                if
#ifndef MUT_LOST
                :: !ok -> have[X(c, n)] = 2; stop = 1 /* reach: lease-lost */
#endif
                :: else
                fi
        fi
}

proctype Roll(byte c)
{
        bit stop;
        byte at; /* whose turn */
        bit sent;

alive:
        {
                /* Looked at first; the lowest id is taken first. */
                atomic { stop = 0; at = 0; sent = 0 };
                do
                :: at < N && link[X(c, at)] ->
                        d_step { take(c, at); stop = !ok };
                        if
                        :: atomic { !stop -> heard[X(c, at)] = WORD; at++ }
                        :: atomic { stop -> stop = 0; goto give } /* reach: not-all-taken */
                        fi
                :: at < N && !link[X(c, at)] -> goto give
                :: at == N -> break
                od;
                at = 0;
                do
                /* What it has done already, or is doing, by what the nodes say. model: SEQ-ADOPT */
                :: d_step { at < STEPS && !sent && endof[at] == c + 1 && job[at] == c + 1 -> sent = 1 }
                :: atomic { at < STEPS && !sent && did[X(c, at)] -> at++ }
                :: d_step { link[X(c, 0)] && have[X(c, 0)] == 1 && age[X(c, 0)] > 0 -> renew(c, 0) }
                :: d_step { link[X(c, 1)] && have[X(c, 1)] == 1 && age[X(c, 1)] > 0 -> renew(c, 1) }
                /* The word of the other one; a link may last just for that. */
                :: d_step {
                        !sent && at < STEPS && link[X(c, (1 - at))] && WORD_COUNTS(c, (1 - at)) && !SAYS_OUT((1 - at)) &&
                        !HEARD_UP(c, (1 - at)) -> heard[X(c, (1 - at))] = 0; up[X(c, (1 - at))] = 1
                }
                :: d_step { at < STEPS && link[X(c, (1 - at))] && up[X(c, (1 - at))] && SAYS_OUT((1 - at)) -> up[X(c, (1 - at))] = 0 }
                /* model: SEQ-GO */
                :: d_step {
                        at < STEPS && !stop && !sent && !did[X(c, at)] && job[at] == 0 && link[X(c, at)] && order[c] == 0 && ALL_FRESH(c) &&
                        MINE(c, at) && FITS(c, at) ->
                        assert(!failed[c]); /* behind a failed node nothing begins */
                        sent = 1;
                        order[c] = 1;
                        order_to[c] = at;
                        order_epoch[c] = epoch[X(c, at)];
                        endof[at] = 0;
                        ended[at] = 0;
                        heard[X(c, (1 - at))] = WORD; /* what it has heard counts only now */
                        up[X(c, (1 - at))] = 0;
                        printf("roll %d: orders node %d\n", c, at)
                }
                /* Not answered: given once more. model: SEQ-GO-AGAIN */
                :: d_step {
                        dups > 0 && sent && order[c] != 0 && order[c] < LATE && again == 0 && MINE(c, at) && link[X(c, at)] ->
                        dups--;
                        again = order[c];
                        again_of = c;
                        again_to = at;
                        again_epoch = order_epoch[c];
                        again_old = 0;
                        order[c] = 1;
                        order_epoch[c] = epoch[X(c, at)];
                        printf("roll %d: orders node %d again\n", c, at)
                }
                /* How it ended. */
                :: atomic {
                        sent && link[X(c, at)] && endof[at] == c + 1 && job[at] == 0 && ended[at] == 1 ->
                        did[X(c, at)] = 1;
                        sent = 0;
                        at++
                }
                :: atomic {
                        sent && link[X(c, at)] && endof[at] == c + 1 && job[at] == 0 && ended[at] > 1 ->
                        sent = 0; /* reach: failed-node-stops */
#ifndef MUT_FAILED
                        stop = 1;
#else
                        at++;
#endif
                        failed[c] = 1
                }
#ifndef MUT_NOT_BEGUN
                /* It must have been too old by now, and no job of it is there: not begun. model: SEQ-NOT-BEGUN */
                :: atomic {
                        sent && (order[c] == 0 || order[c] == LATE) && (again == 0 || again_of != c || again == LATE) && link[X(c, at)] && endof[at] != c + 1 ->
                        given_up[X(c, at)] = 1; /* reach: not-begun */
                        sent = 0;
                        stop = 1;
                        failed[c] = 1
                }
#endif
                /* Not reached for long: its agent finishes it alone. */
                :: atomic { sent && !link[X(c, at)] && age[X(c, at)] >= FRESH -> sent = 0; stop = 1; failed[c] = 1 }
                :: (stop && !sent) || at == STEPS -> break
                /* Others are down, and do not come back in time. */
                :: atomic { !sent && at < STEPS && !HEARD_UP(c, (1 - at)) && !stop -> stop = 1 }
#ifdef LIVE
                :: else -> rests[c] = 1; !rests[c]
#endif
                od;
give:
                at = 0;
                do
                :: at < N ->
                        d_step {
                                if
                                :: have[X(c, at)] == 1 && link[X(c, at)] && epoch[X(c, at)] && LEASED_BY(c, at) -> holder[at] = 0; left[at] = 0 /* model: LEASE-GIVE */
                                :: else
                                fi;
                                have[X(c, at)] = 0;
                                given_up[X(c, at)] = given_up[X(c, at)] && (order[c] != 0 || again != 0);
                                age[X(c, at)] = 0;
                                heard[X(c, at)] = 0;
                                up[X(c, at)] = 0;
                                at++
                        }
                :: at == N -> break
                od
        } unless {
                atomic {
                        dies[c] -> dies[c] = 0; /* reach: coordinator-died */
                        printf("roll %d: died, is resumed\n", c);
                        have[X(c, 0)] = 0;
                        have[X(c, 1)] = 0;
                        if
                        :: order[c] != 0 && again == 0 ->
                                again = order[c];
                                again_of = c;
                                again_to = order_to[c];
                                again_epoch = order_epoch[c];
                                again_old = 0
                        :: else
                        fi;
                        order[c] = 0;
                        failed[c] = 0; /* who resumes it has seen to that */
                        given_up[X(c, 0)] = 0;
                        given_up[X(c, 1)] = 0;
#ifdef LIVE
                        rests[c] = 0;
#endif
                        goto alive
                }
        };
        atomic { rolled[c] = 1; failed[c] = 0; order_to[c] = 0; did[X(c, 0)] = 0; did[X(c, 1)] = 0 }
}

inline older(x, most)
{
        if
        :: x > 0 && x < most -> x++
        :: else
        fi
}

/* As long as it makes a difference. STILL: no lease lapses. */
#ifndef STILL
#define TICKS (left[0] > 0 || left[1] > 0 || again == 1 || order[0] == 1 || order[ROLLS - 1] == 1)
#else
#define TICKS 0
#endif
#ifndef LIVE
#define MAY_TICK TICKS
#else
#define MAY_TICK ((slow > 0 && TICKS) || ((rests[0] || rolled[0]) && (rests[ROLLS - 1] || rolled[ROLLS - 1]) && (rests[0] || rests[ROLLS - 1])))
#endif

/* A link that was cut comes back. */
proctype Link(byte x)
{
end:
        do
        :: atomic { !link[x] -> link[x] = 1 }
        od
}

inline tick()
{
#ifdef LIVE
        slow = (slow > 0 -> slow - 1 : 0);
        rests[0] = 0;
        rests[ROLLS - 1] = 0;
#endif
        for (k : 0 .. N - 1) {
                if
                :: left[k] > 0 -> left[k]--
                :: else
                fi
        }
        for (k : 0 .. ROLLS * N - 1) {
                if
                :: have[k] == 1 && age[k] < FRESH -> age[k]++
                :: else
                fi;
                if
                :: have[k] == 1 && heard[k] < WORD -> heard[k]++
                :: else
                fi
        }
        for (k : 0 .. ROLLS - 1) {
                older(order[k], LATE)
        }
        older(again, LATE);
        k = 0
}
