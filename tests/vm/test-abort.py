#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""PREEMPT AND ABORT, with which one host fences another.

It has a file of its own because its disk has to be an iSCSI one: the kernel's
loop target never answers this command. Such a disk cannot be made twice alike,
so the same sequence is played twice on one disk, straight and through the
daemon, and the answers are compared but for the generation counter.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from helper import Helper, parse_arguments
from scenarios import A, B, CONFLICT, GOOD, KEY_A, KEY_B, REGISTRATIONS_PREEMPTED, WRONG, Player
from tap import diag, main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
TYPE = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY


def fence(player):
    """A holds the reservation; B takes it away."""
    for host, key in ((A, KEY_A), (B, KEY_B)):
        player.out(host, scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, key)
    player.out(A, scsi.RESERVE, KEY_A, kind=TYPE)
    player.out(B, scsi.PREEMPT_AND_ABORT, WRONG, KEY_A, kind=TYPE, expect=CONFLICT)
    player.out(B, scsi.PREEMPT_AND_ABORT, KEY_B, WRONG, kind=TYPE, expect=CONFLICT)
    player.access(A)
    player.out(B, scsi.PREEMPT_AND_ABORT, KEY_B, KEY_A, kind=TYPE)
    player.read(A, scsi.READ_KEYS, expect=REGISTRATIONS_PREEMPTED)
    player.look(A)
    player.access(A, write=False)
    player.access(B)
    # As it was before.
    player.out(B, scsi.CLEAR, KEY_B)


def media(host, cdb, data):
    if data:
        return sgio.sg_io(FDS[host], cdb, data_out=data)
    return sgio.sg_io(FDS[host], cdb, data_in=512)


def play(send):
    player = Player(send, media, strict=True)
    fence(player)
    return player.transcript


def without_generation(entry):
    """Only the capabilities, which are told by their length, do not begin with the counter."""
    is_capabilities = entry.payload[:2] == b"\0\x08"
    return entry if is_capabilities else entry._replace(payload=entry.payload[4:])


@test("PREEMPT AND ABORT", timeout=90)
def _():
    direct = play(lambda host, cdb, data: sgio.pr_command(FDS[host], cdb, data))
    helped = play(lambda host, cdb, data: HELPER.command(FDS[host], cdb, data))
    assert len(direct) == len(helped)
    different = [pair for pair in zip(direct, helped)
                 if without_generation(pair[0]) != without_generation(pair[1])]
    for pair in different:
        diag(f"device: {pair[0]}\nhelper: {pair[1]}")
    assert not different
    assert sum(scsi.outcome(entry.status, entry.sense) == GOOD for entry in direct) >= 10


DISK = rig.iscsi_disk("abort", nexuses=2)
FDS = [nexus.open() for nexus in DISK.nexus]
with Helper(OPTIONS.helper) as HELPER:
    main()
