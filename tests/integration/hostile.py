#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that mean harm reach nobody but themselves: usage hostile.py HELPER.

A guest's QEMU may be in an attacker's hands, and the helper serves the other
guests' QEMUs, too. So: descriptors that block whoever closes or examines them,
garbage, floods, and clients that take descriptors until none is left.
"""
import glob
import os
import random
import socket
import struct
import time

from daemon import HARD, SANITIZED, Daemon, need_root, program, read, until
from fakedevice import FakeDevice
from hostiles import FuseFile, LingeringSockets
from prproto import Client, PeerClosed
import scsi
from tap import main, skip, test

IN = scsi.pr_in(scsi.READ_KEYS)
OUT = scsi.pr_out(scsi.REGISTER)
LIST = scsi.parameters(0, 1)
NULL = os.open("/dev/null", os.O_RDWR)
NO_DEVICE = "B/00/06"
CLOSE = {"x86_64": "3", "aarch64": "57"}.get(os.uname().machine)
SLOW = 2.0 if SANITIZED else 0.5

daemon = Daemon("-q")

# A flood of messages: sent first, looked at when the log's interval of 10 s is over.
FLOOD, BURST, INTERVAL = 500, 100, 10
flooded = Daemon()
with flooded.client() as _flooder:
    for _ in range(FLOOD):
        _flooder.command(IN, NULL)
flooded_since = time.monotonic()


def closing():
    """How many threads of the helper are inside close()."""
    if CLOSE is None:
        skip("the number of the system call is not known here")
    calls = (read(path).split() for path in glob.glob(f"/proc/{daemon.pid}/task/*/syscall"))
    return sum(call[:1] == [CLOSE] for call in calls)


def serves_others(seconds=0.3):
    """Fail unless others, old and new, get their answers at once, for so long."""
    end = time.monotonic() + seconds
    with daemon.client() as old:
        while time.monotonic() < end:
            since = time.monotonic()
            assert str(old.command(IN, NULL)) == NO_DEVICE
            assert str(daemon.command(NULL, IN)) == NO_DEVICE
            assert time.monotonic() - since < SLOW, time.monotonic() - since
            time.sleep(0.01)        # what it is asked about cannot be closed now, and piles up


# Descriptors that block

@test("closing a lingering socket takes as long as these tests suppose")
def _():
    with LingeringSockets(seconds=1) as lingering:
        since = time.monotonic()
        lingering.sockets[0].close()
        assert 0.9 < time.monotonic() - since < 3


@test("a socket that lingers, as the device")
def _():
    with LingeringSockets(seconds=3) as lingering, daemon.client() as client:
        lingering.hand_over(daemon, client, IN)
        assert str(client.reply(IN)) == NO_DEVICE
        until(closing, what="a thread in close()")
        serves_others()
        assert str(client.command(IN, NULL)) == NO_DEVICE
        assert closing() == 1


@test("253 sockets that linger, with one command")
def _():
    with LingeringSockets(253, seconds=3) as lingering, daemon.client() as client:
        lingering.hand_over(daemon, client, IN)
        assert client.is_closed_by_peer()
        until(closing, what="threads in close()")
        serves_others()
        assert closing() == 16


@test("more than 253 descriptors cannot be sent with one message")
def _():
    # So there is always room for all of them, and the kernel need not close any.
    with daemon.client() as client:
        try:
            client.send(IN, [NULL] * 254)
            assert False, "254 were sent"
        except OSError:
            assert client.is_silent()


@test("sockets that linger, with an urgent byte")
def _():
    # Where such a byte is not read like others, the kernel drops it with all that it brings.
    with LingeringSockets(50, seconds=3) as lingering, daemon.client() as client:
        lingering.hand_over(daemon, client, IN[:1], socket.MSG_OOB)
        assert client.is_closed_by_peer()
        until(closing, what="threads in close()")
        serves_others()


@test("sockets that linger, with the feature word")
def _():
    with LingeringSockets(50, seconds=3) as lingering:
        with Client(daemon.socket, handshake=False) as client:
            client.read_features()
            lingering.hand_over(daemon, client, bytes(4))
            until(closing, what="threads in close()")
            serves_others()
            assert str(client.command(IN, NULL)) == NO_DEVICE


@test("sockets that linger, with a parameter list")
def _():
    with LingeringSockets(50, seconds=3) as lingering, daemon.client() as client:
        client.send(OUT, [NULL])
        lingering.hand_over(daemon, client, LIST)
        assert str(client.reply(OUT)) == NO_DEVICE
        until(closing, what="threads in close()")
        serves_others()


@test("a socket that lingers, with a command that is never completed")
def _():
    with LingeringSockets(seconds=3) as lingering:
        with daemon.client() as client:
            lingering.hand_over(daemon, client, OUT)
            client.send(LIST[:5])
        until(closing, what="a thread in close()")
        serves_others()


@test("sockets that linger, unread when the client is gone")
def _():
    with LingeringSockets(50, seconds=3) as lingering:
        with daemon.client() as client, daemon.frozen():
            client.send(bytes(16))      # a breach: what follows is never read
            lingering.hand_over(daemon, client, IN)
        until(closing, what="a thread in close()")
        serves_others()


@test("a file whose owner never answers, as the device")
def _():
    need_root("to mount a FUSE file system")
    with FuseFile() as file, daemon.client() as client:
        for cdb, data in ((IN, None), (OUT, LIST)):
            assert str(client.command(cdb, file.fd, data)) == NO_DEVICE
        until(lambda: file.silent == ["FLUSH"] * 2, what="two threads in close()")
        serves_others()


@test("a file whose owner never answers, too many times")
def _():
    need_root("to mount a FUSE file system")
    with FuseFile() as file, daemon.client() as client:
        client.send(IN, [file.fd] * 253)
        assert client.is_closed_by_peer()
        for _ in range(2):      # a crowd, but far from all that the table can hold
            with daemon.client() as another:
                another.send(IN, [file.fd] * 253)
                assert another.is_closed_by_peer()
        until(lambda: len(file.silent) == 16, what="16 threads in close()")
        serves_others()
        assert file.silent == ["FLUSH"] * 16


@test("descriptors that cannot be closed do not fill the table at the expense of others")
def _():
    need_root("to mount a FUSE file system")
    # The device of the others is one that the helper closes itself, after the command.
    with Daemon("-q", command=["prlimit", "--nofile=2048:2048", program()]) as small, \
            FuseFile() as file, FakeDevice(payload=b"payload!") as device, \
            small.client() as victim, small.client() as second, \
            LingeringSockets(100, seconds=3) as lingering:
        # Only who has used a device is let through when much waits to be closed.
        assert victim.command(IN, device.fd).payload == b"payload!"
        with small.client() as client:
            client.send(scsi.pr_out(scsi.REGISTER, length=8192), [NULL])
            client.send(bytes(1), [file.fd] * 100)
            until(lambda: len(file.silent) == 16, what="16 threads in close()")
            try:
                for _ in range(10):
                    client.send(bytes(1), [NULL] * 253)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert client.is_closed_by_peer()
        lingering.hand_over(small, second, OUT)
        since = time.monotonic()
        assert victim.command(IN, device.fd).payload in (b"payload!", b"")
        assert time.monotonic() - since < SLOW
        assert len(small.descriptors()) < 1200


# Clients that take or send too much

@test("a thousand clients at once")
def _():
    if HARD < 4096:
        skip(f"only {HARD} files may be open")
    # A device: what is none would pile up, and be closed elsewhere, at its own pace.
    with Daemon("-q") as roomy, FakeDevice(payload=b"payload!") as device:
        clients = [roomy.client() for _ in range(1000)]
        for client in clients:
            client.request(IN, device.fd)
        assert {client.reply(IN).payload for client in clients} == {b"payload!"}
        for client in clients:
            client.close()
        until(lambda: len(roomy.descriptors()) < 20)


def is_served(helper):
    """Whether a new client gets an answer; the other way is that it is closed at once."""
    try:
        return str(helper.command(NULL, IN)) == NO_DEVICE
    except (ConnectionError, PeerClosed):
        return False


@test("--max-clients turns the next one away, and says so")
def _():
    # Not ready=True: the client that finds out would count, for a moment.
    with Daemon("--max-clients=3", ready=False) as small:
        until(lambda: os.path.exists(small.socket))
        clients = [small.client() for _ in range(3)]
        assert not is_served(small)
        small.await_log("is one too many: --max-clients is reached")
        assert {str(client.command(IN, NULL)) for client in clients} == {NO_DEVICE}
        clients.pop().close()
        until(lambda: is_served(small))
        for client in clients:
            client.close()


@test("a small table of descriptors means few clients, and no busy loop")
def _():
    command = ["prlimit", "--nofile=600:600", program()]
    with Daemon("-q", command=command, ready=False) as small:
        until(lambda: os.path.exists(small.socket))
        clients = [small.client() for _ in range((600 - 512) // 2)]
        assert not is_served(small)
        since = small.cpu_seconds()
        time.sleep(0.3)
        assert small.cpu_seconds() - since < 0.1
        assert {str(client.command(IN, NULL)) for client in clients} == {NO_DEVICE}
        for client in clients:
            client.close()
        until(lambda: is_served(small))


@test("where the table is small, an active client cuts nobody off")
def _():
    if HARD < 4096:
        skip(f"only {HARD} files may be open")
    command = ["prlimit", "--nofile=2048:2048", program()]
    with Daemon("-q", command=command, ready=False) as small, \
            FakeDevice(payload=b"payload!") as quick, \
            FakeDevice(payload=b"payload!", delay=500) as slow:
        until(lambda: os.path.exists(small.socket))
        clients = [small.client() for _ in range((2048 - 2048 // 3) // 2)]
        for client in clients[:4]:
            for _ in range(3):          # one soon after the other: it would be active now
                client.command(IN, quick.fd)
            client.request(IN, slow.fd)
        for client in clients[4:]:
            assert client.command(IN, quick.fd).payload == b"payload!"
        for client in clients[:4]:
            assert client.reply(IN).payload == b"payload!"
            client.close()
        for client in clients[4:]:
            client.close()


@test("without a free descriptor a client is turned away, and no busy loop")
def _():
    own = max(daemon.descriptors()) + 1
    command = ["prlimit", f"--nofile={own}:{own}", program()]
    with Daemon(command=command, ready=False) as full:
        until(lambda: os.path.exists(full.socket))
        assert not is_served(full)
        full.await_log("no file descriptor is left")
        since = full.cpu_seconds()
        time.sleep(0.3)
        assert full.cpu_seconds() - since < 0.1
        assert not is_served(full)


@test("of two descriptors for which only one place is left none is used")
def _():
    own = max(daemon.descriptors()) + 1
    command = ["prlimit", f"--nofile={own + 2}:{own + 2}", program()]
    with Daemon(command=command, ready=False) as full:
        until(lambda: os.path.exists(full.socket))
        with full.client() as client:
            client.send(IN, [NULL, NULL])
            assert client.is_closed_by_peer()
            full.await_log("could not be received, as the descriptor table is full")
        assert "READ KEYS" not in full.log()
        until(lambda: is_served(full))


@test("a low limit on open files is told, and what it leads to is not blamed on --max-clients")
def _():
    command = ["prlimit", "--nofile=514:514", program()]
    for options in (["--max-clients=7"], []):
        with Daemon(*options, command=command, ready=False) as small:
            until(lambda: os.path.exists(small.socket))
            with small.client() as client:
                assert not is_served(small)
                small.await_log("is one too many for the limit on open files")
                assert str(client.command(IN, NULL)) == NO_DEVICE
            assert small.log().count("serving at most 1 client, as only 514 files may be open") \
                == 1, small.log()
            assert "--max-clients is reached" not in small.log()


@test("a client that reads no answers blocks nobody, and gets all of them later")
def _():
    with daemon.client() as lazy:
        lazy.sock.setblocking(False)
        sent = 0
        try:
            while sent < 5000:
                lazy.send(IN, [NULL])
                sent += 1
        except (BlockingIOError, OSError):
            pass
        serves_others()
        lazy.sock.settimeout(10)
        assert sent > 100
        for _ in range(sent):
            assert str(lazy.reply(IN)) == NO_DEVICE


# Garbage

class Fuzzer:
    """A client that does what comes to its mind; the same in each run."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fds = [NULL, os.open("/", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY),
                    *os.pipe(), socket.socket().detach(), os.memfd_create("x")]

    def bytes(self):
        """Something between a valid request and noise."""
        data = bytearray(self.random.choice(
            [IN, OUT + LIST, bytes(4), scsi.pr_out(0, 0, 8192), IN * 3, b""]))
        for _ in range(self.random.choice([0, 0, 1, 2, 20])):
            if data:
                data[self.random.randrange(len(data))] = self.random.randrange(256)
        return bytes(data) + self.random.randbytes(self.random.choice([0, 0, 0, 1, 16, 300]))

    def play(self):
        """One connection's life."""
        with Client(daemon.socket, handshake=False) as client:
            client.sock.setblocking(False)
            if self.random.random() < 0.9:
                self._try(client.send, bytes(4))
            for _ in range(self.random.randrange(12)):
                count = self.random.choice([0, 1, 1, 1, 1, 2, 5])
                data = self.bytes() or b"\x5e"
                self._try(client.send, data, self.random.choices(self.fds, k=count))
                if self.random.random() < 0.3:
                    self._try(client.sock.recv, self.random.randrange(1, 1000))
                if self.random.random() < 0.05:
                    self._try(client.sock.shutdown, self.random.randrange(3))
            if self.random.random() < 0.2:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))

    @staticmethod
    def _try(function, *arguments):
        try:
            function(*arguments)
        except OSError:
            pass

    def close(self):
        """Close what was sent, but /dev/null."""
        for fd in self.fds[1:]:
            os.close(fd)


