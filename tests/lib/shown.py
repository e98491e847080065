# SPDX-License-Identifier: GPL-2.0-or-later
"""What README.md shows of the program's output, to be compared with real output."""
import os
import re

README = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../README.md")
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.M | re.S)
# Not the same on each host, for each client, and each time.
VARYING = re.compile(r"(?<=open files: )\d+|(?<=enough for )\d+|(?<=pid )\d+ \(\S+\)|"
                     r"(?<=uid )\d+|\d+\.\d{3}(?= ms$)|(?<= on )(\w+ \(\d+:\d+\)|no device)")


def block(words):
    """The lines of the block that has these words; one that is broken is whole again."""
    with open(README, encoding="utf-8") as file:
        text, = [text for text in BLOCK.findall(file.read()) if words in text]
    return re.sub(r"\n +", " ", text).splitlines()


def alike(lines):
    """Lines without what varies."""
    return [VARYING.sub("N", line) for line in lines]
