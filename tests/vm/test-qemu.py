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
from helper import Helper, parse_arguments
from qtest import Qemu
from scenarios import READ_10, WRITE_10
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
USER = 12345
KEY_A, KEY_B = 0xA11CE, 0xB0B
TYPE = scsi.WRITE_EXCLUSIVE


def start_helper():
    helper = Helper(OPTIONS.helper)
    os.chown(helper.socket, USER, USER)
    return helper


def start_qemu(name, nexus):
    os.chown(nexus.sd, USER, USER)
    return Qemu(name, nexus.sd, HELPER.socket, USER)


def settled(guest, cdb, data_out=b"", data_in=0):
    """A command's answer behind all unit attentions, which real guests also go past."""
    while True:
        answer = guest.command(cdb, data_out, data_in)
        if scsi.sense_code(answer.sense)[:2] != "6/":
            return answer


def outcome(answer):
    return scsi.outcome(answer.status, answer.sense)


def pr_out(guest, action, key=0, new_key=0, kind=0):
    return outcome(settled(guest, scsi.pr_out(action, kind), scsi.parameters(key, new_key)))


def pr_in(guest, action, length=8192):
    return settled(guest, scsi.pr_in(action, length), data_in=length)


def writes(guest):
    return outcome(settled(guest, WRITE_10, bytes(512)))


def reads(guest):
    return outcome(settled(guest, READ_10, data_in=512))


def reservation():
    """What the disk itself says."""
    return scsi.reservation(sgio.pr_command(FD, scsi.pr_in(scsi.READ_RESERVATION)).payload)


@test("the guests read and write")
def _():
    for guest in (GUEST_A, GUEST_B):
        assert (writes(guest), reads(guest)) == ("GOOD", "GOOD")


@test("a guest registers and reserves")
def _():
    assert scsi.keys(pr_in(GUEST_A, scsi.READ_KEYS).payload) == []
    assert pr_out(GUEST_A, scsi.REGISTER, 0, KEY_A) == "GOOD"
    assert scsi.keys(pr_in(GUEST_A, scsi.READ_KEYS).payload) == [KEY_A]
    assert pr_out(GUEST_A, scsi.RESERVE, KEY_A, kind=TYPE) == "GOOD"
    for guest in (GUEST_A, GUEST_B):
        answer = pr_in(guest, scsi.READ_RESERVATION)
        assert scsi.reservation(answer.payload) == (KEY_A, TYPE), answer
    assert reservation() == (KEY_A, TYPE)


@test("the other guest may read, and not write")
def _():
    assert writes(GUEST_A) == "GOOD"
    assert writes(GUEST_B) == "CONFLICT"
    assert reads(GUEST_B) == "GOOD"


@test("the other guest's reservation conflicts")
def _():
    assert pr_out(GUEST_B, scsi.REGISTER, 0, KEY_B) == "GOOD"
    assert pr_out(GUEST_B, scsi.RESERVE, KEY_B, kind=TYPE) == "CONFLICT"
    assert pr_out(GUEST_A, scsi.REGISTER, KEY_B, KEY_A) == "CONFLICT"
    assert reservation() == (KEY_A, TYPE)


@test("guests get the disk's own bytes, at every length")
def _():
    # The reference's READ FULL STATUS is not to be relied on, see test-devices.py.
    for action in range(3 if OPTIONS.reference else 4):
        for length in (8, 16, 24, 255, 256, 8192):
            cdb = scsi.pr_in(action, length)
            device, guest = sgio.pr_command(FD, cdb), pr_in(GUEST_A, action, length)
            assert (device.status, device.payload) == (guest.status, guest.payload), \
                f"{cdb.hex()}: {device}, {guest}"


@test("guests get the disk's own sense data")
def _():
    for cdb, data in ((scsi.pr_in(0x1F), b""), (scsi.pr_in(scsi.READ_KEYS, 4), b""),
                      (scsi.pr_out(scsi.REGISTER, length=23), bytes(23))):
        device = sgio.pr_command(FD, cdb, data)
        size_in = 0 if data else scsi.allocation_length(cdb)
        guest = settled(GUEST_A, cdb, data, size_in)
        assert outcome(device) == outcome(guest), f"{cdb.hex()}: {device}, {guest}"
        assert device.status == scsi.CHECK_CONDITION


@test("the other guest preempts, and the first one learns of it")
def _():
    assert pr_out(GUEST_B, scsi.PREEMPT, KEY_B, KEY_A, TYPE) == "GOOD"
    assert outcome(GUEST_A.command(scsi.TEST_UNIT_READY)) == "6/2A/05"
    assert writes(GUEST_A) == "CONFLICT"
    assert writes(GUEST_B) == "GOOD"
    assert reservation() == (KEY_B, TYPE)


@test("a new daemon is found again by guests that were running")
def _():
    global HELPER                           # pylint: disable=global-statement
    HELPER.__exit__()
    HELPER = start_helper()
    for guest in (GUEST_A, GUEST_B):
        assert scsi.keys(pr_in(guest, scsi.READ_KEYS).payload) == [KEY_B]
    assert pr_out(GUEST_B, scsi.RELEASE, KEY_B, kind=TYPE) == "GOOD"
    assert reservation() is None


@test("the last guest leaves nothing behind")
def _():
    assert pr_out(GUEST_B, scsi.CLEAR, KEY_B) == "GOOD"
    assert scsi.keys(pr_in(GUEST_A, scsi.READ_KEYS).payload) == []
    for guest in (GUEST_A, GUEST_B):
        assert guest.process.poll() is None


DISK = rig.loop_disk("qemu", nexuses=3)
FD = DISK.nexus[2].open()
HELPER = start_helper()
try:
    with start_qemu("a", DISK.nexus[0]) as GUEST_A, start_qemu("b", DISK.nexus[1]) as GUEST_B:
        main()
finally:
    HELPER.__exit__()
