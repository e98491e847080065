# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under test, as a process that the tests start, watch and stop."""
import argparse
import os
import shutil
import signal
import subprocess
import time

import process
from prproto import Client

# A directory of the user that the daemon becomes, so that it can remove its files.
DIRECTORY = "/run/pr"
SOCKET = DIRECTORY + "/helper.sock"
PID_FILE = DIRECTORY + "/helper.pid"
LOG = "/run/helper.log"


def parse_arguments(description, *more):
    """The command line that all test programs share; more: (option, help) of one's own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--reference", action="store_true",
                        help="HELPER is the program to be replaced: expect its known differences")
    for option, text in more:
        parser.add_argument(option, help=text)
    parser.add_argument("helper", metavar="HELPER")
    options = parser.parse_args()
    options.helper = os.path.abspath(options.helper)
    return options


class Helper:
    """A running daemon; ends with the "with" block if a test did not end it before."""

    def __init__(self, program, *options, socket=SOCKET, drop=("-u", "nobody", "-g", "nogroup")):
        self.socket = socket
        os.makedirs(DIRECTORY, exist_ok=True)
        shutil.chown(DIRECTORY, "nobody" if drop else "root")
        with open(LOG, "ab") as log:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen([program, "-k", socket, *drop, *options],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid
        try:
            self._wait_until_ready()
        except BaseException:
            self.process.kill()
            raise

    def _wait_until_ready(self, seconds=20):
        end = time.monotonic() + seconds
        # One that was left from before may answer, too, or be dead and not answer.
        while process.serving(self.socket, 2) != self.pid:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{log()}"
            assert time.monotonic() < end, f"not ready after {seconds} s"
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.has_ended():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.wait_for_end()
            except AssertionError:
                self.process.kill()

    def has_ended(self):
        """Is it gone, or at least all of it that the kernel will let go?"""
        return self.process.poll() is not None or self._is_held_by_kernel()

    def wait_for_end(self, seconds=10):
        """Wait until has_ended()."""
        end = time.monotonic() + seconds
        while not self.has_ended():
            assert time.monotonic() < end, f"still running after {seconds} s"
            time.sleep(0.02)

    def _is_held_by_kernel(self):
        """Is the main thread dead, while the ioctls of others do not return?"""
        states = {status["State"][0] for status in self.threads()}
        return "Z" in states and states <= {"D", "Z", "X"}

    def children(self):
        """Numbers of the processes that it has started."""
        return process.children(self.pid)

    def client(self, timeout=60):
        """A new connection."""
        return Client(self.socket, timeout)

    def command(self, fd, cdb, data=b""):
        """One command on a connection of its own."""
        with self.client() as client:
            return client.command(cdb, fd, data)

    def threads(self):
        """The status of every thread."""
        return process.threads(self.pid)


def log():
    """What the daemons have said so far."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        return file.read()
