# SPDX-License-Identifier: GPL-2.0-or-later
"""The guides in docs/ as tests: their commands are run as they stand there.

A block of commands is a test; the blocks of a guide are run in their order, in
a shell each, as root. What a guide calls $DISK and the like is in the
environment. Blocks of other kinds than "sh" are given to who knows them, or are
declared to be untested, and are no tests then.
"""
import os
import re
import subprocess
import tempfile

# pylint: disable=wrong-import-position
import unit
from tap import diag, test

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What README.md and the manual pages show is indented.
INDENTED = re.compile(r"^ {4,}(?:# )?(\S.*)$", re.MULTILINE)
PROGRAMS = r"systemctl|systemd-\w+|journalctl|make|kill|qemu-pr-client|virsh"
INLINE = re.compile(rf"`((?:{PROGRAMS}) [^`]*)`")


def text_of(guide):
    folder = unit.ROOT if guide == "README.md" else f"{unit.ROOT}/docs"
    with open(f"{folder}/{guide}", encoding="utf-8") as file:
        return file.read()


def page_of(build, name):
    """The examples of a manual page, as they are on an ordinary terminal."""
    page = subprocess.run(f"man -P cat -l {build}/man/{name} | col -bx", shell=True, check=True,
                          stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "MANWIDTH": "80"}).stdout
    examples = re.search(r"^EXAMPLES\n(.*?)^\S", page, re.MULTILINE | re.DOTALL)[1]
    # What is said about them has the smaller indentation.
    return re.sub(r"^ {5}\S.*\n", "", examples, flags=re.MULTILINE)


def pasted(text):
    """The commands of indented lines; what one runs on to is indented as well."""
    return "\n".join(INDENTED.findall(text)).replace("\\\n", " ").splitlines()


def lines_of(guide):
    """All lines of commands that a guide has, and tests run."""
    return {line for _, kind, contents in blocks(guide) if kind == "sh"
            for line in contents.splitlines()}


def blocks(guide):
    """Triples of heading, kind and contents."""
    text = text_of(guide)
    return [(re.findall(r"^#+ (.*)", text[:match.start()], re.MULTILINE)[-1], match[1], match[2])
            for match in FENCE.finditer(text)]


def run(commands, **environment):
    """Run a block; what it leaves running may keep its output open."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        status = subprocess.call(["sh", "-exc", commands], cwd=unit.ROOT, stdout=output,
                                 env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                                 stderr=subprocess.STDOUT)
        output.seek(0)
        said = output.read()
    if status:
        diag(said)
    assert status == 0, status
    return said


def check_text(guide):
    """A command that the text names alone has to be in a block, and each block has a fence."""
    everything = "".join(contents for _, _, contents in blocks(guide))
    text = FENCE.sub("", text_of(guide))
    missing = [command for command in INLINE.findall(text) if command not in everything]
    assert not missing, missing
    unfenced = re.findall(r"^(?: {4}|\t).*", text, re.MULTILINE)
    assert not unfenced, unfenced


def register(guide, environment, untested=(), **others):
    """Make tests of a guide; others: kind=function(contents) for blocks that are no commands."""
    kinds = {"sh": lambda contents: run(contents, **environment), **others}
    test(f"{guide}: every command that the text names is in a block")(lambda: check_text(guide))
    for number, (heading, kind, contents) in enumerate(blocks(guide), 1):
        if kind in untested:
            diag(f"{guide} {number}: {heading}: {kind} is not tested")
            continue
        assert kind in kinds, f"{guide}: a block that is not tested:\n{contents}"
        test(f"{guide} {number}: {heading}", timeout=120)(
            lambda kind=kind, contents=contents: kinds[kind](contents))
