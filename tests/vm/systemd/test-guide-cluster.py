#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guides for clusters of guests, and for a container in which the helper runs."""
import os

# pylint: disable=wrong-import-position
import unit
import guide
import rig
import scsi
import sgio
from fence import Node
from tap import main

unit.install(__doc__)
# fence_scsi's PREEMPT AND ABORT is what the kernel's loop target never answers.
DISK = rig.iscsi_disk("guidecluster", nexuses=2)
OURS, THEIRS = DISK.nexus
KEY = 0xB0B                             # as the guide calls the other node's


def shell(commands):
    """A block; where it fences the other node, that one is there."""
    unit.start()
    service = unit.main_pid()
    if any(word in commands for word in ("--action=off", "--preempt")):
        other = Node("other", KEY, THEIRS.sd)
        assert other.agent("on") == 0, other.said
    said = guide.run(commands, DISK=OURS.sd)
    assert unit.main_pid() == service, "the host's own helper is another one"
    if "objdump" in commands:
        assert said.splitlines()[-1] in guide.text_of("KUBEVIRT.md"), said


def settle(nexus):
    """Nothing has to be told to it any more."""
    fd = nexus.open()
    while sgio.sg_io(fd, scsi.TEST_UNIT_READY).status != scsi.GOOD:
        pass
    os.close(fd)


for _nexus in DISK.nexus:
    settle(_nexus)
guide.register("CLUSTERS.md", {}, sh=shell)
# What is for Kubernetes has nobody here to take it.
guide.register("KUBEVIRT.md", {}, sh=shell, untested=("yaml", "text"))
main()
