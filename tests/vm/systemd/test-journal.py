#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operator finds in the journal, and that the journal holds up nobody."""
import contextlib
import grp
import os
import re
import signal
import time

# pylint: disable=wrong-import-position
import unit
import scsi
import sgio
from cluster import USER, Node
from prproto import Client
import rig
from tap import diag, main, test

unit.install(__doc__)
KEY_A, KEY_B = 0x1122334455667788, 0xB0B
TYPE = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)
CLEAR = scsi.pr_out(scsi.CLEAR)
FLOOD = 1000
LIMIT = 100                     # of one client in 10 seconds, docs/LOGGING.md
RECORD = re.compile(r"client pid \d+ \(.+\) uid \d+: PERSISTENT RESERVE (IN|OUT) [A-Z ]+ "
                    r"\(0x[0-9a-f]{2}\) on \w+ \(\d+:\d+\).*: [A-Z ]+ \(0x[0-9a-f]{2}\)"
                    r".*, \d+\.\d{3} ms")


def records(entries):
    return [entry for entry in entries if "PR_COMMAND" in entry]


def number_of(node):
    status = os.stat(node)
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def equal(entry, **expected):
    found = {name: entry.get(name) for name in expected}
    assert found == expected, f"{found}\n{expected}\n{entry}"


def settle():
    """Nobody is registered, and nobody has a unit attention; not by the daemon."""
    sgio.pr_command(A, REGISTER, scsi.parameters(0, KEY_A))
    sgio.pr_command(A, CLEAR, scsi.parameters(KEY_A))
    for fd in (A, B, C):
        while sgio.sg_io(fd, scsi.TEST_UNIT_READY).status != scsi.GOOD:
            pass


@contextlib.contextmanager
def registered():
    """Both hosts, and the first one has the reservation."""
    settle()
    with Client(unit.SOCKET) as client:
        for fd, key in ((A, KEY_A), (B, KEY_B)):
            assert str(client.command(REGISTER, fd, scsi.parameters(0, key))) == "GOOD"
        reserve = scsi.pr_out(scsi.RESERVE, TYPE)
        assert str(client.command(reserve, A, scsi.parameters(KEY_A))) == "GOOD"
        yield client
    settle()


@test("start and stop are told")
def _():
    unit.start()
    journal = unit.Journal()
    unit.restart()
    for text in ("stopping on signal 15", "stopped", "serving on an activated socket"):
        entry = journal.has(text)
        equal(entry, PRIORITY="6", SYSLOG_IDENTIFIER="qemu-pr-helper", _SYSTEMD_UNIT=unit.SERVICE)


@test("a PERSISTENT RESERVE OUT has one record with all of its fields")
def _():
    journal = unit.Journal()
    with registered():
        pass
    entries = records(journal.until(lambda found: len(records(found)) >= 3, "three records"))
    assert [entry["PR_SERVICE_ACTION"] for entry in entries] == [
        "REGISTER AND IGNORE EXISTING KEY", "REGISTER AND IGNORE EXISTING KEY", "RESERVE"], entries
    for entry in entries:
        assert RECORD.fullmatch(entry["MESSAGE"]), entry["MESSAGE"]
    equal(entries[2], PRIORITY="6", _SYSTEMD_UNIT=unit.SERVICE, PR_PEER_PID=str(os.getpid()),
          PR_PEER_UID="0", PR_DEVICE=number_of(DISK.nexus[0].sd),
          PR_DEVICE_NAME=os.path.basename(DISK.nexus[0].sd),
          PR_COMMAND="PERSISTENT RESERVE OUT", PR_SERVICE_ACTION="RESERVE", PR_TYPE="5",
          PR_TYPE_NAME="Write Exclusive - Registrants Only", PR_KEY=hex(KEY_A),
          PR_SERVICE_ACTION_KEY="0x0", PR_STATUS="GOOD", PR_SENSE=None)
    assert 0 < int(entries[2]["PR_DURATION_USEC"]) < 10_000_000
    for part in (DISK.nexus[0].sd[5:], hex(KEY_A), "Write Exclusive - Registrants Only (5)"):
        assert part in entries[2]["MESSAGE"], entries[2]
    with open("/proc/self/comm", encoding="ascii") as file:
        assert f"({file.read().strip()})" in entries[2]["MESSAGE"], entries[2]


@test("the record names a process that is not root")
def _():
    journal = unit.Journal()
    answer = unit.as_guest(lambda: str(unit.command(A, REGISTER, scsi.parameters(0, KEY_A))))
    assert answer == "GOOD"
    equal(journal.has("REGISTER"), PR_PEER_UID=str(unit.GUEST))
    settle()


