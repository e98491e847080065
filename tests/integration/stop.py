#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The end, and the next beginning: usage stop.py HELPER.

QEMU fails a guest's command when the helper goes away after it was sent, and a
live migration with it. So what has been sent is answered, always; and what
cannot be ended, a device that hangs, does not keep a successor from serving.
"""
import os
import re
import resource
import signal
import subprocess
import sys
import termios
import threading
import time
from contextlib import ExitStack

from daemon import SANITIZED, Daemon, die_with_parent, need_root, program, read, scratch, until
from fakedevice import FakeDevice
from prproto import Client
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
OUT = scsi.pr_out(scsi.REGISTER)
LIST = scsi.parameters(0, 1)
NULL = os.open("/dev/null", os.O_RDWR)


@test("SIGTERM, SIGINT and SIGHUP end it in order")
def _():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Daemon() as daemon:
            assert daemon.stop(number) == 0
            assert not os.path.exists(daemon.socket)


# The table of the manual page.
FATAL = {"QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS", "XCPU", "KILL"}
ENDING = {"TERM", "INT", "HUP"}
STOPPING = {"STOP", "TSTP"}


def other_signals():
    """All signals that must do no harm, by name where they have one."""
    names = {getattr(number, "name", f"SIG{int(number)}"): int(number)
             for number in signal.valid_signals()}
    return {name[3:]: number for name, number in names.items()
            if name[3:] not in FATAL | ENDING | STOPPING}


@test("the manual page has every signal")
def _():
    page = os.path.join(os.path.dirname(__file__), "../../qemu-pr-helper.8.in")
    table = read(page).partition(".Sh SIGNALS")[2].partition(".Sh ")[0]
    named = set(re.findall(r"\bSIG([A-Z0-9]+)", table))
    known = {getattr(number, "name", "SIGRTMIN")[3:] for number in signal.valid_signals()}
    # What cannot be caught needs no words.
    missing = known - named - {"KILL", "STOP"}
    assert not missing and FATAL | ENDING <= named | {"KILL"}, missing


@test("other signals do not harm it")
def _():
    signals = other_signals()
    assert {"USR1", "USR2", "ALRM", "IO", "PIPE", "RTMIN", "RTMAX"} <= set(signals), signals
    with Daemon() as daemon:
        for number in signals.values():
            daemon.send(number)
        with daemon.frozen():
            pass
        assert str(daemon.command(NULL, IN)) == "B/00/06"


@test("signals that tell of a fault, or are meant to, end it at once")
def _():
    # A sanitizer takes some for faults, and reports them.
    for name in ("QUIT", "XCPU") if SANITIZED else ("QUIT", "XCPU", "ABRT", "BUS"):
        number = getattr(signal, f"SIG{name}")
        daemon = Daemon(preexec_fn=lambda: die_with_parent() or
                        resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        daemon.send(number)
        assert daemon.wait() == -number, (name, daemon.status)


@test("a line to a terminal in whose background it runs does not stop it")
def _():
    ours, theirs = os.openpty()
    mode = termios.tcgetattr(theirs)
    mode[3] |= termios.TOSTOP
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    # The terminal is its session's, and another process group's.
    start = "import os, fcntl, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); " \
            "os.fork() and os.wait() and os._exit(0); os.setpgid(0, 0); " \
            "os.execv(sys.argv[1], sys.argv[1:])"
    path, pidfile = f"{scratch()}/pr.sock", f"{scratch()}/pid"
    with open(theirs, "wb", closefd=False) as terminal:
        # pylint: disable=consider-using-with
        session = subprocess.Popen([sys.executable, "-c", start, program(), "-k", path, "-f",
                                    pidfile], stderr=terminal, start_new_session=True)
        until(lambda: os.path.exists(path))
        with Client(path, 5) as client:
            assert str(client.command(IN, NULL)) == "B/00/06"
        assert b"serving on" in os.read(ours, 1000)
        os.kill(int(read(pidfile)), signal.SIGTERM)
        assert session.wait(10) == 0
    os.close(ours)
    os.close(theirs)


@test("SIGUSR1 logs in a line how it does, while it serves and while it stops")
def _():
    with Daemon("--max-clients=7") as daemon, FakeDevice(delay=1000) as device:
        daemon.send(signal.SIGUSR1)
        line = daemon.await_log("of at most")
        assert "serving 0 clients of at most 7; 0 commands under way, 0 given up" in line, line
        with daemon.client() as client:
            client.request(IN, device.fd)
            until(device.executed)
            daemon.send(signal.SIGUSR1)
            daemon.await_log("serving 1 client of at most 7; 1 command under way, 0 given up")
            daemon.send(signal.SIGTERM)
            daemon.await_log("stopping on signal 15")
            daemon.send(signal.SIGUSR1)
            daemon.await_log("stopping, with 1 client of at most 7; 1 command under way")
            assert str(client.reply(IN)) == "GOOD"


@test("clients that want nothing see the end at once")
def _():
    with Daemon() as daemon:
        clients = [daemon.client() for _ in range(20)]
        for client in clients[:10]:
            client.command(IN, NULL)
        since = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - since < 2
        assert all(client.is_closed_by_peer() for client in clients)


@test("a command that executes is answered, and then comes the end")
def _():
    with Daemon() as daemon, FakeDevice(delay=300, payload=b"payload!") as device:
        with daemon.client() as client:
            client.request(IN, device.fd)
            until(device.executed)
            daemon.send(signal.SIGTERM)
            assert client.reply(IN).payload == b"payload!"
            assert client.is_closed_by_peer()


@test("requests that wait unread in the socket are answered, all of them")
def _():
    with Daemon() as daemon, FakeDevice(payload=b"payload!") as device:
        clients = [daemon.client() for _ in range(10)]
        with daemon.frozen():
            for client in clients:
                for _ in range(10):
                    client.request(OUT, device.fd, LIST)
                    client.request(IN, device.fd)
            daemon.send(signal.SIGTERM)
        for client in clients:
            for _ in range(10):
                assert str(client.reply(OUT)) == "GOOD"
                assert client.reply(IN).payload == b"payload!"
            assert client.is_closed_by_peer()
        assert daemon.wait(2) == 0


@test("a request is answered, or it could not even be sent: nothing is lost in between")
def _():
    for _ in range(10):
        with Daemon() as daemon, daemon.client() as client:
            client.command(IN, NULL)
            daemon.send(signal.SIGTERM)
            try:
                while True:
                    client.send(IN, [NULL])
                    client.reply(IN)
            except BrokenPipeError:
                pass


@test("busy clients lose nothing, and the end does not come between CDB and parameter list")
def _():
    def busy(client, device, failures):
        try:
            while True:
                client.send(OUT, [device.fd])
                try:
                    client.send(LIST)
                    client.reply(OUT)
                except Exception as error:      # pylint: disable=broad-except
                    failures.append(repr(error))
                    return
        except BrokenPipeError:
            pass                                # it will connect anew
    for _ in range(10):
        failures = []
        with Daemon("-q", "-q") as daemon, FakeDevice(readonly=1) as device, ExitStack() as stack:
            clients = [stack.enter_context(daemon.client()) for _ in range(8)]
            threads = [threading.Thread(target=busy, args=(client, device, failures))
                       for client in clients]
            for thread in threads:
                thread.start()
            time.sleep(0.02)
            assert daemon.stop() == 0
            for thread in threads:
                thread.join()
        assert not failures, failures


@test("a client that has connected and was not yet accepted sees the end, and hangs on nothing")
def _():
    with Daemon() as daemon:
        with daemon.frozen():
            client = Client(daemon.socket, handshake=False)
            daemon.send(signal.SIGTERM)
        try:
            client.read(4)
        except ConnectionError:
            pass
        except Exception as error:      # pylint: disable=broad-except
            assert "closed" in str(error), error
        client.close()


@test("a client that is stuck in its request gets time to complete it")
def _():
    with Daemon() as daemon, daemon.client() as slow:
        slow.send(OUT, [NULL])
        slow.send(LIST[:5])
        with daemon.frozen():
            daemon.send(signal.SIGTERM)
        until(lambda: not os.path.exists(daemon.socket))
        slow.send(LIST[5:])
        assert str(slow.reply(OUT)) == "B/00/06"
        assert slow.is_closed_by_peer()


@test("clients that are stuck for good delay the end by little")
def _():
    with Daemon() as daemon, ExitStack() as clients:
        half, deaf = [clients.enter_context(daemon.client()) for _ in range(2)]
        half.send(OUT, [NULL])
        deaf.sock.setblocking(False)
        try:
            while True:
                deaf.request(IN, NULL)
        except BlockingIOError:
            pass
        daemon.send(signal.SIGTERM)
        assert daemon.wait(3) == 0


def check_successor(*options):
    """Whether one serves while the old one, with these options, waits."""
    directory = scratch()
    path, pidfile = f"{directory}/pr.sock", f"{directory}/pid"
    with Daemon("--command-timeout=2", "-f", pidfile, *options, socket=path) as old:
        with FakeDevice(delay=5000) as device, old.client() as client:
            client.request(IN, device.fd)
            until(device.executed)
            old.send(signal.SIGTERM)
            until(lambda: not read(pidfile), 1)
            with Daemon("-f", pidfile, socket=path) as new:
                assert str(new.command(NULL, IN)) == "B/00/06"
                assert old.poll() is None, "this proves nothing: the old one has ended"
                assert str(client.reply()) == "B/2E/02"
                assert old.wait(3) == 0
                assert str(new.command(NULL, IN)) == "B/00/06"
                assert read(pidfile) == f"{new.pid}\n"


@test("a successor serves while the old one waits for a device that hangs")
def _():
    check_successor()


@test("a successor does so, too, where the old one may not remove its files")
def _():
    need_root("to become another user")
    check_successor("-u", "nobody")


main()
