# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tarball of the source, and packages of it; docs/PACKAGES.md. What they are
# made of is in contrib/, what is made in $(BUILD)/dist.

DIST := $(BUILD)/dist
TARBALL := $(DIST)/qemu-pr-helper-$(VERSION).tar.gz

#: make dist       the source as a tarball, in build/dist/
#: make distcheck  that tarball: build, test, install, uninstall, dist again
.PHONY: dist
dist:
	@contrib/dist $(VERSION) $(DIST)

.PHONY: distcheck
distcheck: dist
	@$(RUN_TAP) -t 900 'distcheck:tests/packages/distcheck $(TARBALL)'
