/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Part of place.pml and both.pml: what ZooKeeper has of one pool, and what an agent does with it, from standing in line to
 * giving back. Whoever includes it defines N, SIZE, fresh[N], and
 *   MATES(a)     does somebody else serve, as far as that matters to this job?
 *   MAY_QUIT(a)     may it wait no longer?
 *   quit(a)      inline: its job ends where it stands in line
 * COARSE: a look is one step (place.pml has it step by step).
 * It has in its proctype the bytes outs, verdict, n, the bits stale, own_out, done, sent, and the labels connect, taken, settle.
 */

/* ---- what ZooKeeper has ---- */

#define LINE (2 * N)
#define OWN(a) ((a) *2 + 1) /* its node in run/, of its present session */
#define OLD(a) ((a) *2 + 2) /* one of a session that an agent before it has left */
#define WHOSE(e) (((e) -1) / 2)

byte line[LINE]; /* run/, in the order of the numbers */
byte n_line;
byte out[N];     /* out/UUID: 0 is not there, 1 has the id of the present attempt, 2 of an earlier one */
bit conn[N];     /* there is a connection, and a session */
bit version[N];  /* the version of out/ that it has read is still the one */
bit watch_out[N]; /* on the names in out/ */
bit watch_run[N]; /* on the names in run/; only where SIZE > 1 */
byte watch_node[N]; /* on one node of run/; 0: none */
byte behind[N];  /* whose node in run/ is next before its own, as it has read */
bit told[N];     /* a watch has fired, and it has not seen to that yet */
bit late[N], late_version[N], late_own_out[N]; /* a multi that a dead agent has sent is still on its way */
bit record[N];   /* place-COMPONENT.json */

bit asked[N];    /* the others were asked for this turn */
#ifdef MUT_MATES_AGAIN
bit known[N];
#endif

/* scratch, meaningless between steps */
hidden byte i, j, e, seen, before, serving;

inline fire_out(who)
{
        for (j : 0 .. N - 1) {
                if
                :: watch_out[j] -> watch_out[j] = 0; told[j] = 1
                :: else
                fi
        };
        j = 0
}

inline fire_run(node)
{
        for (j : 0 .. N - 1) {
                if
                :: watch_node[j] == node -> watch_node[j] = 0; told[j] = 1
                :: else
                fi;
                if
                :: watch_run[j] -> watch_run[j] = 0; told[j] = 1
                :: else
                fi;
                if
                :: behind[j] == node -> behind[j] = 255
                :: else
                fi
        };
        j = 0
}

inline line_add(node)
{
        printf("%d: stands in line\n", WHOSE(node));
        line[n_line] = node;
        n_line++;
        fire_run(254)
}

inline line_drop(node)
{
        i = 0;
        do
        :: i < n_line && line[i] != node -> i++
        :: else -> break
        od;
        if
        :: i < n_line ->
                do
                :: i + 1 < n_line -> line[i] = line[i + 1]; i++
                :: else -> break
                od;
                n_line--;
                line[n_line] = 0;
                fire_run(node)
        :: else
        fi;
        i = 0
}

inline line_has(node, ret)
{
        i = 0;
        ret = 0;
        do
        :: i < n_line -> ret = ret || line[i] == node; i++
        :: else -> break
        od;
        i = 0
}

inline outs_read(ret)
{
        ret = 0;
        for (i : 0 .. N - 1) {
                if
                :: out[i] != 0 -> ret = ret | (1 << i)
                :: else
                fi
        };
        i = 0
}

/* What it watches it is no more told of; connected again it looks anew. */
inline cut(a)
{
        conn[a] = 0;
        watch_out[a] = 0;
        watch_run[a] = 0;
        watch_node[a] = 0;
        told[a] = 0
}

inline out_drop(a)
{
        if
        :: out[a] != 0 -> printf("%d: no more out in ZooKeeper\n", a); out[a] = 0; fire_out(a)
        :: else
        fi;
        j = 0
}

#define HAS(node)                                                                                              \
        (line[0] == node || line[1] == node || line[2] == node || line[3] == node ||                           \
         (N > 2 && (line[LINE - 2] == node || line[LINE - 1] == node)))

/* Who is out already, by an attempt that was cut off, waits for nobody who waits for him. */
#ifndef MUT_OWN_OUT
#define SKIPS_LINE own_out
#else
#define SKIPS_LINE 0
#endif

#define GO 1
#define WAIT 2
#define ABSENT 3

