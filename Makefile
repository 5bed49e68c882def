# SPDX-License-Identifier: GPL-3.0-or-later
#
# make              the program
# make check        installs what is missing, builds, runs every test, ends with "N passed, M failed"
# make demo         boots a small cluster on this machine and restarts two of its nodes under load
# make bench        the numbers of the README
# make torture      every fault in every phase: long
# make help         all targets

prefix      ?= /usr
DESTDIR     ?=
BINDIR      ?= $(prefix)/bin
UNITDIR     ?= $(prefix)/lib/systemd/system
PRESETDIR   ?= $(prefix)/lib/systemd/system-preset
SYSUSERSDIR ?= $(prefix)/lib/sysusers.d
TMPFILESDIR ?= $(prefix)/lib/tmpfiles.d
CATALOGDIR  ?= $(prefix)/lib/systemd/catalog
DBUSDIR     ?= $(prefix)/share/dbus-1
MANDIR      ?= $(prefix)/share/man
BASHDIR     ?= $(prefix)/share/bash-completion/completions
DOCDIR      ?= $(prefix)/share/doc/edge-roll
DATADIR     ?= $(prefix)/share/edge-roll

CC         ?= cc
PKG_CONFIG ?= pkg-config
VARIANT    ?= release
V          ?= 0
WERROR     ?= 0

B    := build/$(VARIANT)

# A second make, once what it needs is installed: as many compilers at once as there are processors, unless -jN does (N > 1).
BUILD = +$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j"$$(nproc)")
LIBS := libsystemd libnftnl libmnl libcjson inih

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 \
        -Wpointer-arith -Wno-missing-field-initializers
ifeq ($(WERROR),1)
WARN += -Werror
endif
ifeq ($(VARIANT),asan)
OPT := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDOPT := -fsanitize=address,undefined
else ifeq ($(VARIANT),fuzz)
OPT := -O1 -gline-tables-only -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow \
       -fno-sanitize-recover=all -fno-omit-frame-pointer
LDOPT := -fsanitize=fuzzer,address,undefined
else ifeq ($(VARIANT),coverage)
OPT := -O0 -g --coverage
LDOPT := --coverage
else ifeq ($(VARIANT),analyze)
# As it is written: what -O2 has inlined gcc 12 takes for uninitialised. Leaks are off: to gcc 12 all that is kept in an
# element of an array leaks there, as in `list[n++] = strdup(s)` (41 reports, each looked at, none true); check-asan and
# `make oom` look after those.
OPT := -O0 -fanalyzer -Wno-analyzer-malloc-leak -Werror
else
OPT := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDOPT := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
endif

CFLAGS   ?=
CPPFLAGS ?=
LDFLAGS  ?=
# Asked only once, and only when something is built: `make help` works on a bare machine.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) libxml-2.0))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS)))$(PKG_LIBS)
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE -I. $(OPT) $(WARN) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP

ifeq ($(V),0)
Q := @
say = @echo '  $(1) $(2)';
else
say =
endif

BASE   := base/addr.c base/dl.c base/err.c base/files.c base/result.c base/text.c base/time.c base/words.c
DRAIN  := drain/block.c drain/block-hold.c drain/block-msg.c drain/block-msg-hold.c drain/block-msg-plan.c drain/block-watch.c drain/conns.c drain/conns-msg.c drain/cookies.c drain/deaths.c drain/fate.c drain/foreign.c \
          drain/foreign-parse.c drain/inflight.c \
          drain/inflight-sum.c drain/judge.c drain/look.c drain/nft.c drain/nft-attr.c drain/nft-msg.c drain/nft-parse.c drain/nft-rule.c
