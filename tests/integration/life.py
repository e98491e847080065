#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket and the start: usage life.py HELPER.

Whoever starts a helper waits for a path to appear, and uses it from then on;
so it has to be right from its first moment, and no start may spoil what
another one serves.
"""
import os
import socket
import stat
import subprocess

from daemon import SANITIZED, Daemon, forking_test, need_root, program, run, scratch, until
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)


def serves(daemon):
    """Whether it answers."""
    return str(daemon.command(NULL, IN)) == "B/00/06"


def refused(path, *names, options=()):
    """A start that has to fail, with one line that has all these names in it."""
    result = run("-k", path, *options)
    assert result.returncode == 1, result
    assert result.stderr.count("\n") == 1 and not result.stdout, result
    for name in (path, *names):
        assert name in result.stderr, result.stderr
    return result.stderr


def listing(path):
    """Names in the directory of a path, but for the log."""
    return sorted(set(os.listdir(os.path.dirname(path))) - {"log"})


# What is in the way

@test("a socket that nobody serves is replaced")
def _():
    path = f"{scratch()}/pr.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(path)
    before = os.stat(path).st_ctime_ns
    with Daemon(socket=path) as daemon:
        assert serves(daemon) and os.stat(path).st_ctime_ns != before
        assert listing(path) == ["pr.sock"]


@test("a socket that is served is left to the one who serves it")
def _():
    with Daemon() as daemon:
        refused(daemon.socket, "another process serves")
        assert serves(daemon) and listing(daemon.socket) == ["pr.sock"]


@test("a served socket with a full backlog is still a served one")
def _():
    path = f"{scratch()}/pr.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(path)
        busy.listen(0)
        waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        waiting.connect(path)
        refused(path, "another process serves")
        waiting.close()


@test("anything else in the way is left alone")
def _():
    directory = scratch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(f"{directory}/stale")
    os.symlink(f"{directory}/stale", f"{directory}/link")
    os.symlink(f"{directory}/nowhere", f"{directory}/dangling")
    os.mkdir(f"{directory}/directory")
    os.mkfifo(f"{directory}/pipe")
    with open(f"{directory}/file", "w", encoding="ascii") as file:
        file.write("precious")
    before = {name: os.lstat(f"{directory}/{name}") for name in os.listdir(directory)}
    for name in before.keys() - {"stale"}:
        refused(f"{directory}/{name}", "is not a socket")
    after = {name: os.lstat(f"{directory}/{name}") for name in os.listdir(directory)}
    assert after == before


@test("a socket path that cannot be is refused")
def _():
    directory = scratch()
    refused(f"{directory}/{'x' * 107}", "Unix sockets allow")
    for path, why in ((f"{directory}/missing", "No such file or directory"),
                      ("/dev/null", "Not a directory")):
        result = run("-k", f"{path}/pr.sock")
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert path in result.stderr and why in result.stderr, result


@test("a socket path of the greatest length works")
def _():
    directory = scratch()
    path = f"{directory}/{'x' * (106 - len(directory))}"
    assert len(path) == 107
    with Daemon(socket=path) as daemon:
        assert serves(daemon) and len(listing(path)) == 1


@test("of two helpers that start at once, one serves and the other is told")
def _():
    for number in range(10):
        path = f"{scratch()}/pr.sock"
        if number % 2:      # a stale socket in the way
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
                stale.bind(path)
        starts = [Daemon(socket=path, ready=False) for _ in range(2)]
        until(lambda: [start.poll() for start in starts].count(1) == 1)
        loser, winner = sorted(starts, key=lambda start: start.poll() is None)
        assert "another process serves" in loser.log()
        with winner:
            until(lambda: os.path.exists(path))
            assert serves(winner) and listing(path) == ["pr.sock"]
        assert listing(path) == []


# How it appears

def first_seen(path, *options, umask=0o022, **more):
    """A start, and what the path was like at its very first appearance."""
    def prepare():
        os.umask(umask)
    with Daemon(*options, socket=path, ready=False, preexec_fn=prepare,
                **more) as daemon:
        while True:
            try:
                status = os.lstat(path)
                break
            except FileNotFoundError:
                assert daemon.poll() is None, daemon.log()
        assert serves(daemon)
        assert os.lstat(path)[:6] == status[:6], "it has changed since"
    return status


@test("the path can be connected to as soon as it exists, and never changes")
def _():
    for _ in range(10):
        assert stat.S_ISSOCK(first_seen(f"{scratch()}/pr.sock").st_mode)


SLOW_LISTEN = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int listen(int fd, int backlog)
{
	usleep(300000);
	return ((int (*)(int, int))dlsym(RTLD_NEXT, "listen"))(fd, backlog);
}
"""

