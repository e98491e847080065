#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pacemaker's fence_scsi does its work through the daemon.

It runs twice on one disk: with sg_persist, straight to the disk, and with
qemu-pr-client in sg_persist's place, so that each command takes the way that a
guest's command takes. The disk is an iSCSI one, because fencing is PREEMPT AND
ABORT, which the kernel's loop target never answers.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from cluster import equal
from fence import OFF, ON, Node
from helper import Helper, parse_arguments
from scenarios import CONFLICT, GOOD, WRITE_10
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
CLIENT = os.path.join(os.path.dirname(OPTIONS.helper), "qemu-pr-client")
SOCKET = "/run/qemu-pr-helper.sock"     # where qemu-pr-client looks for it
KEY_A, KEY_B = 0xA11CE, 0xB0B
TYPE = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY

if OPTIONS.reference:                   # which has no client
    print("1..0")
    sys.exit()


def settled(fd, cdb, data=b""):
    """A command's answer behind all unit attentions."""
    while True:
        answer = sgio.pr_command(fd, cdb) if not data else sgio.sg_io(fd, cdb, data_out=data)
        if not str(answer).startswith("6/"):
            return answer


def writes(fd):
    return str(settled(fd, WRITE_10, bytes(512)))


def state():
    """(keys in ascending order, reservation), as the disk says."""
    keys = settled(FD[0], scsi.pr_in(scsi.READ_KEYS)).payload
    holder = settled(FD[0], scsi.pr_in(scsi.READ_RESERVATION)).payload
    return sorted(scsi.keys(keys)), scsi.reservation(holder)


def call(node, action, key=None, status=0):
    found = node.agent(action, key)
    assert found == status, f"{action}: {found}, not {status}\n{node.said}"


def fencing(program):
    """Two nodes join; the second fences the first, which cannot undo that, and joins again."""
    a, b = (Node(name, key, nexus.sd, sg_persist=program)
            for name, key, nexus in zip("ab", (KEY_A, KEY_B), DISK.nexus))
    call(a, "monitor", status=1)        # it has no key yet
    for node in (a, b):
        call(node, "on")
        call(node, "status", status=ON)
        call(node, "monitor")
    equal(state(), ([KEY_B, KEY_A], (KEY_A, TYPE)))
    equal((writes(FD[0]), writes(FD[1])), (GOOD, GOOD))
    call(b, "off", KEY_A)
    equal(state(), ([KEY_B], (KEY_B, TYPE)))
    call(a, "status", status=OFF)
    equal((writes(FD[0]), writes(FD[1])), (CONFLICT, GOOD))
    call(b, "off", KEY_B, status=1)     # not itself
    call(a, "on")
    call(a, "status", status=ON)
    equal((writes(FD[0]), writes(FD[1])), (GOOD, GOOD))
    equal(str(settled(FD[0], scsi.pr_out(scsi.CLEAR), scsi.parameters(KEY_A))), GOOD)


@test("fence_scsi with sg_persist", timeout=120)
def _():
    fencing("/usr/bin/sg_persist")


@test("fence_scsi with qemu-pr-client", timeout=120)
def _():
    fencing(CLIENT)


DISK = rig.iscsi_disk("fence", nexuses=2)
FD = [nexus.open() for nexus in DISK.nexus]
with Helper(OPTIONS.helper, socket=SOCKET, drop=()):
    main()
