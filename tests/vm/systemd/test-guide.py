#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator's guides: every command, and in the end all of it is gone."""
import glob
import os
import re

# pylint: disable=wrong-import-position
import unit
import guide
import rig
import scsi
import sgio
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

ENVIRONMENT = {"DISK": DISK.nexus[0].sd, "BUILD": BUILD, "MAKEFLAGS": OLD}


# Of make.
TARGETS = set()
for _makefile in ("Makefile", "tests/tests.mk", "contrib/packages.mk"):
    with open(os.path.join(unit.ROOT, _makefile), encoding="utf-8") as _file:
        for _names in re.findall(r"^\.PHONY: (.*)$", _file.read(), re.M):
            TARGETS.update(_names.split())


def shape(record):
    """What is not the same for each client, disk and time left out."""
    record = re.sub(r"^client pid \d+ \(\S+\) uid \d+:", "client:", record.strip())
    record = re.sub(r" on \w+ \(\d+:\d+\)", " on disk", record)
    return re.sub(r", \d+\.\d{3} ms$", ", time", record)


def check_record(shown):
    """A guide's record against one of the same command, where another host has the disk."""
    ours, other = (nexus.open() for nexus in DISK.nexus[:2])
    for fd, key in ((ours, 0xA11CE), (other, 0xB0B)):
        sgio.pr_command(fd, scsi.pr_out(scsi.REGISTER), scsi.parameters(0, key))
    reserve = scsi.pr_out(scsi.RESERVE, scsi.WRITE_EXCLUSIVE)
    assert str(sgio.pr_command(other, reserve, scsi.parameters(0xB0B))) == "GOOD"
    journal = unit.Journal()
    assert str(unit.command(ours, reserve, scsi.parameters(0xA11CE))) == "CONFLICT"
    real = journal.has("RESERVATION CONFLICT")["MESSAGE"]
    # By us, so that it is the other one who has to be told.
    assert str(sgio.pr_command(ours, scsi.pr_out(scsi.CLEAR), scsi.parameters(0xA11CE))) == "GOOD"
    for fd in (ours, other):
        os.close(fd)
    assert shape(real) == shape(shown) != shown.strip(), f"\n{shape(real)}\n{shape(shown)}"


@test("README.md: its commands are a guide's, or make's, or QEMU's, which another test starts")
def _():
    known = guide.lines_of("SYSTEMD.md") | guide.lines_of("QEMU.md")
    # make check-packages does that.
    known |= {line for line in guide.pasted(guide.text_of("PACKAGES.md"))
              if line.startswith("apt-get install ./build/dist/deb/")}
    # What programs print is no command; readme.py and test-check.py have it.
    text = guide.FENCE.sub("", guide.text_of("README.md"))
    for line in guide.pasted(text) + guide.INLINE.findall(text):
        if line.startswith("make"):
            assert {word for word in line.split()[1:] if "=" not in word} <= TARGETS, line
        elif line.startswith("pr_helper ="):
            assert line in guide.text_of("LIBVIRT.md"), line
        elif line.startswith(("qemu-pr-client", "journalctl")):
            guide.run(line.replace("/dev/sdb", "$DISK"), **ENVIRONMENT)
        elif not line.startswith("qemu-system-"):
            assert line in known, line


@test("qemu-pr-client(8) and qemu-pr-helper(8): the client's commands, as on a terminal")
def _():
    for page in ("qemu-pr-client.8", "qemu-pr-helper.8"):
        lines = [line for line in guide.pasted(guide.page_of(BUILD, page))
                 if line.startswith("qemu-pr-client")]
        assert lines, page
        guide.run("\n".join(lines).replace("/dev/sdb", "$DISK"), **ENVIRONMENT)


# The last one ends with the removal of everything.
for _guide in ("LOGGING.md", "TROUBLESHOOTING.md", "SYSTEMD.md"):
    guide.register(_guide, ENVIRONMENT, text=check_record)


@test("there is no guide that no test reads")
def _():
    tests = "".join(map(read, glob.glob(f"{HERE}/../*/test-guide*.py")))
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
