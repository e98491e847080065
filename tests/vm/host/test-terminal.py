#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine and the demonstration on a terminal, as a person starts them.

To be run on the host: each test boots a machine. What the outputs can be
besides is tested without one, in test-relay.py.
"""
import importlib.machinery
import importlib.util
import os
import re
import sys
from xml.etree import ElementTree

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "../../.."))
sys.path[:0] = [HERE, os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import sinks
from tap import main, skip, test

# A program, so its name has no ".py".
LOADER = importlib.machinery.SourceFileLoader("picture", f"{ROOT}/tests/picture")
PICTURE = importlib.util.module_from_spec(importlib.util.spec_from_loader("picture", LOADER))
sys.dont_write_bytecode = True
LOADER.exec_module(PICTURE)

BUILD = os.path.abspath(sys.argv[1])
# A boot takes five seconds; but the machine may be busy, and may have to wait for another one.
TIMEOUT = 300
SCRIPT = [f"{ROOT}/tests/vm/run", "--build", BUILD, "/bin/sh", "-c",
          "echo out; echo error >&2; exit 7"]
# The make that runs this has its own ideas of what is to be done.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "NO_COLOR")}
ENVIRONMENT["TERM"] = "xterm"
REFERENCE = "/usr/bin/qemu-pr-helper"
SVG = "{http://www.w3.org/2000/svg}"
# How long it took, and numbers of processes.
MEASURED = re.compile(r"\d+\.\d+ m?s\b|(?<=pid )\d+|(?<=kill )\d+")


def as_told(lines):
    """What is to be the same each time; where a long line is broken depends on such numbers."""
    return MEASURED.sub("N", " ".join(" ".join(lines).split()))


def text_of_picture():
    """The lines of docs/demo.svg."""
    picture = ElementTree.parse(f"{ROOT}/docs/demo.svg")
    return ["".join(text.itertext()) for text in picture.iter(SVG + "text")]


@test("output is a terminal, error a pipe", timeout=TIMEOUT)
def _():
    output, error = sinks.terminal(), sinks.pipe()
    status = sinks.run(SCRIPT, sinks.terminal(), output, error, TIMEOUT)
    assert (status, output.text(), error.text()) == (7, "out\n", "error\n")


@test("error is a terminal, output a pipe", timeout=TIMEOUT)
def _():
    output, error = sinks.pipe(), sinks.terminal()
    status = sinks.run(SCRIPT, sinks.Closed(), output, error, TIMEOUT)
    assert (status, output.text()) == (7, "out\n")
    assert error.text().endswith("error\n")


@test("a step of the demonstration that goes wrong is shown, and is its status", timeout=TIMEOUT)
def _():
    output = sinks.pipe()
    # A client that never does what it is told to.
    status = sinks.run([f"{ROOT}/tests/vm/run", "--build", BUILD, f"{ROOT}/tests/vm/demo",
                        f"{BUILD}/qemu-pr-helper", "/bin/false", REFERENCE, "1"],
                       sinks.Null(), output, sinks.Null(), TIMEOUT)
    text = output.text()
    assert status == 1 and "WRONG, it should be: registered" in text, (status, text)
    assert re.search(r"^\d+ of \d+ steps went wrong\.$", text, re.MULTILINE), text


@test("a benchmark that fails is a failure of make, whatever reads its output", timeout=TIMEOUT)
def _():
    output, error = sinks.pipe(), sinks.terminal()
    status = sinks.run(["make", "-C", ROOT, f"BUILD={BUILD}", "REFERENCE=/nowhere", "bench"],
                       sinks.Null(), output, error, TIMEOUT, ENVIRONMENT)
    text = output.text()
    assert status == 2 and "tests/vm/run" in text and "tests/bench/plot" not in text, text


@test("make demo on a terminal: all acts, in colours, within 80 columns", timeout=TIMEOUT)
def _():
    terminal = sinks.terminal()
    status = sinks.run(["make", "--no-print-directory", "-C", ROOT, f"BUILD={BUILD}", "demo"],
                       terminal, terminal, terminal, TIMEOUT, ENVIRONMENT)
    text = terminal.text()
    assert status == 0, text
    assert re.search(r"\rBooting a virtual machine \.\.\. \d+ s", text) and "\033[" in text, text
    # A terminal shows what was written last in a line.
    DEMO.append(re.sub(r"[^\n]*\r", "", text))
    lines = PICTURE.plain(DEMO[0]).splitlines()
    assert [line[:5] for line in lines if line.startswith("ACT")] == ["ACT 1", "ACT 2", "ACT 3"]
    assert not [line for line in lines if len(line) > 80], lines


@test("the picture of README.md shows what the demonstration shows")
def _():
    if not os.path.exists(REFERENCE):
        skip("QEMU's own helper is not installed, and is in the picture")
    assert DEMO, "there was no run"
    drawn, run = as_told(text_of_picture()), as_told(map(PICTURE.plain, PICTURE.chosen(DEMO[0])))
    assert drawn == run, f"make demo-picture draws it anew:\n{drawn}\n{run}"


DEMO = []
main()
