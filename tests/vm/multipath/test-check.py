#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-pr-helper --check: what it finds right, and what it says how to mend."""
import contextlib
import os
import re
import subprocess

# pylint: disable=wrong-import-position
import san
import rig
import scsi
import shown
from helper import Helper
from multipathd import RESERVATION_KEY
from san import KEY
from tap import diag, main, test

OPTIONS = san.parse_arguments(__doc__)
USER = 12345


def checked(*arguments, prefix=()):
    """(exit status, {what is right}, {what is to be mended})"""
    result = subprocess.run([*prefix, OPTIONS.helper, "--check", *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    diag(result.stdout)
    lines = result.stdout.splitlines()
    assert all(re.match(r"(ok  |FIX ) \S", line) for line in lines), lines
    fine = [line[5:] for line in lines if line.startswith("ok")]
    return result.returncode, fine, [line[5:] for line in lines if line.startswith("FIX")]


def is_ready(*arguments):
    """Nothing is to be mended; the lines."""
    status, fine, wrong = checked(*arguments)
    assert (status, wrong) == (0, []), wrong
    return "\n".join(fine)


def is_found(*words, arguments=(), prefix=()):
    """One thing is to be mended, and the line has these words."""
    status, _, wrong = checked(*arguments, prefix=prefix)
    assert status == 1 and len(wrong) == 1, (status, wrong)
    assert all(word in wrong[0] for word in words), wrong


def is_found_of_map(*words):
    is_found(*words, arguments=["-u", "nobody", SAN.node])


@test("a map that is ready")
def _():
    SAN.clean()
    said = is_ready("-u", "nobody", SAN.node)
    for words in ("user 65534", f"map {SAN.alias} ({SAN.map}) of 2 paths", "multipathd: answers",
                  RESERVATION_KEY, *(f"path {path.name}: answers" for path in SAN.paths)):
        assert words in said, words
    is_ready(f"/dev/mapper/{SAN.alias}")


@test("without a device: multipathd is looked at all the same")
def _():
    assert RESERVATION_KEY in is_ready()


@test("a path that is offline")
def _():
    SAN.clean()
    SAN.paths[0].offline()
    is_found_of_map(f"path {SAN.paths[0].name}", "not running")
    SAN.clean()


@test("a path without a node")
def _():
    SAN.clean()
    node = SAN.paths[1].nexus.sd
    device = os.stat(node)
    os.unlink(node)
    try:
        is_found_of_map(f"path {SAN.paths[1].name}", f"no node {node}")
    finally:
        os.mknod(node, device.st_mode, device.st_rdev)


@test("multipathd is not there")
def _():
    MULTIPATHD.stop()
    try:
        is_found_of_map("multipathd", "does not run")
        is_found("multipathd", "does not run")
    finally:
        MULTIPATHD.start()


@test("multipath.conf without reservation_key, and with another one")
def _():
    for line in ("# none", "reservation_key 0x123"):
        MULTIPATHD.configure(line)
        MULTIPATHD.restart()
        is_found_of_map(RESERVATION_KEY)
    MULTIPATHD.configure()
    MULTIPATHD.restart()
    is_ready(SAN.node)


@test("README.md: what --check prints")
def _():
    MULTIPATHD.configure("# none")
    MULTIPATHD.restart()
    node = f"/dev/mapper/{SAN.alias}"
    result = subprocess.run([OPTIONS.helper, "--check", node], check=False,
                            stdout=subprocess.PIPE, text=True)
    MULTIPATHD.configure()
    MULTIPATHD.restart()
    command, *lines = shown.block("--check")
    assert command == f"# qemu-pr-helper --check {node}", command
    assert shown.alike(lines) == shown.alike(result.stdout.splitlines()), result.stdout


@test("a path instead of its map")
def _():
    is_found("/dev/" + SAN.map, arguments=[SAN.paths[0].nexus.sd])


@test("a disk by each of its nodes is ready, a part of it is not")
def _():
    for node in (SAN.other.sd, SAN.other.sg):
        assert "answers PERSISTENT RESERVE IN" in is_ready(node)
    is_found("partition", "whole disk", arguments=[rig.partition(SAN.other)])
    volume = rig.linear_map(SAN.other, "part")
    try:
        is_found("volume", "whole disk", arguments=[volume])
    finally:
        rig.remove_map("part")
    is_found("not a SCSI device", arguments=["/dev/null"])


@test("a disk that is registered by others and reserved is ready")
def _():
    SAN.clean()
    for action in (scsi.REGISTER, scsi.RESERVE):
        assert SAN.other_host(action, 0 if action == scsi.REGISTER else KEY, KEY,
                              scsi.EXCLUSIVE_ACCESS) == "GOOD"
    before = (SAN.keys(), SAN.reservation(), SAN.multipathd_key())
    is_ready(SAN.node, SAN.other.sd)
    assert before == (SAN.keys(), SAN.reservation(), SAN.multipathd_key()), "it is changed"
    SAN.clean()


@test("another user than root sees that it cannot serve maps")
def _():
    prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
              "--inh-caps=-all,+sys_rawio", "--ambient-caps=-all,+sys_rawio",
              "--bounding-set=-all,+sys_rawio"]
    status, _, wrong = checked("-k", "/tmp/pr.sock", SAN.node, prefix=prefix)
    assert status == 1 and any("root" in line and SAN.node in line for line in wrong), wrong


@test("the socket: free, served, refused, and no socket at all")
def _():
    path = "/run/pr/check.sock"
    with Helper(OPTIONS.helper, "--socket-mode=0660", "--socket-group=kvm", socket=path) as helper:
        said = is_ready("-k", path)
        assert f"process {helper.pid} (qemu-pr-helper)" in said and "group kvm may" in said, said
        os.kill(helper.pid, 9)
        helper.wait_for_end()
    assert "dead process" in is_ready("-k", path)
    os.unlink(path)
    assert f"{path}: free" in is_ready("-k", path)
    with open(path, "wb"), contextlib.ExitStack() as stack:
        stack.callback(os.unlink, path)
        is_found("is not a socket", path, arguments=["-k", path])
    is_found("/nonexistent", arguments=["-k", "/nonexistent/pr.sock"])


MULTIPATHD, SAN = san.start()
main()
