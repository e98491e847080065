# SPDX-License-Identifier: GPL-2.0-or-later
#
# qemu-pr-helper: `make help` lists the targets.

VERSION := 0.1.0

PREFIX		?= /usr/local
prefix		?= $(PREFIX)
bindir		?= $(prefix)/bin
datadir		?= $(prefix)/share
mandir		?= $(datadir)/man
docdir		?= $(datadir)/doc/qemu-pr-helper
unitdir		?= $(prefix)/lib/systemd/system
sysusersdir	?= $(prefix)/lib/sysusers.d
completionsdir	?= $(datadir)/bash-completion/completions
runstatedir	?= /var/run

# A variant (sanitizers, coverage) is the same build in another folder:
# make BUILD=build/asan SANITIZE=address,undefined
BUILD		?= build
SANITIZE	?=

ifeq ($(origin CC),default)
CC		:= gcc
endif
PKG_CONFIG	?= pkg-config
CFLAGS		?= -O2 -g
PYTHON		?= /usr/bin/python3

PACKAGES	:= glib-2.0 libcap-ng libsystemd
CLIENT_PACKAGES	:= glib-2.0

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wvla \
	-Wno-missing-field-initializers
HARDENING := -fPIE -fno-plt -fstack-protector-strong -fstack-clash-protection
# Against jumps to the wrong place, as far as the processor helps.
CONTROL_FLOW_x86_64 := -fcf-protection
CONTROL_FLOW_aarch64 := -mbranch-protection=standard
ifeq ($(SANITIZE),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all
endif

# Two builds in two folders give the same programs: no path is left in them.
HERE_IS_NOWHERE := -ffile-prefix-map=$(CURDIR)=.

# Asked for only when something is compiled, so that `make deps all` works on
# a machine that has nothing yet; and only once.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(shell \
	$(PKG_CONFIG) --cflags $(PACKAGES)))$(PACKAGE_CFLAGS)
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $$(shell \
	$(PKG_CONFIG) --libs $(PACKAGES)))$(PACKAGE_LIBS)
PROCESSOR = $(eval PROCESSOR := $$(firstword $$(subst -, ,$$(shell \
	$(CC) -dumpmachine))))$(PROCESSOR)
CLIENT_LIBS = $(eval CLIENT_LIBS := $$(shell \
	$(PKG_CONFIG) --libs $(CLIENT_PACKAGES)))$(CLIENT_LIBS)

ALL_CPPFLAGS := -D_GNU_SOURCE -Iinclude -Isrc -DVERSION='"$(VERSION)"' \
	-DRUNSTATEDIR='"$(runstatedir)"' \
	-DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_70 \
	-DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_70 $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CONTROL_FLOW_$(PROCESSOR)) \
	$(SANITIZE_FLAGS) $(PACKAGE_CFLAGS) $(HERE_IS_NOWHERE) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE_FLAGS) \
	$(LDFLAGS)

# Sorted, as the order of the objects shows in the programs.
DAEMON_SOURCES := $(sort $(filter-out src/client/%,\
	$(wildcard src/*.c src/*/*.c src/*/*/*.c)))
