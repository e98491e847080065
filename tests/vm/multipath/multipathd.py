# SPDX-License-Identifier: GPL-2.0-or-later
"""The real multipathd, its configuration, and what it says."""
import os
import shutil
import socket
import struct
import subprocess

import rig

HERE = os.path.dirname(os.path.realpath(__file__))
SOCKET = "\0/org/kernel/linux/storage/multipathd"
CONFIGURATION = "/etc/multipath.conf"
DIRECTORY = "/etc/multipath"
LOG = "/run/multipathd.log"
RESERVATION_KEY = "reservation_key file"
# What the root of the multipathd to be tested is; None: this machine's.
ROOT = None


def forget():
    """What it has kept in its files."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)


class Multipathd:
    """The daemon of that name, with its configuration."""

    def __init__(self, blacklist):
        """The lines of its section of that name."""
        self.blacklist = blacklist
        self.process = None

    def configure(self, reservation_key=RESERVATION_KEY, section=""):
        """Write the configuration; every section on lines of its own, or the rest is ignored.

        section: one more, before all others.
        """
        lines = [section, "defaults {", "\tfind_multipaths no", "\tuser_friendly_names yes",
                 "\tpolling_interval 1", "\tmax_polling_interval 1", "\t" + reservation_key, "}",
                 "blacklist {", *self.blacklist, "}", "overrides {", "\tno_path_retry queue", "}"]
        with open(CONFIGURATION, "w", encoding="ascii") as file:
            print(*lines, sep="\n", file=file)

    def start(self):
        """Returns when it answers."""
        program = [os.path.join(HERE, "multipathd-in"), ROOT] if ROOT else ["multipathd"]
        with open(LOG, "ab") as file:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen([*program, "-d"], stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file)
        rig.wait_for(self._answers, "multipathd to answer")

    def _answers(self):
        assert self.process.poll() is None, f"multipathd has ended:\n{log()}"
        try:
            # Says "timeout" for as long as it is setting up its maps.
            return not self.ask("show daemon").startswith(("timeout", "fail"))
        except ConnectionRefusedError:
            return False

    def stop(self):
        """The maps stay."""
        self.process.terminate()
        self.process.wait(20)

    def restart(self):
        """As after a change of the configuration."""
        self.stop()
        self.start()

    @staticmethod
    def ask(text):
        """One of its commands, and its answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(SOCKET)
            sock.sendall(struct.pack("=Q", len(text) + 1) + text.encode() + b"\0")
            with sock.makefile("rb") as file:
                size, = struct.unpack("=Q", file.read(8))
                return file.read(size).rstrip(b"\0").decode().strip()


def log():
    """What multipathd has said so far."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        return file.read()
