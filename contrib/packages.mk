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

# Whose address a package has: yours, if you give it to others.
PACKAGER ?= The packager of qemu-pr-helper <packager@example.org>

#: make deb        a Debian package, in build/dist/deb/
.PHONY: deb
deb: dist
	@contrib/make-deb $(VERSION) $(TARBALL) $(DIST)/deb '$(PACKAGER)'

#: make image      the content of the image for KubeVirt, in build/dist/image/
.PHONY: image
image: all
	@rm -rf $(DIST)/image
	@contrib/container/content $(BUILD) LICENSE $(DIST)/image
	@echo $(DIST)/image

# What tests of packages lay their layers over; kept until `make clean`.
PACKAGE_ROOT := $(BUILD)/packages/bookworm
DEB = $(DIST)/deb/qemu-pr-helper-dropin_$(VERSION)-0upstream1_*.deb

#: make check-packages  builds the packages, and installs them in throwaway roots
.PHONY: check-packages
check-packages: all deb
	@tests/packages/debian-root $(PACKAGE_ROOT)
	@$(RUN_TAP) -t 900 'lintian:tests/packages/lintian $(DIST)/deb' \
		'container:tests/packages/test-container.py $(BUILD)' \
		"deb:tests/packages/test-deb.py $(PACKAGE_ROOT) $$(echo $(DEB))" \
		"deb-systemd:tests/vm/run --systemd --timeout 880 \
			tests/packages/test-deb-systemd.py $$(echo $(DEB))"

#: make rpm        an RPM package, in build/dist/rpm/; RPM_FLAGS= for rpmbuild
.PHONY: rpm
rpm: dist
	@contrib/make-rpm $(VERSION) $(TARBALL) $(DIST)/rpm '$(PACKAGER)' \
		--nocheck $(RPM_FLAGS)

# The tests of what is not Debian's.
.PHONY: check-rpm
check-rpm: dist
	@$(RUN_TAP) -t 900 'rpm:tests/packages/rpm $(TARBALL)' \
		'recipes:tests/packages/recipes $(TARBALL)'
check-packages: check-rpm
