#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Under systemd, or what looks like it: usage activation.py HELPER.

A socket unit hands over a socket that listens already, and the service manager
wants to hear when the helper serves, when it stops, and that it is alive. Here
the test is the service manager: it passes descriptor 3 and sets the variables.
"""
import fcntl
import os
import signal
import socket
import time
import subprocess

from daemon import Daemon, adopt, check_sanitizers, die_with_parent, forking_test, program, \
    scratch, until
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
# exec keeps the process number, so that LISTEN_PID can be set before it.
SHELL = ["sh", "-c", 'LISTEN_PID=${LISTEN_PID-$$} exec "$0" "$@"']


def listener(kind=socket.SOCK_STREAM, listen=True):
    """A Unix socket with a path; its name is the path."""
    one = socket.socket(socket.AF_UNIX, kind)
    one.bind(f"{scratch()}/activated.sock")
    if listen:
        one.listen()
    return one


def passing(*sockets, **variables):
    """Keywords for subprocess: these sockets from descriptor 3 on, these variables."""
    fds = [one.fileno() for one in sockets]

    def prepare():
        die_with_parent()
        # Out of the way first: one of them may be in another's place.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
        for number, fd in enumerate(moved, 3):
            os.dup2(fd, number)
    environment = {**os.environ, "LISTEN_FDS": str(len(sockets)), **variables}
    return {"preexec_fn": prepare, "env": environment, "close_fds": False}


def refused(*options, sockets=(), **variables):
    """A start that has to fail; returns its only line."""
    result = subprocess.run([*SHELL, program(), *options], check=False, timeout=10,
                            stderr=subprocess.PIPE, **passing(*sockets, **variables))
    check_sanitizers()
    text = result.stderr.decode()
    assert result.returncode == 1 and text.count("\n") == 1, (result.returncode, text)
    return text


@test("the socket that was passed is served, and its path stays at the end")
def _():
    with listener() as one:
        path = one.getsockname()
        with Daemon(command=[*SHELL, program()], activated=True, socket=path,
                    **passing(one)) as daemon:
            assert str(daemon.command(NULL, IN)) == "B/00/06"
            assert "serving on an activated socket" in daemon.log()
        assert os.path.exists(path)


@test("a client that came before the helper is served")
def _():
    with listener() as one:
        path = one.getsockname()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)
            with Daemon(command=[*SHELL, program()], activated=True, socket=path,
                        **passing(one)):
                assert client.recv(4) == bytes(4)


@forking_test("an activated socket serves in the background, too")
def _():
    with listener() as one:
        pidfile = f"{scratch()}/pid"
        subprocess.run([*SHELL, program(), "-d", "-f", pidfile], check=True, timeout=10,
                       **passing(one))
        with adopt(pidfile, one.getsockname()) as daemon:
            assert str(daemon.command(NULL, IN)) == "B/00/06"
        assert os.path.exists(one.getsockname())


@test("a successor can serve the same socket")
def _():
    with listener() as one:
        for _ in range(2):
            with Daemon(command=[*SHELL, program()], activated=True, socket=one.getsockname(),
                        **passing(one)) as daemon:
                assert str(daemon.command(NULL, IN)) == "B/00/06"


@test("two sockets are one too many")
def _():
    with listener() as one, listener() as other:
        text = refused(sockets=[one, other])
        assert "exactly one socket" in text, text


@test("what is no listening Unix stream socket is refused")
def _():
    with socket.socket() as tcp:
        tcp.listen()
        wrong = [listener(socket.SOCK_DGRAM, False), listener(socket.SOCK_SEQPACKET),
                 listener(listen=False), tcp]
        for one in wrong:
            text = refused(sockets=[one])
            assert "not a listening Unix stream socket" in text, text
            one.close()


@test("a file is refused as well")
def _():
    with open("/dev/null", "rb") as file:
        assert "not a listening Unix stream socket" in refused(sockets=[file])


@test("a number of sockets that is none is refused")
def _():
    with listener() as one:
        for number in ("-1", "junk", "99999999999999999999"):
            text = refused(sockets=[one], LISTEN_FDS=number)
            assert "LISTEN_FDS" in text, text


@test("no socket is no activation")
def _():
    for variables in ({"LISTEN_FDS": "0"}, {"LISTEN_FDS": ""}, {"LISTEN_PID": ""},
                      {"LISTEN_FDS": "", "LISTEN_PID": ""}, {"LISTEN_FDS": "0", "LISTEN_PID": ""}):
        with Daemon(command=[*SHELL, program()], **passing(**variables)) as daemon:
            assert str(daemon.command(NULL, IN)) == "B/00/06"
            assert f"serving on {daemon.socket}" in daemon.log(), (variables, daemon.log())


@test("-k and activation exclude each other")
def _():
    with listener() as one:
        path = f"{scratch()}/pr.sock"
        text = refused("-k", path, sockets=[one])
        assert "-k" in text and "socket activation" in text, text
        assert not os.path.exists(path) and os.path.exists(one.getsockname())


@test("so do options that give the socket a mode or an owner")
def _():
    with listener() as one:
        before = os.stat(one.getsockname())
        for option, setting in (("--socket-mode=0600", "SocketMode="),
                                ("--socket-mode=0", "SocketMode="),
                                ("--socket-owner=0", "SocketUser="),
                                ("--socket-group=0", "SocketGroup=")):
            text = refused(option, sockets=[one])
            assert option.partition("=")[0] in text and setting in text, text
        assert os.stat(one.getsockname()) == before


@test("variables that are meant for another process are ignored")
def _():
    with listener() as one:
        with Daemon(command=[*SHELL, program()], **passing(one, LISTEN_PID="1")) as daemon:
            assert str(daemon.command(NULL, IN)) == "B/00/06"
            assert os.path.exists(daemon.socket)


def notified(*options, **variables):
    """A daemon that notifies, and the socket that hears it."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(5)
    manager.bind(f"{scratch()}/notify")
    daemon = Daemon(*options, env={**os.environ, "NOTIFY_SOCKET": manager.getsockname(),
                                   **variables})
    return daemon, manager


