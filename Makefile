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

# SYSTEMD=no builds without libsystemd; what it does is done here instead.
SYSTEMD		?= yes
PACKAGES	:= glib-2.0 libcap-ng
ifneq ($(SYSTEMD),no)
PACKAGES	+= libsystemd
SYSTEMD_FLAGS	:= -DHAVE_LIBSYSTEMD
endif
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

# Files and times have 64 bits on every processor.
ALL_CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
	-Iinclude -Isrc -DVERSION='"$(VERSION)"' \
	-DRUNSTATEDIR='"$(runstatedir)"' \
	-DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_56 \
	-DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_56 $(SYSTEMD_FLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CONTROL_FLOW_$(PROCESSOR)) \
	$(SANITIZE_FLAGS) $(PACKAGE_CFLAGS) $(HERE_IS_NOWHERE) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE_FLAGS) \
	$(LDFLAGS)

# Sorted, as the order of the objects shows in the programs.
DAEMON_SOURCES := $(sort $(filter-out src/client/%,\
	$(wildcard src/*.c src/*/*.c src/*/*/*.c)))
CLIENT_SOURCES := $(sort $(wildcard src/client/*.c))
# What the client shares with the daemon: nothing that starts or logs.
SHARED_SOURCES := $(sort $(wildcard src/scsi/*.c) src/base/unix-socket.c)

# One short line per command, unless it is asked for (V=1) or silenced (-s).
V ?= 0
say = $(if $(filter 0,$(V)),@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,\
	echo '$(1) $(2)' &&) )

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
DAEMON_OBJECTS := $(call objects,$(DAEMON_SOURCES))
CLIENT_OBJECTS := $(call objects,$(CLIENT_SOURCES) $(SHARED_SOURCES))
# The fake back end takes the place of the real ones.
FAKE_OBJECTS := $(filter-out $(BUILD)/obj/src/device/backend-raw.o \
	$(BUILD)/obj/src/multipath/backend-multipath.o,$(DAEMON_OBJECTS)) \
	$(call objects,$(wildcard tests/fake/*.c))
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
#: make deps       install what building needs
#: make deps TARGET  install what TARGET needs, and make it
#: make demo       what it does, on disks in a virtual machine (ACT=1, 2 or 3: in part)
#: make check      every test; the virtual machine and lint included
#: make check-fast the tests that need no virtual machine
#: make check-vm   the tests on real kernel SCSI targets
#: make check-guest  a real Linux guest with sg_persist on its own disk
#: make check-distributions  builds and fast tests in roots of Debian 11 to sid
#: make check-newer-qemu  the cluster tests with the QEMU of Debian sid
#: make check-newer-multipath  the tests on maps with Debian sid's multipathd
#: make lint       formatting, static analysis, spelling, manual pages
#: make coverage   which lines and branches the fast tests run
#: make bench      figures against QEMU's helper, in the virtual machine
#: make fuzz       fuzz each target for FUZZ_SECONDS
#: make install    into PREFIX (/usr/local), below DESTDIR
#: make uninstall  what install did, undone
#: make clean      remove build/
#: SYSTEMD=no      with any of these: without libsystemd, and nothing is lost
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

# Everything but main(). Unit tests and fuzz targets link what they need of it,
# so that their symbols tell what they can do: see tests/with-threads.
$(BUILD)/modules.a: $(sort $(MODULE_OBJECTS) \
		$(filter-out %/main.o,$(CLIENT_OBJECTS)))
	@rm -f $@
	$(call say,AR,$@)$(AR) qcs $@ $^

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/modules.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -pthread

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
SUBSTITUTE = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@rundir@|$(rundir)|g' \
	-e 's|@RUNSTATEDIR@|$(runstatedir)|g' -e 's|@bindir@|$(bindir)|g'
# systemd warns of a unit that has the old name.
rundir = $(patsubst /var/run/%,/run/%,$(patsubst /var/run,/run,$(runstatedir)))
MAN_PAGES := $(BUILD)/man/qemu-pr-helper.8 $(BUILD)/man/qemu-pr-client.8
UNITS := $(BUILD)/systemd/qemu-pr-helper.service \
	$(BUILD)/systemd/qemu-pr-helper.socket
# For the administrator to put into effect.
DROP_INS := $(BUILD)/systemd/multipath.conf
INIT_SCRIPTS := $(BUILD)/init/sysvinit $(BUILD)/init/openrc
# The documents name the places that are in effect where PREFIX is not given.
DOCUMENTS := $(patsubst %,$(BUILD)/doc/%,README.md $(wildcard docs/*.md))
RELOCATE = sed -e 's|/usr/local/bin|$(bindir)|g' \
	-e 's|/usr/local/share/doc/qemu-pr-helper|$(docdir)|g' \
	$(if $(filter-out /run,$(rundir)),$(RELOCATE_RUN))
RELOCATE_RUN = -e 's|/var/run/qemu-pr-helper|/run/qemu-pr-helper|g' \
	-e 's|/run/qemu-pr-helper|$(rundir)/qemu-pr-helper|g'

# All that is compiled, for tests/cross.
.PHONY: objects
objects: $(DAEMON_OBJECTS) $(CLIENT_OBJECTS)

.PHONY: docs
docs: $(MAN_PAGES) $(UNITS) $(DROP_INS) $(INIT_SCRIPTS) $(DOCUMENTS)
all: docs

$(BUILD)/man/%.8: %.8.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(SUBSTITUTE) $< > $@
$(BUILD)/man/%.8: docs/%.8.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(SUBSTITUTE) $< > $@
$(BUILD)/systemd/%: contrib/systemd/%.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(SUBSTITUTE) $< > $@
$(BUILD)/init/%: contrib/init/%.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(SUBSTITUTE) $< > $@

$(BUILD)/doc/%.md: %.md $(BUILD)/paths
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(RELOCATE) $< > $@

# --- installation -----------------------------------------------------------

INSTALL ?= install
# $(call into,MODE,FILES,DIRECTORY) and $(call as,FILE,NAME): a line for each.
into = $(call say,INSTALL,$(DESTDIR)$(3))$(INSTALL) -d $(DESTDIR)$(3) && \
	$(INSTALL) -m $(1) $(2) $(DESTDIR)$(3)
as = $(call say,INSTALL,$(DESTDIR)$(2))$(INSTALL) -D -m 644 $(1) $(DESTDIR)$(2)

.PHONY: install
install: all
	$(call into,755,$(BUILD)/qemu-pr-helper $(BUILD)/qemu-pr-client,$(bindir))
	$(call into,644,$(MAN_PAGES),$(mandir)/man8)
	$(call into,644,$(UNITS),$(unitdir))
	$(call as,contrib/systemd/qemu-pr-helper.sysusers.conf,$(sysusersdir)/qemu-pr-helper.conf)
	$(call as,contrib/qemu-pr-client.bash,$(completionsdir)/qemu-pr-client)
	$(call into,644,$(BUILD)/doc/README.md LICENSE $(DROP_INS),$(docdir))
	$(call into,755,$(INIT_SCRIPTS),$(docdir)/init)
	$(call as,contrib/init/default,$(docdir)/init/default)
	$(call into,644,$(filter $(BUILD)/doc/docs/%,$(DOCUMENTS)) \
		$(wildcard docs/*.svg),$(docdir)/docs)
	@sh contrib/after-install '$(DESTDIR)' $(bindir) $(docdir)

# What install has put there.
INSTALLED = $(addprefix $(bindir)/,qemu-pr-helper qemu-pr-client) \
	$(addprefix $(mandir)/man8/,$(notdir $(MAN_PAGES))) \
	$(addprefix $(unitdir)/,$(notdir $(UNITS))) \
	$(sysusersdir)/qemu-pr-helper.conf $(completionsdir)/qemu-pr-client \
	$(addprefix $(docdir)/,README.md LICENSE $(notdir $(DROP_INS)) \
	$(addprefix init/,default $(notdir $(INIT_SCRIPTS))) \
	$(wildcard docs/*.md docs/*.svg))
OWN_FOLDERS = $(addprefix $(DESTDIR)$(docdir),/docs /init /)

.PHONY: uninstall
uninstall:
	$(call say,RM,$(words $(INSTALLED)) files)rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	@rmdir $(OWN_FOLDERS) 2>/dev/null || true

# --- packages, tests --------------------------------------------------------

include contrib/packages.mk
include tests/tests.mk
