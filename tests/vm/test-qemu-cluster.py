#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clusters of two QEMUs, and what becomes of them when their helper dies.

Each QEMU has a nexus of its own to the one disk. All run as an ordinary user,
and have the right to connect by the socket's group, as the README says.
"""
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from cluster import KEY_A, KEY_B, USER, Node, equal, outcome
from helper import DIRECTORY, SOCKET, Helper, parse_arguments
from qtest import PROGRAM, supplementary
from scenarios import (CONFLICT, GOOD, REGISTRATIONS_PREEMPTED, RESERVATIONS_PREEMPTED,
                       RESERVATIONS_RELEASED, WRITE_10)
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0],
                          ("--qemu", "root directory of an unpacked Debian, for its QEMU"))
QEMU = (os.path.join(HERE, "qemu-in"), OPTIONS.qemu) if OPTIONS.qemu else PROGRAM
GROUP = 54321                   # of those who may connect to the helper
OTHER_SOCKET = DIRECTORY + "/other.sock"
# What QEMU itself tells the guest: it lost the helper in mid-command; it cannot reach it.
LOST, UNREACHABLE = "5/24/00", "B/00/06"
LIMIT = 8192                    # the protocol's for data, in bytes
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
DEADLINE, UNKNOWN = 4, "B/2E/02"        # in seconds, and what it ends with


def start_helper(socket=SOCKET, *more):
    if not OPTIONS.reference:
        return Helper(OPTIONS.helper, "--socket-mode=0660", f"--socket-group={GROUP}", *more,
                      socket=socket)
    helper = Helper(OPTIONS.helper, socket=socket)
    os.chmod(socket, 0o660)
    os.chown(socket, -1, GROUP)
    return helper


def node(name, disk, socket=SOCKET, groups=(GROUP,), **more):
    return Node(name, disk, socket, groups=groups, program=QEMU, **more)


def register_both(a, b):
    equal((a.keys(), a.reservation()), ([], None))
    equal(a.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
    equal(b.pr_out(scsi.REGISTER, 0, KEY_B), GOOD)
    equal(a.keys(), [KEY_B, KEY_A])
    equal(b.keys(), [KEY_B, KEY_A])


def exclusive_failover(a, b):
    """One node has the disk for itself, until the other takes it away."""
    kind = scsi.EXCLUSIVE_ACCESS
    register_both(a, b)
    equal(a.pr_out(scsi.RESERVE, KEY_A, kind=kind), GOOD)
    equal((a.writes(), a.reads()), (GOOD, GOOD))
    equal((b.writes(), b.reads()), (CONFLICT, CONFLICT))
    equal(b.pr_out(scsi.RESERVE, KEY_B, kind=kind), CONFLICT)
    equal(b.pr_out(scsi.PREEMPT, KEY_B, KEY_A, kind), GOOD)
    # The first command that the loser sends is one that the helper carries.
    equal(a.once(READ_KEYS, LIMIT), REGISTRATIONS_PREEMPTED)
    equal((a.writes(), a.reads()), (CONFLICT, CONFLICT))
    equal((b.writes(), b.reads()), (GOOD, GOOD))
    equal(a.keys(), [KEY_B])
    equal(a.pr_out(scsi.RESERVE, KEY_A, kind=kind), CONFLICT)
    equal(b.pr_out(scsi.CLEAR, KEY_B), GOOD)


def shared_failover(a, b):
    """Only registered nodes may write: Windows, Pacemaker."""
    kind = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY
    register_both(a, b)
    equal(a.pr_out(scsi.RESERVE, KEY_A, kind=kind), GOOD)
    equal(a.reservation(), (KEY_A, kind))
    equal(b.reservation(), (KEY_A, kind))
    equal((a.writes(), b.writes()), (GOOD, GOOD))
    equal(a.pr_out(scsi.RELEASE, KEY_A, kind=kind), GOOD)
    equal(b.once(READ_KEYS, LIMIT), RESERVATIONS_RELEASED)
    equal(b.pr_out(scsi.RESERVE, KEY_B, kind=kind), GOOD)
    equal(b.pr_out(scsi.PREEMPT, KEY_B, KEY_A, kind), GOOD)
    equal(a.once(scsi.TEST_UNIT_READY), REGISTRATIONS_PREEMPTED)
    equal((a.writes(), b.writes()), (CONFLICT, GOOD))
    # Only after a person has looked at it, it may join again.
    equal(a.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, KEY_A), GOOD)
    equal(a.writes(), GOOD)
    equal(b.pr_out(scsi.CLEAR, KEY_B), GOOD)
    equal(a.once(READ_KEYS, LIMIT), RESERVATIONS_PREEMPTED)
    equal((a.keys(), a.reservation()), ([], None))


def play(device, nodes, sockets):
    """Both failovers, in a cluster of two QEMUs with that kind of disk."""
    with node("a", nodes[0], sockets[0], device=device) as a, \
            node("b", nodes[1], sockets[1], device=device) as b:
        for story in (exclusive_failover, shared_failover):
            story(a, b)
        assert a.is_alive() and b.is_alive()


@test("scsi-block, one helper for both")
def _():
    with start_helper():
        play("scsi-block", SD, (SOCKET, SOCKET))


@test("scsi-block, a helper for each")
def _():
    with start_helper(), start_helper(OTHER_SOCKET):
        play("scsi-block", SD, (SOCKET, OTHER_SOCKET))


@test("scsi-generic, one helper for both")
def _():
    with start_helper():
        play("scsi-generic", SG, (SOCKET, SOCKET))


@test("scsi-generic, a helper for each")
def _():
    with start_helper(), start_helper(OTHER_SOCKET):
        play("scsi-generic", SG, (SOCKET, OTHER_SOCKET))


@test("without the socket's group QEMU does not start")
def _():
    with start_helper():
        result = subprocess.run(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", *supplementary(()), *QEMU,
             "-nodefaults", "-machine", "none", "-display", "none",
             "-object", f"pr-manager-helper,id=pr,path={SOCKET}"],
            stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        assert result.returncode == 1, result
        assert "Permission denied" in result.stderr, result.stderr


@test("a helper that was killed and is back at once: the guest notices nothing")
def _():
    with start_helper() as helper, node("a", SD[0]) as a:
        assert a.is_connected()
        equal(a.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        kill(helper)
        with start_helper():
            equal(a.keys(), [KEY_A])
            a.learns(False)
            a.learns(True)
            assert a.is_connected()
            equal(a.pr_out(scsi.CLEAR, KEY_A), GOOD)


@test("a helper that was killed and is back a little later: the guest waits for it")
def _():
    with start_helper() as helper, node("a", SD[0]) as a:
        equal(a.pr_in(scsi.READ_KEYS).status, scsi.GOOD)
        kill(helper)
        a.request(READ_KEYS, data_in=LIMIT)
        a.learns(False)
        assert not a.is_connected()
        with start_helper():
            equal(outcome(a.reply(LIMIT)), GOOD)
            a.learns(True)
            assert a.is_connected()


@test("a helper that was killed with a command in its hands: one error, then all is well")
def _():
    with start_helper() as helper, node("a", SD[0]) as a, node("b", SD[1]) as b:
        register_both(a, b)             # and no unit attention is left
        take_in_hand(helper, a)
        kill(helper)
        equal(outcome(a.reply(LIMIT)), LOST)
        a.learns(False)
        assert not a.is_connected()
        with start_helper():
            for guest in (a, b):
                equal(guest.keys(), [KEY_B, KEY_A])
                assert guest.is_connected()
            a.learns(True)
            b.learns(False)
            b.learns(True)
            equal(a.pr_out(scsi.CLEAR, KEY_A), GOOD)


@test("a helper that was killed with a command at a disk: one error, once the disk lets go of it")
def _():
    disk = rig.iscsi_disk("killed")
    with start_helper() as helper, node("b", SD[1]) as b, node("a", disk.nexus[0].sd) as a:
        equal([outcome(guest.pr_in(scsi.READ_KEYS)) for guest in (a, b)], [GOOD, GOOD])
        disk.targets[0].hang(DEADLINE)
        a.request(READ_KEYS, data_in=LIMIT)
        rig.wait_for(lambda: "D" in {status["State"][0] for status in helper.threads()},
                     "the command to hang")
        kill(helper)
        equal(outcome(a.reply(LIMIT)), LOST)
        with start_helper():
            equal(outcome(b.pr_in(scsi.READ_KEYS)), GOOD)
            assert a.is_alive() and b.is_connected()


@test("no helper any more: reservations fail, and the disk goes on")
def _():
    with start_helper() as helper, node("a", SD[0]) as a:
        equal(a.writes(), GOOD)
        kill(helper)
        equal(outcome(a.settled(READ_KEYS, data_in=LIMIT)), UNREACHABLE)
        assert not a.is_connected()
        equal((a.writes(), a.reads()), (GOOD, GOOD))
        assert a.is_alive()


@test("no length makes QEMU abort")
def _():
    # QEMU 11.1 aborts by itself for shorter parameter lists, whatever is answered.
    shortest = 16 if OPTIONS.qemu else 1
    with start_helper(), node("a", SD[0]) as a:
        equal(a.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        for action in (scsi.READ_KEYS, scsi.READ_RESERVATION, scsi.REPORT_CAPABILITIES):
            for length in (0, 1, 4, 7, 8, 9, 255, LIMIT - 1, LIMIT):
                cdb = scsi.pr_in(action, length)
                device, guest = sgio.pr_command(FD, cdb), a.pr_in(action, length)
                assert outcome(device) == outcome(guest), f"{cdb.hex()}: {device}, {guest}"
                if device.status == scsi.GOOD:
                    equal(without_filtered(action, guest), without_filtered(action, device))
            for length in (LIMIT + 1, 0xFFFF):
                equal(outcome(a.pr_in(action, length)), LOST)
                equal(a.keys(), [KEY_A])
        # The actions of SPC-4, and one that is none.
        for action in range(9):
            for length in (n for n in (1, 8, 15, 16, 23, 25, LIMIT) if n >= shortest):
                cdb, data = scsi.pr_out(action, length=length), bytes(length)
                device, guest = sgio.pr_command(FD, cdb, data), a.settled(cdb, data)
                equal(outcome(guest), outcome(device))
                assert guest.status != scsi.GOOD, f"{cdb.hex()}: {guest}"
            # The first, too, is QEMU's own affair: to it that is a command without data.
            for length in (0, LIMIT + 1, 0xFFFF):
                cdb = scsi.pr_out(action, length=length)
                equal(outcome(a.settled(cdb, bytes(length))), LOST)
        equal(a.keys(), [KEY_A])
        equal(a.pr_out(scsi.CLEAR, KEY_A), GOOD)
        assert a.is_alive()


def without_filtered(action, answer):
    """What the disk said, less the two capabilities that QEMU 11 takes from what guests see.

    They are SIP_C and ATP_C: registrations for others, with which it could not migrate.
    """
    payload = bytearray(answer.payload)
    if OPTIONS.qemu and action == scsi.REPORT_CAPABILITIES and len(payload) > 2:
        payload[2] &= ~0x0C
    return payload


def hung_disk():
    """A guest whose disk hangs is told so in time, and its neighbour is not held up."""
    disk = rig.iscsi_disk("hungguest")
    with start_helper(SOCKET, f"--command-timeout={DEADLINE}"), node("b", SD[1]) as b, \
            node("a", disk.nexus[0].sd) as a:
        equal(outcome(a.pr_in(scsi.READ_KEYS)), GOOD)
        disk.targets[0].hang(2 * DEADLINE)
        a.request(READ_KEYS, data_in=LIMIT)
        for _ in range(10):
            equal(outcome(b.pr_in(scsi.READ_KEYS)), GOOD)
        assert not a.has_reply(), "the disk does not hang"
        equal(outcome(a.reply(LIMIT, 2 * DEADLINE)), UNKNOWN)
        assert a.is_connected()


def migration():
    """QEMU 11 takes a guest's registration and reservation along to another nexus."""
    kind = scsi.WRITE_EXCLUSIVE
    with start_helper(), start_helper(OTHER_SOCKET), node("a", SD[0]) as a, \
            node("b", SD[1], OTHER_SOCKET, source=a) as b:
        equal(a.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(a.pr_out(scsi.RESERVE, KEY_A, kind=kind), GOOD)
        a.migrate_to(b)
        equal((b.keys(), b.reservation()), ([KEY_A], (KEY_A, kind)))
        equal((b.writes(), writes_from(DISK.nexus[0])), (GOOD, CONFLICT))
        equal(b.pr_out(scsi.CLEAR, KEY_A), GOOD)


def writes_from(nexus):
    """A plain WRITE by the host itself."""
    fd = nexus.open()
    try:
        while (found := str(sgio.sg_io(fd, WRITE_10, bytes(512)))).startswith("6/"):
            pass
        return found
    finally:
        os.close(fd)


def kill(helper):
    helper.process.kill()
    helper.process.wait()


def take_in_hand(helper, guest):
    """Have a command sent, and received but not answered."""
    helper.process.send_signal(signal.SIGSTOP)
    guest.request(READ_KEYS, data_in=LIMIT)
    rig.wait_for(lambda: unread_bytes(helper.pid), "the command to arrive")


def unread_bytes(pid):
    """How many bytes wait in all of a process' Unix sockets together."""
    lines = subprocess.run(["ss", "-xpH"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.splitlines()
    return sum(int(line.split()[2]) for line in lines if f"pid={pid}," in line)


if not OPTIONS.reference:       # which hangs as well
    test("a disk that hangs holds up its own guest only", timeout=90)(hung_disk)

if OPTIONS.qemu:
    test("live migration takes registration and reservation along")(migration)

DISK = rig.loop_disk("cluster")
SD = [nexus.sd for nexus in DISK.nexus]
SG = [nexus.sg for nexus in DISK.nexus]
FD = DISK.nexus[0].open()         # to see what guest a sees
main()