PROBES := probes/curl-dl.c probes/edge-json.c probes/http.c probes/json.c probes/edge-xml.c probes/edge-xml-tree.c probes/monit-xml.c probes/servers-json.c probes/snapshot.c probes/xml-dl.c
PROBES += probes/deployments-json.c probes/store-json.c probes/target.c probes/vhost-json.c
PROBES += probes/archive-dl.c probes/bundle.c
PROBES += probes/http-raw.c probes/http-setup.c probes/http-tls.c probes/http1.c probes/lookup.c probes/monitor.c probes/plain.c probes/probe-spec.c probes/probing.c
AGENT  := agent/agent.c agent/bound.c agent/bus.c agent/bridge.c agent/bus-api.c agent/bus-lease.c agent/bus-look.c agent/cgroup.c agent/checkers.c agent/cli.c agent/cli-table.c agent/client.c \
          agent/config.c agent/config-field.c agent/config-keys.c agent/config-print.c agent/config-read.c agent/cuts.c \
          agent/facts.c agent/frames.c agent/hold.c agent/hold-main.c agent/hooks.c agent/job.c agent/job-checks.c agent/job-doctor.c agent/job-drain.c agent/job-foreign.c \
          agent/job-hooks.c agent/job-leave.c agent/job-load.c agent/job-notice.c agent/job-partner.c agent/job-place.c agent/job-ports.c agent/job-preflight.c agent/job-prepare.c agent/job-record.c \
          agent/job-restart.c agent/job-return.c agent/job-routers.c agent/job-save.c agent/job-stop.c agent/job-targets.c agent/job-tell.c agent/job-watch.c agent/journal.c agent/kept.c agent/kept-conns.c agent/known.c agent/lease.c agent/leases.c agent/leave.c agent/lost.c \
          agent/manager.c agent/monit.c agent/monit-off.c agent/monit-restore.c agent/monit-step.c agent/pace.c agent/phase.c agent/pool.c agent/procs.c agent/pulse.c agent/properties.c agent/put.c agent/relay.c agent/render.c agent/render-event.c agent/render-status.c \
          agent/roll.c agent/standing.c agent/state.c agent/systemd.c agent/systemd-call.c agent/systemd-reading.c agent/systemd-steps.c agent/targets-list.c agent/unwritten.c
CLUSTER := agent/cluster/follow.c agent/cluster/history.c agent/cluster/remote.c agent/cluster/remote-call.c agent/cluster/remote-pool.c agent/cluster/roll-join.c agent/cluster/roll-log.c agent/cluster/roll-record.c agent/cluster/sequence.c \
           agent/cluster/ssh.c agent/cluster/ssh-trouble.c agent/cluster/status-view.c agent/cluster/table.c agent/cluster/table-summary.c agent/cluster/view.c
CLUSTER += agent/cluster/bus-loop.c agent/cluster/cluster.c agent/cluster/cluster-status.c agent/cluster/coordinator.c agent/cluster/coordinator-begin.c agent/cluster/coordinator-record.c agent/cluster/coordinator-resume.c \
           agent/cluster/coordinator-join.c agent/cluster/coordinator-lease.c agent/cluster/coordinator-locks.c agent/cluster/coordinator-look.c agent/cluster/coordinator-roll.c \
           agent/cluster/coordinator-view.c agent/cluster/fleet.c agent/cluster/tenure.c
CLUSTER += agent/cluster/cluster-nodes.c agent/cluster/inventory.c agent/cluster/inventory-words.c agent/cluster/look.c agent/cluster/management.c \
           agent/cluster/nodes.c agent/cluster/nodes-view.c agent/cluster/plan.c agent/cluster/plan-check.c agent/cluster/plan-check-pool.c \
           agent/cluster/plan-pools.c agent/cluster/plan-show.c agent/cluster/sources.c
EDGE := agent/edge/api.c agent/edge/fetch.c agent/edge/password.c agent/edge/session.c agent/edge/targets.c agent/edge/targets-fetch.c
EDGE += agent/edge/deployed.c agent/edge/lint.c agent/edge/lint-main.c agent/edge/lint-rules.c agent/edge/lint-run.c agent/edge/rotation.c agent/edge/rotation-main.c \
        agent/edge/rotation-check.c agent/edge/rotation-watch.c agent/edge/rotation-view.c
CLUSTER += agent/cluster/coordinator-proof.c agent/cluster/cluster-restart.c agent/cluster/cluster-why.c agent/cluster/survey.c
CLUSTER += agent/cluster/lookout.c
EDGE += agent/bridge-check.c agent/edge/check-child.c agent/edge/check-wire.c agent/edge/checking.c agent/edge/targets-check-view.c
EDGE += agent/edge/proof.c agent/edge/targets-check.c agent/edge/targets-down.c agent/edge/estate.c agent/edge/handshake.c agent/edge/why.c agent/edge/why-run.c agent/edge/why-table.c
NEEDED := base/sha256.c probes/pem.c agent/bus-needed.c agent/job-needed.c agent/mapped.c agent/needed.c agent/needed-files.c agent/needed-look.c \
          agent/render-needed.c agent/served.c
