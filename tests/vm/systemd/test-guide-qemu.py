#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guides for those who start QEMU themselves: its options, and its control socket."""
import json
import os
import select
import shlex
import subprocess

# pylint: disable=wrong-import-position
import unit
import guide
import qmp
import rig
import scsi
from cluster import KEY_A, Initiator, equal
from qtest import PciDriver
from scenarios import GOOD
from tap import main, test

BUILD = unit.install(__doc__)
unit.stop_everything()                  # these guides start the helper by hand
DISK = rig.loop_disk("guideqemu", nexuses=1).nexus[0].sd
BY_ID = "/dev/disk/by-id/scsi-SERIAL"
CONTROL, PID_FILE, HELPER_PID = "/run/guest.qmp", "/run/guest.pid", "/run/qemu-pr-helper.pid"
MACHINE = ("-daemonize", "-pidfile", PID_FILE, "-accel", "tcg", "-machine", "pc", "-m", "32",
           "-nodefaults", "-no-user-config", "-display", "none")
UNREACHABLE = "B/00/06"
LIMIT = 8192                    # of READ_KEYS below, in bytes
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


class Guest(Initiator, PciDriver):
    """The guest of the QEMU that a guide starts."""

    def options(self):
        """A guide's own are to be added."""
        return [*MACHINE, "-bios", self.firmware, *super().options()]

    def check_reservations(self):
        """Its commands reach the disk."""
        equal(self.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(self.keys(), [KEY_A])
        equal(self.pr_out(scsi.CLEAR, KEY_A), GOOD)


def end(pid_file):
    """End what has left its process number there."""
    with open(pid_file, encoding="ascii") as file:
        pid = int(file.read())
    with open(os.pidfd_open(pid), "rb", buffering=0) as ended:
        os.kill(pid, 15)
        rig.wait_for(lambda: has_ended(ended), f"{pid_file}'s process to end")


def has_ended(pidfd):
    return bool(select.select([pidfd], [], [], 0)[0])


def shell(commands):
    """A block; if it has started QEMU, its guest can reserve the disk."""
    guide.run(commands, DISK=DISK, OPTIONS=shlex.join(GUEST.options()))
    if "qemu-system" in commands:
        GUEST.attach()
        GUEST.check_reservations()


def conversation(lines):
    """On the control socket, line by line; an event is made to happen."""
    control = qmp.connect(CONTROL)
    for line in map(json.loads, lines.splitlines()):
        if "execute" in line:
            answer = control.command(line["execute"], **line.get("arguments", {}))
        elif "return" in line:
            equal(answer, line["return"])
        else:
            end(HELPER_PID)
            GUEST.request(READ_KEYS, data_in=LIMIT)
            equal(control.event(line["event"]), line["data"])
            equal(scsi.outcome(*GUEST.reply(LIMIT)[:2]), UNREACHABLE)
            guide.run(guide.blocks("QEMU.md")[0][2])
    control.close()


def begin_anew(name):
    """The guest's QEMU ends, and another one may be started."""
    end(PID_FILE)
    GUEST.detach()
    GUEST.__init__(name)                # pylint: disable=unnecessary-dunder-call


def configuration(line):
    """Proxmox VE's: what it gives to QEMU."""
    begin_anew("proxmox")
    options = shlex.split(line.partition("args:")[2])
    subprocess.run(["qemu-system-x86_64", *GUEST.options(), *options], check=True)
    GUEST.attach()
    GUEST.check_reservations()


os.makedirs(os.path.dirname(BY_ID))
os.symlink(DISK, BY_ID)
GUEST = Guest("guide")
guide.register("QEMU.md", {}, sh=shell, json=conversation)


@test("the one guide's helper makes room for the other's")
def _():
    end(HELPER_PID)


guide.register("PROXMOX.md", {}, sh=shell, conf=configuration)


def pasted(name, text):
    """Its helper and its QEMU, for this disk; "..." is what else a guest has."""
    end(HELPER_PID)
    begin_anew(name)
    wanted = [line for line in guide.pasted(text)
              if line.startswith(("qemu-pr-helper -d", "qemu-system-"))]
    equal(len(wanted), 2)
    for line in wanted:
        shell(line.replace(" ... ", " $OPTIONS ").replace("/dev/sdb", "$DISK"))


@test("README.md: its helper and its QEMU", timeout=120)
def _():
    pasted("readme", guide.text_of("README.md"))


@test("qemu-pr-helper(8): its helper and its QEMU", timeout=120)
def _():
    pasted("manual", guide.page_of(BUILD, "qemu-pr-helper.8"))


try:
    main()
finally:
    end(PID_FILE)
    end(HELPER_PID)
