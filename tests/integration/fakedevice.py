# SPDX-License-Identifier: GPL-2.0-or-later
"""The device of the fake back end (tests/fake/backend-fake.c), seen from the test.

It is a memfd: its first line scripts what the device answers, and to its end
the back end appends each command that it executed.
"""
import os


class FakeDevice:
    """Keywords are the words of the script; bytes are written as hexadecimal."""

    def __init__(self, **script):
        self.fd = os.memfd_create("device")
        self.script(**script)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The device goes away; what runs on it goes on."""
        os.close(self.fd)

    def script(self, **script):
        """Tell it anew how to answer; the records begin anew, too."""
        words = (f"{name}={value.hex() if isinstance(value, bytes) else value}"
                 for name, value in script.items())
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, " ".join(words).encode() + b"\n", 0)

    def read_only(self):
        """The same device on another descriptor, opened for reading."""
        return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)

    def executed(self):
        """Commands that it has executed: pairs of CDB and parameter list."""
        text = os.pread(self.fd, os.fstat(self.fd).st_size, 0).decode()
        records = [line.split() for line in text.splitlines()[1:]]
        return [(bytes.fromhex(cdb), b"" if data == "-" else bytes.fromhex(data))
                for _, cdb, data in records]