/* model: PLACE-TURN */
inline decide(a, outs)
{
        verdict = 0;
        before = 0;
        behind[a] = 0;
        stale = 0;
        seen = 0;
        own_out = (outs >> a) & 1;
        for (i : 0 .. N - 1) {
                if
                :: i != a && ((outs >> i) & 1) -> before++
                :: else
                fi
        }
        i = 0;
        do
        :: i < n_line ->
                e = line[i];
                if
                :: e == OWN(a) -> verdict = GO
                :: e == OLD(a) -> stale = 1
                :: else ->
                        if
                        :: verdict == 0 ->
                                behind[a] = e;
                                if
                                :: !((outs >> WHOSE(e)) & 1) && !((seen >> WHOSE(e)) & 1) && !SKIPS_LINE -> before++
                                :: else
                                fi
                        :: else
                        fi;
                        seen = seen | (1 << WHOSE(e))
                fi;
                i++
        :: else -> break
        od;
        if
        :: verdict == 0 -> verdict = ABSENT
        :: verdict == GO && before >= SIZE -> verdict = WAIT
        :: else
        fi;
        i = 0
}

/* model: PLACE-MULTI */
inline multi(node, has_version, sets, ret)
{
        line_has(node, ret);
#ifndef MUT_MULTI_OWN
        ret = ret && 1;
#else
        ret = 1;
#endif
#ifndef MUT_MULTI_VERSION
        ret = ret && has_version;
#endif
        if
        :: sets && out[WHOSE(node)] == 0 -> ret = 0
        :: !sets && out[WHOSE(node)] != 0 -> ret = 0
        :: else
        fi;
        if
        :: ret ->
                if
                :: out[WHOSE(node)] == 0 -> fire_out(WHOSE(node))
                :: else
                fi;
                printf("%d: out in ZooKeeper\n", WHOSE(node));
                out[WHOSE(node)] = (node == OWN(WHOSE(node)) -> 1 : 2);
                for (j : 0 .. N - 1) {
                        version[j] = 0;
                        late_version[j] = 0
                }
        :: else
        fi;
        i = 0
}
/* The session is closed in good order: what was ephemeral goes with it. */
inline session_close(a)
{
        line_drop(OWN(a));
        version[a] = 0;
        cut(a)
}

/* An agent dies: its session stays for a while, with its node, and what it has sent may still arrive. */
inline session_left(a)
{
        line_has(OWN(a), n);
        if
        :: n ->
                /* An older one is gone by now. */
                line_drop(OLD(a));
                i = 0;
                do
                :: line[i] != OWN(a) -> i++
                :: else -> break
                od;
                line[i] = OLD(a);
                for (j : 0 .. N - 1) {
                        if
                        :: watch_node[j] == OWN(a) -> watch_node[j] = OLD(a)
                        :: else
                        fi;
                        if
                        :: behind[j] == OWN(a) -> behind[j] = OLD(a)
                        :: else
                        fi
                }
        :: else
        fi;
        if
        :: out[a] == 1 -> out[a] = 2
        :: else
        fi;
        late[a] = sent;
        late_version[a] = sent && version[a];
        late_own_out[a] = sent && own_out;
        sent = 0;
        done = 0;
        own_out = 0;
        asked[a] = 0;
        n = 0;
        cut(a)
}

inline names_read(a)
{
        d_step {
                outs_read(outs);
#ifdef MUT_LOOK_ORDER
                told[a] = 0;
#endif
#ifndef MUT_OUT_WATCH
                watch_out[a] = 1
#endif
        }
}

/* Out by what ZooKeeper says, not heard of, and not refused yet: a person may take it away, where nobody is at work. */
#define FORSAKEN(a) (out[a] != 0 && !refused[a] && !fresh[a] && !HAS(OWN(a)) && !HAS(OLD(a)))

