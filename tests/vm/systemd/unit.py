# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as the service that `make install` makes of it, under a real systemd.

For the machine that `tests/vm/run --systemd` boots: what is installed, enabled
and overridden here is gone with it.
"""
import argparse
import atexit
import contextlib
import grp
import json
import os
import pickle
import pwd
import re
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "../../.."))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(ROOT, "tests/lib")]

# pylint: disable=wrong-import-position
import rig
from prproto import Client
from tap import diag

SERVICE = "qemu-pr-helper.service"
SOCKET_UNIT = "qemu-pr-helper.socket"
SOCKET = "/run/qemu-pr-helper.sock"
PROGRAM = "/usr/local/bin/qemu-pr-helper"
USER = "qemu-pr-helper"
DROP_INS = f"/run/systemd/system/{SERVICE}.d"
GUEST = 12345                   # user and group of processes like QEMU
PING = ("setpriv", f"--reuid={GUEST}", f"--regid={GUEST}", "--groups=kvm",
        "/usr/local/bin/qemu-pr-client", "--ping")


def run(*command, **more):
    """What a command has printed; it has to succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          **more).stdout.strip()


def show(name, unit=SERVICE):
    """A property of a unit."""
    return run("systemctl", "show", "--value", "-p", name, unit)


def main_pid():
    return int(show("MainPID"))


def state():
    return show("ActiveState")


def start():
    run("systemctl", "start", SERVICE)


def restart():
    run("systemctl", "restart", SERVICE)


def stop():
    """Of the service alone: the socket stays."""
    run("systemctl", "stop", SERVICE)


def ping():
    """Does it serve a process that is like QEMU?"""
    return run(*PING)


def verify():
    """systemd has nothing to say about the units."""
    said = run("systemd-analyze", "verify", SERVICE, SOCKET_UNIT, stderr=subprocess.STDOUT)
    assert said == "", said


def expect_exposure(limit):
    """What `systemd-analyze security` finds is at most this."""
    said = run("systemd-analyze", "security", "--no-pager", SERVICE)
    exposure = float(re.search(rf"exposure level for {SERVICE}: ([0-9.]+)", said)[1])
    diag("\n".join(line for line in said.splitlines() if line.startswith("✗")))
    diag(f"exposure {exposure}")
    assert exposure <= limit, said


def parse_arguments(description):
    """Returns the build directory that all programs here are told of."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("helper", metavar="HELPER", help="of a complete build directory")
    return os.path.dirname(os.path.abspath(parser.parse_args().helper))


def install(description):
    """As an administrator does, if nobody has done it yet. Returns the build."""
    build = parse_arguments(description)
    if not os.path.exists(PROGRAM):
        install_files(build)
        run("systemctl", "daemon-reload")
    run("systemctl", "start", SOCKET_UNIT)
    atexit.register(stop_everything)
    return build


def stop_everything():
    """What comes next on this machine finds no daemon."""
    subprocess.call(["systemctl", "stop", SOCKET_UNIT, SERVICE], stderr=subprocess.DEVNULL)


def install_files(build):
    """Install what is built: nothing is compiled in here. And make the user."""
    built = [f"--assume-old={build}/{name}" for name in ("qemu-pr-helper", "qemu-pr-client")]
    run("make", "-s", "-C", ROOT, f"BUILD={build}", *built, "install", "PREFIX=/usr/local")
    run("systemd-sysusers")


@contextlib.contextmanager
def drop_in(*lines, begin=restart):
    """Run the service with these lines in its [Service], as `systemctl edit` would add them."""
    path = f"{DROP_INS}/test.conf"
    os.makedirs(DROP_INS, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        print("[Service]", *lines, sep="\n", file=file)
    run("systemctl", "daemon-reload")
    try:
        begin()
        yield
    finally:
        os.unlink(path)
        run("systemctl", "daemon-reload")
        restart()


def with_options(*options, begin=restart):
    """A drop-in for command line options."""
    return drop_in(f'Environment="OPTIONS={" ".join(options)}"', begin=begin)


def arguments():
    """The command line of the process that serves."""
    with open(f"/proc/{main_pid()}/cmdline", encoding="utf-8") as file:
        return file.read().rstrip("\0").split("\0")


def as_guest(function):
    """What function() returns in a process like QEMU's: no privileges, but in group kvm."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([grp.getgrnam("kvm").gr_gid])
            os.setresgid(GUEST, GUEST, GUEST)
            os.setresuid(GUEST, GUEST, GUEST)
            with open(writer, "wb") as file:
                pickle.dump(function(), file)
            status = 0
        except BaseException:           # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as file:
        result = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"the guest's process ended with {status}"
    return pickle.loads(result)


def command(fd, cdb, data=b""):
    """One command on a connection of its own."""
    with Client(SOCKET) as client:
        return client.command(cdb, fd, data)


def user():
    return pwd.getpwnam(USER)


class Journal:
    """What comes into the journal from now on."""

    def __init__(self, *matches):
        self.matches = matches or ("-t", "qemu-pr-helper")
        run("journalctl", "--sync")
        shown = run("journalctl", "-q", "-n", "0", "--show-cursor")
        self.cursor = shown.rpartition("-- cursor: ")[2]
        assert self.cursor, shown

    def entries(self):
        """As dictionaries, the oldest first."""
        # --after-cursor leaves out the first one where the last one before does not match.
        text = run("journalctl", "-q", "-o", "json", "--cursor", self.cursor, *self.matches)
        entries = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if entry["__CURSOR"] != self.cursor]

    def until(self, condition, what, seconds=30):
        """Wait until condition(entries) is true, and return the entries."""
        found = []

        def check():
            found[:] = self.entries()
            return condition(found)
        try:
            rig.wait_for(check, what, seconds)
        except AssertionError:
            diag("\n".join(str(entry["MESSAGE"]) for entry in found[-20:]))
            raise
        return found

    def has(self, text):
        """Wait until a message says so, and return its entry."""
        entries = self.until(lambda found: any(text in entry["MESSAGE"] for entry in found),
                             f"'{text}' in the journal")
        return next(entry for entry in entries if text in entry["MESSAGE"])
