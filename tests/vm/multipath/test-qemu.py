#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QEMU's guest on a map: fenced and fencing, whatever its paths do."""
import os

# pylint: disable=wrong-import-position
import san
import scsi
from cluster import KEY_A, KEY_B, USER, Node
from helper import Helper
from san import KIND
from tap import main, test

OPTIONS = san.parse_arguments(__doc__)


def writes():
    """Enough of them that both paths are used; the outcomes."""
    return {GUEST.writes() for _ in range(20)}


@test("the guest registers and reserves; the other host is fenced")
def _():
    assert writes() == {"GOOD"} and SAN.other_host_writes()
    assert GUEST.pr_out(scsi.REGISTER, 0, KEY_A) == "GOOD"
    assert GUEST.pr_out(scsi.RESERVE, KEY_A, kind=KIND) == "GOOD"
    assert GUEST.keys() == SAN.keys() == [KEY_A, KEY_A]
    assert GUEST.reservation() == SAN.reservation() == (KEY_A, KIND)
    assert writes() == {"GOOD"}
    assert not SAN.other_host_writes()


@test("each path is lost and comes back: it writes, and the other host is fenced all the time")
def _():
    for path in SAN.paths:
        SAN.lose(path)
        assert writes() == {"GOOD"} and not SAN.other_host_writes()
        assert GUEST.reservation() == (KEY_A, KIND)
        SAN.bring_back(path)
        assert writes() == {"GOOD"} and not SAN.other_host_writes()
    assert SAN.keys() == [KEY_A, KEY_A]


@test("a path is away while the guest changes its key")
def _():
    SAN.lose(SAN.paths[0])
    assert GUEST.pr_out(scsi.REGISTER, KEY_A, KEY_B) == "GOOD"
    assert writes() == {"GOOD"}
    SAN.bring_back(SAN.paths[0])
    assert writes() == {"GOOD"}
    assert SAN.keys() == [KEY_B, KEY_B] and SAN.reservation() == (KEY_B, KIND)


@test("fenced by the other host while a path is away, the guest stays fenced")
def _():
    SAN.lose(SAN.paths[1])
    assert SAN.other_host(scsi.REGISTER, 0, KEY_A) == "GOOD"
    assert SAN.other_host(scsi.PREEMPT, KEY_A, KEY_B, KIND) == "GOOD"
    assert writes() == {"CONFLICT"} and SAN.other_host_writes()
    SAN.bring_back(SAN.paths[1])
    assert writes() == {"CONFLICT"} and SAN.other_host_writes()
    assert SAN.keys() == [KEY_A]
    assert GUEST.pr_out(scsi.RESERVE, KEY_B, kind=KIND) == "CONFLICT"


@test("it takes the disk over again, and leaves nothing behind")
def _():
    assert GUEST.pr_out(scsi.REGISTER, 0, KEY_B) == "GOOD"
    assert GUEST.pr_out(scsi.PREEMPT, KEY_B, KEY_A, KIND) == "GOOD"
    assert writes() == {"GOOD"} and not SAN.other_host_writes()
    assert GUEST.pr_out(scsi.CLEAR, KEY_B) == "GOOD"
    assert (SAN.keys(), SAN.reservation()) == ([], None)
    assert writes() == {"GOOD"} and SAN.other_host_writes()
    assert GUEST.is_alive()


MULTIPATHD, SAN = san.start()
SAN.clean()
with Helper(OPTIONS.helper) as HELPER:
    os.chown(HELPER.socket, USER, USER)
    with Node("map", SAN.node, HELPER.socket) as GUEST:
        main()
