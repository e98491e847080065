#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package under a real systemd: install, enable, upgrade, remove.

    tests/vm/run --systemd tests/packages/test-deb-systemd.py DEB

The machine is the host's Debian, with qemu-system-common, and gone afterwards.
The tests are one story, in this order.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
from tap import main, test

DEB = os.path.realpath(sys.argv[1])
NAME = "qemu-pr-helper-dropin"
PROGRAM = "/usr/bin/qemu-pr-helper"
SOCKET, SERVICE = "qemu-pr-helper.socket", "qemu-pr-helper.service"
FIRST = {}          # what the upgrade is held against


def run(*command):
    """What a command that has to succeed says."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout.strip()


def show(name, unit=SERVICE):
    return run("systemctl", "show", "--value", "-p", name, unit)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def repacked(version):
    """The package as of another version."""
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "-R", DEB, folder)
        run("sed", "-i", f"s/^Version: .*/Version: {version}/", folder + "/DEBIAN/control")
        run("dpkg-deb", "--root-owner-group", "-Znone", "-b", folder, "/tmp/older.deb")
    return "/tmp/older.deb"


@test("installed, neither unit is enabled nor runs", timeout=200)
def _():
    FIRST["qemu's"] = content(PROGRAM)
    run("dpkg", "--force-unsafe-io", "-i", repacked("0.0.1-0upstream1"))
    for unit in (SOCKET, SERVICE):
        assert show("UnitFileState", unit) == "disabled", unit
        assert show("ActiveState", unit) == "inactive", unit


@test("once the socket is enabled, a client starts the program of the package")
def _():
    run("systemctl", "enable", "--now", SOCKET)
    run("qemu-pr-client", "--ping")
    FIRST["pid"] = show("MainPID")
    FIRST["socket"] = show("InvocationID", SOCKET)
    assert os.readlink(f"/proc/{FIRST['pid']}/exe") == PROGRAM
    assert show("User") == "qemu-pr-helper"


@test("an upgrade restarts the service, and keeps the socket", timeout=200)
def _():
    run("dpkg", "--force-unsafe-io", "-i", DEB)
    assert show("ActiveState") == "active", show("ActiveState")
    pid = show("MainPID")
    assert pid not in (FIRST["pid"], "0"), pid
    assert os.readlink(f"/proc/{pid}/exe") == PROGRAM
    assert show("InvocationID", SOCKET) == FIRST["socket"], "the socket was down"
    assert show("UnitFileState", SOCKET) == "enabled"
    run("qemu-pr-client", "--ping")


@test("an upgrade does not start a service that is stopped", timeout=200)
def _():
    run("systemctl", "stop", SERVICE)
    run("dpkg", "--force-unsafe-io", "-i", DEB)
    assert show("ActiveState") == "inactive", show("ActiveState")
    assert show("ActiveState", SOCKET) == "active", show("ActiveState", SOCKET)
    run("qemu-pr-client", "--ping")


@test("removal stops both, and QEMU's program is back", timeout=200)
def _():
    run("dpkg", "--remove", NAME)
    for unit in (SOCKET, SERVICE):
        assert show("ActiveState", unit) == "inactive", unit
    assert not os.path.exists("/run/qemu-pr-helper.sock"), "its socket is left"
    assert content(PROGRAM) == FIRST["qemu's"]


@test("purge leaves no user and no link", timeout=200)
def _():
    run("dpkg", "--purge", NAME)
    assert not subprocess.run(["getent", "passwd", "qemu-pr-helper"], check=False,
                              stdout=subprocess.PIPE).stdout
    left = run("find", "/etc/systemd", "/var/lib/systemd", "-name", "*qemu-pr-helper*")
    assert not left, left


# By the one a container image keeps packages from starting anything; by the other
# each call of dpkg reads all manual pages.
for path in ("/usr/sbin/policy-rc.d", "/var/lib/man-db/auto-update"):
    if os.path.exists(path):
        os.unlink(path)
main()
