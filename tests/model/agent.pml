/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * One node: a job from its record to one of the three ends, with its transit block, its hold, the agent that may die
 * or stand still between any two steps, heal, a reboot, and what persons do by hand.
 * See README.md for what is left out and why.
 *
 * KIND: what the person asks for (RESTART, DRAIN; HELD: a restart of what is held already). FOR: a drain ends by itself. OWNER: the
 * table goes with its socket. How often each may come: KILLS (an agent or heal dies), GIVEUPS (systemd starts the agent no
 * more), REBOOTS, CANCELS, UNDRAINS, STOPS (the hold unit stopped by hand), CALLS (somebody starts the agent while
 * heal works).
 *
 * UNLOCKED: nobody is given the lock of the holds in time, and everybody goes on without it.
 *
 * A tag in capitals behind "model:" stands here and in the C code at what is the same.
 */

#define RESTART 1
#define DRAIN 2
#define UNDRAIN 3
#define HELD 4
#define RECOVER 5

#ifndef KIND
#define KIND RESTART
#endif
#ifndef FOR
#define FOR 0
#endif
#ifndef OWNER
#define OWNER 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef GIVEUPS
#define GIVEUPS 0
#endif
#ifndef REBOOTS
#define REBOOTS 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef UNDRAINS
#define UNDRAINS 0
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef CALLS
#define CALLS 0
#endif

#define TTL 2   /* a block that is not renewed lasts as many ticks */
#define LIMIT 3 /* ... as a job has before `stop`, and once more behind it */

#define P_PREFLIGHT 1
#define P_BLOCK 2
#define P_NOTICE 3
#define P_STOP_MONIT 4
#define P_DRAIN 5
#define P_GATE 6
#define P_STOP 7
#define P_START 8
#define P_READY 9
#define P_START_MONIT 10
#define P_UNBLOCK 11
#define P_RETURN 12
#define P_UNDO 13
#define P_HOLD 14

/* ---- the kernel ---- */
bit transit;   /* it refuses */
byte ttl;      /* of its element */
bit htable;    /* the table of holds */
bit store;     /* the socket lies in systemd's store */
bit sock[2];   /* agent, heal: has it open */
#define REFUSED (transit || htable)

/* ---- the disk ---- */
bit rec, r_blocked, r_stopped, r_monit, r_boot;
byte r_phase, r_kind;
byte hrec; /* record of a hold: 1 until somebody ends it, 2 for a time */

/* ---- systemd, the component, monit ---- */
#define OLD 0
#define DOWN 1
#define NEW 2
byte comp = OLD;
bit monit = 1;
bit unit;         /* edge-roll-hold.service is active */
bit stopping;     /* ... is being stopped: systemd does one thing after the other with it */
bit up[2] = { 1, 0 };
byte lock;        /* 1 the agent, 2 heal */
bit kill[2];
byte hlock; /* of records and table of the holds together: 1 the agent, 2 heal, 3 the unit; it goes with its process */
bit given_up;

/* ---- persons, and time ---- */
byte want = KIND;
bit cancel, for_over;
byte left; /* of the limits of the phases */
bit fresh; /* the last look of the gate is so young that the kernel still lets no data in */

/* What is true, whatever anybody believes. */
bit gap;     /* it was open since it was noticed last: traffic may come */
bit certain; /* the new process is proven */
bit bad;     /* the job has failed behind `stop`: it is to be held */
bit by_hand; /* a person has opened it */
bit undrained; /* ... by undrain */

byte kills = KILLS, giveups = GIVEUPS, reboots = REBOOTS, cancels = CANCELS, undrains = UNDRAINS, stops = STOPS, calls = CALLS;

/* After each change. */
inline look()
{
        if
        :: !REFUSED -> gap = 1
        :: else
        fi;
        assert(comp != DOWN || (rec && r_stopped) || hrec != 0 || by_hand) /* somebody settles what is down */
}

inline transit_gone()
{
        transit = 0;
        ttl = 0;
        look()
}