@test("garbage is survived, and leaves nothing behind")
def _():
    until(lambda: len(daemon.descriptors()) < 20)
    fuzzer = Fuzzer(20240229)
    for _ in range(1500):
        fuzzer.play()
    fuzzer.close()
    serves_others(0.1)
    until(lambda: len(daemon.descriptors()) < 20)


def leave(helper, clients, send):
    """A process that connects so often, sends, with the descriptor of its own end, and is gone."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    for _ in range(clients):
        client = Client(helper.socket)
        client.sock.setblocking(False)
        send(client)
    os._exit(0)


def flood_without_reading(client):
    """As many requests as the socket takes."""
    try:
        while True:
            client.send(IN, [client.sock.fileno()])
    except BlockingIOError:
        pass


@test("clients that keep their own connections open beyond their end are let go")
def _():
    # The helper has the last descriptor of their end, so it never sees them go.
    with Daemon("--max-clients=20", "--command-timeout=1") as helper:
        before = len(helper.descriptors())
        leave(helper, 10, lambda client: client.send(IN[:1], [client.sock.fileno()]))
        leave(helper, 10, flood_without_reading)
        until(lambda: len(helper.descriptors()) <= before, what="the end of their connections")
        assert str(helper.command(NULL, IN)) == NO_DEVICE
        assert "a request unfinished" in helper.log()


@test("a client that takes its time with a request is not cut off meanwhile")
def _():
    with Daemon("--command-timeout=1") as helper, helper.client() as client:
        for i, byte in enumerate(IN):
            client.send(bytes([byte]), [NULL] if i == 0 else [])
            time.sleep(0.2)
        assert str(client.reply(IN)) == NO_DEVICE


@test("a client that floods the log is cut short there, and the log says by how much")
def _():
    with flooded:
        assert flooded.log().count("READ KEYS") == BURST
        time.sleep(max(0, flooded_since + INTERVAL - time.monotonic()))
        flooded.command(NULL, IN)
        flooded.await_log(f"{FLOOD - BURST} messages were suppressed")
        assert flooded.log().count("READ KEYS") == BURST + 1


@test("it ends in order")
def _():
    with daemon:
        pass


main()
