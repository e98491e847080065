#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who the helper is, what it may do for a map, and what it may do for no one."""
import contextlib
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

# pylint: disable=wrong-import-position
import san
import process
import rig
import scsi
import helper
from helper import Helper
from san import KEY, OTHER, expect_good
from tap import diag, main, test

OPTIONS = san.parse_arguments(__doc__)
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER)
REFUSED = "5/20/00"
USER = 12345
# A program with no user's rights but the one capability, as a careless unit starts it.
ORDINARY = f"""#!/bin/sh
exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all,+sys_rawio \\
	--ambient-caps=-all,+sys_rawio --bounding-set=-all,+sys_rawio {OPTIONS.helper} "$@"
"""


def live(started):
    """A guest's life on the map."""
    with san.fresh_guest(started, SAN) as it:
        expect_good(it.register(KEY))
        assert SAN.keys() == [KEY, KEY]
        assert SAN.multipathd_key() == hex(KEY)
        expect_good(it.reserve(KEY), it.release(KEY), it.register(0, KEY))
        assert (SAN.keys(), SAN.multipathd_key()) == ([], "none")


@test("with -u: maps are served, by a second process that has uid 0 and nothing else")
def _():
    with Helper(OPTIONS.helper) as started:
        live(started)
        broker, = started.children()
        found = process.status(f"/proc/{broker}/status")
        assert found["Uid"].split() == ["0"] * 4, found
        assert [int(found[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb",
                                                  "CapBnd")] == [0] * 5, found
        assert (found["NoNewPrivs"], found["Groups"]) == ("1", ""), found
        for thread in started.threads():
            assert thread["Uid"].split() == ["65534"] * 4, thread
            assert int(thread["CapEff"], 16) == process.SYS_RAWIO, thread
    rig.wait_for(lambda: not os.path.exists(f"/proc/{broker}"), "the broker to go")


@test("the second process goes, even if the first one is killed")
def _():
    with Helper(OPTIONS.helper) as started:
        broker, = started.children()
        started.process.kill()
        rig.wait_for(lambda: not os.path.exists(f"/proc/{broker}"), "the broker to go")


@test("without -u: maps are served, by one process")
def _():
    with Helper(OPTIONS.helper, drop=()) as started:
        live(started)
        assert started.children() == []


@test("the second process is killed: maps fail and say so, raw disks go on")
def _():
    SAN.clean()
    with Helper(OPTIONS.helper) as started, san.Guest(started, SAN) as it:
        expect_good(it.register(KEY))
        start = len(helper.log())
        os.kill(started.children()[0], signal.SIGKILL)
        for cdb, data in ((READ_KEYS, b""), (REGISTER, scsi.parameters(KEY, OTHER))):
            answer = it.command(cdb, data)
            assert answer.status == scsi.CHECK_CONDITION, answer
            assert str(started.command(RAW, READ_KEYS)) == "GOOD"
        assert (SAN.keys(), SAN.multipathd_key()) == ([KEY, KEY], hex(KEY))
        said = helper.log()[start:]
        diag(said)
        assert "restart" in said, said


@test("started as another user: maps are refused with the reason, raw disks are not")
def _():
    program = "/run/ordinary"
    with open(program, "w", encoding="ascii") as file:
        file.write(ORDINARY)
    os.chmod(program, 0o755)
    SAN.clean()
    os.makedirs(helper.DIRECTORY, exist_ok=True)
    socket = "/run/ordinary.d/pr.sock"
    os.makedirs(os.path.dirname(socket), exist_ok=True)
    os.chown(os.path.dirname(socket), USER, USER)
    start = len(helper.log())
    with Helper(program, socket=socket, drop=()) as started, san.Guest(started, SAN) as it:
        for cdb, data in ((READ_KEYS, b""), (REGISTER, scsi.parameters(0, KEY))):
            answer = it.command(cdb, data)
            assert answer.status == scsi.CHECK_CONDITION, answer
        assert str(started.command(RAW, READ_KEYS)) == "GOOD"
        assert (SAN.keys(), SAN.multipathd_key()) == ([], "none")
        said = helper.log()[start:]
        diag(said)
        assert "root" in said, said


@contextlib.contextmanager
def volume(*options):
    """A device-mapper volume on a part of the map."""
    table = f"0 8192 linear {SAN.node} 2048"
    subprocess.run(["dmsetup", "create", "part", *options, "--table", table], check=True)
    try:
        yield "/dev/dm-" + san.run("dmsetup", "info", "-c", "--noheadings", "-o", "minor", "part")
    finally:
        san.run("dmsetup", "remove", "--retry", "part")


def refused(*options):
    SAN.clean()
    with volume(*options) as node, Helper(OPTIONS.helper) as started:
        fd = os.open(node, os.O_RDWR)
        try:
            for cdb, data in ((READ_KEYS, b""), (REGISTER, scsi.parameters(0, KEY))):
                assert str(started.command(fd, cdb, data)) == REFUSED
        finally:
            os.close(fd)
    assert (SAN.keys(), SAN.multipathd_key()) == ([], "none")


@test("a partition of a map is refused")
def _():
    refused("--uuid", "part1-" + rig.read(f"/sys/block/{SAN.map}/dm/uuid"))


@test("a logical volume on a map is refused")
def _():
    refused("--uuid", "LVM-" + "x" * 64)


@test("a volume without a name that tells its kind is refused")
def _():
    refused()


@test("two helpers on one map, one after the other: what one did holds for the other")
def _():
    SAN.clean()
    with Helper(OPTIONS.helper) as one, Helper(OPTIONS.helper, socket="/run/pr/two.sock") as two, \
            san.Guest(one, SAN) as first, san.Guest(two, SAN) as second:
        expect_good(first.register(KEY), second.reserve(KEY))
        assert first.register(OTHER) == "CONFLICT"
        expect_good(second.register(OTHER, KEY))
        assert (SAN.keys(), SAN.multipathd_key()) == ([OTHER, OTHER], hex(OTHER))
        expect_good(first.release(OTHER))
        assert SAN.reservation() is None
        expect_good(second.register(0, OTHER))
        assert (SAN.keys(), SAN.multipathd_key()) == ([], "none")


def register_at_once(helpers, rounds=10):
    """Each client of each helper, with a key of its own, over and over."""
    def client(number):
        with san.Guest(helpers[number % len(helpers)], SAN) as it:
            return {it.out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, KEY + number)
                    for _ in range(rounds)}
    with ThreadPoolExecutor(4) as pool:
        outcomes = set().union(*pool.map(client, range(4)))
    expect_good(*outcomes)


@test("four clients of one helper at once: both paths and multipathd have the same key")
def _():
    SAN.clean()
    with Helper(OPTIONS.helper) as started:
        register_at_once([started])
        first, second = SAN.keys()
        assert first == second and SAN.multipathd_key() == hex(first), SAN.keys()


@test("two helpers on one map at once: nothing fails, and the next command brings it in line")
def _():
    SAN.clean()
    with Helper(OPTIONS.helper) as one, Helper(OPTIONS.helper, socket="/run/pr/two.sock") as two:
        register_at_once([one, two])
        with san.Guest(one, SAN) as it:
            expect_good(it.out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, OTHER))
        assert (SAN.keys(), SAN.multipathd_key()) == ([OTHER, OTHER], hex(OTHER))


MULTIPATHD, SAN = san.start()
RAW = san.raw_disk()
main()