if not SANITIZED:   # whose own library wants to be the first
    @test("the path does not exist before it can be connected to, however long that takes")
    def _():
        library = f"{scratch()}/slow.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"],
                       input=SLOW_LISTEN, text=True, check=True)
        first_seen(f"{scratch()}/pr.sock", env={**os.environ, "LD_PRELOAD": library})


@test("the socket has the mode that the umask leaves")
def _():
    for umask in (0o022, 0o077, 0o002):
        mode = first_seen(f"{scratch()}/pr.sock", umask=umask).st_mode
        assert stat.S_IMODE(mode) == 0o777 & ~umask, oct(mode)


@test("--socket-mode sets the mode, whatever the umask")
def _():
    for mode in ("600", "0660", "666"):
        status = first_seen(f"{scratch()}/pr.sock", f"--socket-mode={mode}", umask=0o077)
        assert stat.S_IMODE(status.st_mode) == int(mode, 8), oct(status.st_mode)


def check_owner(*more):
    """--socket-owner and --socket-group do what they say."""
    need_root("to give files away")
    status = first_seen(f"{scratch()}/pr.sock", "--socket-owner=daemon",
                        "--socket-group=12345", "--socket-mode=660", *more)
    assert (status.st_uid, status.st_gid) == (1, 12345), status
    assert stat.S_IMODE(status.st_mode) == 0o660


@test("--socket-owner and --socket-group set the owner")
def _():
    check_owner()


@forking_test("--socket-owner and --socket-group set the owner for another user's helper, too")
def _():
    check_owner("-u", "nobody")


@test("an owner that may not be given is an error, and leaves no file behind")
def _():
    path = f"{scratch()}/pr.sock"
    command = ["setpriv", "--reuid=1000", "--clear-groups"] if os.geteuid() == 0 else []
    if command:
        os.chmod(os.path.dirname(path), 0o777)
        os.chmod(os.path.dirname(os.path.dirname(path)), 0o755)
    result = subprocess.run([*command, program(), "-k", path, "--socket-owner=0"], check=False,
                            stderr=subprocess.PIPE, timeout=10)
    assert result.returncode == 1 and b"Operation not permitted" in result.stderr, result
    assert listing(path) == []


# How it goes

@test("the path is removed at the end only if it is still its own")
def _():
    for replace in (lambda path: os.unlink(path) or os.mkdir(path),
                    lambda path: os.rename(path, path + ".mine") or open(path, "x").close()):
        with Daemon() as daemon:
            replace(daemon.socket)
            kept = os.lstat(daemon.socket)
            assert daemon.stop() == 0
            assert os.lstat(daemon.socket).st_ino == kept.st_ino


@test("a path that is gone at the end is no error")
def _():
    with Daemon() as daemon:
        os.unlink(daemon.socket)
        assert daemon.stop() == 0 and "cannot" not in daemon.log()


@test("a start that fails late takes its socket away again")
def _():
    need_root("to be refused a capability")
    path = f"{scratch()}/pr.sock"
    # No CAP_SETUID: becoming another user fails, long after the socket was bound.
    result = subprocess.run(["setpriv", "--bounding-set=-setuid", program(), "-k", path,
                             "-u", "nobody"], check=False, stderr=subprocess.PIPE, timeout=10)
    assert result.returncode == 1 and b"cannot drop privileges" in result.stderr, result
    assert listing(path) == []


@test("a start in a directory that has become unreachable works")
def _():
    gone = scratch()
    with Daemon(cwd=gone, preexec_fn=lambda: os.rmdir(gone)) as daemon:
        assert serves(daemon)


main()