AGENT  += agent/agent-after.c agent/agent-bus.c agent/agent-config.c agent/agent-job.c agent/agent-resume.c agent/agent-ticket.c
AGENT  += agent/client-ask.c agent/client-bus.c agent/client-call.c agent/client-job.c agent/job-beat.c
PLACES := agent/bus-lock.c agent/job-zk.c agent/tickets.c agent/render-lock.c agent/lock-find.c agent/own-address.c agent/places.c agent/lock-spec.c agent/place.c agent/place-ask.c agent/place-line.c agent/resolve.c agent/turn.c agent/zk.c agent/zk-dl.c
GATE := agent/budget.c agent/bus-gate.c agent/config-seen.c agent/names.c agent/shares.c
SOURCES := $(GATE) $(BASE) $(DRAIN) $(PROBES) $(AGENT) $(CLUSTER) $(NEEDED) $(PLACES) $(EDGE)
OBJECTS := $(SOURCES:%.c=$(B)/%.o)

.DEFAULT_GOAL := all
.PHONY: all
all: $(B)/edge-roll

$(B)/edge-roll: $(B)/agent/main.o $(OBJECTS)
	$(call say,LINK,$@)$(CC) $(LDOPT) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -ldl -lm

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -c -o $@ $<

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)

# ---- tests -------------------------------------------------------------------------------------------------

UNIT_TESTS   := cgroup checkers cli config conns-msg block-msg docs edge-json err fate foreign history hooks http inflight kept-conns lease leave monit-xml procs properties put \
                render roll roll-log sequence snapshot state status-view table time window
UNIT_TESTS   += lock-spec turn
UNIT_TESTS   += inventory look management nodes nodes-view plan servers-json
UNIT_TESTS   += edge-xml lookup monitor plain probing targets-list
UNIT_TESTS   += deployments-json store-json targets
UNIT_TESTS   += bundle lint rotation rotation-check
UNIT_TESTS   += dl json limits needed pem resume
UNIT_TESTS   += why why-table
UNIT_TESTS   += api budget config-seen files names shares
UNIT_TESTS   += job-record why-estate
KERNEL_TESTS := block conns foreign hold inflight
BUS_TESTS    := client coordinator monit remote secrets survey systemd
TEST_LIB     := tests/lib/bus.c tests/lib/ensemble.c tests/lib/getent.c tests/lib/ns.c tests/lib/origin.c tests/lib/sshd.c tests/lib/standin.c tests/lib/tls-origin.c tests/lib/tls-router.c tests/bus/fake-systemd1.c
ZK_TESTS     := job-zk place places
UNIT_TESTS   += frames ssh ssh-trouble
BUS_TESTS    += bridge client-kill coordinator-kill follow oom
TEST_LIB     += tests/lib/why-door.c
TEST_LIB     += tests/lib/fake-agent.c tests/lib/fake-agent-calls.c tests/lib/fake-agent-job.c tests/lib/points.c tests/lib/trace.c tests/lib/until.c tests/lib/wire.c tests/lib/world.c
UNIT_TESTS   += check-wire
BUS_TESTS    += lookout targets-from
TEST_LIB     += tests/lib/rolls.c
TEST_LIB     += tests/lib/between.c
BUS_TESTS    += link-kill callers
BUS_TESTS    += agent-config
KERNEL_TESTS += killpoint
BENCHES      := block look roll targets
FUZZ_TARGETS := agent config conns edge-json frames http inventory lock-spec look monit-xml nft nodes pem proc properties put records relay remote \
                render roll-record servers-json snapshot ssh-trouble turn words
FUZZ_TARGETS += bundle edge-objects edge-xml
FUZZ_TARGETS += check-wire client job reading roll-join

