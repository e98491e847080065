#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in a map's way: it is answered in time, said in the log, and nobody else waits.

The second map's paths are at the end of a network connection that is cut: its
commands, and the opening of its paths, wait in the kernel.
"""
import contextlib
import os
import signal
import time

# pylint: disable=wrong-import-position
import san
import rig
import scsi
import helper
from helper import Helper
from load import Load
from multipathd import RESERVATION_KEY
from san import KEY, KIND, NEW, expect_good
from tap import diag, main, test

OPTIONS = san.parse_arguments(__doc__)
DEADLINE = 4                    # what the daemon is told
SLACK = 3                       # what a loaded machine may add
UNKNOWN, NOT_SENT, LOST = "B/2E/02", "B/2E/01", "B/05/00"
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


@contextlib.contextmanager
def guest():
    """A guest on the first map, and what the daemon has said since then."""
    with san.fresh_guest(HELPER, SAN) as found:
        start = len(helper.log())
        found.log = lambda: helper.log()[start:]
        yield found


def timed(function):
    """(seconds, result)"""
    before = time.monotonic()
    result = function()
    return time.monotonic() - before, result


def in_time(function):
    """Its result, which is there by the deadline."""
    seconds, result = timed(function)
    diag(f"{result} after {seconds:.1f} s")
    assert seconds <= DEADLINE + SLACK, seconds
    return result


def others_go_on():
    """A raw disk, and no more than a moment."""
    seconds, answer = timed(lambda: HELPER.command(RAW, READ_KEYS))
    assert str(answer) == "GOOD" and seconds < 2, (answer, seconds)


def says(it, *words):
    """One of the lines that the daemon has written has all of these words."""
    rig.wait_for(lambda: any(all(word in line for word in words)
                             for line in it.log().splitlines()), f"{words} in:\n{it.log()}", 5)


@contextlib.contextmanager
def all_paths_offline():
    for path in SAN.paths:
        path.offline()
    SAN.wait_for_paths([])
    try:
        yield
    finally:
        for path in SAN.paths:
            path.online()
        SAN.wait_for_paths(SAN.paths)


@test("all paths offline, and I/O waits for them: reservations do not")
def _():
    with guest() as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        with Load(SAN) as load:
            with all_paths_offline():
                for cdb, data in ((READ_KEYS, b""),
                                  (scsi.pr_out(scsi.REGISTER), scsi.parameters(KEY, NEW)),
                                  (scsi.pr_out(scsi.RELEASE, KIND), scsi.parameters(KEY)),
                                  (scsi.pr_out(scsi.CLEAR), scsi.parameters(KEY))):
                    answer = in_time(lambda c=cdb, d=data: it.command(c, d))
                    assert answer.status == scsi.CHECK_CONDITION, answer
                others_go_on()
                # What failed has changed nothing.
                assert SAN.multipathd_key() == hex(KEY)
                assert SAN.is_registering()
            load.goes_on()
        assert not load.errors, load.errors
        assert (SAN.keys(), SAN.reservation()) == ([KEY, KEY], (KEY, KIND))
        expect_good(it.release(KEY))


@test("the map is suspended: reservations go on")
def _():
    with guest() as it:
        san.run("dmsetup", "suspend", SAN.alias)
        try:
            expect_good(*(in_time(step) for step in (
                lambda: it.register(KEY), lambda: it.reserve(KEY), lambda: it.release(KEY),
                lambda: str(it.command(READ_KEYS)), lambda: it.register(0, KEY))))
            others_go_on()
        finally:
            san.run("dmsetup", "resume", SAN.alias)


@test("multipathd is restarted, and nothing is forgotten")
def _():
    with guest() as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        MULTIPATHD.restart()
        expect_good(it.register(NEW, KEY))
        assert SAN.keys() == [NEW, NEW]
        MULTIPATHD.restart()
        first = SAN.paths[0]
        with Load(SAN) as load:
            first.delete()
            SAN.wait_for_paths(SAN.paths[1:])
            first.rescan()
            SAN.wait_for_paths(SAN.paths)
            load.goes_on()
        assert not load.errors, load.errors
        expect_good(it.release(NEW))
        assert SAN.reservation() is None


@contextlib.contextmanager
def multipathd_absent():
    MULTIPATHD.stop()
    try:
        yield
    finally:
        MULTIPATHD.start()
        SAN.wait_for_paths(SAN.paths)


@test("without multipathd nobody can register, and the log says why")
def _():
    with guest() as it:
        with multipathd_absent():
            for action in (scsi.REGISTER, scsi.REGISTER_AND_IGNORE_EXISTING_KEY):
                answer = it.command(scsi.pr_out(action), scsi.parameters(0, KEY))
                assert answer.status == scsi.CHECK_CONDITION, answer
            expect_good(str(it.command(READ_KEYS)))
            assert SAN.keys() == []
            says(it, "multipathd", SAN.map)
        expect_good(it.register(KEY))


@test("who was registered before multipathd went can still reserve and release")
def _():
    with guest() as it:
        expect_good(it.register(KEY))
        with multipathd_absent():
            expect_good(it.reserve(KEY))
            assert SAN.reservation() == (KEY, KIND)
            expect_good(it.release(KEY))
            assert SAN.reservation() is None


@test("without reservation_key in multipath.conf nobody can register, and the log has the line")
def _():
    with guest() as it:
        MULTIPATHD.configure("# none")
        MULTIPATHD.restart()
        try:
            answer = it.command(scsi.pr_out(scsi.REGISTER), scsi.parameters(0, KEY))
            assert answer.status == scsi.CHECK_CONDITION, answer
            expect_good(str(it.command(READ_KEYS)))
            assert SAN.keys() == []
            says(it, RESERVATION_KEY, "multipath.conf")
        finally:
            MULTIPATHD.configure()
            MULTIPATHD.restart()
        expect_good(it.register(KEY))


@test("multipathd is stuck: an answer in time, and raw disks go on")
def _():
    with guest() as it:
        os.kill(MULTIPATHD.process.pid, signal.SIGSTOP)
        try:
            answer = in_time(lambda: it.command(scsi.pr_out(scsi.REGISTER),
                                                scsi.parameters(0, KEY)))
            assert answer.status == scsi.CHECK_CONDITION, answer
            others_go_on()
            expect_good(str(in_time(lambda: it.command(READ_KEYS))))
        finally:
            os.kill(MULTIPATHD.process.pid, signal.SIGCONT)
        rig.wait_for(lambda: SAN.multipathd_key() != "timeout", "multipathd")
        expect_good(it.register(KEY))
        assert SAN.keys() == [KEY, KEY]


@test("a path that cannot be registered is named in the log")
def _():
    with guest() as it:
        expect_good(it.register(KEY))
        SAN.paths[0].offline()
        SAN.wait_for_paths(SAN.paths[1:])
        expect_good(it.register(NEW, KEY))
        says(it, SAN.paths[0].name)


def answers_for(map_fd, others, count=8):
    """What so many clients of a map hear, all at once, while others are served; in time."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(HELPER.client()) for _ in range(count)]
        before = time.monotonic()
        for client in clients:
            client.request(READ_KEYS, map_fd)
        others()
        answers = {str(client.reply()) for client in clients}
        seconds = time.monotonic() - before
    diag(f"{answers} after {seconds:.1f} s")
    assert seconds <= DEADLINE + SLACK, seconds
    return answers


