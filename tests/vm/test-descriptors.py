#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon makes of the descriptor that came with a command.

A descriptor is a client's only proof of access, and the daemon's privilege
would turn a descriptor of a part of a disk into power over all of it. So here
is every kind of device and file that a client might pass, and what becomes of
disks that go away in the middle.
"""
import contextlib
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from helper import Helper, log as helper_log, parse_arguments
from prproto import Client
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
KEY = 0x1234
FAILED = "B/00/06"
REFUSED = "5/20/00"
USER = 12345

READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)

# What the program to be replaced answers instead, and why ours does not.
REFERENCE_DIFFERS = {
    "a partition": ("GOOD", "any user of a partition could rule the whole disk"),
    "a dm-linear volume": ("GOOD", "any user of a volume could rule the whole disk below it"),
    "a loop device": ("5/24/00", "no disk has seen the command that this finds fault with"),
    "the disk's bsg node": ("5/24/00", "the same"),
}


def expected(case, ours):
    """The outcome to expect from the program under test."""
    if OPTIONS.reference and case in REFERENCE_DIFFERS:
        return REFERENCE_DIFFERS[case][0]
    return ours


class Descriptor:
    """A descriptor for the length of a "with" block."""

    def __init__(self, path, flags=os.O_RDWR):
        self.fd = os.open(path, flags | os.O_NONBLOCK) if isinstance(path, str) else path

    def __enter__(self):
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


def expect_outcomes(fd, of_read_keys, of_register):
    """Send both commands on one connection."""
    with HELPER.client() as client:
        outcomes = (str(client.command(READ_KEYS, fd)),
                    str(client.command(REGISTER, fd, scsi.parameters(0, KEY))))
        assert outcomes == (of_read_keys, of_register), outcomes


def registered_keys():
    """What the disk itself says."""
    with Descriptor(DISK.nexus[0].sd, os.O_RDONLY) as fd:
        return scsi.keys(sgio.pr_command(fd, READ_KEYS).payload)


def clean():
    """No registrations and no pending unit attentions, as before."""
    with Descriptor(DISK.nexus[0].sd) as fd:
        sgio.pr_command(fd, REGISTER, scsi.parameters(0, KEY))
        sgio.pr_command(fd, scsi.pr_out(scsi.CLEAR), scsi.parameters(KEY))
    for nexus in DISK.nexus:
        with Descriptor(nexus.sd) as fd:
            while sgio.sg_io(fd, scsi.TEST_UNIT_READY).status != scsi.GOOD:
                pass


def check(case, descriptor, ours):
    """Both commands get the expected outcome, and the disk sees the second only if GOOD."""
    wanted = expected(case, ours)
    clean()
    with descriptor as fd:
        expect_outcomes(fd, wanted, wanted)
    assert registered_keys() == ([KEY] if wanted == "GOOD" else []), registered_keys()


@test("a whole disk")
def _():
    check("a whole disk", Descriptor(DISK.nexus[0].sd), "GOOD")


@test("a whole disk, by its sg node")
def _():
    check("a whole disk, by its sg node", Descriptor(DISK.nexus[0].sg), "GOOD")


def read_only(node):
    clean()
    with Descriptor(node, os.O_RDONLY) as fd:
        expect_outcomes(fd, "GOOD", REFUSED)
    assert registered_keys() == [], registered_keys()


@test("a read-only descriptor reads and is refused to write")
def _():
    read_only(DISK.nexus[0].sd)


@test("a read-only descriptor of the sg node")
def _():
    read_only(DISK.nexus[0].sg)


@test("a write-only descriptor")
def _():
    clean()
    with Descriptor(DISK.nexus[0].sd, os.O_WRONLY) as fd:
        expect_outcomes(fd, "GOOD", "GOOD")


@test("a partition")
def _():
    check("a partition", Descriptor(rig.partition(DISK.nexus[1])), REFUSED)


@test("a dm-linear volume")
def _():
    try:
        check("a dm-linear volume", Descriptor(rig.linear_map(DISK.nexus[0], "part")), REFUSED)
    finally:
        rig.remove_map("part")


@test("a dm-multipath map that no multipathd cares for")
def _():
    # The reference sends down the map. The others are in tests/vm/multipath.
    registers = "GOOD" if OPTIONS.reference else "B/55/03"
    clean()
    try:
        with Descriptor(rig.multipath_map(DISK.nexus, "map")) as fd:
            expect_outcomes(fd, "GOOD", registers)
        assert registered_keys() == ([KEY] if OPTIONS.reference else []), registered_keys()
    finally:
        rig.remove_map("map")


@test("a loop device")
def _():
    with open("/run/loop.img", "wb") as file:
        file.truncate(1 << 20)
    check("a loop device", Descriptor(rig.loop_device("/run/loop.img")), FAILED)


def log_is_written():
    """Wait until all that has been answered is in the log, and return its lines.

    An answer may be there before its line is; the line of the next one is not.
    """
    mark = "on null (1:3)"
    before = helper_log().count(mark)
    with Descriptor("/dev/null") as null:
        HELPER.command(null, READ_KEYS)
    if not OPTIONS.reference:
        rig.wait_for(lambda: helper_log().count(mark) > before and helper_log()[-1] == "\n",
                     "the last line")
    return helper_log().splitlines()


@contextlib.contextmanager
def said(text, times=2):
    """The daemon gives this as its reason so often: it has not asked the device."""
    before = len(log_is_written())
    yield
    lines = log_is_written()[before:-1]
    assert OPTIONS.reference or sum(text in line for line in lines) == times, lines


@test("an NVMe disk")
def _():
    with said("by the helper: it is not a SCSI device"):
        check("an NVMe disk", Descriptor(rig.nvme_disk()), FAILED)


@test("a CD-ROM is asked, and says itself that it has no reservations")
def _():
    with said("by the helper", 0), Descriptor(rig.cdrom()) as fd, HELPER.client() as client:
        for cdb, data in ((READ_KEYS, b""), (REGISTER, scsi.parameters(0, KEY))):
            direct = sgio.pr_command(fd, cdb, data)
            helped = client.command(cdb, fd, data)
            assert str(direct) == "5/20/00", direct
            assert (helped.status, helped.sense) == (direct.status, direct.sense), helped


def not_a_disk(name, make, of_register=FAILED):
    """The device's place is taken by something with no SCSI in it.

    of_register: what a command that changes something gets where that differs.
    """
    @test(name)
    def _():
        clean()
        with Descriptor(make()) as fd, HELPER.client() as client:
            for _ in range(2):
                answer = client.command(READ_KEYS, fd)
                assert str(answer) == expected(name, FAILED), answer
                answer = client.command(REGISTER, fd, scsi.parameters(0, KEY))
                assert str(answer) == expected(name, of_register), answer
            # The connection has kept step.
            with Descriptor(DISK.nexus[0].sd) as disk:
                assert str(client.command(READ_KEYS, disk)) == "GOOD"


def half_a_pipe():
    reader, writer = os.pipe()
    os.close(writer)
    return reader


@test("/dev/null")
def _():
    check("/dev/null", Descriptor("/dev/null"), FAILED)


not_a_disk("a regular file", lambda: os.open("/run/file", os.O_RDWR | os.O_CREAT))
not_a_disk("a directory", lambda: os.open("/run", os.O_RDONLY), REFUSED)
not_a_disk("an O_PATH descriptor of the disk", lambda: os.open(DISK.nexus[0].sd, os.O_PATH),
           REFUSED)
not_a_disk("the disk's bsg node", lambda: os.open(rig.bsg_node(DISK.nexus[0]), os.O_RDWR))
not_a_disk("a pipe", half_a_pipe, REFUSED)
not_a_disk("a TCP socket", lambda: socket.socket().detach())
not_a_disk("a terminal", lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))


@test("a disk that is set offline and comes back")
def _():
    nexus = DISK.nexus[0]
    with Descriptor(nexus.sd) as fd, HELPER.client() as client:
        assert str(client.command(READ_KEYS, fd)) == "GOOD"
        nexus.set_state("offline")
        try:
            for _ in range(3):
                assert str(client.command(READ_KEYS, fd)) == FAILED
                assert str(client.command(REGISTER, fd, scsi.parameters(0, KEY))) == FAILED
        finally:
            nexus.set_state("running")
        assert str(client.command(READ_KEYS, fd)) == "GOOD"


@test("a disk that is deleted under an open descriptor")
def _():
    disk = rig.loop_disk("deleted", nexuses=2)
    with Descriptor(disk.nexus[0].sd) as gone, Descriptor(disk.nexus[1].sd) as stays, \
            HELPER.client() as client:
        assert str(client.command(READ_KEYS, gone)) == "GOOD"
        disk.nexus[0].delete()
        for _ in range(3):
            assert str(client.command(READ_KEYS, gone)) == FAILED
            assert str(client.command(REGISTER, gone, scsi.parameters(0, KEY))) == FAILED
        assert str(client.command(READ_KEYS, stays)) == "GOOD"


@test("a disk that was deleted before its first command")
def _():
    disk = rig.loop_disk("untouched", nexuses=1)
    with Descriptor(disk.nexus[0].sd) as gone:
        disk.nexus[0].delete()
        with said("by the helper: it is not in /sys/dev"):
            expect_outcomes(gone, FAILED, FAILED)


def as_user(function):
    """The exit status of a child that is an ordinary user and has called function()."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(USER, USER, USER)
            os.setresuid(USER, USER, USER)
            os._exit(function())
        except BaseException as error:      # pylint: disable=broad-except
            print(f"# {error!r}", flush=True)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@test("a client without privileges, whose descriptor was inherited")