@test("the service manager hears of the start and of the stop")
def _():
    daemon, manager = notified()
    with daemon, manager:
        assert "READY=1" in manager.recv(4096).decode().splitlines()
        assert str(daemon.command(NULL, IN)) == "B/00/06"
        assert daemon.stop() == 0
        assert "STOPPING=1" in manager.recv(4096).decode().splitlines()


@test("the service manager hears that it is alive, while it serves and while it stops")
def _():
    daemon, manager = notified(WATCHDOG_USEC="200000")
    with daemon, manager:
        heard = [manager.recv(4096).decode() for _ in range(3)]
        assert "READY=1" in heard[0] and heard[1:] == ["WATCHDOG=1"] * 2, heard
        slow = daemon.client()
        slow.send(IN[:9], [NULL])
        with daemon.frozen():
            daemon.send(signal.SIGTERM)
        until(lambda: "STOPPING=1" in manager.recv(4096).decode())
        until(lambda: manager.recv(4096) == b"WATCHDOG=1")
        slow.close()


@test("it says that it is alive twice as often as it must")
def _():
    daemon, manager = notified(WATCHDOG_USEC="1000000")
    with daemon, manager:
        assert "READY=1" in manager.recv(4096).decode()
        assert manager.recv(4096) == b"WATCHDOG=1"
        since = time.monotonic()
        assert manager.recv(4096) == b"WATCHDOG=1"
        assert time.monotonic() - since < 0.9


@test("a service manager that has gone harms nobody")
def _():
    manager = f"{scratch()}/nobody"
    with Daemon(env={**os.environ, "NOTIFY_SOCKET": manager, "WATCHDOG_USEC": "20000"}) as daemon:
        assert str(daemon.command(NULL, IN)) == "B/00/06"


main()