UNIT_BINS   := $(UNIT_TESTS:%=$(B)/tests/unit/test-%)
KERNEL_BINS := $(KERNEL_TESTS:%=$(B)/tests/kernel/test-%)
BUS_BINS    := $(BUS_TESTS:%=$(B)/tests/bus/test-%)
ZK_BINS     := $(ZK_TESTS:%=$(B)/tests/zk/test-%)
FUZZ_BINS   := $(FUZZ_TARGETS:%=$(B)/tests/fuzz/fuzz-%)
BENCH_BINS  := $(BENCHES:%=$(B)/tests/bench/bench-%)
TOOLS       := $(B)/tests/lib/load $(B)/tests/lib/filler $(B)/tests/lib/checker $(B)/tests/lib/flood $(B)/tests/lib/without-netfilter $(B)/tests/lib/killpoint
REPLAY      := $(B)/tests/replay/replay
REPLAY_OBJ  := $(B)/tests/replay/kinds.o $(B)/tests/replay/serve.o $(B)/tests/replay/stage.o $(B)/tests/replay/wire.o

$(B)/lib.a: $(OBJECTS)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(B)/test-lib.a: $(TEST_LIB:%.c=$(B)/%.o)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(UNIT_BINS) $(KERNEL_BINS) $(BUS_BINS) $(ZK_BINS) $(BENCH_BINS): $(B)/%: $(B)/%.o $(B)/test-lib.a $(B)/lib.a
	$(call say,LINK,$@)$(CC) $(LDOPT) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(EXTRA_LIBS) -lcmocka -ldl -lm -lpthread

# malloc() of its own.
$(B)/tests/bus/test-oom: $(B)/tests/lib/oom.o

# It makes the zips that it reads.
$(B)/tests/unit/test-bundle: EXTRA_LIBS := -larchive

$(REPLAY): $(REPLAY).o $(REPLAY_OBJ) $(B)/test-lib.a $(B)/lib.a
	$(call say,LINK,$@)$(CC) $(LDOPT) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lssl -lcrypto -ldl -lm -lpthread

