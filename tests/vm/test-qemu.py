#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two real QEMUs share a disk, and the daemon carries their reservations.

They run as an ordinary user, as under libvirt: without the daemon the kernel
would refuse them these commands. What the guests see is held against what the
disk itself says.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from cluster import KEY_A, KEY_B, USER, Node, equal, outcome
from helper import Helper, parse_arguments
from scenarios import CONFLICT, GOOD, REGISTRATIONS_PREEMPTED
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
TYPE = scsi.WRITE_EXCLUSIVE


def start_helper():
    helper = Helper(OPTIONS.helper)
    os.chown(helper.socket, USER, USER)
    return helper


def reservation():
    """What the disk itself says."""
    return scsi.reservation(sgio.pr_command(FD, scsi.pr_in(scsi.READ_RESERVATION)).payload)


@test("the guests read and write")
def _():
    for guest in (A, B):
        equal((guest.writes(), guest.reads()), (GOOD, GOOD))


@test("a guest registers and reserves")
def _():
    equal(A.keys(), [])
    equal(A.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
    equal(A.keys(), [KEY_A])
    equal(A.pr_out(scsi.RESERVE, KEY_A, kind=TYPE), GOOD)
    equal([A.reservation(), B.reservation(), reservation()], [(KEY_A, TYPE)] * 3)


@test("the other guest may read, and not write")
def _():
    equal((A.writes(), B.writes(), B.reads()), (GOOD, CONFLICT, GOOD))


@test("the other guest's reservation conflicts")
def _():
    equal(B.pr_out(scsi.REGISTER, 0, KEY_B), GOOD)
    equal(B.pr_out(scsi.RESERVE, KEY_B, kind=TYPE), CONFLICT)
    equal(A.pr_out(scsi.REGISTER, KEY_B, KEY_A), CONFLICT)
    equal(reservation(), (KEY_A, TYPE))


@test("guests get the disk's own bytes, at every length")
def _():
    # The reference's READ FULL STATUS is not to be relied on, see test-devices.py.
    for action in range(3 if OPTIONS.reference else 4):
        for length in (8, 16, 24, 255, 256, 8192):
            cdb = scsi.pr_in(action, length)
            device, guest = sgio.pr_command(FD, cdb), A.pr_in(action, length)
            equal((guest.status, guest.payload), (device.status, device.payload))


@test("guests get the disk's own sense data")
def _():
    for cdb, data in ((scsi.pr_in(0x1F), b""), (scsi.pr_in(scsi.READ_KEYS, 4), b""),
                      (scsi.pr_out(scsi.REGISTER, length=23), bytes(23))):
        device = sgio.pr_command(FD, cdb, data)
        guest = A.settled(cdb, data, 0 if data else scsi.allocation_length(cdb))
        equal(outcome(guest), outcome(device))
        equal(device.status, scsi.CHECK_CONDITION)


@test("the other guest preempts, and the first one learns of it")
def _():
    equal(B.pr_out(scsi.PREEMPT, KEY_B, KEY_A, TYPE), GOOD)
    equal(A.once(scsi.TEST_UNIT_READY), REGISTRATIONS_PREEMPTED)
    equal((A.writes(), B.writes()), (CONFLICT, GOOD))
    equal(reservation(), (KEY_B, TYPE))


@test("a new daemon is found again by guests that were running")
def _():
    global HELPER                           # pylint: disable=global-statement
    HELPER.__exit__()
    HELPER = start_helper()
    equal((A.keys(), B.keys()), ([KEY_B], [KEY_B]))
    equal(B.pr_out(scsi.RELEASE, KEY_B, kind=TYPE), GOOD)
    equal(reservation(), None)


@test("the last guest leaves nothing behind")
def _():
    equal(B.pr_out(scsi.CLEAR, KEY_B), GOOD)
    equal(A.keys(), [])
    assert A.is_alive() and B.is_alive()


DISK = rig.loop_disk("qemu", nexuses=3)
FD = DISK.nexus[2].open()
HELPER = start_helper()
try:
    with Node("a", DISK.nexus[0].sd, HELPER.socket) as A, \
            Node("b", DISK.nexus[1].sd, HELPER.socket) as B:
        main()
finally:
    HELPER.__exit__()
