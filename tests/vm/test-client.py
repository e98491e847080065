#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-pr-client on a real disk.

What it prints of a disk is what sg_persist prints, which talks to the disk
itself: so scripts that read the one can read the other.
"""
import os
import re
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), name)
                for name in ("../lib", ".")]

# pylint: disable=wrong-import-position
import rig
from helper import SOCKET, Helper, parse_arguments
from tap import main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
CLIENT = os.path.join(os.path.dirname(OPTIONS.helper), "qemu-pr-client")
CONFLICT = 24

if OPTIONS.reference:  # which has no client
    print("1..0")
    sys.exit()


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def client(*options):
    return run(CLIENT, f"--socket={SOCKET}", *options)


def normal(text):
    """sg_persist begins with an INQUIRY of the device, unless told not to."""
    return re.sub(r"\s+\n", "\n", text)


def same_as_sg_persist(*options):
    ours, theirs = client(*options), run("sg_persist", "--no-inquiry", *options)
    assert ours.returncode == theirs.returncode, (ours, theirs)
    assert normal(ours.stdout) == normal(theirs.stdout), (ours.stdout, theirs.stdout)


@test("--ping")
def _():
    result = client("--ping")
    assert result.returncode == 0, result


@test("a registered and reserved disk looks as sg_persist shows it")
def _():
    for options in (("--register", "--param-sark=abc123"),
                    ("--reserve", "--param-rk=abc123", "--prout-type=5")):
        result = client("--out", *options, A.sd)
        if result.returncode == 6:
            result = client("--out", *options, A.sd)
        assert result.returncode == 0, result
    for node in (A.sd, A.sg, B.sd):
        for option in ("--read-keys", "--read-reservation", "--report-capabilities",
                       "--read-full-status"):
            for more in ((), ("--hex",)):
                same_as_sg_persist("--in", option, *more, node)


@test("--verbose and the lengths: in the same words, and on the same streams")
def _():
    again = ("--out", "--register-ignore", "--param-sark=abc123", A.sd)
    for options in ((*again, "-v"), ("--in", "-k", "-v", A.sd), ("--in", "-k", "-m", "1k", A.sd),
                    ("--in", "-k", "-vm", "2x8", A.sd)):
        same_as_sg_persist(*options)
        ours, theirs = (subprocess.run([*program, *options], capture_output=True, check=False)
                        for program in ((CLIENT, f"--socket={SOCKET}"), ("sg_persist", "-n")))
        assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr), (ours, theirs)


@test("a conflict is exit status 24")
def _():
    result = client("--out", "--reserve", "--param-rk=0", "--prout-type=1", B.sd)
    assert result.returncode == CONFLICT, result


@test("it needs no privilege beyond the socket and the device")
def _():
    os.chmod(SOCKET, 0o777)
    os.chmod(A.sd, 0o666)
    result = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLIENT,
                 f"--socket={SOCKET}", "--out", "--clear", "--param-rk=abc123", A.sd)
    assert result.returncode == 0, result


DISK = rig.loop_disk("client")
A, B = DISK.nexus
with Helper(OPTIONS.helper):
    main()
