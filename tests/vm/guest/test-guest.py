#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux guest is one node of a cluster, and the machine itself the other.

The guest uses sg_persist on its disk, and so does fence_scsi for it. It boots
for a minute and more, so this program is not among those of the parent directory.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import linux
import rig
from cluster import equal
from fence import OFF, ON, Node
from helper import Helper, parse_arguments
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
BOOT = 900                      # seconds, on a machine that has much other work
CONFLICT, UNIT_ATTENTION = 24, 6        # sg_persist's exit status
KEY_GUEST, KEY_HOST = 0xA11CE, 0xB0B
TYPE = "--prout-type=5"
READS = ("--read-keys", "--read-reservation", "--report-capabilities", "--read-full-status")
GUEST_DISK = "/dev/sda"


def in_guest(*command):
    return linux.run(command)


def on_host(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    return result.returncode, result.stdout


def persist(run, disk, *options, status=0):
    """sg_persist in the guest or on the host; once more if there was a unit attention."""
    for _ in range(3):
        found, output = run("sg_persist", "--no-inquiry", *options, disk)
        if found != UNIT_ATTENTION or status == UNIT_ATTENTION:
            break
    assert found == status, f"{options}: status {found}, not {status}\n{output}"
    return output


def guest_persist(*options, status=0):
    return persist(in_guest, GUEST_DISK, *options, status=status)


def host_persist(*options, status=0):
    return persist(on_host, HOST_DISK, *options, status=status)


def guest_writes():
    """Does the guest's kernel get a sector to its disk?"""
    status, _ = in_guest("dd", "if=/dev/zero", f"of={GUEST_DISK}", "bs=512", "count=1",
                         "conv=fsync,notrunc")
    return status == 0


def host_writes():
    status, _ = on_host("dd", "if=/dev/zero", f"of={HOST_DISK}", "bs=512", "count=1",
                        "oflag=direct", "conv=notrunc")
    return status == 0


@test("a real Linux boots, and reads its disk's keys", timeout=BOOT + 60)
def _():
    GUEST.wait_until_up(BOOT)
    assert "there are NO registered reservation keys" in guest_persist("--in", "--read-keys")
    assert guest_writes()


@test("it registers and reserves, and sees what the other node sees", timeout=200)
def _():
    guest_persist("--out", "--register", f"--param-sark={KEY_GUEST:x}")
    host_persist("--out", "--register", f"--param-sark={KEY_HOST:x}")
    guest_persist("--out", "--reserve", f"--param-rk={KEY_GUEST:x}", TYPE)
    for action in READS:
        equal(guest_persist("--in", action), host_persist("--in", action))
    assert f"Key=0x{KEY_GUEST:x}" in host_persist("--in", "--read-reservation")
    host_persist("--out", "--reserve", f"--param-rk={KEY_HOST:x}", "--prout-type=3",
                 status=CONFLICT)
    assert guest_writes() and host_writes()


@test("it finds a new helper", timeout=200)
def _():
    global HELPER                           # pylint: disable=global-statement
    HELPER.process.kill()
    HELPER.process.wait()
    HELPER = Helper(OPTIONS.helper)
    assert f"0x{KEY_GUEST:x}" in guest_persist("--in", "--read-keys")


@test("the other node preempts: a unit attention, and the guest can write no more", timeout=200)
def _():
    host_persist("--out", "--preempt", f"--param-rk={KEY_HOST:x}",
                 f"--param-sark={KEY_GUEST:x}", TYPE)
    guest_persist("--in", "--read-keys", status=UNIT_ATTENTION)
    assert f"Key=0x{KEY_HOST:x}" in guest_persist("--in", "--read-reservation")
    guest_persist("--out", "--reserve", f"--param-rk={KEY_GUEST:x}", TYPE, status=CONFLICT)
    assert not guest_writes()
    assert "reservation conflict" in in_guest("dmesg")[1]
    assert host_writes()
    host_persist("--out", "--clear", f"--param-rk={KEY_HOST:x}")


def call(node, action, key=None, status=0):
    found = node.agent(action, key)
    assert found == status, f"{action}: {found}, not {status}\n{node.said}"


def program(name):
    """A program's stand-in that runs it in the guest."""
    path = f"{linux.DIRECTORY}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexec "{HERE}/linux.py" {name} "$@"\n')
    os.chmod(path, 0o755)
    return path


@test("fence_scsi: the guest fences, and is fenced", timeout=500)
def _():
    ours = Node("guest", KEY_GUEST, GUEST_DISK, program("sg_persist"), program("sg_turs"))
    theirs = Node("host", KEY_HOST, HOST_DISK)
    for node in (ours, theirs):
        call(node, "on")
    call(ours, "off", KEY_HOST)
    call(theirs, "status", status=OFF)
    assert guest_writes() and not host_writes()
    call(theirs, "on")
    call(theirs, "off", KEY_GUEST)
    call(ours, "status", status=OFF)
    call(theirs, "status", status=ON)
    assert host_writes() and not guest_writes()


DISK = rig.iscsi_disk("guest", nexuses=2)
assert DISK.nexus[0].sd == GUEST_DISK   # fence_scsi looks for it here as well
HOST_DISK = DISK.nexus[1].sd
HELPER = Helper(OPTIONS.helper)
try:
    with linux.Guest(GUEST_DISK, HELPER.socket) as GUEST:
        main()
finally:
    HELPER.__exit__()