/* An owned table goes with the last holder of its socket. */
inline socket_closed()
{
        if
        :: OWNER && !store && !sock[0] && !sock[1] && transit -> transit_gone()
        :: else
        fi
}

/* Whoever takes the hold away: may he? */
inline hold_table_gone(may)
{
        assert(!htable || (may)); /* a hold never ends by itself */
        htable = 0;
        look()
}

/* Before the effect that it describes. model: JOB-RECORD */
inline save(p)
{
        rec = 1;
        r_phase = p;
        r_kind = kind;
        r_blocked = blocked;
        r_stopped = stopped;
        r_monit = unmonitored;
        r_boot = 1;
        look()
}

inline close_block()
{
        if
        :: OWNER && !sock[heal] && (store || sock[1 - heal]) -> skip /* another's table: EPERM */
        :: else -> transit = 1; ttl = TTL; sock[heal] = 1
        fi
}

inline renew()
{
        /* model: JOB-LAPSED */
        if
        :: transit -> ttl = TTL; lapsed = 0
        :: else ->
                close_block();
#ifndef MUT_SILENT
                lapsed = 1
#else
                lapsed = 0
#endif
        fi
}

#define RENEWABLE (blocked && (!transit || ttl < TTL) && left > 0)

/* Both are changed, or none, as far as others see. model: HOLD-LOCK */
#ifndef UNLOCKED
#define HOLD_LOCKED hlock == 0 -> hlock = heal + 1
#define HOLD_FREE (hlock == 0)
#else
#define HOLD_LOCKED 1
#define HOLD_FREE 1
#endif

inline put_hold(how)
{
        /* Record, then table. model: HOLD-PUT */
        d_step { HOLD_LOCKED; hrec = (hrec == 2 && how == 1 -> 1 : how); by_hand = 0 };
        d_step { htable = 1; held = 1; hlock = 0 }
}

#ifndef MUT_HOLD_BACK
#define BACK_IF && hrec != 0
#else
#define BACK_IF
#endif

/* Somebody has taken its table away; who has ended it has taken the record away, too. model: HOLD-BACK */
inline hold_back()
{
        if
#ifndef MUT_HOLD_BACK
        :: d_step { kind == HELD && held && !htable && hrec != 0 && HOLD_FREE -> HOLD_LOCKED; htable = 1; gap = 0 };
#else
        :: d_step { kind == HELD && held && !htable && HOLD_FREE -> HOLD_LOCKED; htable = 1 };
#endif
                d_step {
                        if
                        :: hrec == 0 -> hold_table_gone(by_hand)
                        :: else
                        fi;
                        hlock = 0
                }
        :: !(kind == HELD && held && !htable BACK_IF)
        fi
}

inline forget()
{
        kind = 0;
        phase = 0;
        blocked = 0;
        stopped = 0;
        unmonitored = 0;
        held = 0;
        first = 0;
        lapsed = 0
}