/* From `connect`, which is its label, to `taken`, which follows it. */
inline stand_in_line(a)
{
        atomic {
                asked[a] = 0;
                version[a] = 0;
                conn[a] = 1;
                fresh[a] = 1;
                told[a] = 0;
                done = 0;
                stale = 0;
                outs = 0;
                verdict = 0;
                behind[a] = 0
        };
look:
        /* The version of out/ before the names in it. model: PLACE-LOOK */
        if
#ifdef COARSE
        :: atomic { conn[a] -> version[a] = 1; told[a] = 0; names_read(a); decide(a, outs); outs = 0; watch_run[a] = (SIZE > 1) }
#elif !defined(MUT_LOOK_ORDER)
        :: conn[a] -> d_step { version[a] = 1; told[a] = 0 }
#else
        :: conn[a] -> names_read(a)
#endif
        :: !conn[a] -> goto connect
        :: atomic { MAY_QUIT(a) -> d_step { session_close(a); quit(a) } };
                goto settle /* reach: cancelled-in-line */
        fi;
#ifndef COARSE
        if
        :: conn[a] ->
#ifndef MUT_LOOK_ORDER
                names_read(a)
#else
                version[a] = 1
#endif
        :: !conn[a] -> goto connect
        fi;
        if
        :: conn[a] ->
                d_step {
                        decide(a, outs);
                        outs = 0;
                        watch_run[a] = (SIZE > 1)
                }
        :: !conn[a] -> goto connect
        fi;
#endif
act:
        if
        :: !conn[a] -> goto connect
        :: conn[a] && stale -> /* reach: stale-node-removed */
                d_step { line_drop(OLD(a)); stale = 0 };
                goto act
        :: conn[a] && !stale && verdict == ABSENT ->
                d_step { line_add(OWN(a)); verdict = 0; behind[a] = 0 }; /* model: PLACE-QUEUE */
                goto look
        :: conn[a] && !stale && verdict == WAIT && SIZE == 1 && behind[a] != 0 ->
                d_step { /* model: PLACE-WATCH */
                        line_has(behind[a], n);
#ifndef MUT_NODE_WATCH
                        if
                        :: n -> watch_node[a] = behind[a]
                        :: else
                        fi;
#endif
                        verdict = 0;
                        behind[a] = 0
                };
                if
                :: n == 0 -> goto look /* reach: predecessor-went-meanwhile */
                :: n -> atomic { n = 0; goto wait }
                fi
        :: atomic { conn[a] && !stale && verdict == WAIT && !(SIZE == 1 && behind[a] != 0) -> verdict = 0; behind[a] = 0; goto wait }
        :: atomic { conn[a] && !stale && verdict == GO -> verdict = 0; behind[a] = 0 }
        fi;
        goto turn;
wait:
        if
        :: told[a] -> goto look /* reach: woken */
        :: !conn[a] -> goto connect
        :: atomic { MAY_QUIT(a) -> d_step { session_close(a); quit(a) } };
                goto settle /* reach: waits-no-longer */
        fi;

        /* ---- its turn ---- */
turn:
        if
        :: told[a] -> goto look
        :: !conn[a] -> goto connect
        /* Who else serves? Asked for each turn anew. model: PLACE-MATES */
#ifdef MUT_MATES
        :: conn[a] -> asked[a] = 1
#elif defined(MUT_MATES_AGAIN)
        :: atomic { conn[a] && (MATES(a) || known[a]) -> asked[a] = !known[a]; known[a] = 1 }
#else
        :: atomic { conn[a] && MATES(a) -> asked[a] = 1 }
#endif
        fi;
        /* Written down before it is asked for. model: PLACE-RECORD */
        if
        :: atomic { conn[a] -> record[a] = 1; sent = 1; fresh[a] = 1 }
        :: !conn[a] -> goto connect
        fi;
going:
        if
        :: sent && conn[a] -> d_step { multi(OWN(a), version[a], own_out, done); sent = 0 }
        :: sent && !conn[a] -> goto unsure /* it was sent, and was not done */
        fi;
        /* Its answer comes at some time, or never. */
        if
#ifndef MUT_LOOK_AGAIN
        :: atomic { conn[a] && !done -> asked[a] = 0; goto look } /* model: PLACE-AGAIN reach: multi-refused */
#else
        :: atomic { conn[a] && !done -> asked[a] = 0; goto turn }
#endif
        :: done && fresh[a] -> goto taken
#ifndef MUT_FENCE
        :: done && !fresh[a] -> goto unsure /* model: PLACE-FENCE reach: frozen-behind-the-multi */
#else
        :: done && !fresh[a] -> goto taken
#endif
        :: !conn[a] -> goto unsure /* reach: answer-lost */
        fi;
unsure: /* Connected again: was it done? model: PLACE-VERIFY */
        atomic {
                sent = 0;
                conn[a] = 1;
                fresh[a] = 1;
                told[a] = 0;
                done = (out[a] == 1)
        };
#ifndef MUT_VERIFY
        if
        :: !done -> goto connect
        :: done && fresh[a] -> goto taken
        :: done && !fresh[a] -> goto unsure
        fi;
#endif
}

/* One after the other: who stands in line for it can go out no more, and then it is not out. model: PLACE-GIVE */
inline give_back(a)
{
        conn[a] = 1;
#ifdef MUT_GIVE_ORDER
        d_step { out_drop(a) };
#endif
        d_step { line_drop(OWN(a)) };
        d_step { line_drop(OLD(a)) };
#ifndef MUT_GIVE_ORDER
        d_step { out_drop(a) };
#endif
}
