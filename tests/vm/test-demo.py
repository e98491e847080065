#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration of the README tells its story to the end."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), HERE]

# pylint: disable=wrong-import-position
from helper import parse_arguments
from tap import main, test

OPTIONS = parse_arguments(__doc__)

if OPTIONS.reference:  # which has no client to tell it with
    print("1..0")
    sys.exit()


@test("make demo")
def _():
    client = os.path.join(os.path.dirname(OPTIONS.helper), "qemu-pr-client")
    result = subprocess.run([os.path.join(HERE, "demo"), OPTIONS.helper, client], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert result.returncode == 0, result.stdout


main()
