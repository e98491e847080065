#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stop, start and restart of the service do guests no harm.

The guests here do as QEMU does: where they cannot connect or cannot send the
CDB they try again, five times, a second apart. Once the CDB has been sent, a
connection that ends is a command that has failed.
"""
import os
import threading
import time

# pylint: disable=wrong-import-position
import unit
import process
import rig
import scsi
from prproto import Client
from tap import diag, main, test

unit.install(__doc__.split("\n", 1)[0])
GUESTS = 6
RESTARTS = 6
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)
FOREVER = 600                   # longer than any test, in seconds
NOT_SENT, UNKNOWN = "B/2E/01", "B/2E/02"


class Guest(threading.Thread):
    """Sends one command after another until it is told to end."""

    def __init__(self, fd, cdb, data=b""):
        super().__init__()
        self.fd, self.cdb, self.data = fd, cdb, data
        self.ending = threading.Event()
        self.client = None
        self.answers, self.connections, self.slowest = 0, 0, 0
        self.failures = []

    def run(self):
        while not self.ending.is_set():
            before = time.monotonic()
            try:
                self.one_command()
                self.answers += 1
            except Exception as error:      # pylint: disable=broad-except
                self.failures.append(repr(error))
                self.hang_up()
            self.slowest = max(self.slowest, time.monotonic() - before)
        self.hang_up()

    def one_command(self):
        self.send_cdb()
        if self.data:
            self.client.send(self.data)
        answer = self.client.reply(self.cdb)
        assert answer.status == scsi.GOOD, answer

    def send_cdb(self):
        for _ in range(5):
            if self.client is None and not self.connect():
                time.sleep(1)
                continue
            try:
                self.client.send(self.cdb, [self.fd])
                return
            except OSError:
                self.hang_up()
        raise AssertionError("no connection after five attempts")

    def connect(self):
        try:
            self.client = Client(unit.SOCKET)
        except Exception:                   # pylint: disable=broad-except
            return False
        self.connections += 1
        return True

    def hang_up(self):
        if self.client:
            self.client.close()
        self.client = None


@test("restarted again and again under load, it fails no command", timeout=120)
def _():
    unit.start()
    fds = [nexus.open() for nexus in DISK.nexus]
    guests = [Guest(fds[number % 2], *((READ_KEYS,) if number % 3 == 0 else
                                       (REGISTER, scsi.parameters(0, 1 + number))))
              for number in range(GUESTS)]
    for guest in guests:
        guest.start()
    try:
        for _ in range(RESTARTS):
            served = [guest.answers for guest in guests]
            rig.wait_for(lambda: all(guest.answers > before + 2 for guest, before in
                                     zip(guests, served)),      # pylint: disable=cell-var-from-loop
                         "every guest to be served again")
            unit.restart()
    finally:
        for guest in guests:
            guest.ending.set()
        for guest in guests:
            guest.join()
    failures = [failure for guest in guests for failure in guest.failures]
    diag(f"{sum(guest.answers for guest in guests)} commands, "
         f"{sum(guest.connections for guest in guests)} connections, "
         f"the slowest took {max(guest.slowest for guest in guests):.1f} s")
    assert all(guest.connections > RESTARTS for guest in guests)
    assert not failures, failures


@test("a stop answers the command that the disk has, and comes to its end", timeout=90)
def _():
    disk = rig.iscsi_disk("stop")
    with unit.with_options("--command-timeout=3"), Client(unit.SOCKET) as client:
        fd = disk.nexus[0].open()
        assert str(unit.command(fd, READ_KEYS)) == "GOOD"
        disk.targets[0].hang(6)
        client.request(READ_KEYS, fd)
        rig.wait_for(hangs, "the command to hang")
        before = time.monotonic()
        unit.run("systemctl", "stop", "--no-block", unit.SERVICE)
        assert str(client.reply(READ_KEYS)) == UNKNOWN
        answered = time.monotonic() - before
        assert client.is_closed_by_peer()
        rig.wait_for(lambda: unit.state() != "deactivating", "the end")
        diag(f"answered after {answered:.1f} s, stopped after {time.monotonic() - before:.1f} s")
        assert answered < 8, answered


@test("while a disk hangs for good, the service is stopped and started", timeout=120)
def _():
    disk = rig.iscsi_disk("forever")
    unit.restart()
    hung, old = disk.nexus[0].open(), unit.main_pid()
    with Client(unit.SOCKET) as client:
        assert str(client.command(READ_KEYS, hung)) == "GOOD"
        disk.targets[0].hang(FOREVER)
        client.request(READ_KEYS, hung)
        rig.wait_for(hangs, "the command to hang")
        before = time.monotonic()
        unit.stop()
        stopped = time.monotonic() - before
        assert str(client.reply(READ_KEYS)) == UNKNOWN
    unit.start()
    started = time.monotonic() - before
    diag(f"stopped after {stopped:.1f} s, started after {started:.1f} s")
    assert in_kernel(old), "this proves nothing: the old process has ended"
    check_good()
    assert unit.main_pid() != old
    assert started < 30, started


@test("the old process that lingers does not hold up the next restart")
def _():
    assert any(in_kernel(int(pid)) for pid in processes()), "this proves nothing: it has ended"
    before = time.monotonic()
    unit.restart()
    check_good()
    assert time.monotonic() - before < 5, time.monotonic() - before


def processes():
    """Everything in the service's control group."""
    with open(f"/sys/fs/cgroup{unit.show('ControlGroup')}/cgroup.procs", encoding="ascii") as file:
        return file.read().split()


def check_good():
    fd = DISK.nexus[0].open()
    assert str(unit.command(fd, READ_KEYS)) == "GOOD"
    os.close(fd)


def hangs():
    return in_kernel(unit.main_pid())


def in_kernel(pid):
    """Does one of its threads wait for a disk?"""
    return any(status["State"][0] == "D" for status in process.threads(pid))


DISK = rig.loop_disk("restart")
main()