$(B)/tests/lib/killpoint: $(B)/tests/lib/killpoint-call.o
$(B)/tests/kernel/test-killpoint: | $(B)/tests/lib/killpoint
# What they start.
$(B)/tests/bus/test-client-kill $(B)/tests/bus/test-link-kill: | $(B)/edge-roll
# With libFuzzer, where it is built so; else with what gives a target its corpus.
FUZZ_DRIVER := $(if $(filter fuzz,$(VARIANT)),,$(B)/tests/fuzz/replay.o $(B)/tests/lib/oom.o)
$(FUZZ_BINS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/fuzz.o $(B)/tests/lib/ns.o $(FUZZ_DRIVER) $(B)/lib.a
	$(call say,LINK,$@)$(CC) $(LDOPT) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -ldl -lm -lpthread

$(TOOLS): $(B)/%: $(B)/%.o
	$(call say,LINK,$@)$(CC) $(LDOPT) $(LDFLAGS) -o $@ $^ -lpthread

.PHONY: deps tests check check-unit check-asan replay e2e e2e-old cluster torture soak demo bench
deps:
	@tests/packages.sh build test

tests: all $(UNIT_BINS) $(KERNEL_BINS) $(BUS_BINS) $(ZK_BINS) $(TOOLS) $(REPLAY)

# Fuzzing: the compiler, seconds for each target in `make check` (always from the same seed: what it finds there, the
# change has brought), minutes in `make fuzz` (from another one each time).
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 2
FUZZ_SHORT    = tests/fuzz/run --seed 1 --seconds $(FUZZ_SECONDS)
MINUTES      ?= 60
FUZZ_MAKE     = $(BUILD) VARIANT=fuzz CC="$(FUZZ_CC)" fuzz-bins

# Scenarios on booted nodes: so many at a time, each with nodes of its own.
E2E_JOBS ?= 3

# Scenarios of the big cluster in `make check`: seconds of them, others each day. `make cluster` runs all.
ROTATE ?= 300

# The test programs, built with sanitizers. Not test-oom, which has a malloc() of its own. A request for more than there can
# be is answered as malloc() answers it.
IN_ASAN   = $(patsubst build/$(VARIANT)/%,build/asan/%,$(UNIT_BINS) $(KERNEL_BINS) $(filter-out %-oom,$(BUS_BINS)) $(ZK_BINS))
RUN_TESTS = ASAN_OPTIONS=allocator_may_return_null=1 \
	LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 TEST_TIMEOUT=600 tests/run.sh

# Everything: the packages first, then a second make, so that pkg-config is asked when it is there. What is booted and
# replayed is what users get; the other programs run with sanitizers (without: check-unit).
check: fuzz-deps
	$(Q)$(BUILD) VARIANT=asan tests
	$(Q)$(BUILD) all $(TOOLS) $(REPLAY) $(filter %-oom,$(BUS_BINS)) fuzz-bins
	$(Q)$(FUZZ_MAKE)
	$(Q)$(RUN_TESTS) --e2e "$(FUZZ_SHORT)" --e2e "tests/fuzz/oom --seconds 1" --e2e tests/model/run --e2e "tests/e2e/run --jobs $(E2E_JOBS)" --e2e "tests/e2e/run --cluster --jobs $(E2E_JOBS) --rotate $(ROTATE)" \
		$(IN_ASAN) $(filter %-oom,$(BUS_BINS)) $(REPLAY)

# The quick part of it, as it is built for users: seconds, no nodes.
check-unit: deps
	$(Q)$(BUILD) tests
	$(Q)tests/run.sh $(UNIT_BINS) $(KERNEL_BINS) $(BUS_BINS) $(ZK_BINS)

# The same with sanitizers.
check-asan: deps
	$(Q)$(BUILD) VARIANT=asan tests
	$(Q)$(RUN_TESTS) $(IN_ASAN)

# Every parser of what comes from outside: its corpus, and a little of what is new (tests/README.md).
.PHONY: fuzz-deps fuzz-bins fuzz-smoke fuzz fuzz-merge oom
fuzz-deps: deps
	@tests/packages.sh fuzz

fuzz-bins: $(FUZZ_BINS)

fuzz-smoke: fuzz-deps
	$(Q)$(FUZZ_MAKE)
	$(Q)$(FUZZ_SHORT) $(if $(ONLY),--only "$(ONLY)")

# Long: MINUTES each, two at a time. What is found is kept in build/fuzz; fuzz-merge puts what is new into the corpus.
fuzz: fuzz-deps
	$(Q)$(FUZZ_MAKE)
	$(Q)nice -n 15 tests/fuzz/run --seconds $$(($(MINUTES) * 60)) $(if $(ONLY),--only "$(ONLY)")

fuzz-merge: fuzz-deps
	$(Q)$(FUZZ_MAKE)
	$(Q)tests/fuzz/run --merge $(if $(ONLY),--only "$(ONLY)")

# The same with each allocation failing in turn. `make check` tries one at each place, and some of the others.
oom: deps
	$(Q)$(BUILD) fuzz-bins
	$(Q)nice -n 15 tests/fuzz/oom $(if $(SECONDS),--seconds $(SECONDS),--all) $(if $(ONLY),--only "$(ONLY)")

# Memory that was never written, which AddressSanitizer does not see; leaks are check-asan's. Left out are programs with
# tests that must be done in a time, which are too slow under it: some twenty times.
VALGRIND := valgrind -q --error-exitcode=99 --suppressions=$(CURDIR)/tests/valgrind.supp --leak-check=no \
            --child-silent-after-fork=yes
VALGRIND_SLOW := %-block %-callers %-client-kill %-coordinator-kill %-edge-xml %-follow %-http %-inflight %-killpoint %-link-kill %-lookup %-management %-oom %-probing %-snapshot %-why
VALGRIND_BINS  = $(filter-out $(VALGRIND_SLOW),$(UNIT_BINS) $(KERNEL_BINS) $(BUS_BINS))
.PHONY: check-valgrind
check-valgrind: deps
	@tests/packages.sh valgrind
	$(Q)$(BUILD) tests
	$(Q)TEST_WRAPPER="$(VALGRIND)" TEST_TIMEOUT=1800 tests/run.sh $(VALGRIND_BINS)

# 105 drains with known ends, with the times of production: minutes.
replay: deps
	$(Q)$(BUILD) tests
	$(Q)$(REPLAY) --quiet 5 --drains 105 --jobs 24 $(if $(ONLY),--only "$(ONLY)") $(if $(SEED),--seed $(SEED))

e2e: deps
	$(Q)$(BUILD) tests
	$(Q)tests/e2e/run --jobs $(E2E_JOBS) $(if $(ONLY),--only "$(ONLY)")

# Who is between a coordinator and a node is lost at so many points of each kind ("all": hours).
LINK_POINTS ?= 30

# POINT: only that one of the points at which an agent is killed (tests/README.md).
torture: deps
	$(Q)$(BUILD) tests
	$(Q)tests/e2e/run --torture --jobs $(E2E_JOBS) $(if $(ONLY)$(POINT),--only "$(or $(ONLY),*killed-at-any-call-of-*)")
	$(if $(ONLY)$(POINT),,$(Q)tests/e2e/run --cluster --jobs $(E2E_JOBS))
	$(if $(ONLY)$(POINT),,$(Q)KILL_POINTS=all TEST_TIMEOUT=1200 tests/run.sh $(B)/tests/bus/test-coordinator-kill $(B)/tests/bus/test-client-kill)
	$(if $(ONLY)$(POINT),,$(Q)KILL_POINTS=$(LINK_POINTS) TEST_TIMEOUT=3600 tests/run.sh $(B)/tests/bus/test-link-kill)

# Two regions and a bastion: what a coordinator does.
cluster: deps
	$(Q)$(BUILD) tests
	$(Q)tests/e2e/run --cluster --jobs $(E2E_JOBS) $(if $(ONLY),--only "$(ONLY)")

# The whole cluster rolled again and again for HOURS (1; fractions are fine), each request counted.
soak: deps
	$(Q)$(BUILD) tests
	$(Q)HOURS=$(or $(HOURS),1) tests/e2e/soak.sh

# Every state of the models of the protocol: seconds; minutes and gigabytes with BIG=1.
.PHONY: model
model:
	@tests/packages.sh test
	$(Q)tests/model/run $(if $(filter 1,$(BIG)),--big) $(if $(ONLY),--only "$(ONLY)")

# The same on nodes that are forced to the ways of old kernels.
e2e-old: deps
	$(Q)$(BUILD) tests
	$(Q)EDGE_ROLL_OLD=1 tests/e2e/run --jobs $(E2E_JOBS) $(if $(ONLY),--only "$(ONLY)")

demo: deps
	$(Q)$(BUILD) tests
	$(Q)tests/e2e/demo.sh

bench: deps
	$(Q)$(BUILD) tests $(BENCH_BINS)
	$(Q)tests/bench/run.sh $(B)

# ---- installing --------------------------------------------------------------------------------------------

INSTALL ?= install
OWN_UNITS  := edge-roll-agent edge-roll-hold edge-roll-heal edge-roll-recover
ANSIBLE_FILES := $(addprefix ansible/roles/edge_roll/,defaults/main.yml handlers/main.yml meta/main.yml tasks/main.yml tasks/restart.yml)
UNIT_FILES := $(OWN_UNITS:%=%.service) edge-component@.service

# The paths the units name are those of this installation.
$(B)/units/%.service: units/%.service.in Makefile
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed 's|@bindir@|$(BINDIR)|g' $< > $@

.PHONY: install uninstall
install: all $(OWN_UNITS:%=$(B)/units/%.service)
	$(INSTALL) -D -m 755 $(B)/edge-roll $(DESTDIR)$(BINDIR)/edge-roll
	$(Q)for u in $(OWN_UNITS); do \
		$(INSTALL) -D -m 644 $(B)/units/$$u.service $(DESTDIR)$(UNITDIR)/$$u.service || exit; done
	$(INSTALL) -D -m 644 units/edge-roll.preset $(DESTDIR)$(PRESETDIR)/90-edge-roll.preset
	$(INSTALL) -D -m 644 units/edge-component@.service $(DESTDIR)$(UNITDIR)/edge-component@.service
	$(INSTALL) -D -m 644 units/org.edgeroll.Agent1.conf $(DESTDIR)$(DBUSDIR)/system.d/org.edgeroll.Agent1.conf
	$(INSTALL) -D -m 644 units/org.edgeroll.Agent1.service $(DESTDIR)$(DBUSDIR)/system-services/org.edgeroll.Agent1.service
	$(INSTALL) -D -m 644 units/org.edgeroll.Agent1.xml $(DESTDIR)$(DBUSDIR)/interfaces/org.edgeroll.Agent1.xml
	$(INSTALL) -D -m 644 units/org.edgeroll.Job1.xml $(DESTDIR)$(DBUSDIR)/interfaces/org.edgeroll.Job1.xml
	$(INSTALL) -D -m 644 units/edge-roll.sysusers $(DESTDIR)$(SYSUSERSDIR)/edge-roll.conf
	$(INSTALL) -D -m 644 units/edge-roll.tmpfiles $(DESTDIR)$(TMPFILESDIR)/edge-roll.conf
	$(INSTALL) -D -m 644 units/edge-roll.catalog $(DESTDIR)$(CATALOGDIR)/edge-roll.catalog
	$(INSTALL) -D -m 644 units/edge-roll.bash-completion $(DESTDIR)$(BASHDIR)/edge-roll
	$(INSTALL) -D -m 644 units/edge-roll.conf $(DESTDIR)$(DOCDIR)/edge-roll.conf
	$(INSTALL) -D -m 644 units/man/edge-roll.1 $(DESTDIR)$(MANDIR)/man1/edge-roll.1
	$(INSTALL) -D -m 644 units/man/edge-roll.conf.5 $(DESTDIR)$(MANDIR)/man5/edge-roll.conf.5
	$(INSTALL) -D -m 644 units/man/edge-roll-inflight.7 $(DESTDIR)$(MANDIR)/man7/edge-roll-inflight.7
	$(INSTALL) -D -m 644 units/man/edge-roll-recovery.7 $(DESTDIR)$(MANDIR)/man7/edge-roll-recovery.7
	$(INSTALL) -D -m 644 units/man/edge-roll-targets.7 $(DESTDIR)$(MANDIR)/man7/edge-roll-targets.7
	$(Q)for f in $(ANSIBLE_FILES); do $(INSTALL) -D -m 644 units/$$f $(DESTDIR)$(DATADIR)/$$f || exit; done
	$(if $(DESTDIR),,units/activate.sh)

uninstall:
	$(if $(DESTDIR),,units/deactivate.sh $(BINDIR)/edge-roll)
	rm -f $(DESTDIR)$(BINDIR)/edge-roll $(UNIT_FILES:%=$(DESTDIR)$(UNITDIR)/%) \
		$(DESTDIR)$(PRESETDIR)/90-edge-roll.preset $(DESTDIR)$(DBUSDIR)/system.d/org.edgeroll.Agent1.conf \
		$(DESTDIR)$(DBUSDIR)/system-services/org.edgeroll.Agent1.service \
		$(DESTDIR)$(DBUSDIR)/interfaces/org.edgeroll.Agent1.xml $(DESTDIR)$(DBUSDIR)/interfaces/org.edgeroll.Job1.xml \
		$(DESTDIR)$(SYSUSERSDIR)/edge-roll.conf $(DESTDIR)$(TMPFILESDIR)/edge-roll.conf \
		$(DESTDIR)$(CATALOGDIR)/edge-roll.catalog $(DESTDIR)$(BASHDIR)/edge-roll \
		$(DESTDIR)$(MANDIR)/man1/edge-roll.1 $(DESTDIR)$(MANDIR)/man5/edge-roll.conf.5 \
		$(DESTDIR)$(MANDIR)/man7/edge-roll-inflight.7 $(DESTDIR)$(MANDIR)/man7/edge-roll-recovery.7 \
		$(DESTDIR)$(MANDIR)/man7/edge-roll-targets.7
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DATADIR)
	$(if $(DESTDIR),,systemctl daemon-reload || true)

