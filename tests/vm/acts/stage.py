# SPDX-License-Identifier: GPL-2.0-or-later
"""How the demonstration looks, and whether all of it came true.

A step is a command as an operator would type it, what came of it in plain
words, and dimmed beneath it the record that the helper has logged. Nothing is
wider than a terminal of 80 columns.
"""
import contextlib
import os
import shlex
import signal
import subprocess
import textwrap
import threading
import time

import process
import rig

WIDTH = 80
INDENT = " " * 8
SOCKET = "/var/run/qemu-pr-helper.sock"     # the default of helper and client
STYLES = {"title": "1", "command": "1", "right": "1;32", "wrong": "1;31", "dim": "2",
          "plain": "39", "other": "1;33",
          "A": "36", "B": "35", "": "33"}
UNIT_ATTENTION, CONFLICT, TIMEOUT = 6, 24, 33    # qemu-pr-client's exit statuses
REFUSED = "refused, as it must be"
NAMES = {}      # of programs and disks, as an operator would write them


class Result:
    """What a command has said, its number, its status, and how long it took."""

    def __init__(self, pid, status, output, seconds):
        self.pid, self.status, self.output, self.seconds = pid, status, output, seconds


def run(command, environment=None):
    """Run a command to its end."""
    before = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, env=environment) as program:
        output = program.communicate()[0].strip()
    return Result(program.pid, program.returncode, output, time.monotonic() - before)


class Running(threading.Thread):
    """A command that runs at the same time as others."""

    def __init__(self, command):
        super().__init__(daemon=True)
        self.command, self.result = command, None
        self.start()

    def run(self):
        self.result = run(self.command)

    def wait(self):
        """The Result."""
        self.join()
        return self.result


def waited(condition, seconds=10):
    """Did it become true in time?"""
    with contextlib.suppress(AssertionError):
        return rig.wait_for(condition, "it", seconds)
    return False


def as_typed(command):
    """The command's text, with the names that an operator would use."""
    return shlex.join(NAMES.get(word, word) for word in command)


def folded(text, indent):
    """A command's text on as many lines as it takes."""
    room = WIDTH - len(indent) - 2
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return (" \\\n" + indent + "  ").join(lines)


class Stage:
    """Where everything is told."""

    def __init__(self, in_colour):
        self.in_colour = in_colour
        self.steps, self.wrong = 0, 0

    def paint(self, style, text):
        """The text in a style, if there are any."""
        return f"\033[{STYLES[style]}m{text}\033[0m" if self.in_colour and text else text

    def title(self, number, text):
        """An act begins."""
        print("\n" + self.paint("title", f"ACT {number}  {text}"), flush=True)

    def tell(self, text):
        """What happens now."""
        print("\n" + textwrap.fill(" ".join(text.split()), WIDTH - 1), flush=True)

    def type(self, text, host=""):
        """A command."""
        prompt = f"host {host} # " if host else INDENT[:-2] + "# "
        print(self.paint(host, prompt) + self.paint("command", folded(text, INDENT)), flush=True)

    def outcome(self, words, right=True, details=""):
        """What came of it."""
        self.steps += 1
        self.wrong += not right
        if right:
            print(INDENT + self.paint("right", words), flush=True)
        else:
            print(INDENT + self.paint("wrong", f"WRONG, it should be: {words}"), flush=True)
            self.show(details)

    def show(self, text):
        """What a command has printed."""
        if text:
            print(textwrap.indent(text, INDENT), flush=True)

    def record(self, text):
        """What the helper has logged."""
        for line in textwrap.wrap(text, WIDTH - 1 - len(INDENT), break_on_hyphens=False):
            print(INDENT + self.paint("dim", line), flush=True)

    def table(self, head, rows):
        """Side by side: what was asked, what came of it here, and with the other one."""
        rows = [head, *rows]
        widths = [max(map(len, column)) + 3 for column in zip(*rows)]
        for row in rows:
            styles = ("dim", "dim", "dim") if row is head else ("plain", "right", "other")
            print(INDENT + "".join(self.paint(style, cell) + " " * (width - len(cell))
                                   for style, cell, width in zip(styles, row, widths)).rstrip(),
                  flush=True)

    def check(self, words, right, details=""):
        """Something besides a step that has to be so; nothing is said if it is."""
        if not right:
            self.outcome(words, False, details)


class Daemon:
    """A helper that serves at the default socket, and what it logs."""

    LOG = "/run/demo.log"

    def __init__(self, stage, program, *options, name="qemu-pr-helper"):
        self.stage = stage
        command = [program, "-u", "nobody", *options]
        NAMES[program] = name
        stage.type(as_typed(command) + " &")
        self.log = open(self.LOG, "w+b")    # pylint: disable=consider-using-with
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        self.pid = self.process.pid
        rig.wait_for(lambda: process.serving(SOCKET, 2) == self.pid, "the helper to serve")
        stage.record(self._find(" serving on "))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.log.close()

    def _lines(self):
        # Read where it is: the daemon writes at the end of the same open file.
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode("utf-8", "replace").splitlines()

    def _find(self, *words):
        """The last record with all of these words, which may still be on its way."""
        def find():
            return [line for line in self._lines() if all(word in line for word in words)]
        lines = waited(find)
        return lines[-1].removeprefix("qemu-pr-helper: ") if lines else ""

    def record_of(self, result):
        """The record of a client's command: tell it, and see that there is one."""
        text = self._find(f"client pid {result.pid} ", "PERSISTENT RESERVE OUT")
        self.stage.check("the helper has logged the command", text)
        self.stage.record(text)


class Hosts:
    """Operators who type commands on hosts that share a disk."""

    def __init__(self, stage, daemon, client, nodes):
        self.stage, self.daemon, self.client_program, self.node = stage, daemon, client, nodes
        NAMES[client] = "qemu-pr-client"

    def _client(self, host, options):
        command = [self.client_program, *options, self.node[host]]
        self.stage.type(as_typed(command), host)
        result = run(command)
        if result.status == UNIT_ATTENTION:  # which tells of what others have done; once more
            result = run(command)
        return result

    def out(self, host, words, *options, status=0):
        """One PERSISTENT RESERVE OUT, which the helper logs."""
        result = self._client(host, ("--out", *options))
        right = result.status == status
        self.stage.outcome(words, right, result.output)
        if right:
            self.daemon.record_of(result)

    def reads(self, host, option, words, *contents):
        """One PERSISTENT RESERVE IN, which prints what the disk has."""
        result = self._client(host, ("--in", option))
        right = result.status == 0 and all(text in result.output for text in contents)
        self.stage.outcome(words, right)
        self.stage.show(result.output)

    def writes(self, host, words, refused=False):
        """A plain write, past the helper; a conflict is EBADE to the kernel."""
        command = ["dd", "if=/dev/zero", f"of={self.node[host]}", "bs=4k", "count=1",
                   "oflag=direct", "conv=notrunc"]
        self.stage.type(" ".join(command[:-1]), host)
        result = run(command)
        conflict = result.status != 0 and "Invalid exchange" in result.output
        self.stage.outcome(words, conflict if refused else result.status == 0, result.output)
        if refused and conflict:
            self.stage.record(next(line for line in result.output.splitlines() if ": " in line))
