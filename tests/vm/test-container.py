#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as the only process of a container, as KubeVirt runs it.

It is process 1 of a PID namespace, has uid 0, the environment of a container
and no systemd; whoever runs the container reads its standard error.
"""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import process
import rig
import scsi
from helper import parse_arguments
from prproto import Client
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
DIRECTORY = "/var/run/kubevirt/daemons/pr"
SOCKET = DIRECTORY + "/pr-helper.sock"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/", "KUBERNETES_SERVICE_HOST": "10.96.0.1",
               "MULTIPATH_SOCKET_NAME": "/run/multipathd.socket"}
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


class Container:
    """Its process 1 is the daemon."""

    def __init__(self):
        os.makedirs(DIRECTORY, exist_ok=True)
        # pylint: disable=consider-using-with
        self.runtime = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", OPTIONS.helper, "-k", SOCKET],
            env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.pid = rig.wait_for(self._serving, "the daemon")

    def _serving(self):
        assert self.runtime.poll() is None, self.runtime.stderr.read()
        return process.serving(SOCKET)

    def stop(self, number):
        """Returns the exit status, and all that was logged."""
        os.kill(self.pid, number)
        log = self.runtime.communicate(timeout=20)[1]
        return self.runtime.returncode, log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.runtime.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.runtime.wait()


def register(key):
    """One PERSISTENT RESERVE OUT."""
    with Client(SOCKET) as client:
        cdb = scsi.pr_out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY)
        answer = client.command(cdb, FD, scsi.parameters(0, key))
        assert answer.status == scsi.GOOD, answer


@test("as process 1 with uid 0 it serves, with one capability")
def _():
    with Container() as container:
        found = process.status(f"/proc/{container.pid}/status")
        assert found["NSpid"].split()[1:] == ["1"], found["NSpid"]
        assert found["Uid"].split() == ["0"] * 4, found["Uid"]
        assert int(found["CapEff"], 16) == 1 << 17, found["CapEff"]
        register(0xA11CE)
        with Client(SOCKET) as client:
            assert scsi.keys(client.command(READ_KEYS, FD).payload) == [0xA11CE]
        register(0)


@test("SIGTERM ends it in good order, process 1 or not")
def _():
    with Container() as container, Client(SOCKET) as client:
        assert client.command(READ_KEYS, FD).status == scsi.GOOD
        code, log = container.stop(signal.SIGTERM)
        assert code == 0, f"{code}: {log}"
        assert not os.path.exists(SOCKET)
        assert client.is_closed_by_peer()


@test("a container that was killed is simply started again")
def _():
    with Container() as container:
        container.stop(signal.SIGKILL)
        assert os.path.exists(SOCKET)
    with Container():
        register(0xB0B)
        register(0)


def log_on_standard_error():
    """With no journal in the container, its log is what the runtime reads."""
    with Container() as container:
        register(0xA11CE)
        register(0)
        code, log = container.stop(signal.SIGTERM)
    assert code == 0, code
    records = [line for line in log.splitlines() if "PERSISTENT RESERVE OUT" in line]
    assert len(records) == 2 and "0xa11ce" in records[0], log


if not OPTIONS.reference:       # which logs nothing
    test("its log is on standard error")(log_on_standard_error)

DISK = rig.loop_disk("container", nexuses=1)
FD = DISK.nexus[0].open()
main()
