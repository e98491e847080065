#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pacemaker's fence_mpath does its work on a map through the daemon.

It runs twice: with mpathpersist, and with qemu-pr-client in mpathpersist's place.
The disk is an iSCSI one, because fencing is PREEMPT AND ABORT, which the kernel's
loop target never answers.
"""
import os
import shutil
import subprocess

# pylint: disable=wrong-import-position
import san
import rig
from helper import Helper
from san import KEY, KIND, OTHER
from tap import main, skip, test

OPTIONS = san.parse_arguments(__doc__)
CLIENT = os.path.join(os.path.dirname(os.path.abspath(OPTIONS.helper)), "qemu-pr-client")
SOCKET = "/run/qemu-pr-helper.sock"     # where qemu-pr-client looks for it
STORE = "/run/fence-mpath"
ON, OFF = 0, 2                          # the agent's exit status for the action "status"


def agent(program, action, key, status=0):
    """Call the agent as a cluster does; it has to end with this."""
    result = subprocess.run(
        ["fence_mpath", f"--action={action}", f"--plug={key:x}", f"--devices={SAN.node}",
         f"--mpathpersist-path={program}", f"--store-path={STORE}"],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == status, f"{action}: {result.returncode}\n{result.stdout}"


def fencing(program):
    """The host joins, and fences the other one."""
    shutil.rmtree(STORE, ignore_errors=True)
    SAN.clean()
    SAN.other_host_joins()
    agent(program, "status", KEY, OFF)
    agent(program, "on", KEY)
    agent(program, "status", KEY, ON)
    assert (SAN.keys(), SAN.reservation()) == (sorted([KEY, KEY, OTHER]), (KEY, KIND))
    assert SAN.other_host_writes()
    agent(program, "off", OTHER)
    agent(program, "status", OTHER, OFF)
    assert (SAN.keys(), SAN.reservation()) == ([KEY, KEY], (KEY, KIND))
    assert not SAN.other_host_writes()
    assert SAN.multipathd_key() == hex(KEY)


@test("fence_mpath with mpathpersist", timeout=120)
def _():
    if OPTIONS.multipathd:
        skip("this mpathpersist is older than the multipathd")
    fencing("/usr/sbin/mpathpersist")


@test("fence_mpath with qemu-pr-client", timeout=120)
def _():
    with Helper(OPTIONS.helper, socket=SOCKET, drop=()):
        fencing(CLIENT)


MULTIPATHD, SAN = san.start((rig.iscsi_disk,))
main()
