#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client gets through the daemon is what the device says.

Every scenario is played straight on a fresh disk and through the daemon on
another one like it, and the transcripts must not differ in a byte. The program
to be replaced meets this too: it has no differences to allow for here.
"""
import contextlib
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), name)
                for name in ("../lib", ".")]

# pylint: disable=wrong-import-position
import scsi
import sgio
from helper import Helper, parse_arguments
from rig import fresh_disk
from scenarios import SCENARIOS, Player
from tap import diag, main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
HELPER = Helper(OPTIONS.helper)


@contextlib.contextmanager
def opened(nexuses, node):
    """Descriptors of the device nodes ("sd" or "sg") of all nexuses."""
    with contextlib.ExitStack() as stack:
        fds = [os.open(getattr(nexus, node), os.O_RDWR | os.O_NONBLOCK) for nexus in nexuses]
        for fd in fds:
            stack.callback(os.close, fd)
        yield fds


def media(fds):
    """Reads and writes go straight to the disk, both times."""
    def carry(host, cdb, data):
        if data:
            return sgio.sg_io(fds[host], cdb, data_out=data)
        return sgio.sg_io(fds[host], cdb, data_in=512)
    return carry


def play_directly(function, node):
    """The transcript of a scenario that the device itself gives."""
    with fresh_disk(3) as disk, opened(disk.nexus, node) as fds:
        player = Player(lambda host, cdb, data: sgio.pr_command(fds[host], cdb, data),
                        media(fds), strict=True)
        function(player)
        return player.transcript


def play_through_helper(function, node):
    """The same through the daemon, with a connection for each host."""
    with fresh_disk(3) as disk, opened(disk.nexus, node) as fds, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(HELPER.client()) for _ in fds]
        player = Player(lambda host, cdb, data: clients[host].command(cdb, fds[host], data),
                        media(fds), strict=False)
        function(player)
        return player.transcript


def compare(direct, helped):
    """The pairs of entries that differ."""
    assert len(direct) == len(helped)
    return [pair for pair in zip(direct, helped) if pair[0] != pair[1]]


def same_through_helper(name, node):
    function = SCENARIOS[name]
    differences = compare(play_directly(function, node), play_through_helper(function, node))
    for direct, helped in differences:
        diag(f"device: {direct}\nhelper: {helped}")
    assert not differences


# A few are played on sg nodes too: they are another driver's, with other limits.
ON_SG = ("a fresh disk", "allocation lengths", "parameter list lengths", "400 commands at random")

for _name in SCENARIOS:
    test(_name)(lambda n=_name: same_through_helper(n, "sd"))
for _name in ON_SG:
    test(f"{_name}, on the sg node")(lambda n=_name: same_through_helper(n, "sg"))

with HELPER:
    main()
