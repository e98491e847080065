#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon may do, once it serves: as little as SG_IO needs.

The kernel keeps credentials for each thread, so every thread is looked at, and
only after work has been done, when there are some. Not for the program to be
replaced, which cannot take so many clients at once, and keeps group 0 if it is
given a user alone.
"""
import os
import pwd
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
from helper import Helper, parse_arguments
from process import SYS_RAWIO
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
NOBODY = pwd.getpwnam("nobody")
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


def put_to_work(helper):
    """Several commands at a time on several disks, so that there are threads."""
    def client(nexus):
        fd = nexus.open()
        try:
            for _ in range(5):
                assert helper.command(fd, READ_KEYS).status == scsi.GOOD
        finally:
            os.close(fd)
    nexuses = DISK.nexus * 2
    with ThreadPoolExecutor(len(nexuses)) as pool:
        list(pool.map(client, nexuses))


def check_thread(status, uid, gid):
    """One /proc/PID/task/TID/status."""
    assert status["Uid"].split() == [str(uid)] * 4, status
    assert status["Gid"].split() == [str(gid)] * 4, status
    assert status["Groups"] == "", status
    for name, value in (("CapPrm", SYS_RAWIO), ("CapEff", SYS_RAWIO), ("CapBnd", 0),
                        ("CapInh", 0), ("CapAmb", 0)):
        assert int(status[name], 16) == value, (name, status)
    assert status["NoNewPrivs"] == "1", status


def check_process(uid, gid, drop):
    # Groups that root may have are there to be lost.
    before = os.getgroups()
    os.setgroups([0, 4, 27])
    try:
        helper = Helper(OPTIONS.helper, drop=drop)
    finally:
        os.setgroups(before)
    with helper:
        put_to_work(helper)
        threads = helper.threads()
        assert threads
        for status in threads:
            check_thread(status, uid, gid)


@test("with -u nobody -g nogroup: one capability and nothing else")
def _():
    check_process(NOBODY.pw_uid, NOBODY.pw_gid, ("-u", "nobody", "-g", "nogroup"))


@test("with -u nobody alone: in nobody's own group")
def _():
    check_process(NOBODY.pw_uid, NOBODY.pw_gid, ("-u", "nobody"))


@test("without -u: uid 0, one capability and nothing else")
def _():
    check_process(0, 0, ())


def ended_by(number, **settings):
    """End a daemon that has worked; is its socket gone?"""
    with Helper(OPTIONS.helper, **settings) as helper:
        put_to_work(helper)
        helper.process.send_signal(number)
        assert helper.process.wait(5) == 0, helper.process.returncode
        return not os.path.exists(helper.socket)


for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    @test(f"{_number.name} ends it with status 0, and its socket is gone")
    def _(number=_number):
        assert ended_by(number, drop=())
        assert ended_by(number)


@test("a socket in a directory that is root's stays, and the next one takes it over")
def _():
    for _ in range(2):
        assert not ended_by(signal.SIGTERM, socket="/run/pr.sock")


if OPTIONS.reference:
    print("1..0 # SKIP the reference is known to differ")
    sys.exit(0)
DISK = rig.loop_disk("process", nexuses=3)
main()
