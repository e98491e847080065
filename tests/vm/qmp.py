# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's control connection (QMP), as management programs use it."""
import contextlib
import json
import os
import socket
import time


class Control:
    """One connection. QEMU speaks first on it."""

    def __init__(self, sock, timeout=30):
        self.sock = sock
        self.file = sock.makefile("r", encoding="utf-8")
        self.events = []
        self._read(timeout)
        self.command("qmp_capabilities")

    def close(self):
        """Hang up."""
        self.file.close()
        self.sock.close()

    def _read(self, timeout):
        self.sock.settimeout(timeout)
        line = self.file.readline()
        assert line, "QEMU has hung up"
        return json.loads(line)

    def command(self, name, **arguments):
        """Returns what the command returns; keeps the events that come before it."""
        line = json.dumps({"execute": name, "arguments": arguments})
        self.sock.sendall(line.encode() + b"\n")
        while True:
            answer = self._read(30)
            if "event" not in answer:
                assert "return" in answer, f"{name}: {answer}"
                return answer["return"]
            self.events.append(answer)

    def event(self, name, seconds=30):
        """The data of the next event of that name; those of other names are dropped."""
        end = time.monotonic() + seconds
        while True:
            found = self.events.pop(0) if self.events else self._read(end - time.monotonic())
            if found["event"] == name:
                return found["data"]


def connect(path):
    """To the socket of a QEMU that listens."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return Control(sock)


class Listener:
    """Where a QEMU is to connect; so this comes before QEMU, and accept() after it."""

    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.listen()

    def options(self):
        """What QEMU has to be told."""
        return ["-qmp", f"unix:{self.path}"]

    def accept(self, timeout=30):
        """Meet QEMU; returns the Control."""
        self.sock.settimeout(timeout)
        return Control(self.sock.accept()[0], timeout)

    def close(self):
        """Meet nobody any more."""
        self.sock.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
