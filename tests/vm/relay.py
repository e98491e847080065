# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program whose two outputs become this program's, whatever those are.

QEMU opens what it is given through /dev/fdset, and refuses a descriptor that is
open for reading as well: a terminal's is, and so is that of many a file. So the
program gets pipes of its own, which are write-only on every system, and a thread
for each passes on what comes. It writes as any program does, blocking, with
errors looked at; where nobody reads any more the program is killed.
"""
import contextlib
import errno
import os
import select
import subprocess
import threading
import time

CHUNK = 1 << 16


class Lost(Exception):
    """The output has no reader any more, or cannot be written."""


def open_standard_descriptors():
    """What is closed among 0, 1 and 2 becomes /dev/null, before a file of ours takes its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            assert os.open(os.devnull, os.O_RDWR) == number
            os.set_inheritable(number, True)


def complain(text):
    """Write a line to standard error, if that can be written."""
    with contextlib.suppress(OSError):
        write_all(2, (text + "\n").encode("utf-8", "backslashreplace"))


def write_all(descriptor, data):
    """Write every byte, also where somebody else has made the descriptor non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest):]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def _is_one_file(one, other):
    """Do the descriptors lead to the same terminal, pipe or file?"""
    one, other = os.fstat(one), os.fstat(other)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


class Relay:
    """Two descriptors for a program to write to, and threads that pass on what comes.

    Where standard output and error are one file there is one pipe for both, so
    that what was written first arrives first.
    """

    def __init__(self, on_output=lambda: None):
        """on_output is called, by any thread, before something is passed on."""
        self.on_output = on_output
        self.error = None
        self.lost, self._lost_end = os.pipe()       # readable once something was lost
        source, port = os.pipe()
        self._ways = [(source, 1)]
        if _is_one_file(1, 2):
            self.ports = (port, os.dup(port))
        else:
            source, other = os.pipe()
            self._ways.append((source, 2))
            self.ports = (port, other)
        self._threads = [threading.Thread(target=self._pass_on, args=way, daemon=True)
                         for way in self._ways]

    def start(self):
        """The program has the ports now."""
        for port in self.ports:
            os.close(port)
        for thread in self._threads:
            thread.start()

    def finish(self):
        """Once the program has ended: wait until all that it wrote is written."""
        for thread in self._threads:
            thread.join()
        if self.error:
            raise Lost(self.error)

    def _pass_on(self, source, target):
        try:
            while data := os.read(source, CHUNK):
                self.on_output()
                write_all(target, data)
        except OSError as error:
            self.error = _reason(error, target)
            os.write(self._lost_end, b"x")
            # Else a program that goes on writing would wait for ever.
            os.close(source)


def _reason(error, target):
    if error.errno in (errno.EPIPE, errno.EIO):
        return "nobody reads the output any more"
    return f"standard {('output', 'error')[target - 1]} cannot be written: {error.strerror}"


def run(make_command, environment, timeout, on_output=lambda: None):
    """Run make_command(output, error), given two descriptors to write to.

    Returns its status when it has ended and its output is written; None if it
    took more than timeout seconds, and was killed. Raises Lost.
    """
    relay = Relay(on_output)
    # No "with": that would wait for the program when a signal's exception comes through.
    # pylint: disable=consider-using-with
    program = subprocess.Popen(make_command(*relay.ports), stdin=subprocess.DEVNULL,
                               pass_fds=relay.ports, env=environment)
    try:
        relay.start()
        in_time = _wait_for_end(program, relay, timeout)
    finally:
        program.kill()
        program.wait()
    if not in_time:
        return None         # and nobody may be reading, so the rest is not waited for
    relay.finish()
    return program.returncode


def _wait_for_end(program, relay, timeout):
    """Of the program, of the time, or of who reads the output."""
    end = time.monotonic() + timeout
    poll = select.poll()
    poll.register(relay.lost, select.POLLIN)
    # Without a reader these have an error pending even while nothing is written.
    for output in (1, 2):
        poll.register(output, 0)
    with open(os.pidfd_open(program.pid), "rb", buffering=0) as ended:
        poll.register(ended, select.POLLIN)
        # In steps: a signal that comes just before poll() does not end it.
        while not (events := dict(poll.poll(1000))):
            if time.monotonic() > end:
                return False
        if ended.fileno() not in events and relay.lost not in events:
            raise Lost("nobody reads the output any more")
    return True
