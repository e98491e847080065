# SPDX-License-Identifier: GPL-2.0-or-later
"""Test cases that two programs have to pass: this one, and the one it replaces.

A case observes something and returns it; what it should be stands beside it.
For the replaced program (--reference) a table says, one by one, where it was
seen to do something else: then exactly that is expected of it, so that a case
fails when the two programs stop differing, too.
"""
import os
import socket
import sys

from daemon import Daemon, program
from prproto import PeerClosed
import tap

REFERENCE = "--reference" in sys.argv

_differences = {}
_names = []


class Difference:
    """What the replaced program does instead, and why we do not."""

    def __init__(self, observed, reason):
        self.observed = observed
        self.reason = reason


def known_differences(table):
    """Set the table: a Difference for each name of a case."""
    _differences.update(table)


def case(name, expected):
    """Decorator: register a function without arguments that returns an observation."""
    _names.append(name)
    if REFERENCE and name in _differences:
        assert _differences[name].observed != expected, f"{name}: no difference"
        expected = _differences[name].observed

    def register(function):
        @tap.test(name)
        def _():
            if REFERENCE and not os.path.exists(program()):
                tap.skip(f"there is no {program()}")
            observed = function()
            assert observed == expected, f"observed {observed!r}\nexpected {expected!r}"
            if _shared:
                assert _shared[0].poll() is None, f"the helper has died: {_shared[0].status}"
        return function
    return register


def main():
    """Run all cases."""
    unknown = set(_differences) - set(_names)
    assert not unknown, f"differences without a case: {unknown}"
    try:
        tap.main()
    finally:
        if _shared:
            with _shared.pop():
                pass


# What the cases of a conversation share: one helper, and words for what it does.

_shared = []


def helper():
    """The helper that all cases share."""
    if not _shared:
        _shared.append(Daemon())
    return _shared[0]


def answer(client, cdb=None):
    """What comes next, in words: "closed" or the outcome of a command."""
    try:
        return str(client.reply(cdb))
    except (PeerClosed, ConnectionResetError, BrokenPipeError):
        return "closed"
    except socket.timeout:
        return "silent"


def ask(cdb, fd, data=None):
    """The outcome of one request on a connection of its own."""
    with helper().client(timeout=5) as client:
        try:
            client.request(cdb, fd, data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer(client, cdb)