proctype Worker(bit heal)
{
        byte kind, phase;
        bit blocked, stopped, unmonitored, held, first, lapsed;

dead:
end:
        if
        :: d_step { kill[heal] -> kill[heal] = 0 }; goto dead
        :: up[heal] && !kill[heal]
        fi;
alive:
        {
                /* ---- one at a time. model: AGENT-LOCK ---- */
#ifndef MUT_LOCK
                if
                :: atomic { lock == 0 -> lock = heal + 1 }
                :: atomic { lock == 1 && heal -> up[1] = 0; goto gone } /* reach: heal-gives-way */
                :: d_step { lock == 2 && !heal && store -> store = 0; sock[0] = 0; socket_closed() }; /* reach: agent-waits-for-heal */
                        atomic { lock == 0 -> lock = 1 }
                fi;
#else
                skip;
#endif

                /* ---- taken up again. model: JOB-RESUME ---- */
                if
                :: atomic { rec ->
#ifdef MUT_BOOT
                        if
                        :: !r_boot -> goto idle
                        :: else
                        fi;
#endif
                        kind = r_kind;
                        phase = r_phase;
                        blocked = r_blocked;
                        stopped = r_stopped;
                        unmonitored = r_monit;
                        held = (hrec != 0);
                        first = 1;
                        left = LIMIT;
                        fresh = 0;
                        cancel = 0;
                        if
                        :: store && !heal -> sock[0] = 1
                        :: else
                        fi;
                        if
                        :: comp == DOWN && (phase <= P_GATE || phase == P_UNDO) && (kind == RESTART || kind == HELD) && !held -> stopped = 1
                        :: else
                        fi;
                        if
                        :: !r_boot -> blocked = 0
                        :: else
                        fi;
                        if
                        :: !r_boot && stopped && phase != P_HOLD -> kind = RECOVER
                        :: else
                        fi;
                        if
                        :: phase == P_HOLD -> goto hold
                        :: phase != P_HOLD && heal && !stopped && phase < P_START -> goto undo /* reach: heal-undoes */
                        :: phase != P_HOLD && !(heal && !stopped && phase < P_START) && !r_boot ->
                                if
                                :: stopped -> goto block /* reach: recovered */
                                :: else -> goto undo /* reach: undone-after-reboot */
                                fi
                        :: else
                        fi;
                        if
                        :: phase == P_RETURN || phase == P_UNBLOCK -> goto unblock
                        :: phase == P_UNDO && !stopped -> goto undo
                        :: phase == P_START -> goto start
                        :: phase == P_READY -> goto ready
                        :: phase == P_START_MONIT -> goto start_monit
                        :: (phase == P_UNDO || phase <= P_STOP) && stopped -> goto stop_asked
                        :: phase <= P_STOP && !stopped && blocked -> goto block /* reach: blocked-again */
                        :: phase <= P_STOP && !stopped && !blocked -> goto preflight
                        fi
                  }
                :: !rec
                fi;
idle:
                if
                :: atomic { heal -> lock = 0; up[1] = 0; given_up = 0; forget(); sock[1] = 0; /* reach: healed */
#ifndef MUT_HEAL_FOR
                        up[0] = up[0] || hrec == 2;
#endif
                        goto restarted }
                :: d_step { !heal && store -> store = 0; sock[0] = 0; socket_closed() }; goto idle
                :: else
                fi;
waits:
end_idle:
                if
                :: atomic { want != 0 -> kind = want; want = 0; left = LIMIT; first = 0; goto preflight }
                /* model: HOLD-FOR */
                :: atomic { hrec == 2 && for_over -> kind = UNDRAIN; left = LIMIT; first = 0; goto preflight } /* reach: for-is-over */
                fi;

preflight:
                atomic {
                        phase = P_PREFLIGHT;
                        held = (hrec != 0);
                        if
                        :: kind == UNDRAIN -> goto unblock
                        :: kind == HELD && htable -> gap = 0
                        :: kind == HELD && hrec == 0 -> kind = RESTART
                        :: else
                        fi
                };
                if
                :: goto block
                :: goto over /* refused */
                fi;

block:
                skip;
                d_step { blocked = (kind == RECOVER || blocked); phase = P_BLOCK };
                if
                :: kind == RECOVER && first -> put_hold(1); first = 0 /* model: HOLD-FIRST */
                :: else
                fi;
                d_step { blocked = 1; save(P_BLOCK) };
                if
                :: d_step { !heal && !store && !sock[0] -> sock[0] = 1; store = 1 }
                :: else
                fi;
                d_step { lapsed = 0; close_block() };
                if
                :: kind == RECOVER -> goto start
                /* Its hold has ended meanwhile: who comes again has not noticed anything. model: HOLD-STILL */
#ifndef MUT_STILL
                :: kind == HELD && !htable -> goto undo /* reach: hold-ended-before-the-block */
                :: kind == HELD && htable -> goto stop_monit
#else
                :: kind == HELD -> goto stop_monit
#endif
                :: kind == RESTART || kind == DRAIN
                fi;
notice:
                skip;
                d_step { phase = P_NOTICE; lapsed = 0; if :: transit -> gap = 0 :: else fi };
noticing:
                if
                :: d_step { RENEWABLE -> renew() };
                        if
                        :: lapsed -> goto notice /* reach: lapsed-in-notice */
                        :: !lapsed -> goto noticing
                        fi
                :: kind == DRAIN && transit -> goto hold
                :: kind == RESTART
                :: goto undo /* its limit, or a failure */
                :: atomic { cancel -> cancel = 0 }; goto undo /* reach: cancelled */
                fi;
stop_monit:
                skip;
#ifndef MUT_RECORD_LATE
                d_step { unmonitored = 1; save(P_STOP_MONIT) };
                monit = 0;
#else
                monit = 0;
                d_step { unmonitored = 1; save(P_STOP_MONIT) };
#endif
draining:
                if
                :: d_step { RENEWABLE -> renew() };
                        if
                        :: lapsed && kind != HELD -> goto notice /* reach: lapsed-in-drain */
                        :: lapsed && kind == HELD ->
                                hold_back();
                                if
                                :: hrec == 0 -> goto undo
                                :: hrec != 0 -> goto draining
                                fi
                        :: !lapsed -> goto draining
                        fi
                :: skip
                :: goto undo
                :: atomic { cancel -> cancel = 0 }; goto undo
                fi;
                /* The intent to stop, before the last look. model: JOB-GATE */
                d_step { stopped = 1; save(P_GATE) };
                if
#ifndef MUT_GATE
                :: d_step { transit -> fresh = 1 }
                :: d_step { !transit -> renew() }; /* reach: lapsed-at-the-gate */
                        d_step { stopped = 0; save(P_GATE) };
                        if
                        :: kind == HELD -> 
                                hold_back();
                                if
                                :: hrec == 0 -> goto undo /* reach: hold-ended-before-the-stop */
                                :: hrec != 0 -> goto draining
                                fi
                        :: kind != HELD -> goto notice
                        fi
#else
                :: d_step { fresh = 1 }
#endif
                :: d_step { stopped = 0; save(P_GATE) }; goto undo
                fi;
stop:
                skip;
                if
                :: d_step { fresh -> phase = P_STOP; fresh = 0; assert(!gap); /* never stopped behind a block that had lapsed */
                        assert(!monit); certain = 0; comp = DOWN; look() }; goto start /* reach: stopped */
                /* The agent stood still since. model: JOB-GATE-OLD */
#ifndef MUT_GATE_OLD
                :: d_step { !fresh -> stopped = 0 }; goto block /* reach: stood-still-behind-the-gate */
#else
                :: d_step { !fresh -> phase = P_STOP; assert(!gap); certain = 0; comp = DOWN; look() }; goto start
#endif
                :: d_step { stopped = 0; fresh = 0 }; goto undo /* systemd does not stop it */
                fi;
stop_asked:
                /* Did the one before call it? */
                if
                :: d_step { comp == OLD -> stopped = 0 };
                        if
                        :: heal -> goto undo
                        :: !heal -> goto block /* reach: was-not-stopped */
                        fi
                :: comp != OLD
                fi;

start:
                skip;
                d_step { stopped = 1; phase = P_START; left = LIMIT; save(P_START) };
                if
                :: first -> put_hold(1); first = 0 /* reach: held-until-proven */
                :: !first
                fi;
                if
                :: d_step { comp == DOWN -> comp = NEW }
                :: comp == DOWN -> goto hold /* reach: does-not-start */
                :: comp != DOWN
                fi;
ready:
                skip;
                d_step { phase = P_READY; save(P_READY) };
                if
                :: first -> put_hold(1); first = 0
                :: !first
                fi;
proving:
                if
                :: d_step { RENEWABLE -> renew(); lapsed = 0 }; goto proving
                :: d_step { certain = 1 }
                :: goto hold /* reach: not-ready */
                fi;
start_monit:
                skip;
                d_step { phase = P_START_MONIT; save(P_START_MONIT) };
                d_step { monit = 1; unmonitored = 0 };
unblock:
                /* Its hold has ended meanwhile: who comes again has not noticed anything. model: HOLD-STILL */
#ifndef MUT_STILL
                if
                :: kind == HELD && !stopped && !REFUSED -> goto undo /* reach: hold-ended-before-the-block */
                :: !(kind == HELD && !stopped && !REFUSED)
                fi;
#else
                skip;
#endif
                d_step { phase = P_UNBLOCK; save(P_UNBLOCK); for_over = for_over && hrec == 2; by_hand = by_hand || (kind == UNDRAIN && undrained) };
                if
                :: held ->
                        /* Table first, record last. model: HOLD-END */
                        d_step { HOLD_LOCKED; hold_table_gone((kind == UNDRAIN && (undrained || (hrec == 2 && for_over))) || (kind != UNDRAIN && certain)) };
                        d_step { hrec = 0; for_over = 0; held = 0; hlock = 0; look() };
                        d_step { unit = 0; if :: htable -> hold_table_gone(by_hand) :: else fi } /* reach: hold-ended */
                :: !held
                fi;
                d_step { assert(certain || kind == UNDRAIN); blocked = 0; transit_gone() };
                d_step { phase = P_RETURN; save(P_RETURN) };
                goto over;

undo:
                skip;
                d_step { phase = P_UNDO; if :: blocked || unmonitored || rec -> save(P_UNDO) :: else fi };
                hold_back();
#ifdef MUT_RECORD_EARLY
                d_step { rec = 0; look() };
#endif
                d_step { if :: OWNER && !sock[heal] && (store || sock[1 - heal]) :: else -> transit_gone() fi; blocked = 0 };
                d_step { if :: unmonitored -> monit = 1 :: else fi; unmonitored = 0 };
                goto over;

hold:
                skip;
                d_step { phase = P_HOLD; bad = (kind != DRAIN); save(P_HOLD) };
#ifdef MUT_HOLD_LATE
                d_step { transit_gone(); blocked = 0; assert(!bad || htable) };
#endif
                if
                :: kind == DRAIN && FOR -> put_hold(2)
                :: !(kind == DRAIN && FOR) -> put_hold(1)
                fi;
                d_step { !stopping -> unit = 1; if :: hrec != 0 -> htable = 1 :: else -> assert(by_hand); htable = 0 fi }; /* hold apply */
                /* model: HOLD-BEFORE-UNBLOCK */
                d_step { assert(htable || by_hand); blocked = 0; bad = 0; transit_gone() }; /* what is to be held is never open */
                d_step { if :: unmonitored -> monit = 1 :: else fi; unmonitored = 0 }; /* reach: ends-held */

over:
                skip;
                d_step { if :: OWNER && !sock[heal] && (store || sock[1 - heal]) :: else -> transit_gone() fi };
                if
                :: d_step { !heal -> store = 0; sock[0] = 0 }
                :: d_step { heal -> sock[1] = 0 }
                fi;
                /* The record goes last. model: JOB-OVER */
                d_step { rec = 0; r_phase = 0; r_kind = 0; r_blocked = 0; r_stopped = 0; r_monit = 0; r_boot = 0; undrained = 0; cancel = 0; fresh = 0; look(); forget() };
                goto idle
        } unless {
                d_step {
                        kill[heal] ->
                        kill[heal] = 0;
                        hlock = (hlock == heal + 1 -> 0 : hlock);
                        forget();
                        sock[heal] = 0;
                        fresh = 0;
                        bad = 0;
                        socket_closed()
                };
                goto dead
        };
gone:
restarted:
        atomic { forget(); sock[heal] = 0; goto dead }
}

