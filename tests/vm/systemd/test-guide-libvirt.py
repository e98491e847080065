#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guide for libvirt: a disk with reservations for a domain that runs."""
import re

# pylint: disable=wrong-import-position
import unit
import domain
import guide
import rig
import scsi
from cluster import KEY_A, equal
from scenarios import GOOD
from tap import main, test

unit.install(__doc__)
unit.stop_everything()                  # the guide starts the socket
DISK = rig.loop_disk("guidelibvirt", nexuses=1).nexus[0].sd


def shell(commands):
    """A block; if it has given the guest a disk, the guest can reserve it."""
    guide.run(commands, DISK=DISK, DOMAIN=GUEST.name)
    if "attach-device" in commands:
        equal(GUEST.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(GUEST.keys(), [KEY_A])
        equal(GUEST.pr_out(scsi.CLEAR, KEY_A), GOOD)


def check_arguments(line):
    """What libvirt has made of the program's options."""
    with open(f"/proc/{domain.processes(unit.PROGRAM)[0]}/cmdline", encoding="utf-8") as file:
        found = file.read().replace("\0", " ").strip()
    number = re.search(r"domain-(\d+)-", found)[1]
    equal(found, line.strip().replace("qemu-pr-helper", unit.PROGRAM, 1)
          .replace("1-NAME", f"{number}-{GUEST.name}"))


guide.register("LIBVIRT.md", {}, sh=shell, text=check_arguments)


@test("a detached disk leaves no helper of its own")
def _():
    helper = unit.show("MainPID")
    assert [str(pid) for pid in domain.processes(unit.PROGRAM)] == [helper]


# As on Debian. Of our helper the guide tells both.
with domain.confined():
    domain.configure()
    with domain.Domain("guide") as GUEST:
        main()