@test("a conflict is found by its fields, a unit attention in words")
def _():
    with registered() as client:
        journal = unit.Journal("-t", "qemu-pr-helper", "PR_STATUS=RESERVATION CONFLICT",
                               f"PR_DEVICE_NAME={DISK.nexus[1].sd[5:]}")
        answer = client.command(scsi.pr_out(scsi.RESERVE, TYPE), B, scsi.parameters(KEY_B))
        assert str(answer) == "CONFLICT"
        entry = journal.has("RESERVATION CONFLICT (0x18)")
        equal(entry, PRIORITY="6", PR_SERVICE_ACTION="RESERVE", PR_KEY=hex(KEY_B))
        # This leaves the other host a unit attention.
        assert str(client.command(CLEAR, A, scsi.parameters(KEY_A))) == "GOOD"
        journal = unit.Journal()
        assert str(client.command(REGISTER, B, scsi.parameters(0, KEY_B))) == "6/2A/03"
        equal(journal.has("UNIT ATTENTION"), PR_STATUS="CHECK CONDITION", PR_SENSE="6/2A/03",
              PR_SENSE_TEXT="RESERVATIONS PREEMPTED")


@test("a real guest's conflict names its QEMU", timeout=90)
def _():
    kvm = grp.getgrnam("kvm").gr_gid
    with registered(), Node("journal", DISK.nexus[2].sd, unit.SOCKET, groups=(kvm,)) as guest:
        journal = unit.Journal("-t", "qemu-pr-helper", f"PR_PEER_PID={guest.process.pid}")
        assert guest.pr_out(scsi.RESERVE, KEY_B, kind=TYPE) == "CONFLICT"
        entry = journal.has("RESERVATION CONFLICT (0x18)")
        equal(entry, PR_PEER_UID=str(USER), PR_SERVICE_ACTION="RESERVE", PR_KEY=hex(KEY_B),
              PR_TYPE=str(TYPE), PR_DEVICE_NAME=DISK.nexus[2].sd[5:],
              PR_STATUS="RESERVATION CONFLICT")
        assert "(qemu-system-x86)" in entry["MESSAGE"], entry["MESSAGE"]


@test("an answer of the helper's own is a warning that says why")
def _():
    journal = unit.Journal()
    node = rig.partition(DISK.nexus[1])
    fd = os.open(node, os.O_RDWR)
    assert str(unit.command(fd, READ_KEYS)) == "5/20/00"
    os.close(fd)
    entry = journal.has("it is a partition; give the guest the whole disk")
    equal(entry, PRIORITY="4", PR_DEVICE=number_of(node), PR_SENSE="5/20/00")
    assert entry["PR_REASON"].startswith("it is a partition"), entry


@test("PERSISTENT RESERVE IN is told with -v only")
def _():
    journal = unit.Journal()
    assert str(unit.command(A, READ_KEYS)) == "GOOD"
    with unit.with_options("-v"):
        assert str(unit.command(A, READ_KEYS)) == "GOOD"
        entries = journal.until(records, "a record")
        assert len(records(entries)) == 1, entries
        equal(records(entries)[0], PRIORITY="7", PR_SERVICE_ACTION="READ KEYS")


@test("a guest in a loop does not flood the journal, and what is left out is counted")
def _():
    unit.restart()                      # a new interval
    reserve = scsi.pr_out(scsi.RESERVE, TYPE)
    with registered() as client:
        journal = unit.Journal()
        for _ in range(FLOOD // 2):
            assert str(client.command(reserve, A, scsi.parameters(KEY_A))) == "GOOD"
            assert str(client.command(reserve, B, scsi.parameters(KEY_B))) == "CONFLICT"

    def suppressed(entries):
        found = [re.match(r"(\d+) messages were suppressed", entry["MESSAGE"])
                 for entry in entries]
        return sum(int(match[1]) for match in found if match)

    entries = journal.until(lambda found: len(records(found)) + suppressed(found) >= FLOOD,
                            "the count")
    diag(f"{len(records(entries))} records, {suppressed(entries)} suppressed")
    assert len(records(entries)) + suppressed(entries) == FLOOD
    assert suppressed(entries) > 0 and len(records(entries)) <= 2 * LIMIT
    assert {entry["PR_STATUS"] for entry in records(entries)} == {"GOOD", "RESERVATION CONFLICT"}


@test("a journal that is stuck blocks nothing, and what was lost is counted")
def _():
    # Debug messages are not limited, so that its socket fills up.
    with unit.with_options("-v", "-T", "*"):
        journal = unit.Journal()
        journald = int(unit.show("MainPID", "systemd-journald.service"))
        with Client(unit.SOCKET) as client:
            os.kill(journald, signal.SIGSTOP)
            try:
                slowest = max(timed(client) for _ in range(FLOOD // 2))
            finally:
                os.kill(journald, signal.SIGCONT)
            diag(f"slowest {slowest * 1000:.0f} ms")
            assert slowest < 2, slowest

            def lost(entries):
                client.command(READ_KEYS, A)
                return any("log messages were lost" in entry["MESSAGE"] for entry in entries)
            journal.until(lost, "the count")


def timed(client):
    before = time.monotonic()
    assert str(client.command(READ_KEYS, A)) == "GOOD"
    return time.monotonic() - before


DISK = rig.loop_disk("journal", nexuses=3)
A, B, C = (nexus.open() for nexus in DISK.nexus)
main()
