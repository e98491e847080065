#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A map under the shipped unit with the shipped drop-in for multipath.

An unprivileged process of the group kvm registers, reserves and releases on a
map that the real multipathd has made; and what the unit forbids stays forbidden.
"""
import atexit
import contextlib
import os
import shutil
import subprocess
import sys

# pylint: disable=wrong-import-position
import unit
import process
sys.path.insert(0, os.path.join(unit.HERE, "../multipath"))
import san
import scsi
from load import Load
from prproto import Client
from san import KEY, KIND, NEW, OTHER, expect_good
from tap import main, test

BUILD = unit.install(__doc__.split("\n", 1)[0])
DROP_IN = "/usr/local/share/doc/qemu-pr-helper/multipath.conf"
DIRECTORY = "/etc/systemd/system/qemu-pr-helper.service.d"
MAX_EXPOSURE = 2.2


def out(action, key=0, new_key=0, kind=0):
    """The outcome for an unprivileged process that has the map open, as QEMU has."""
    def send():
        with Client(unit.SOCKET) as client:
            return san.settled(lambda: client.command(scsi.pr_out(action, kind), FD,
                                                      scsi.parameters(key, new_key)))
    return unit.as_guest(send)


@test("without the drop-in the log says that maps need a start as root")
def _():
    journal = unit.Journal()
    assert out(scsi.REGISTER, 0, KEY) != "GOOD"
    assert "root" in journal.has("dm-")["MESSAGE"]
    assert SAN.keys() == []


@test("the drop-in is installed, is no part of the unit by itself, and pleases systemd")
def _():
    assert DROP_IN not in unit.show("DropInPaths")
    os.makedirs(DIRECTORY)
    shutil.copy(DROP_IN, DIRECTORY)
    unit.run("systemctl", "daemon-reload")
    unit.verify()
    unit.restart()


@test(f"systemd-analyze security: at most {MAX_EXPOSURE}")
def _():
    unit.expect_exposure(MAX_EXPOSURE)


@test("the service is its own user with one capability; its second process is root with none")
def _():
    unit.ping()
    pid = unit.main_pid()
    broker, = process.children(pid)
    for number, uid, capabilities in ((pid, unit.user().pw_uid, process.SYS_RAWIO), (broker, 0, 0)):
        for status in process.threads(number):
            assert status["Uid"].split() == [str(uid)] * 4, status
            assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == capabilities, status
            assert int(status["CapBnd"], 16) == 0, status


@test("options of another drop-in come in addition")
def _():
    with unit.with_options("--command-timeout=10", "-v"):
        options = ["-u", unit.USER, "--command-timeout=10", "-v"]
        assert unit.arguments() == [unit.PROGRAM, *options], unit.arguments()
        status = process.status(f"/proc/{unit.main_pid()}/status")
        assert status["Uid"].split() == [str(unit.user().pw_uid)] * 4, status
        assert len(process.children(unit.main_pid())) == 1
        expect_good(out(scsi.REGISTER, 0, KEY), out(scsi.REGISTER, KEY, 0))


@test("register, reserve, another key, release, leave")
def _():
    expect_good(out(scsi.REGISTER, 0, KEY))
    assert (SAN.keys(), SAN.multipathd_key()) == ([KEY, KEY], hex(KEY))
    expect_good(out(scsi.RESERVE, KEY, kind=KIND))
    assert SAN.reservation() == (KEY, KIND)
    expect_good(out(scsi.REGISTER, KEY, NEW))
    assert (SAN.keys(), SAN.reservation()) == ([NEW, NEW], (NEW, KIND))
    expect_good(out(scsi.RELEASE, NEW, kind=KIND), out(scsi.REGISTER, NEW, 0))
    assert (SAN.keys(), SAN.reservation(), SAN.multipathd_key()) == ([], None, "none")


@test("a path is away while the key changes, under I/O")
def _():
    path = SAN.paths[0]
    expect_good(out(scsi.REGISTER, 0, KEY), out(scsi.RESERVE, KEY, kind=KIND))
    with Load(SAN) as load:
        path.offline()
        SAN.wait_for_paths(SAN.paths[1:])
        expect_good(out(scsi.REGISTER, KEY, NEW))
        path.online()
        SAN.wait_for_paths(SAN.paths)
        load.goes_on()
    assert not load.errors, load.errors
    assert (SAN.keys(), SAN.reservation()) == ([NEW, NEW], (NEW, KIND))


@test("a restart forgets nothing, even if the other host takes over in between")
def _():
    unit.restart()
    expect_good(out(scsi.RELEASE, NEW, kind=KIND), SAN.other_host(scsi.REGISTER, 0, OTHER),
                SAN.other_host(scsi.RESERVE, OTHER, kind=KIND))
    unit.restart()
    expect_good(out(scsi.RELEASE, NEW, kind=KIND))
    assert SAN.reservation() == (OTHER, KIND)
    expect_good(out(scsi.CLEAR, NEW))
    assert SAN.keys() == []


@test("its processes can open disks, for reading only, and no other device")
def _():
    for node, flags, wanted in ((SAN.other.sd, "if", 0), (SAN.other.sd, "of", 1),
                                (SAN.other.sg, "if", 1), ("/dev/fuse", "if", 1)):
        rest = {"if": "of=/dev/null", "of": "if=/dev/zero"}[flags]
        script = f"echo $$ >/sys/fs/cgroup{unit.show('ControlGroup')}/cgroup.procs; " \
                 f"exec timeout 5 dd {flags}={node} {rest} count=1 conv=notrunc iflag=nonblock"
        status = subprocess.call(["sh", "-c", script], stderr=subprocess.DEVNULL)
        assert (status != 0) == wanted, (node, flags, status)
    unit.ping()


@test("--check finds the host ready")
def _():
    said = unit.run(unit.PROGRAM, "--check", "-u", unit.USER, SAN.node)
    assert "FIX" not in said and "served by" in said, said


@contextlib.contextmanager
def set_up():
    """multipathd and udev for these tests; what comes after finds nothing of them."""
    multipathd, found = san.start()
    fd = found.open()
    try:
        found.clean()
        yield multipathd, found, fd
    finally:
        os.close(fd)
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        unit.run("systemctl", "daemon-reload")


# After all else: who removes a map waits for udev.
atexit.register(unit.run, "udevadm", "control", "--exit")
with set_up() as (MULTIPATHD, SAN, FD):
    main()
