#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way into the demonstration, and what is said until it begins; without a machine."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.realpath(os.path.join(HERE, "../.."))
sys.path[:0] = [HERE, os.path.join(TESTS, "vm"), os.path.join(TESTS, "lib")]

# pylint: disable=wrong-import-position
import relay
import sinks
from tap import main, test
from waiting import Waiting

# In place of tests/vm/run: what it was told, and a status.
STAND_IN = '#!/bin/sh\necho "RUN $*"\nexit ${STATUS-0}\n'
ENVIRONMENT = {"PATH": os.environ["PATH"], "TERM": "xterm"}
NOTHING = sinks.Null


def demo(*arguments, output=sinks.pipe, **environment):
    """(status, output, error) of tests/demo with its machine taken away."""
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(f"{place}/vm")
        shutil.copy(f"{TESTS}/demo", place)
        with open(f"{place}/vm/run", "w", encoding="ascii") as file:
            file.write(STAND_IN)
        os.chmod(f"{place}/vm/run", 0o755)
        out, error = output(), sinks.pipe()
        status = sinks.run([f"{place}/demo", *arguments], NOTHING(), out, error, 30,
                           dict(ENVIRONMENT, **environment))
        return status, out.text(), error.text()


def told(*arguments, **more):
    """The arguments of tests/vm/run."""
    status, output, error = demo("/tmp", "/reference", *arguments, **more)
    assert (status, error) == (0, ""), (status, error)
    return re.search(r"^RUN (.*)$", output, re.MULTILINE)[1].split()


@test("colours on a terminal only, and neither with NO_COLOR nor on a dumb one")
def _():
    assert "--colour" in told(output=sinks.terminal)
    assert "--colour" in told(output=sinks.terminal, NO_COLOR="")
    assert "--colour" not in told(output=sinks.terminal, NO_COLOR="1")
    assert "--colour" not in told(output=sinks.terminal, TERM="dumb")
    assert "--colour" not in told()


@test("an act alone, some, all, and none of that number")
def _():
    assert told()[-3:] == ["1", "2", "3"]
    assert told("2")[-2:] == ["/reference", "2"]
    assert told("3", "1")[-2:] == ["3", "1"]
    for act in ("0", "4", "", "x", "1 2"):
        status, _output, error = demo("/tmp", "/reference", act)
        assert status == 2 and "ACT=1" in error, (act, status, error)


@test("each act needs its own programs and no others")
def _():
    for act, needs in (("1", "dd"), ("2", "dd,iscsistart"), ("3", "dd,multipathd,udevadm")):
        words = told(act)
        assert words[words.index("--needs") + 1] == needs, words


@test("the status is the demonstration's; what to do next is told only if it went well")
def _():
    for number in (0, 1, 124, 125):
        status, output, error = demo("/tmp", "/reference", STATUS=str(number))
        assert status == number
        assert ("Next:" in output) == (number == 0), output
        assert ("console.log" in error) == (number == 1), error


@test("its first words fit a terminal of 80 columns")
def _():
    _status, output, error = demo("/tmp", "/reference", "7")
    _status, more, _error = demo("/tmp", "/reference")
    lines = (output + error + more).splitlines()
    assert lines and not [line for line in lines if len(line) > 79 and "RUN" not in line], lines


def waited(script, output, error, **environment):
    """What is said for as long as a shell runs that script, whose output follows."""
    command = [sys.executable, "-I", os.path.realpath(__file__), "--wait", script]
    out, err = output(), error()
    assert sinks.run(command, NOTHING(), out, err, 30, dict(ENVIRONMENT, **environment)) == 0
    return out.text(), err.text()


def wait(script):
    """Started by waited()."""
    waiting = Waiting(True)
    waiting.on("Waiting for it")
    relay.run(lambda out, _: ["sh", "-c", f"exec >&{out}; {script}"], None, 60, waiting.over)
    waiting.over()


@test("a count of seconds that moves, on a terminal, and is gone at the first output")
def _():
    for script in ("sleep 2.2; echo out", "sleep 2.2"):
        output, error = waited(script, sinks.pipe, sinks.terminal)
        empty, *shown, blank, end = error.split("\r")
        counts = [int(re.fullmatch(r"Waiting for it \.\.\. (\d+) s", line)[1]) for line in shown]
        assert counts[0] == 0 and counts == sorted(set(counts)) and len(counts) > 1, error
        assert (empty, blank, end) == ("", " " * len(shown[-1]), ""), error
        assert output == ("out\n" if "echo" in script else ""), output
    assert "Waiting for it ... 0 s\r" in waited("echo out", sinks.terminal, sinks.pipe)[0]


@test("no count elsewhere: a line")
def _():
    assert waited("sleep 1.1; echo out", sinks.pipe, sinks.pipe) == \
        ("out\n", "Waiting for it ...\n")
    assert waited("echo out", sinks.pipe, sinks.terminal, TERM="dumb") == \
        ("out\n", "Waiting for it ...\n")


if sys.argv[1:2] == ["--wait"]:
    wait(sys.argv[2])
    sys.exit()
main()