# ---- care --------------------------------------------------------------------------------------------------

C_FILES := $(SOURCES) agent/main.c $(wildcard base/*.h drain/*.h probes/*.h agent/*.h agent/cluster/*.h agent/edge/*.h) $(wildcard tests/*/*.[ch])

# What cppcheck cannot see: __attribute__((cleanup)) releases (LeakSanitizer looks after that), an error that exists
# exactly when the other pointer does not, and a function pointer chosen in place.
CPPCHECK_BLIND := --suppress=resourceLeak --suppress=memleak --suppress=nullPointer:agent/systemd-call.c \
                  --suppress=uninitvar:drain/inflight.c

.PHONY: lint lint-deps lint-sleep lint-pipe lint-model lint-matrix analyze format format-check
lint:
	@tests/packages.sh build test lint
	$(Q)$(MAKE) --no-print-directory lint-deps lint-sleep lint-pipe lint-model lint-matrix
	$(Q)cppcheck -j "$$(nproc)" --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=nullPointerOutOfMemory $(CPPCHECK_BLIND) -I. $(SOURCES) agent/main.c
	$(Q)printf '%s\n' $(SOURCES) agent/main.c | xargs -P "$$(nproc)" -n 8 sh -c \
		'clang-tidy --quiet "$$@" -- -std=gnu11 -D_GNU_SOURCE -I. $(PKG_CFLAGS) 2>/dev/null' clang-tidy
	$(Q)$(MAKE) --no-print-directory analyze

