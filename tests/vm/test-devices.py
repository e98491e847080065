#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client gets through the daemon is what the device says.

Every scenario is played straight on a fresh disk and through the daemon on
another one like it, and the transcripts must not differ in a byte. The program
to be replaced meets this too, with one exception, see unwritten_cleared().
"""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import scsi
import sgio
from helper import Helper, parse_arguments
from rig import fresh_disk
from scenarios import SCENARIOS, Player
from tap import diag, main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
HELPER = Helper(OPTIONS.helper)
FULL_STATUS = scsi.pr_in(scsi.READ_FULL_STATUS)[:2].hex()
# A registration with a SAS TransportID: the bytes of it that LIO always writes.
DESCRIPTOR_SIZE = 48
WRITTEN = {*range(0, 8), *range(18, 25), *range(28, 36)}


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


def unwritten_cleared(entry):
    """The one thing in which the reference differs: old bytes that show through.

    In READ FULL STATUS, LIO writes only some bytes of each registration, and
    clears the others before that only as far as the first page of the buffer
    goes. The reference does not clear its buffer, and where that begins shortly
    before the end of a page, clients see what was in it: more holders than
    there are, say. This is a matter of chance, and so nothing can be asserted.
    """
    if entry.command.split()[1][:4] != FULL_STATUS:
        return entry
    payload = bytearray(entry.payload)
    for start in range(8, len(payload), DESCRIPTOR_SIZE):
        for index in range(start, min(start + DESCRIPTOR_SIZE, len(payload))):
            if index - start not in WRITTEN:
                payload[index] = 0
    return entry._replace(payload=bytes(payload))


def compare(direct, helped):
    """The pairs of entries that differ."""
    assert len(direct) == len(helped)
    allow = unwritten_cleared if OPTIONS.reference else lambda entry: entry
    return [pair for pair in zip(direct, helped) if allow(pair[0]) != allow(pair[1])]


def has_timed_out(entries):
    """Has the reference given a command up? It waits for 2 s, a busy machine for longer."""
    return OPTIONS.reference and any("B/2E/02" in str(entry) for entry in entries)


def same_through_helper(name, node):
    function = SCENARIOS[name]
    direct, helped = play_directly(function, node), play_through_helper(function, node)
    for _ in range(3):
        if not has_timed_out(helped):
            break
        diag("the reference has given up a command: once more")
        direct, helped = play_directly(function, node), play_through_helper(function, node)
    differences = compare(direct, helped)
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
