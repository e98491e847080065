#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Without systemd's help, on the same machine: qemu-pr-helper -d, kill, and a new version."""
import os
import shutil
import subprocess
import time

# pylint: disable=wrong-import-position
import unit
import process
import rig
import scsi
from prproto import Client
from tap import diag, main, test

unit.install(__doc__)
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
DIRECTORY = "/run/by-hand"
SOCKET, PID_FILE = f"{DIRECTORY}/pr.sock", f"{DIRECTORY}/pr.pid"
# As the manual page has it, but for the places.
START = f"{unit.PROGRAM} -d -u nobody --socket-mode=0660 --socket-group=kvm " \
        f"-k {SOCKET} -f {PID_FILE}"
STOP = f"kill $(cat {PID_FILE})"


def shell(command):
    return unit.run("sh", "-ec", command)


def pid():
    with open(PID_FILE, encoding="ascii") as file:
        return int(file.read())


def check_serves():
    unit.run(*unit.PING, f"--socket={SOCKET}")
    with Client(SOCKET) as client:
        assert str(client.command(READ_KEYS, FD)) == "GOOD"


def is_gone(number):
    """The process, or all of it that the kernel will let go."""
    return {status["State"][0] for status in process.threads(number)} <= {"Z", "X"}


def stop():
    number = pid()
    shell(STOP)
    rig.wait_for(lambda: is_gone(number), "the end", 10)


@test("started with -d, it serves when the command returns, and logs to the journal")
def _():
    journal = unit.Journal()
    shell(START)
    check_serves()
    journal.has(f"serving on {SOCKET}")
    assert os.readlink(f"/proc/{pid()}/exe") == unit.PROGRAM


@test("a second one says that the first is there, and harms nothing")
def _():
    first = pid()
    second = subprocess.run(["sh", "-c", START], stderr=subprocess.PIPE, text=True, check=False)
    assert second.returncode == 1 and second.stderr.count("\n") == 1, second
    assert pid() == first
    check_serves()


@test("kill $(cat pidfile) ends it, and the files go with it")
def _():
    stop()
    assert os.listdir(DIRECTORY) == [], os.listdir(DIRECTORY)


@test("restarted, it serves a guest that was connected before")
def _():
    shell(START)
    with Client(SOCKET) as client:
        assert str(client.command(READ_KEYS, FD)) == "GOOD"
        stop()
        assert client.is_closed_by_peer()
    shell(START)
    check_serves()


def replace_program(old):
    # What `install` does: a new file under the same name, as the old one is in use.
    shutil.copy(unit.PROGRAM, unit.PROGRAM + ".new")
    os.rename(unit.PROGRAM + ".new", unit.PROGRAM)
    assert os.readlink(f"/proc/{old}/exe").endswith("(deleted)")


def check_runs_new_program():
    assert os.stat(f"/proc/{pid()}/exe").st_ino == os.stat(unit.PROGRAM).st_ino
    check_serves()


@test("upgraded: the new file beside the old process, then stop and start")
def _():
    replace_program(pid())
    check_serves()
    stop()
    shell(START)
    check_runs_new_program()


@test("while a disk hangs for good, it is upgraded", timeout=90)
def _():
    disk = rig.iscsi_disk("byhand")
    hung, old = disk.nexus[0].open(), pid()
    with Client(SOCKET) as client:
        assert str(client.command(READ_KEYS, hung)) == "GOOD"
        disk.targets[0].hang(600)
        client.request(READ_KEYS, hung)
        rig.wait_for(lambda: any(status["State"][0] == "D" for status in process.threads(old)),
                     "the command to hang")
        replace_program(old)
        before = time.monotonic()
        shell(STOP)
        # It refuses until the old one has had the signal, and not until it has answered.
        shell(f"until {START} 2>/dev/null; do sleep 0.2; done")
        taken = time.monotonic() - before
        assert str(client.reply(READ_KEYS)) == "B/2E/02"
    diag(f"served again after {taken:.1f} s")
    assert process.threads(old), "this proves nothing: the old process has ended"
    assert taken < 4, taken     # QEMU tries for 5 s
    check_runs_new_program()
    stop()


os.makedirs(DIRECTORY)
shutil.chown(DIRECTORY, "nobody")
DISK = rig.loop_disk("hand", nexuses=1)
FD = DISK.nexus[0].open()
main()
