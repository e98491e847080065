#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine and the demonstration on a terminal, as a person starts them.

To be run on the host: each test boots a machine. What the outputs can be
besides is tested without one, in test-relay.py.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "../../.."))
sys.path[:0] = [HERE, os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import sinks
from tap import main, test

BUILD = os.path.abspath(sys.argv[1])
# A boot takes five seconds; but the machine may be busy, and may have to wait for another one.
TIMEOUT = 300
SCRIPT = [f"{ROOT}/tests/vm/run", "--build", BUILD, "/bin/sh", "-c",
          "echo out; echo error >&2; exit 7"]
# The make that runs this has its own ideas of what is to be done.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "NO_COLOR")}


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


@test("make demo on a terminal", timeout=TIMEOUT)
def _():
    terminal = sinks.terminal()
    status = sinks.run(["make", "-C", ROOT, f"BUILD={BUILD}", "demo"], terminal, terminal,
                       terminal, TIMEOUT, ENVIRONMENT)
    text = terminal.text()
    assert status == 0, text
    assert "The failover went as it must." in text, text
    assert "\033[" in text, "no colours on a terminal"


main()