# base <- {drain, probes} <- agent <- tests: nobody includes upwards or sideways.
lint-deps:
	@! grep -nE '^#include "(agent|drain|probes|tests)/' base/*.[ch] || { echo 'base/ includes upwards' >&2; false; }
	@! grep -nE '^#include "(agent|probes|tests)/' drain/*.[ch] || { echo 'drain/ includes what it may not' >&2; false; }
	@! grep -nE '^#include "(agent|drain|tests)/' probes/*.[ch] || { echo 'probes/ includes what it may not' >&2; false; }
	@! grep -nE '^#include "tests/' agent/*.[ch] agent/cluster/*.[ch] agent/edge/*.[ch] || { echo 'agent/ includes what it may not' >&2; false; }
	@! grep -nE 'sd_journal|syslog\.h|fprintf\(stderr' base/*.c drain/*.c probes/*.c || { echo 'only agent/ logs' >&2; false; }
	@! grep -n 'cJSON_InitHooks' -r base drain probes agent --include=*.c | grep -v '^probes/json\.c:' || { echo 'a second hook of cJSON takes the place of the first one' >&2; false; }

# Tests wait for events, never for a time.
lint-sleep:
	@! grep -nE '(^|[^a-z_-])(sleep|usleep) +[0-9]' -r tests --include=*.sh --include=run || \
		{ echo 'a test sleeps instead of waiting for an event' >&2; false; }

# Every test that the crash matrix names is there.
lint-matrix:
	@sed -n '/^## The crash matrix/,$$p' tests/README.md | grep -o '`[a-z0-9]*/[a-zA-Z0-9./-]*`' | tr -d '`' | sort -u | while read -r name; do \
		ls -d "tests/$$name" "tests/$$name.c" "tests/$$name".* >/dev/null 2>&1 || [ -n "$$(ls -d tests/$$name* 2>/dev/null)" ] || \
			{ echo "tests/README.md names $$name, which is not there" >&2; exit 1; }; done

