#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the unit forbids the daemon does not keep it from its work.

Disks are reached through descriptors that an unprivileged process of the group
kvm passes, under the very unit that is shipped: DevicePolicy=closed, the system
call filter and all. Answers are held against SG_IO's, byte for byte.
"""
import contextlib
import os
import subprocess

# pylint: disable=wrong-import-position
import unit
import rig
import scsi
import sgio
from prproto import Client
from scenarios import SCENARIOS, Player
from tap import diag, main, test

unit.install(__doc__.split("\n", 1)[0])
KEY = 0xA11CE
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)
# The common ones of tests/vm/test-devices.py, which has all of them.
STORIES = ("REGISTER: new, changed, removed", "PREEMPT: the holder", "allocation lengths")


@contextlib.contextmanager
def opened(node, flags=os.O_RDWR):
    fd = os.open(node, flags | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def cluster_life(fd):
    """What a guest does with a disk; returns the outcomes."""
    kind = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY
    steps = [(READ_KEYS, b""),
             (scsi.pr_out(scsi.REGISTER), scsi.parameters(0, KEY)),
             (scsi.pr_out(scsi.RESERVE, kind), scsi.parameters(KEY)),
             (scsi.pr_in(scsi.READ_RESERVATION), b""),
             (scsi.pr_in(scsi.READ_FULL_STATUS), b""),
             (scsi.pr_out(scsi.RELEASE, kind), scsi.parameters(KEY)),
             (scsi.pr_out(scsi.REGISTER), scsi.parameters(KEY, 0))]
    with Client(unit.SOCKET) as client:
        return [(str(answer), answer.payload) for answer in
                (client.command(cdb, fd, data) for cdb, data in steps)]


def check_life(node):
    with opened(node) as fd:
        answers = unit.as_guest(lambda: cluster_life(fd))
    assert [outcome for outcome, _ in answers] == ["GOOD"] * 7, answers
    assert scsi.keys(answers[0][1]) == [], answers
    assert scsi.reservation(answers[3][1]) == (KEY, scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY)


@test("a disk registers, reserves, tells and releases for an unprivileged process")
def _():
    check_life(DISK.nexus[0].sd)


@test("by its sg node, too")
def _():
    check_life(DISK.nexus[0].sg)


@test("without the daemon that process could do nothing")
def _():
    def attempt():
        try:
            sgio.pr_command(fd, REGISTER, scsi.parameters(0, KEY))
            return "sent"
        except PermissionError:
            return "refused"
    with opened(DISK.nexus[0].sd) as fd:
        assert unit.as_guest(attempt) == "refused"


@test("a partition and a read-only descriptor are refused")
def _():
    for node, flags in ((rig.partition(DISK.nexus[1]), os.O_RDWR),
                        (DISK.nexus[0].sd, os.O_RDONLY), (DISK.nexus[0].sg, os.O_RDONLY)):
        with opened(node, flags) as fd:
            answer = unit.as_guest(lambda: str(unit.command(fd, REGISTER, scsi.parameters(0, KEY))))
        assert answer == "5/20/00", (node, answer)
    with opened(DISK.nexus[0].sd) as fd:
        assert scsi.keys(sgio.pr_command(fd, READ_KEYS).payload) == []


@test("the daemon itself cannot open a disk")
def _():
    # The cgroup's device filter is what a process in it finds.
    script = f"echo $$ >/sys/fs/cgroup{unit.show('ControlGroup')}/cgroup.procs; " \
             f"exec dd if={DISK.nexus[0].sd} of=/dev/null count=1"
    assert subprocess.call(["sh", "-c", script], stderr=subprocess.DEVNULL) == 1
    unit.ping()


def play(story, node, connect):
    """The transcript of a story on a fresh disk; connect(fds) makes what sends commands."""
    def carry(host, cdb, data):
        return sgio.sg_io(fds[host], cdb, **({"data_out": data} if data else {"data_in": 512}))
    with rig.fresh_disk(3) as disk, contextlib.ExitStack() as stack:
        fds = [stack.enter_context(opened(getattr(nexus, node))) for nexus in disk.nexus]
        send, strict = connect(fds, stack)
        player = Player(send, carry, strict=strict)
        SCENARIOS[story](player)
        return player.transcript


def directly(fds, _):
    return (lambda host, cdb, data: sgio.pr_command(fds[host], cdb, data)), True


def through_unit(fds, stack):
    clients = [stack.enter_context(Client(unit.SOCKET)) for _ in fds]
    return (lambda host, cdb, data: clients[host].command(cdb, fds[host], data)), False


def same(story, node):
    direct, helped = play(story, node, directly), play(story, node, through_unit)
    differences = [pair for pair in zip(direct, helped) if pair[0] != pair[1]]
    for pair in differences:
        diag("device: {}\nhelper: {}".format(*pair))
    assert len(direct) == len(helped) > 0 and not differences


for _story in STORIES:
    for _node in ("sd", "sg"):
        test(f"as SG_IO, byte for byte: {_story}, on the {_node} node")(
            lambda story=_story, node=_node: same(story, node))

DISK = rig.loop_disk("devices")
main()