def _():
    clean()
    # As libvirt does for the user that QEMU runs as.
    os.chown(HELPER.socket, USER, USER)

    def client():
        try:
            sgio.pr_command(fd, REGISTER, scsi.parameters(0, KEY))
            return 1
        except PermissionError:
            pass
        try:
            os.open(DISK.nexus[0].sd, os.O_RDONLY)
            return 2
        except PermissionError:
            pass
        answer = HELPER.command(fd, REGISTER, scsi.parameters(0, KEY))
        return 0 if answer.status == scsi.GOOD else 3

    with Descriptor(DISK.nexus[0].sd) as fd:
        status = as_user(client)
    assert status == 0, status
    assert registered_keys() == [KEY], registered_keys()


@test("a client that may not connect")
def _():
    os.chown(HELPER.socket, 0, 0)

    def client():
        try:
            Client(HELPER.socket)
            return 1
        except PermissionError:
            return 0
    assert as_user(client) == 0


@test("a partition is a partition under any name")
def _():
    node = rig.partition(DISK.nexus[1])
    info = os.stat(node)
    os.mknod("/run/sdx", 0o600 | 0o060000, info.st_rdev)
    check("a partition", Descriptor("/run/sdx"), REFUSED)


@test("a disk is a disk under any name")
def _():
    os.mknod("/run/volume", 0o600 | 0o060000, os.stat(DISK.nexus[0].sd).st_rdev)
    check("a disk is a disk", Descriptor("/run/volume"), "GOOD")


@test("other SCSI tools see what the daemon registered")
def _():
    clean()
    with Descriptor(DISK.nexus[0].sd) as fd:
        assert str(HELPER.command(fd, REGISTER, scsi.parameters(0, KEY))) == "GOOD"
    listed = subprocess.run(["sg_persist", "--no-inquiry", "-k", DISK.nexus[0].sg],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    assert f"{KEY:#x}" in listed, listed


DISK = rig.loop_disk("descriptors")
with Helper(OPTIONS.helper) as HELPER:
    main()
