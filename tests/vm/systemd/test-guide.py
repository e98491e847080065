#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator's guides: every command, and in the end all of it is gone."""
import glob
import os

# pylint: disable=wrong-import-position
import unit
import guide
import rig
from tap import main, test

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = unit.install(__doc__)
# What is built is what is installed: there is no compiler on this machine.
OLD = " ".join(f"-o {BUILD}/{name}" for name in ("qemu-pr-helper", "qemu-pr-client"))
DISK = rig.loop_disk("guide")

QEMUS = "/usr/bin/qemu-pr-helper"
with open(QEMUS, "rb") as _file:
    ORIGINAL = _file.read()
# What other guides have written.
LINES = {"/etc/libvirt/qemu.conf": f'pr_helper = "{unit.PROGRAM}"\n',
         "/etc/apparmor.d/local/usr.sbin.libvirtd": f"{unit.PROGRAM} PUx,\n"}
for _path, _line in LINES.items():
    with open(_path, "a", encoding="utf-8") as _file:
        _file.write(_line)

# The last one ends with the removal of everything.
for _guide in ("LOGGING.md", "TROUBLESHOOTING.md", "SYSTEMD.md"):
    guide.register(_guide, {"DISK": DISK.nexus[0].sd, "BUILD": BUILD, "MAKEFLAGS": OLD},
                   text=lambda _: None)     # what messages look like


@test("there is no guide that no test reads")
def _():
    tests = "".join(map(read, glob.glob(f"{HERE}/test-guide*.py")))
    unread = [path for path in glob.glob(f"{unit.ROOT}/docs/*.md")
              if guide.FENCE.search(read(path)) and f'"{os.path.basename(path)}"' not in tests]
    assert not unread, unread


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@test("nothing is left of it")
def _():
    for path in (unit.PROGRAM, unit.SOCKET, f"/usr/local/lib/systemd/system/{unit.SERVICE}",
                 *glob.glob("/etc/systemd/system/qemu-pr-helper*")):
        assert not os.path.exists(path), path
    for path, line in LINES.items():
        assert line not in read(path), path
    with open(QEMUS, "rb") as file:
        assert file.read() == ORIGINAL
    assert unit.run("dpkg-divert", "--list", "*qemu-pr-helper*") == ""


main()
