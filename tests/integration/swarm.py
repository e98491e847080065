#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients on several devices, some of which hang: usage swarm.py HELPER [SEED].

Each client sends commands to devices of its choice, whole or in pieces, and goes
away at random; one of them never finishes what it has begun. Each device answers
with a payload of its own, so an answer that belongs to another device, or to
nobody, is found. The choices follow from the seed, which a failure names.
"""
import random
import selectors
import signal
import sys
import time

from daemon import Daemon, until
from fakedevice import FakeDevice
from prproto import HEADER
import scsi
from tap import main, test

SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
CLIENTS = 60
COMMANDS = 40           # of each client
HANGS_MS = 1200
NOT_SENT, UNKNOWN = "B/2E/01", "B/2E/02"
IN = scsi.pr_in(scsi.READ_KEYS, 64)
OUT = scsi.pr_out(scsi.REGISTER)
LIST = scsi.parameters(0, 1)


class Devices:
    """Some that are quick, some slow, and some that hang for longer than a command may take."""

    def __init__(self, random_source):
        self.payloads = [bytes([number]) * (8 + 4 * number) for number in range(8)]
        delays = [0, 0, 0, 1, 5, 20, HANGS_MS, HANGS_MS]
        self.devices = [FakeDevice(payload=payload, delay=delay, readonly=1)
                        for payload, delay in zip(self.payloads, delays)]
        self.hanging = range(6, 8)
        self.random = random_source

    def choose(self, favourite):
        """A device's number: as a rule the client's own, seldom one that hangs."""
        if self.random.random() < 0.8:
            return favourite
        return self.random.randrange(6 if self.random.random() < 0.9 else 8)

    def check(self, number, is_in, answer):
        """Fails if the device, or the helper in its place, does not answer so."""
        if str(answer) == "GOOD":
            assert answer.payload == (self.payloads[number] if is_in else b""), (number, answer)
        else:
            assert str(answer) in (NOT_SENT, UNKNOWN) and number in self.hanging, (number, answer)


class Swimmer:
    """One client, and what it still has to send and to hear."""

    def __init__(self, daemon, devices, favourite):
        self.devices = devices
        self.favourite = favourite
        self.client = daemon.client(timeout=15)
        self.left = COMMANDS
        self.pieces = []
        self.number = self.is_in = None
        self.next_request()

    def next_request(self):
        """Writes down the next command, in pieces."""
        dice = self.devices.random
        self.is_in = dice.random() < 0.7
        self.number = self.devices.choose(self.favourite)
        # Whoever has to wait for a second each time is through before the others.
        self.left -= COMMANDS // 2 if self.number in self.devices.hanging else 1
        request = IN if self.is_in else OUT + LIST
        cuts = sorted(dice.sample(range(1, len(request)), dice.choice((0, 0, 0, 1, 2, 5))))
        self.pieces = [request[start:end] for start, end in zip([0, *cuts], [*cuts, len(request)])]
        if not self.is_in and not cuts:
            self.pieces = [OUT, LIST]   # as QEMU does

    def send_piece(self):
        """Sends the next one, with the descriptor if it is the first. True: it was the last."""
        first = sum(map(len, self.pieces)) == len(IN if self.is_in else OUT + LIST)
        self.client.send(self.pieces.pop(0),
                         [self.devices.devices[self.number].fd] if first else [])
        return not self.pieces

    def hear(self):
        """Reads the answer, and checks it."""
        self.devices.check(self.number, self.is_in, self.client.reply(IN if self.is_in else OUT))


class Swarm:
    """The clients, as far as they are still there."""

    def __init__(self, daemon, seed):
        self.daemon = daemon
        self.random = random.Random(seed)
        self.devices = Devices(self.random)
        self.senders = [self.swimmer(number) for number in range(CLIENTS)]
        self.hearers = selectors.DefaultSelector()
        self.answers = 0
        self.slowest = 0

    def swimmer(self, number):
        """A new client; most have a device that does not hang."""
        return Swimmer(self.daemon, self.devices, number % 6 if number % 20 else 6)

    def send_some(self):
        """Each that has something to send sends a piece of it, in random order."""
        self.random.shuffle(self.senders)
        for swimmer in self.senders[:]:
            if swimmer.send_piece():
                self.senders.remove(swimmer)
                if self.random.random() < 0.02:
                    swimmer.client.close()
                    continue
                self.hearers.register(swimmer.client, selectors.EVENT_READ,
                                      (swimmer, time.monotonic()))

    def hear_some(self):
        """What has come so far; waits only if nobody has anything to send."""
        for key, _ in self.hearers.select(0 if self.senders else 5):
            swimmer, since = key.data
            self.hearers.unregister(swimmer.client)
            swimmer.hear()
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - since)
            if swimmer.left <= 0 or self.random.random() < 0.01:
                swimmer.client.close()
            else:
                swimmer.next_request()
                self.senders.append(swimmer)

    def hear_last(self):
        """Everybody who waits for an answer gets one."""
        while self.hearers.get_map():
            assert self.hearers.select(10), f"{len(self.hearers.get_map())} were not answered"
            for key, _ in self.hearers.select(0):
                swimmer, _ = key.data
                self.hearers.unregister(swimmer.client)
                swimmer.hear()
                self.answers += 1

    def is_over(self):
        """Nobody sends, nobody waits."""
        return not self.senders and not self.hearers.get_map()


def swim(seed, stop_after=None):
    """One swarm; with a stop in its midst, after so many answers."""
    with Daemon("-q", "--command-timeout=1") as daemon:
        stuck = daemon.client()
        swarm = Swarm(daemon, seed)
        stuck.send(IN[:5], [swarm.devices.devices[0].fd])
        while not swarm.is_over() and (stop_after is None or swarm.answers < stop_after):
            swarm.send_some()
            swarm.hear_some()
        if stop_after is not None:
            # Whoever has sent a whole request gets its answer.
            daemon.send(signal.SIGTERM)
            for swimmer in swarm.senders:
                swimmer.client.close()
            swarm.hear_last()
            assert daemon.wait() == 0
        else:
            until(lambda: not [name for name in daemon.descriptors().values() if "memfd" in name])
        stuck.close()
        for device in swarm.devices.devices:
            device.close()
    # Twice the deadline: the machine may be busy.
    assert swarm.answers >= (stop_after or CLIENTS), swarm.answers
    assert swarm.slowest < 2, swarm.slowest


@test(f"each client hears from the device that it has asked, by its deadline (seed {SEED})")
def _():
    swim(SEED)


@test(f"whoever has sent a request when the stop comes is answered (seed {SEED})")
def _():
    swim(SEED, stop_after=300)


main()