@contextlib.contextmanager
def no_network():
    """What is sent is lost, and for some seconds nobody knows it."""
    san.run("ip", "link", "set", "lo", "down")
    try:
        yield
    finally:
        san.run("ip", "link", "set", "lo", "up")


def other_map_goes_on(it):
    for _ in range(3):
        seconds, outcome = timed(lambda: it.reserve(KEY))
        expect_good(outcome)
        assert seconds < 2, seconds
        others_go_on()


@test("a map whose paths hang: an answer in time, and other maps and disks go on", timeout=120)
def _():
    # multipathd waits for these paths, too, so nobody can register any more.
    with guest() as it, san.Guest(HELPER, HANGING) as hung:
        expect_good(hung.register(KEY), it.register(KEY))
        with no_network():
            answers = answers_for(hung.fd, lambda: other_map_goes_on(it))
            assert UNKNOWN in answers and answers <= {UNKNOWN, NOT_SENT}, answers
        # Cut off for good, and so that the kernel knows it.
        for target in HANGING.disk.targets[:2]:
            target.hang(600)
        answers = answers_for(hung.fd, lambda: other_map_goes_on(it))
        assert answers <= {LOST, UNKNOWN, NOT_SENT}, answers


MULTIPATHD, SAN, HANGING = san.start((rig.loop_disk, rig.iscsi_disk))
RAW = san.raw_disk()
with Helper(OPTIONS.helper, f"--command-timeout={DEADLINE}") as HELPER:
    main()
