#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of the guides do what they say.

Each block of commands in docs/TROUBLESHOOTING.md and docs/SYSTEMD.md is run as
it stands there, in its order. Where a command is named in the text alone, it
has to be one of those.
"""
import os
import re
import subprocess

# pylint: disable=wrong-import-position
import unit
import rig
from tap import diag, main, test

BUILD = unit.install(__doc__.split("\n", 1)[0])
# The second one ends with the removal of everything.
GUIDES = ("TROUBLESHOOTING.md", "SYSTEMD.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:systemctl|systemd-\w+|journalctl|make|kill|qemu-pr-client) [^`]*)`")
# Not on this machine: what is built is what is installed.
OLD = " ".join(f"-o {BUILD}/{name}" for name in ("qemu-pr-helper", "qemu-pr-client"))


def text_of(guide):
    with open(f"{unit.ROOT}/docs/{guide}", encoding="utf-8") as file:
        return file.read()


def blocks(guide):
    """Pairs of heading and commands."""
    text = text_of(guide)
    found = []
    for match in FENCE.finditer(text):
        assert match[1] == "sh", f"{guide}: a block that is not run:\n{match[0]}"
        heading = re.findall(r"^#+ (.*)", text[:match.start()], re.MULTILINE)[-1]
        found.append((heading, match[2]))
    return found


def run(commands):
    environment = {**os.environ, "DISK": DISK.nexus[0].sd, "BUILD": BUILD, "MAKEFLAGS": OLD}
    result = subprocess.run(["sh", "-exc", commands], cwd=unit.ROOT, env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        diag(result.stdout)
    assert result.returncode == 0, result.returncode


@test("every command that the text names is in a block")
def _():
    for guide in GUIDES:
        everything = "".join(commands for _, commands in blocks(guide))
        named = INLINE.findall(FENCE.sub("", text_of(guide)))
        missing = [command for command in named if command not in everything]
        assert not missing, (guide, missing)


for _guide in GUIDES:
    for _number, (_heading, _commands) in enumerate(blocks(_guide), 1):
        test(f"{_guide} {_number}: {_heading}")(lambda commands=_commands: run(commands))


@test("nothing is left of it")
def _():
    for path in (unit.PROGRAM, unit.SOCKET, f"/usr/local/lib/systemd/system/{unit.SERVICE}"):
        assert not os.path.exists(path), path


DISK = rig.loop_disk("guide")
main()