inline tick()
{
        fresh = 0;
        if
        :: left > 0 -> left--
        :: else
        fi;
        if
        :: transit ->
                ttl--;
                if
                :: ttl == 0 -> transit_gone()
                :: else
                fi
        :: else
        fi
}

/* It does nothing any more. */
inline killed(x)
{
        kill[x] = 1;
        if
        :: lock == x + 1 -> lock = 0
        :: else
        fi
}

#define LIVES(x) (up[x] && !kill[x])

proctype World()
{
end:
        do
        :: d_step { left > 0 && (transit || fresh) -> tick() }
        /* Nothing else happens any more: it expires. model: JOB-TIMEOUT */
        :: timeout && transit -> d_step { tick() }
        :: d_step { kills > 0 && LIVES(0) && (rec || KIND == DRAIN) -> kills--; killed(0) } /* reach: agent-killed */
        :: d_step { kills > 0 && LIVES(1) -> kills--; killed(1) }
        /* No more starts: what lies in the store goes. model: AGENT-GIVEN-UP */
        :: d_step { giveups > 0 && LIVES(0) && (rec || KIND == DRAIN) -> giveups--; killed(0); up[0] = 0; given_up = 1; store = 0; up[1] = 1 } /* reach: given-up */
        :: d_step { calls > 0 && given_up && !up[0] && !kill[0] -> calls--; up[0] = 1; given_up = 0 } /* reach: called-while-heal-works */
        :: d_step { want != 0 && !up[0] && !kill[0] && !up[1] && !kill[1] -> up[0] = 1; given_up = 0 }
        :: d_step { cancels > 0 && rec && !r_stopped -> cancels--; cancel = 1 }
        :: d_step { undrains > 0 && hrec != 0 && !rec && want == 0 -> undrains--; want = UNDRAIN; undrained = 1 }
        :: d_step { hrec == 2 && !for_over && !rec -> for_over = 1 }
        /* The hold unit is stopped: table first, records last; and what was put back meanwhile. model: HOLD-BY-HAND */
        :: d_step { stops > 0 && unit && HOLD_FREE -> hlock = 3; stops--; by_hand = 1; unit = 0; stopping = 1; htable = 0; look() };
                d_step { hrec = 0; for_over = 0; by_hand = 1; look() }; /* reach: stopped-by-hand */
#ifndef MUT_CLEAR
                d_step { htable = 0; stopping = 0; hlock = 0; by_hand = 1; look() }
#else
                d_step { stopping = 0; hlock = 0 }
#endif
        /* model: HOLD-BOOT */
        :: d_step {
                reboots > 0 && rec ->
                reboots--;
                hlock = 0;
                kill[0] = LIVES(0) || kill[0];
                kill[1] = LIVES(1) || kill[1];
                lock = 0;
                sock[0] = 0;
                sock[1] = 0;
                store = 0;
                r_boot = 0;
                cancel = 0;
                up[0] = 1;
                up[1] = 0;
                given_up = 0;
                left = 0;
                fresh = 0;
                if
                :: r_stopped && hrec == 0 -> hrec = 1
                :: else
                fi;
                transit = 0;
                ttl = 0;
                unit = 1;
                htable = (hrec != 0);
                look() /* reach: rebooted */
          };
                if
                :: d_step { comp == DOWN && rec && !r_boot -> comp = NEW; certain = 0 } /* it has an autostart */
                :: skip
                fi
        od
}

/* When nothing happens any more it is one of the three ends. */
proctype Judge()
{
        timeout && !transit;
        assert(!transit);
        assert(!rec);
        assert(monit);
        assert(lock != 2);
        assert((htable != 0) == (hrec != 0));
        assert(hrec != 2);                                                     /* its time is over, and so is it */
        assert(hrec != 0 || (comp != DOWN && (comp == OLD || certain)) || by_hand) /* reach: judged */
}

init
{
        atomic {
                if
                :: KIND == HELD -> hrec = 1; htable = 1; unit = 1
                :: else
                fi;
                run Worker(0);
                run Worker(1);
                run World();
                run Judge()
        }
}
