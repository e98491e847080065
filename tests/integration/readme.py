#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md shows what the program writes: usage readme.py HELPER."""
import os
import re

from daemon import Daemon, need_root, run, scratch
from fakedevice import FakeDevice
import scsi
import shown
from tap import main, test

LOGGING = os.path.join(os.path.dirname(shown.README), "docs/LOGGING.md")


@test("a record of a reservation that conflicts")
def _():
    with Daemon() as daemon, FakeDevice(status=0x18) as device:
        daemon.command(device.fd, scsi.pr_out(scsi.RESERVE, 1), scsi.parameters(0xa11ce))
        line = daemon.await_log("PERSISTENT RESERVE").partition("qemu-pr-helper: ")[2]
    text = shown.block("PERSISTENT RESERVE OUT")
    assert shown.alike([line]) == shown.alike(text) != text, line


@test("the record is LOGGING.md's, of a real disk")
def _():
    with open(LOGGING, encoding="utf-8") as file:
        assert shown.block("PERSISTENT RESERVE OUT") == shown.BLOCK.findall(
            file.read())[0].splitlines()


@test("what --check prints of every host")
def _():
    need_root("to have root's privileges")
    path = f"{scratch()}/pr.sock"
    real = run("--check", "-k", path).stdout.replace(path, "/var/run/qemu-pr-helper.sock")
    own = [line for line in shown.block("--check")
           if re.match("ok   (privileges|open files|socket)", line)]
    assert len(own) == 3 and shown.alike(real.splitlines())[:3] == shown.alike(own) != own, real


main()