# grep -q leaves at the first match; under pipefail the writer's SIGPIPE then fails the whole pipe.
lint-pipe:
	@! grep -nE '\| *grep -[a-zA-Z]*q' -r tests/e2e || { echo 'say `shows PATTERN` at the end of a pipe' >&2; false; }

# What stands in the models stands in the code, and the other way round: "model: TAG" on both sides.
lint-model:
	@mkdir -p build
	@grep -hoE 'model: [A-Z][A-Z-]+' -r agent --include=*.[ch] | sort -u >build/model-tags.code
	@grep -hoE 'model: [A-Z][A-Z-]+' tests/model/*.pml | sort -u >build/model-tags.model
	@diff build/model-tags.code build/model-tags.model || \
		{ echo 'a tag stands only in the code (<) or only in a model (>): see tests/model/README.md' >&2; false; }

# gcc -fanalyzer; a file anew only when it has changed.
ANALYZE_CC ?= gcc
analyze:
	$(Q)$(BUILD) VARIANT=analyze CC="$(ANALYZE_CC)" analyzed
.PHONY: analyzed
analyzed: $(B)/agent/main.o $(OBJECTS)

format:
	$(Q)clang-format -i $(C_FILES)

format-check:
	$(Q)clang-format --dry-run --Werror $(C_FILES)

.PHONY: clean help
clean:
	$(Q)rm -rf build

help:
	@sed -n '3,9p' Makefile | sed 's/^# \{0,1\}//'
	@echo 'Also: install uninstall check-unit check-asan e2e e2e-old cluster torture [ONLY=pattern POINT=call] soak [HOURS=number] model [BIG=1] replay [ONLY=kind SEED=number] lint analyze format format-check clean'
	@echo 'Also: check-valgrind fuzz-smoke fuzz [ONLY=target] [MINUTES=60] fuzz-merge oom [ONLY=target]'
