#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors that are traps: whoever looks at them, or closes them, has to wait.

Any client may send such a thing, and closing one is enough to be held up by
it. They must cost other clients nothing. Not for the program to be replaced,
which does all its looking and closing in its one thread.
"""
import contextlib
import os
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import rig
import scsi
from helper import Helper, parse_arguments
from prproto import ProtocolError
from tap import diag, main, test

OPTIONS = parse_arguments(__doc__.split("\n", 1)[0])
DEADLINE = 3                    # what the daemon is told
SLACK = 3                       # what a loaded machine may add
CLIENTS = 20
LINGER = 4                      # seconds that closing a trap takes
MOST_DESCRIPTORS = 253          # that one message can carry
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


def start():
    return Helper(OPTIONS.helper, f"--command-timeout={DEADLINE}")


def slowest_other(helper, seconds):
    """The longest that an honest client waits in so many seconds."""
    slowest, end = 0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        assert helper.command(GOOD_FD, READ_KEYS).status == scsi.GOOD
        slowest = max(slowest, time.monotonic() - before)
        time.sleep(0.02)
    diag(f"honest clients waited for {slowest:.3f} s at most")
    return slowest


def lingering_socket(listener):
    """A TCP connection with unsent data, whose last close() waits for LINGER seconds.

    Its other end is never read; it is returned as well, to be kept.
    """
    sender = socket.socket()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    sender.connect(listener.getsockname())
    other = listener.accept()[0]
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(bytes(65536))
    sender.setblocking(True)
    return sender, other


@contextlib.contextmanager
def traps(count):
    """So many lingering sockets."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=count))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pairs = [lingering_socket(listener) for _ in range(count)]
        for _, other in pairs:
            stack.enter_context(other)
        yield [sender for sender, _ in pairs]


@contextlib.contextmanager
def unaware(helper, socks):
    """The daemon is stopped meanwhile, and the copies that go to it become the last ones."""
    helper.process.send_signal(signal.SIGSTOP)
    try:
        yield
        for sock in socks:
            sock.close()
    finally:
        helper.process.send_signal(signal.SIGCONT)


@test("the trap works: closing it takes long")
def _():
    with traps(1) as (sock,):
        before = time.monotonic()
        sock.close()
        assert time.monotonic() - before > LINGER - 1


@contextlib.contextmanager
def scene():
    """A daemon, and as many clients as traps."""
    with start() as helper, traps(CLIENTS) as socks, contextlib.ExitStack() as stack:
        yield helper, [stack.enter_context(helper.client()) for _ in socks], socks


@test("descriptors whose closing takes long")
def _():
    with scene() as (helper, clients, socks):
        with unaware(helper, socks):
            for client, sock in zip(clients, socks):
                client.send(READ_KEYS, [sock.fileno()])
        assert slowest_other(helper, LINGER + 1) < 1
        for client in clients:
            answer = client.reply(READ_KEYS)
            assert answer.status == scsi.CHECK_CONDITION, answer


@test("such descriptors as a breach of the protocol: as many as fit")
def _():
    with scene() as (helper, clients, socks):
        with unaware(helper, socks):
            many = [sock.fileno() for sock in socks] * MOST_DESCRIPTORS
            clients[0].send(READ_KEYS, many[:MOST_DESCRIPTORS])
        assert slowest_other(helper, LINGER + 1) < 1
        assert clients[0].is_closed_by_peer()


@test("such descriptors, left unread by a daemon that hangs up")
def _():
    with scene() as (helper, clients, socks):
        with unaware(helper, socks):
            for client, sock in zip(clients, socks):
                # A wrong opcode ends the conversation; what follows waits in the queue.
                client.send(bytes(16), [GOOD_FD])
                client.send(READ_KEYS, [sock.fileno()])
        assert slowest_other(helper, LINGER + 1) < 1
        assert all(client.is_closed_by_peer() for client in clients)


@test("such descriptors from clients that are gone at once")
def _():
    with scene() as (helper, clients, socks):
        with unaware(helper, socks):
            for client, sock in zip(clients, socks):
                client.send(READ_KEYS + READ_KEYS, [sock.fileno()])
                client.close()
        assert slowest_other(helper, LINGER + 1) < 1


def is_waiting(function):
    """Is a child that calls function() still at it after half a second?"""
    child = os.fork()
    if child == 0:
        function()
        os._exit(0)
    time.sleep(0.5)
    waiting = os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGKILL)
    return waiting


@test("files of a dead FUSE file system")
def _():
    """Even to ask what kind of file it is takes forever; an answer is due all the same."""
    with rig.dead_fuse_directory("/run/dead"):
        fd = os.open("/run/dead", os.O_PATH)
        assert is_waiting(lambda: os.fstat(fd)), "no trap"
        with start() as helper, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(helper.client()) for _ in range(CLIENTS)]
            before = time.monotonic()
            for client in clients:
                client.request(READ_KEYS, fd)
            assert slowest_other(helper, 1) < 1
            for client in clients:
                try:
                    answer = client.reply(READ_KEYS)
                    assert answer.status == scsi.CHECK_CONDITION, answer
                except ProtocolError:
                    pass            # the end of a conversation is an answer as well
            seconds = time.monotonic() - before
            assert seconds <= DEADLINE + SLACK, seconds
            assert slowest_other(helper, 1) < 1
        os.close(fd)


if OPTIONS.reference:
    print("1..0 # SKIP the reference waits with the trap")
    sys.exit(0)
DISK = rig.loop_disk("hostile", nexuses=1)
GOOD_FD = DISK.nexus[0].open()
main()
