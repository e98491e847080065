# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzz targets, in two builds: by clang with libFuzzer and sanitizers, to
# search; and as every other program is built, to replay the corpus with the
# other tests. Included by the main Makefile.

FUZZ_CC		?= clang
FUZZ_SECONDS	?= 60
FUZZ_FLAGS	?= -max_len=16384 -timeout=10 -rss_limit_mb=1024

FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
FUZZ_MODULES := $(sort $(MODULE_OBJECTS) \
	$(filter-out %/main.o,$(CLIENT_OBJECTS)))

# What finds faults, and none of what hides them.
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fPIE \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-Wall -Wextra -Wno-missing-field-initializers
FUZZ_OBJECTS := $(FUZZ_MODULES:$(BUILD)/obj/%=$(BUILD)/fuzz/obj/%)

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_CFLAGS) $(PACKAGE_CFLAGS) \
		-fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_TARGETS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: \
		$(BUILD)/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJECTS)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -pie -o $@ $^ \
		$(PACKAGE_LIBS) -pthread

-include $(shell find $(BUILD)/fuzz/obj -name '*.d' 2>/dev/null)

# New inputs go to a corpus in the build folder; the one in the source tree is
# only read. A fault leaves its input beside it.
FUZZ_RUNS := $(FUZZ_TARGETS:%=run-%)
.PHONY: fuzz $(FUZZ_RUNS)
fuzz: $(FUZZ_RUNS)
$(FUZZ_RUNS): run-fuzz-%: $(BUILD)/fuzz/fuzz-%
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	$< $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) \
		-print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*

# $(BUILD)/replay/fuzz-NAME runs over tests/fuzz/corpus/NAME and prints TAP.
REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/replay/%)

$(REPLAYS): $(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o \
		$(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/modules.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS) -pthread

.PHONY: replays
replays: $(REPLAYS)
