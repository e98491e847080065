#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A device that hangs costs its own clients time, and nobody else: usage isolation.py HELPER.

A path that fails makes commands hang for half a minute, and one guest's broken
disk must not stop another guest's cluster. Nothing here depends on how fast
the machine is: a hanging device hangs until the test has seen the others go on.
"""
import fcntl
import os
import select
import signal
import termios
import time

from daemon import HARD, Daemon, scratch, until
from fakedevice import FakeDevice
import scsi
from tap import main, skip, test

IN = scsi.pr_in(scsi.READ_KEYS)
OUT = scsi.pr_out(scsi.REGISTER)
PER_DEVICE = 4      # commands that one device executes at a time
NOT_SENT, UNKNOWN, NO_RESOURCES = "B/2E/01", "B/2E/02", "B/55/03"


def numbered(number):
    """A READ KEYS that can be told from others by a byte that means nothing."""
    return IN[:3] + bytes([number]) + IN[4:]


class Crowd:
    """Clients with one command each on the same device, which hangs."""

    def __init__(self, daemon, device, size):
        self.device = device
        self.clients = [daemon.client() for _ in range(size)]
        for number, client in enumerate(self.clients):
            client.request(numbered(number % 256), device.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.close()
        self.device.close()

    def await_execution(self):
        """Wait until the device works on as many as it may."""
        wanted = min(PER_DEVICE, len(self.clients))
        until(lambda: len(self.device.executed()) >= wanted)

    def heard(self):
        """Clients that something has come for."""
        poll = select.poll()
        for client in self.clients:
            poll.register(client, select.POLLIN)
        return len(poll.poll(0))

    def answers(self):
        """How often which answer was given."""
        given = [str(client.reply(IN)) for client in self.clients]
        return {answer: given.count(answer) for answer in given}


# A stop that takes as long as a stop may take: begun first, looked at last.

_patient = Daemon()
_patient_crowd = Crowd(_patient, FakeDevice(delay=30000), 7)
_patient_crowd.await_execution()
_stuck = _patient.client()
_stuck.send(OUT[:9])     # and never the rest
_patient.send(signal.SIGTERM)

# The same, with clients that have sent much more than gets done.
_pressed = Daemon()
_pressed_crowd = Crowd(_pressed, FakeDevice(delay=30000), 12)
_pressed_crowd.await_execution()
for _client in _pressed_crowd.clients:
    for _ in range(15):
        _client.send(IN, [_pressed_crowd.device.fd])
_pressed.send(signal.SIGTERM)


@test("a device that hangs does not hold up another one, whatever the crowd before it")
def _():
    with Daemon() as daemon, FakeDevice(payload=bytes(8)) as other:
        for size in (1, 16, 64, 200):
            with Crowd(daemon, FakeDevice(delay=20000), size) as crowd:
                crowd.await_execution()
                with daemon.client() as client:
                    for _ in range(100):
                        assert client.command(IN, other.fd).payload == bytes(8)
                assert crowd.heard() == 0
                assert len(crowd.device.executed()) == min(PER_DEVICE, size)


@test("fifty devices that hang do not hold up another one")
def _():
    with Daemon() as daemon, FakeDevice(payload=bytes(8)) as other:
        crowds = [Crowd(daemon, FakeDevice(delay=20000), 5) for _ in range(50)]
        for crowd in crowds:
            crowd.await_execution()
        with daemon.client() as client:
            for _ in range(100):
                assert client.command(IN, other.fd).payload == bytes(8)
        for crowd in crowds:
            assert crowd.heard() == 0
            crowd.__exit__()


@test("where all threads hang, a further device is refused, and those that have some wait")
def _():
    devices = 1024 // PER_DEVICE
    if HARD < 4096:
        skip(f"only {HARD} files may be open")
    with Daemon("--command-timeout=60") as daemon:
        crowds = [Crowd(daemon, FakeDevice(delay=60000), PER_DEVICE) for _ in range(devices)]
        for crowd in crowds:
            crowd.await_execution()
        with FakeDevice() as another:
            assert str(daemon.command(another.fd, IN)) == NO_RESOURCES
            assert not another.executed()
        with daemon.client() as client:
            client.request(IN, crowds[0].device.fd)
            assert client.is_silent()
        for crowd in crowds:
            assert crowd.heard() == 0
            crowd.__exit__()


class Deadline:
    """Ten commands on a device that takes 2 s, where each has 1 s; played once."""

    _played = []

    def __init__(self):
        since = time.monotonic()
        with Daemon("--command-timeout=1") as daemon:
            with Crowd(daemon, FakeDevice(delay=2000), 10) as crowd:
                self.answers = crowd.answers()
                self.seconds = time.monotonic() - since
                until(lambda: daemon.log().count("too late") == PER_DEVICE, 10, "late results")
                self.executed = len(crowd.device.executed())
                crowd.device.script(payload=b"awake")
                self.afterwards = [str(client.command(IN, crowd.device.fd))
                                   for client in crowd.clients]
                self.executed += len(crowd.device.executed())
            self.log = daemon.log()

    @classmethod
    def played(cls):
        """The one that was played."""
        if not cls._played:
            cls._played.append(cls())
        return cls._played[0]


@test("at the deadline each client learns whether its command was sent")
def _():
    assert Deadline.played().answers == {UNKNOWN: PER_DEVICE, NOT_SENT: 10 - PER_DEVICE}


@test("the deadline is neither early nor late")
def _():
    assert 1 <= Deadline.played().seconds < 1.9, Deadline.played().seconds


@test("a command that was said not to be sent is never executed")
def _():
    assert Deadline.played().executed == PER_DEVICE + 10, Deadline.played().executed


@test("a device that comes back is used again, by the same clients")
def _():
    assert Deadline.played().afterwards == ["GOOD"] * 10


@test("the log tells what became of a command that was given up")
def _():
    lines = Deadline.played().log.splitlines()
    late = [line for line in lines if line.endswith("; too late, nobody waits for it")]
    assert len(late) == PER_DEVICE and all(": GOOD (0x00)" in line for line in late), late
    assert sum("in time" in line and NOT_SENT in line for line in lines) == 10 - PER_DEVICE
    assert sum("in time" in line and UNKNOWN in line for line in lines) == PER_DEVICE


@test("a client that goes away takes its queued command with it")
def _():
    with Daemon() as daemon, Crowd(daemon, FakeDevice(delay=300), 8) as crowd:
        crowd.await_execution()
        gone = crowd.clients[4:7]
        for client in gone:
            client.close()
            crowd.clients.remove(client)
        assert crowd.answers() == {"GOOD": 5}
        executed = {cdb[3] for cdb, _ in crowd.device.executed()}
        assert executed == {0, 1, 2, 3, 7}, executed


@test("a client may go away while its command executes")
def _():
    with Daemon() as daemon, Crowd(daemon, FakeDevice(delay=200), PER_DEVICE) as crowd:
        crowd.await_execution()
        for client in crowd.clients:
            client.close()
        crowd.device.script(payload=b"awake")
        assert daemon.command(crowd.device.fd, IN).payload == b"awake"
        until(lambda: not [name for name in daemon.descriptors().values() if "memfd" in name])


@test("a client that floods one device does not hold up the others")
def _():
    trace = f"{scratch()}/trace"
    null, zero = (os.open(path, os.O_RDWR) for path in ("/dev/null", "/dev/zero"))
    with Daemon("-q", "-T", f"enable=command_refuse,file={trace}") as daemon:
        flooders = [daemon.client() for _ in range(10)]
        with daemon.client() as client:
            for each in (*flooders, client):
                each.command(IN, null)
            with daemon.frozen():
                for flooder in flooders:
                    for _ in range(20):
                        flooder.request(IN, null)
                client.request(IN, zero)
            client.reply()
        for flooder in flooders:
            for _ in range(20):
                flooder.reply()
            flooder.close()
    os.close(null)
    os.close(zero)
    with open(trace, encoding="ascii") as file:
        lines = file.read().splitlines()
    turn = next(n for n, line in enumerate(lines) if "device=1:5" in line) - 11
    assert len(lines) == 212 and turn <= 3 * len(flooders), turn


@test("a stop answers commands by their deadlines, and ends then")
def _():
    with Daemon("--command-timeout=1") as daemon:
        with Crowd(daemon, FakeDevice(delay=5000), 6) as crowd:
            crowd.await_execution()
            daemon.send(signal.SIGTERM)
            assert crowd.answers() == {UNKNOWN: PER_DEVICE, NOT_SENT: 2}
            assert all(client.is_closed_by_peer() for client in crowd.clients)
        assert daemon.wait(3) == 0


@test("further signals, as from a terminal that goes away, do not cut a stop short")
def _():
    with Daemon("--command-timeout=1") as daemon:
        with Crowd(daemon, FakeDevice(delay=5000), 6) as crowd:
            crowd.await_execution()
            for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                daemon.send(number)
            assert crowd.answers() == {UNKNOWN: PER_DEVICE, NOT_SENT: 2}
        assert daemon.wait(3) == 0
        assert not os.path.exists(daemon.socket)


@test("a stop has an end where clients have none")
def _():
    with _pressed, _pressed_crowd:
        assert _pressed.wait() == 0


@test("a stop has an end where a device has none, and all clients are answered")
def _():
    with _patient, _patient_crowd:
        answers = _patient_crowd.answers()
        assert answers == {UNKNOWN: PER_DEVICE, NOT_SENT: 3}, answers
        assert _stuck.is_closed_by_peer()
        assert _patient.wait() == 0
        # Not 8 s: others may have kept this test from looking at once.
        lines = [line for line in _patient.log().splitlines() if UNKNOWN in line]
        assert all(7900 < float(line.split()[-2]) < 9500 for line in lines), lines


def main_loop_turns(daemon):
    """How often its main thread has waited so far."""
    lines = dict(line.split(":", 1) for line in daemon.proc("status").splitlines())
    return int(lines["voluntary_ctxt_switches"])


@test("a quick client is served by one thread, and the main loop sleeps")
def _():
    with Daemon() as daemon, FakeDevice() as device, daemon.client() as client:
        def turns_of_100_commands():
            before = main_loop_turns(daemon)
            for _ in range(100):
                assert str(client.command(IN, device.fd)) == "GOOD"
            return main_loop_turns(daemon) - before

        # A busy machine may keep the client waiting now and then, but not for ever.
        until(lambda: turns_of_100_commands() < 50)


def send_in_pieces(client, device):
    """A READ KEYS in four pieces, each of which has been read before the next is sent."""
    for at in range(0, len(IN), 4):
        client.send(IN[at:at + 4], [device.fd] if at == 0 else [])
        until(lambda: fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)) == bytes(4))


@test("a request in pieces among the others of a quick client does not hold up the next")
def _():
    with Daemon() as daemon, FakeDevice() as device, daemon.client(timeout=5) as client:
        for _ in range(5):
            since = time.monotonic()
            while time.monotonic() < since + 0.11:
                client.command(IN, device.fd)
            send_in_pieces(client, device)
            client.reply(IN)
            assert str(client.command(IN, device.fd)) == "GOOD"


main()
