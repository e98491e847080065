# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is tested, in which variants, and how. Each test is a program that
# prints TAP; tests/run-tap runs them and prints the verdict.

RUN_TAP := $(PYTHON) tests/run-tap
REFERENCE := /usr/bin/qemu-pr-helper

-include tests/fuzz/fuzz.mk

# The whole daemon on the fake back end; helpers of these programs have no #!.
FAKE_TESTS := $(filter-out tests/integration/blackbox-% \
	tests/integration/real-% \
	tests/integration/test-client.py,\
	$(shell grep -l '^\#!' tests/integration/*.py))
# Those that need the real back end.
REAL_TESTS := $(wildcard tests/integration/real-*.py)
BLACKBOX_TESTS := $(wildcard tests/integration/blackbox-*.py)

# What every variant builds, below its folder.
PROGRAMS := $(patsubst $(BUILD)/%,%,$(UNIT_TESTS) $(REPLAYS)) \
	fake/qemu-pr-helper qemu-pr-client

# $(call tests_of,BUILD,LABEL,ENVIRONMENT,PROGRAMS): the tests of these programs,
# as run-tap takes them.
tests_of = $(foreach program,$(filter unit/%,$(4)),\
		'$(2)$(notdir $(program)):$(3) $(1)/$(program) --tap') \
	$(foreach program,$(filter replay/%,$(4)),\
		'$(2)$(notdir $(program)):$(3) $(1)/$(program) \
			tests/fuzz/corpus/$(program:replay/fuzz-%=%)') \
	$(if $(filter fake/qemu-pr-helper,$(4)),$(foreach test,$(filter-out $(5),$(FAKE_TESTS)),\
		'$(2)$(basename $(notdir $(test))):$(3) $(test) \
			$(1)/fake/qemu-pr-helper')) \
	$(if $(filter qemu-pr-client,$(4)),'$(2)client:$(3) \
		tests/integration/test-client.py $(1)/qemu-pr-client')

# The real helper, on this machine.
real_tests_of = $(foreach test,$(BLACKBOX_TESTS) $(REAL_TESTS),\
	'$(basename $(notdir $(test))):$(test) $(1)/qemu-pr-helper')
# The same black-box suite for the one that it replaces.
BLACKBOX_REFERENCE := $(foreach test,$(BLACKBOX_TESTS),\
	'$(basename $(notdir $(test)))-reference:$(test) $(REFERENCE) --reference')

# What is around the virtual machine, without one.
AROUND_VM := 'relay:tests/vm/host/test-relay.py' 'demo:tests/vm/host/test-demo.py'
LINT := 'lint:tests/lint'
INSTALL_TEST := 'install:tests/install $(BUILD)'
DIST_TEST := 'dist:tests/packages/dist $(BUILD)'
RUN_TAP_TEST := 'run-tap:tests/test-run-tap'
DEPS_TEST := 'deps:tests/deps'
CROSS := 'cross:tests/cross $(BUILD)'
OPENRC := 'openrc:tests/openrc $(BUILD)'
# The longest first.
IN_SYSTEMD := tests/vm/run --systemd --timeout 1500 \
	--before "tests/vm/systemd/before-boot $(BUILD)/qemu-pr-helper" \
	tests/vm/all --in tests/vm/systemd
VM := 'vm-guides:$(IN_SYSTEMD) --only "guide*" $(BUILD)/qemu-pr-helper' \
	'vm-systemd:$(IN_SYSTEMD) --but "guide*" $(BUILD)/qemu-pr-helper' \
	'vm:tests/vm/run --timeout 1500 tests/vm/all $(BUILD)/qemu-pr-helper' \
	'vm-multipath:tests/vm/run --timeout 1500 tests/vm/all \
		--in tests/vm/multipath $(BUILD)/qemu-pr-helper' \
	'vm-reference:tests/vm/run --timeout 1500 tests/vm/all --reference $(REFERENCE)' \
	'vm-terminal:tests/vm/host/test-terminal.py $(BUILD)'
# Emulated twice, so slow, and slower yet on a busy machine: no part of `make
# check`. For the same reason it has so much time.
GUEST := 'vm-guest:tests/vm/run --timeout 2000 tests/vm/guest/test-guest.py \
		$(BUILD)/qemu-pr-helper'
# Of a release that moves, so no part of `make check`.
NEWER_QEMU := 'vm-newer-qemu:tests/vm/newer-qemu $(BUILD)/qemu-pr-helper'
NEWER_MULTIPATH := 'vm-newer-multipath:tests/vm/newer-multipath $(BUILD)/qemu-pr-helper'

ASAN := $(BUILD)/asan
TSAN := $(BUILD)/tsan
# GLib's slices move memory between threads in ways that no sanitizer sees.
SANITIZED := env SANITIZED=1 G_SLICE=always-malloc \
	ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# Only a program that can start a thread has races.
THREADED = $(patsubst $(BUILD)/%,%,\
	$(shell tests/with-threads $(PROGRAMS:%=$(BUILD)/%))\
	$(if $(filter-out 0,$(.SHELLSTATUS)),$(error the list is not complete)))

# --check, which tries what a process without threads can, and what is not started
# by any thread: what programs write to terminals, the client among them.
NOT_FOR_TSAN := $(addprefix tests/integration/,readme.py terminal.py)

FAST_TESTS = $(call tests_of,$(BUILD),,,$(PROGRAMS)) \
	$(call real_tests_of,$(BUILD)) $(BLACKBOX_REFERENCE) $(INSTALL_TEST) \
	$(DIST_TEST) $(AROUND_VM) $(RUN_TAP_TEST) $(DEPS_TEST)
ASAN_TESTS = $(call tests_of,$(ASAN),asan-,$(SANITIZED),$(PROGRAMS))
TSAN_TESTS = $(call tests_of,$(TSAN),tsan-,$(SANITIZED),$(THREADED),$(NOT_FOR_TSAN))

.PHONY: test-programs
test-programs: all $(BUILD)/fake/qemu-pr-helper $(UNIT_TESTS) replays

.PHONY: asan-programs tsan-programs
asan-programs:
	+@$(MAKE) BUILD=$(ASAN) SANITIZE=address,undefined test-programs
tsan-programs: test-programs
	+@$(MAKE) BUILD=$(TSAN) SANITIZE=thread $(THREADED:%=$(TSAN)/%)

.PHONY: check check-fast check-asan check-tsan check-vm lint
check-fast: test-programs
	@$(RUN_TAP) $(FAST_TESTS)

check-asan: asan-programs
	@$(RUN_TAP) $(ASAN_TESTS)

check-tsan: tsan-programs
	@$(RUN_TAP) $(TSAN_TESTS)

check-vm: all
	@$(RUN_TAP) -t 1600 $(VM)

.PHONY: check-guest
check-guest: all
	@$(RUN_TAP) -t 2000 $(GUEST)

# Each in a root of its own that debootstrap makes; the last one for 32 bits.
DISTRIBUTIONS ?= bullseye bookworm trixie sid bookworm:i386
.PHONY: check-distributions
check-distributions:
	@$(RUN_TAP) -t 7200 -j 1 $(foreach release,$(DISTRIBUTIONS),\
		'$(subst :,-,$(release)):tests/distributions $(BUILD) $(subst :, ,$(release))')

.PHONY: check-newer-multipath
check-newer-multipath: all
	@$(RUN_TAP) -t 1000 $(NEWER_MULTIPATH)

.PHONY: check-newer-qemu
check-newer-qemu: all
	@$(RUN_TAP) -t 1000 $(NEWER_QEMU)

check-first lint: export LINT_BUILD := $(BUILD)
check-first lint: export LINT_CFLAGS = -std=gnu11 $(ALL_CPPFLAGS) \
	$(patsubst -I/%,-isystem /%,$(PACKAGE_CFLAGS))
lint: docs
	@$(RUN_TAP) -t 600 $(LINT)

# In stages: what is quick comes first, so that a slip is known in a minute or
# two. Each is a make of its own, as its list depends on what was built before.
# The last one counts the first one in: there is one verdict, in the last line.
STAGE = +@$(MAKE) --no-print-directory \
	$(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
check:
	$(STAGE) test-programs
	$(STAGE) check-first
	$(STAGE) asan-programs tsan-programs
	$(STAGE) check-rest

.PHONY: check-first check-rest
check-first:
	@$(RUN_TAP) -t 600 --save $(BUILD)/check-first $(LINT) $(CROSS) $(FAST_TESTS)
check-rest:
	@$(RUN_TAP) -t 1600 --after $(BUILD)/check-first $(VM) $(OPENRC) \
		$(ASAN_TESTS) $(TSAN_TESTS)

# Compiled so that gcov can count; a table instead of a verdict. Each object's
# file of counts is there for processes of any user: one that could not write it
# would say so on standard error, where the tests read.
COVERAGE := $(BUILD)/coverage
.PHONY: coverage coverage-programs
coverage-programs:
	+@$(MAKE) BUILD=$(COVERAGE) HARDENING=-fPIE LDFLAGS=--coverage \
		CFLAGS='-O0 -g --coverage -fprofile-update=atomic \
		-fno-builtin-fork -include tests/coverage.h' test-programs
coverage: coverage-programs
	@for notes in $$(find $(COVERAGE) -name '*.gcno'); do \
		counts=$${notes%.gcno}.gcda; \
		: >$$counts && chmod 666 $$counts || exit; \
	done
	@$(RUN_TAP) \
		$(call tests_of,$(COVERAGE),,,$(PROGRAMS)) \
		$(call real_tests_of,$(COVERAGE))
	@tests/coverage $(COVERAGE)

# All acts, or those in ACT.
ACT ?=

.PHONY: demo
demo:
	$(STAGE) all
	@tests/demo $(BUILD) $(REFERENCE) $(ACT)

# The picture at the top of README.md, made of a run.
.PHONY: demo-picture
demo-picture: all
	tests/demo --colour $(BUILD) $(REFERENCE) >$(BUILD)/demo.out
	tests/picture <$(BUILD)/demo.out >$(BUILD)/demo.svg
	mv $(BUILD)/demo.svg docs/demo.svg

.PHONY: deps
deps:
	@SYSTEMD='$(SYSTEMD)' sh contrib/deps $(filter-out deps,$(MAKECMDGOALS))

# `make deps check` on a machine that has nothing: first the one, then the
# other, also with -j.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(BUILD)/flags $(BUILD)/paths check demo asan-programs tsan-programs lint dist: | deps
endif

.PHONY: clean
clean:
	rm -rf $(BUILD)

# --- benchmark --------------------------------------------------------------

$(BUILD)/bench/bench-client: tests/bench/bench-client.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(CLIENT_LIBS) -pthread

.PHONY: bench
# The benchmark's status is what counts, not tee's.
bench: private SHELL := /bin/bash
bench: private .SHELLFLAGS := -o pipefail -c
bench: all $(BUILD)/bench/bench-client
	tests/vm/run --announce --timeout 1200 tests/bench/bench.py \
		$(abspath $(BUILD)/bench/bench-client) \
		$(abspath $(BUILD)/qemu-pr-helper) $(REFERENCE) \
		| tee $(BUILD)/bench/result
	$(PYTHON) tests/bench/plot $(BUILD)/bench/result $(BUILD)/bench/result.svg
