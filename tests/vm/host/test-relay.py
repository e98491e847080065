#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU writes arrives, whatever standard input, output and error are.

tests/vm/relay.py with a shell in QEMU's place, which insists as QEMU does on
descriptors that are open for writing only; no machine is booted.
"""
import fcntl
import itertools
import os
import pty
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import relay
import sinks
from tap import main, test

TOO_LATE, LOST = 124, 125
BOTH = 'echo one >&$OUT; echo two >&$ERR; echo three >&$OUT; exit 7'
ENDLESS = 'while :; do echo again >&$OUT; done'
SILENT = 'exec sleep 1000'


def relayed(script, seconds):
    """As a program of its own, started by command(): relay what the script writes."""
    def make_command(*ports):
        assert all(fcntl.fcntl(port, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
                   for port in ports), "QEMU would refuse this descriptor"
        return ["sh", "-c", f"OUT={ports[0]} ERR={ports[1]}; {script}"]

    relay.open_standard_descriptors()
    try:
        status = relay.run(make_command, None, seconds)
    except relay.Lost as lost:
        relay.complain(f"lost: {lost}")
        status = LOST
    sys.exit(TOO_LATE if status is None else status)


def command(script, seconds=60):
    """The command that runs relayed()."""
    return [sys.executable, "-I", os.path.realpath(__file__), "--relay", script, str(seconds)]


def shell(text, script):
    """What a pipeline, in which "$@" is command(), writes."""
    return subprocess.run(["bash", "-c", text, "bash", *command(script)], timeout=60, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


@test("each mixture of kinds of output and error, with each kind of input")
def _():
    inputs = itertools.cycle(sinks.SOURCES.items())
    for (one, make_one), (two, make_two) in itertools.product(sinks.KINDS.items(), repeat=2):
        (zero, make_zero), output, error = next(inputs), make_one(), make_two()
        status = sinks.run(command(BOTH), make_zero(), output, error)
        seen = status, output.text(), error.text()
        assert seen[0] == 7 and seen[1] in ("one\nthree\n", None) and \
            seen[2] in ("two\n", None), f"input {zero}, output {one}, error {two}: {seen}"


@test("where output and error are one, the order is kept")
def _():
    script = 'for n in $(seq 200); do echo out $n >&$OUT; echo err $n >&$ERR; done'
    wanted = "".join(f"out {n}\nerr {n}\n" for n in range(1, 201))
    for kind, make in sinks.KINDS.items():
        sink = make()
        assert sinks.run(command(script), sinks.Closed(), sink, sink) == 0, kind
        text = sink.text()
        assert text in (wanted, None), f"{kind}: {text}"


@test("much output, and a slow reader: all of it arrives")
def _():
    wanted = "".join(f"{n}\n" for n in range(1, 100001))
    sink = sinks.terminal()
    assert sinks.run(command('seq 100000 >&$OUT'), sinks.Null(), sink, sinks.Null()) == 0
    assert sink.text() == wanted
    result = shell('"$@" | while read -r line; do echo $line; done', 'seq 20000 >&$OUT')
    assert result.stdout == "".join(f"{n}\n" for n in range(1, 20001)), result.stdout[-100:]


@test("a reader that goes away ends the program, which may write or not")
def _():
    for script in (ENDLESS, f"echo again >&$OUT; {SILENT}"):
        result = shell('"$@" | head -n 1; echo ${PIPESTATUS[0]}', script)
        assert result.stdout == f"again\n{LOST}\n", result
        assert result.stderr == "lost: nobody reads the output any more\n", result
    result = shell('{ "$@" 2>&1; echo $? >&2; } | head -n 1', ENDLESS)
    assert (result.stdout, result.stderr) == ("again\n", f"{LOST}\n"), result


@test("a terminal that is closed ends the program")
def _():
    master, slave = pty.openpty()
    with subprocess.Popen(command(f"echo x >&$OUT; {SILENT}"), stdout=slave,
                          stderr=subprocess.PIPE, text=True) as program:
        os.close(slave)
        assert os.read(master, 100)
        os.close(master)
        assert program.communicate(timeout=30)[1] == "lost: nobody reads the output any more\n"
    assert program.returncode == LOST


@test("output that cannot be written ends the program, with the reason")
def _():
    result = shell('"$@" >/dev/full', ENDLESS)
    assert result.returncode == LOST, result
    assert result.stderr == "lost: standard output cannot be written: " \
        "No space left on device\n", result
    result = shell('"$@" 2>/dev/full', 'echo >&$ERR; exit 3')
    assert (result.returncode, result.stderr) == (LOST, ""), result


@test("an output that does not block is written to all the same")
def _():
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with subprocess.Popen(command("seq 50000 >&$OUT"), stdout=theirs) as program:
        os.close(theirs)
        with open(ours, encoding="ascii") as reader:
            assert reader.read() == "".join(f"{n}\n" for n in range(1, 50001))
    assert program.returncode == 0


@test("a job in the background, which may not read the terminal")
def _():
    sink = sinks.terminal()
    result = subprocess.run(["setsid", "--ctty", "bash", "-ic", '"$@" & wait $!', "bash",
                             *command(BOTH)], stdin=sink.descriptor, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (7, "one\nthree\n"), result


@test("a program that takes too long, and a reader that does not read")
def _():
    since = time.monotonic()
    assert subprocess.run(command(SILENT, 0.2), check=False).returncode == TOO_LATE
    ours, theirs = os.pipe()
    with subprocess.Popen(command(ENDLESS, 1), stdout=theirs) as program:
        os.close(theirs)
        assert program.wait(30) == TOO_LATE
    os.close(ours)
    assert time.monotonic() - since < 30


@test("a signal ends it at once, and the program with it")
def _():
    ours, theirs = os.pipe()
    with subprocess.Popen(command(f"echo $$ >&$OUT; {SILENT}"), stdout=theirs,
                          stderr=subprocess.DEVNULL) as program:
        os.close(theirs)
        with open(ours, encoding="ascii") as reader:
            assert int(reader.readline()) > 0
            program.send_signal(signal.SIGINT)
            assert reader.read() == ""      # once nobody has it open
    assert program.returncode != 0


if sys.argv[1:2] == ["--relay"]:
    relayed(sys.argv[2], float(sys.argv[3]))
main()