CLIENT_SOURCES := $(sort $(wildcard src/client/*.c))
# What the client shares with the daemon: the pure modules.
SHARED_SOURCES := $(sort $(wildcard src/scsi/*.c))

# One short line per command, unless it is asked for (V=1) or silenced (-s).
V ?= 0
say = $(if $(filter 0,$(V)),@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,\
	echo '$(1) $(2)' &&) )

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
DAEMON_OBJECTS := $(call objects,$(DAEMON_SOURCES))
CLIENT_OBJECTS := $(call objects,$(CLIENT_SOURCES) $(SHARED_SOURCES))
# The fake back end takes the place of the real ones.
FAKE_OBJECTS := $(filter-out $(BUILD)/obj/src/device/backend-scsi.o \
	$(BUILD)/obj/src/multipath/backend-multipath.o,$(DAEMON_OBJECTS)) \
	$(call objects,$(wildcard tests/fake/*.c))
# Unit tests link everything but main().
MODULE_OBJECTS := $(filter-out $(BUILD)/obj/src/main.o,$(DAEMON_OBJECTS))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,\
	$(wildcard tests/unit/test-*.c))

.DEFAULT_GOAL := all
# Nothing is removed behind our backs: the verdict is the last line.
.SECONDARY:

.PHONY: help
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make            build the daemon and the client into build/
#: make deps       install what building and testing need (Debian)
#: make demo       a failover on a virtual SCSI disk, told line by line
#: make check      every test; the virtual machine and lint included
#: make check-fast the tests that need no virtual machine
#: make check-vm   the tests on real kernel SCSI targets
#: make check-guest  a real Linux guest with sg_persist on its own disk
#: make check-newer-qemu  the cluster tests with the QEMU of Debian sid
#: make check-newer-multipath  the tests on maps with Debian sid's multipathd
#: make lint       formatting, static analysis, spelling, manual pages
#: make bench      figures against QEMU's helper, in the virtual machine
#: make fuzz       fuzz each target for FUZZ_SECONDS
#: make install    into PREFIX (/usr/local), below DESTDIR
#: make uninstall  what install did, undone
#: make clean      remove build/
#: V=1             with any of these: whole commands
.PHONY: all
all: $(BUILD)/qemu-pr-helper $(BUILD)/qemu-pr-client

$(BUILD)/qemu-pr-helper: $(DAEMON_OBJECTS)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -pthread

$(BUILD)/qemu-pr-client: $(CLIENT_OBJECTS)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

$(BUILD)/fake/qemu-pr-helper: $(FAKE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -pthread

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(MODULE_OBJECTS) \
		$(filter-out %/main.o,$(CLIENT_OBJECTS))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(sort $^) $(PACKAGE_LIBS) -pthread

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What was built with other flags, or for other paths, is built anew.
# $(call remember,TEXT) changes the target only if the text is another.
remember = @mkdir -p $(@D); \
	echo '$(subst ','\'',$(1))' | cmp -s - $@ || \
	echo '$(subst ','\'',$(1))' > $@
FLAGS = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)

$(BUILD)/flags: force
	$(call remember,$(FLAGS))
$(BUILD)/paths: force
	$(call remember,$(VERSION) $(runstatedir) $(bindir) $(docdir))
.PHONY: force
force:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# Manual pages and units, with the paths of this installation.
SUBSTITUTE = sed -e 's|@VERSION@|$(VERSION)|g' \
	-e 's|@RUNSTATEDIR@|$(runstatedir)|g' -e 's|@bindir@|$(bindir)|g'
MAN_PAGES := $(BUILD)/man/qemu-pr-helper.8 $(BUILD)/man/qemu-pr-client.8
UNITS := $(BUILD)/systemd/qemu-pr-helper.service
# For the administrator to put into effect.
DROP_INS := $(BUILD)/systemd/multipath.conf
# The documents name the places that are in effect where PREFIX is not given.
DOCUMENTS := $(patsubst %,$(BUILD)/doc/%,README.md $(wildcard docs/*.md))
RELOCATE = sed -e 's|/usr/local/bin|$(bindir)|g' \
	-e 's|/usr/local/share/doc/qemu-pr-helper|$(docdir)|g'

# All that is compiled, for tests/cross.
.PHONY: objects
objects: $(DAEMON_OBJECTS) $(CLIENT_OBJECTS)

.PHONY: docs
docs: $(MAN_PAGES) $(UNITS) $(DROP_INS) $(DOCUMENTS)
all: docs

$(BUILD)/man/%.8: %.8.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(SUBSTITUTE) $< > $@
$(BUILD)/man/%.8: docs/%.8.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(SUBSTITUTE) $< > $@
$(BUILD)/systemd/%: contrib/systemd/%.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(SUBSTITUTE) $< > $@

$(BUILD)/doc/%.md: %.md $(BUILD)/paths
	@mkdir -p $(@D)
	$(RELOCATE) $< > $@

# --- installation -----------------------------------------------------------

INSTALL ?= install

.PHONY: install
install: all
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man8 \
		$(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) \
		$(DESTDIR)$(completionsdir) $(DESTDIR)$(docdir)/docs
	$(INSTALL) $(BUILD)/qemu-pr-helper $(BUILD)/qemu-pr-client \
		$(DESTDIR)$(bindir)
	$(INSTALL) -m 644 $(MAN_PAGES) $(DESTDIR)$(mandir)/man8
	$(INSTALL) -m 644 $(UNITS) contrib/systemd/qemu-pr-helper.socket \
		$(DESTDIR)$(unitdir)
	$(INSTALL) -m 644 contrib/systemd/qemu-pr-helper.sysusers.conf \
		$(DESTDIR)$(sysusersdir)/qemu-pr-helper.conf
	$(INSTALL) -m 644 contrib/qemu-pr-client.bash \
		$(DESTDIR)$(completionsdir)/qemu-pr-client
	$(INSTALL) -m 644 $(BUILD)/doc/README.md LICENSE $(DROP_INS) \
		$(DESTDIR)$(docdir)
	$(INSTALL) -m 644 $(filter $(BUILD)/doc/docs/%,$(DOCUMENTS)) \
		$(wildcard docs/*.svg) $(DESTDIR)$(docdir)/docs
	@sh contrib/after-install '$(DESTDIR)' $(bindir)

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(bindir)/qemu-pr-helper \
		$(DESTDIR)$(bindir)/qemu-pr-client \
		$(DESTDIR)$(mandir)/man8/qemu-pr-helper.8 \
		$(DESTDIR)$(mandir)/man8/qemu-pr-client.8 \
		$(DESTDIR)$(unitdir)/qemu-pr-helper.service \
		$(DESTDIR)$(unitdir)/qemu-pr-helper.socket \
		$(DESTDIR)$(sysusersdir)/qemu-pr-helper.conf \
		$(DESTDIR)$(completionsdir)/qemu-pr-client
	rm -f $(addprefix $(DESTDIR)$(docdir)/,README.md LICENSE \
		$(notdir $(DROP_INS)) $(wildcard docs/*.md docs/*.svg))
	-rmdir $(DESTDIR)$(docdir)/docs $(DESTDIR)$(docdir)

# --- packages, tests --------------------------------------------------------

include contrib/packages.mk
include tests/tests.mk
