# SPDX-License-Identifier: GPL-2.0-or-later
"""All that a program's standard input, output and error can be."""
import contextlib
import os
import pty
import subprocess
import tempfile
import threading
import tty


class Sink:
    """Something to write to, which remembers what was written."""

    def __init__(self, number=None):
        self.descriptor = number

    def started(self):
        """The program has it now."""

    def text(self):
        """What has arrived, once the program has ended; None where nobody can know."""
        return None


class Closed(Sink):
    """No descriptor at all."""


class Null(Sink):
    """/dev/null, opened as a shell opens it."""

    def __init__(self):
        super().__init__(os.open(os.devnull, os.O_WRONLY))

    def started(self):
        os.close(self.descriptor)


class File(Sink):
    """A regular file, opened in any way."""

    def __init__(self, flags):
        number, self.path = tempfile.mkstemp()
        os.close(number)
        super().__init__(os.open(self.path, flags))

    def started(self):
        os.close(self.descriptor)

    def text(self):
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        os.unlink(self.path)
        return text


class Stream(Sink):
    """What has a reader at its other end, which starts with the program."""

    def __init__(self, reader, number):
        super().__init__(number)
        self._reader, self._chunks = reader, []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        # A terminal that nobody has open any more is an error.
        with contextlib.suppress(OSError):
            while data := os.read(self._reader, 1 << 16):
                self._chunks.append(data)

    def started(self):
        os.close(self.descriptor)
        self._thread.start()

    def text(self):
        self._thread.join()
        os.close(self._reader)
        return b"".join(self._chunks).decode()


def pipe():
    """A pipe to a program that reads."""
    return Stream(*os.pipe())


def terminal():
    """A terminal, open for reading and writing as all are."""
    master, slave = pty.openpty()
    tty.setraw(slave)       # or it would write carriage returns
    return Stream(master, slave)


KINDS = {
    "terminal": terminal,
    "pipe": pipe,
    "file": lambda: File(os.O_WRONLY),
    "file for append": lambda: File(os.O_WRONLY | os.O_APPEND),
    "file for reading, too": lambda: File(os.O_RDWR),
    "/dev/null": Null,
    "closed": Closed,
}
SOURCES = {
    "terminal": terminal,
    "pipe": pipe,
    "/dev/null": Null,
    "closed": Closed,
}


def run(command, stdin, output, error, timeout=60, environment=None):
    """Run a command on three sinks; its exit status. error may be output's own."""
    closing = "".join(text for sink, text in ((stdin, " <&-"), (output, " >&-"), (error, " 2>&-"))
                      if sink.descriptor is None)
    with subprocess.Popen(["sh", "-c", f'exec "$@"{closing}', "sh", *command],
                          stdin=stdin.descriptor, stdout=output.descriptor,
                          stderr=error.descriptor, env=environment) as program:
        for sink in {stdin, output, error}:
            sink.started()
        try:
            return program.wait(timeout)
        finally:
            program.kill()
