#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that never answers stops nothing but the commands for itself.

The disk is at the end of a network connection that is cut, which makes the
kernel hold every command for it, uninterruptibly. Each test cuts off a disk of
its own. Not for the program to be replaced: there, 64 such commands stop every
other disk's clients, and SIGTERM is not obeyed.
"""
import collections
import contextlib
import itertools
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
import sgio
from helper import PID_FILE, Helper, parse_arguments
from tap import diag, main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
CLIENTS = 64
DEADLINE = 3                    # what the daemon is told
SLACK = 3                       # what a loaded machine may add
TAKE_OVER = 10                  # until a successor serves
FOREVER = 600                   # longer than any test
NOT_SENT, UNKNOWN = "B/2E/01", "B/2E/02"

READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)
NUMBERS = itertools.count(1)


def start(*options):
    return Helper(OPTIONS.helper, f"--command-timeout={DEADLINE}", "-f", PID_FILE, *options)


@contextlib.contextmanager
def hanging_disk(seconds=FOREVER):
    """A descriptor of a disk that has worked and then been cut off."""
    disk = rig.iscsi_disk(f"hang{next(NUMBERS)}")
    fd = disk.nexus[0].open()
    assert sgio.pr_command(fd, READ_KEYS).status == scsi.GOOD
    disk.targets[0].hang(seconds)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def hanging_clients(helper, fd, count=CLIENTS):
    """So many clients that wait, each for a command of its own, half of them writing."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(helper.client()) for _ in range(count)]
        for number, client in enumerate(clients):
            if number % 2:
                client.request(REGISTER, fd, scsi.parameters(0, number))
            else:
                client.request(READ_KEYS, fd)
        yield clients


def timed(function):
    """(seconds, result)"""
    before = time.monotonic()
    result = function()
    return time.monotonic() - before, result


def serve_others(helper, fd, times=10):
    """READ KEYS on a disk that works, the slowest of several, in seconds."""
    return max(timed(lambda: check_good(helper.command(fd, READ_KEYS)))[0] for _ in range(times))


def check_good(answer):
    assert answer.status == scsi.GOOD, answer


def collect(clients):
    """What became of the commands: {outcome: how many}."""
    return dict(collections.Counter(str(client.reply()) for client in clients))


@test("64 clients of a disk that hangs: others are served, all are answered in time", timeout=90)
def _():
    with start() as helper, hanging_disk() as hung:
        before = time.monotonic()
        with hanging_clients(helper, hung) as clients:
            slowest = serve_others(helper, GOOD_FD)
            assert slowest < 1, f"another disk's client waited for {slowest:.2f} s"
            answers = collect(clients)
            seconds = time.monotonic() - before
            assert not select.select(clients, [], [], 0.2)[0], "more than one answer"
        diag(f"{answers} after {seconds:.1f} s; others waited for {slowest:.3f} s at most")
        assert set(answers) <= {NOT_SENT, UNKNOWN}, answers
        assert answers.get(UNKNOWN, 0) >= 1, "no command was ever sent"
        assert DEADLINE - 1 <= seconds <= DEADLINE + SLACK, seconds
        # The disk is still hung: the next client too gets an answer, and others are served.
        seconds, answer = timed(lambda: helper.command(hung, READ_KEYS))
        assert str(answer) in (NOT_SENT, UNKNOWN), answer
        assert seconds <= DEADLINE + SLACK, seconds
        assert serve_others(helper, GOOD_FD) < 1


@test("clients that give up waiting leave nothing behind", timeout=90)
def _():
    with start() as helper, hanging_disk() as hung:
        for _ in range(3):
            with hanging_clients(helper, hung, 16):
                pass
        assert serve_others(helper, GOOD_FD) < 1
        seconds, answer = timed(lambda: helper.command(hung, READ_KEYS))
        assert str(answer) in (NOT_SENT, UNKNOWN), answer
        assert seconds <= DEADLINE + SLACK, seconds


@test("a disk that fails after it has hung is an error, and no time-out", timeout=90)
def _():
    with start("--command-timeout=30") as helper, hanging_disk(seconds=3) as hung:
        with hanging_clients(helper, hung, 4) as clients:
            seconds, answers = timed(lambda: collect(clients))
        diag(f"{answers} after {seconds:.1f} s")
        assert not {"GOOD", NOT_SENT} & set(answers), answers
        assert seconds < 20, seconds


@test("SIGTERM while a disk hangs: a successor serves in time", timeout=90)
def _():
    with hanging_disk() as hung, start("--command-timeout=30") as old, \
            hanging_clients(old, hung) as clients:
        assert serve_others(old, GOOD_FD) < 1
        broker, = old.children()
        before = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        rig.wait_for(lambda: not os.path.exists(old.socket) and not os.path.exists(PID_FILE),
                     "socket and PID file to go", TAKE_OVER)
        gone = time.monotonic() - before
        with start() as new:
            check_good(new.command(GOOD_FD, READ_KEYS))
            served = time.monotonic() - before
            diag(f"files gone after {gone:.1f} s, served after {served:.1f} s")
            assert served < TAKE_OVER, served
            # What had been taken was answered before the end.
            answers = collect(clients)
            diag(f"{answers}")
            assert set(answers) <= {NOT_SENT, UNKNOWN}, answers
            assert all(client.is_closed_by_peer() for client in clients)
        assert old.threads(), "no thread hangs"
        rig.wait_for(lambda: not os.path.exists(f"/proc/{broker}"), "the broker to end")
        old.wait_for_end()


@test("SIGKILL while a disk hangs: what is left of it is in nobody's way", timeout=90)
def _():
    with hanging_disk() as hung, start("--command-timeout=30") as old, hanging_clients(old, hung):
        assert serve_others(old, GOOD_FD) < 1
        old.process.kill()
        old.wait_for_end()
        assert old.threads(), "no thread hangs"
        # The socket and the PID file are still there, and so is who has them.
        assert os.path.exists(old.socket) and os.path.exists(PID_FILE)
        with start() as new:
            check_good(new.command(GOOD_FD, READ_KEYS))
            with open(PID_FILE, encoding="ascii") as file:
                assert int(file.read()) == new.pid


if OPTIONS.reference:
    print("1..0 # SKIP the reference hangs with the disk")
    sys.exit(0)
GOOD_DISK = rig.loop_disk("good", nexuses=1)
GOOD_FD = GOOD_DISK.nexus[0].open()
main()
