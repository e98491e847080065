# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is tested, in which variants, and how. Each test is a program that
# prints TAP; tests/run-tap runs them and prints the verdict. Sanitizers build
# the same programs again in folders of their own.

export BUILD
RUN_TAP := $(PYTHON) tests/run-tap
REFERENCE := /usr/bin/qemu-pr-helper

-include tests/fuzz/fuzz.mk

INTEGRATION := $(patsubst tests/integration/%.py,%,\
	$(wildcard tests/integration/test-*.py))

# tests_of BUILD: the fast tests against one build, as run-tap's arguments.
define unit_tests
$(foreach test,$(UNIT_TESTS),\
	"$(1)$(notdir $(test)):$(test) --tap")
endef

TEST_PROGRAMS := $(BUILD)/qemu-pr-helper $(BUILD)/fake/qemu-pr-helper \
	$(BUILD)/qemu-pr-client $(UNIT_TESTS)

.PHONY: test-programs
test-programs: $(TEST_PROGRAMS) docs
