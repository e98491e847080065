#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""PID file, background and descriptors: usage process.py HELPER.

libvirt starts the helper in the foreground, with a lock on a descriptor that it
inherits and with stderr on a pipe whose reader goes away; init scripts start it
with -d and a PID file and believe the exit status; somebody starts it with
descriptors closed. None of them must be in for a surprise.
"""
import fcntl
import os
import re
import resource
import subprocess
import time

from daemon import Daemon, adopt, die_with_parent, forking_test, need_root, private_mounts, \
    program, read, run, scratch, until
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)


def serves(daemon):
    """Whether it answers."""
    return str(daemon.command(NULL, IN)) == "B/00/06"


def detached(directory, *options, **popen):
    """Start one with -d; the exit status of the start, and what it has said."""
    return run("-d", "-k", f"{directory}/pr.sock", "-f", f"{directory}/pid", *options, **popen)


# PID file

@test("the PID file has the number of the process that serves, and goes with it")
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path) as daemon:
        assert read(path) == f"{daemon.pid}\n"
    assert not os.path.exists(path)


@test("a locked PID file stops a second start, which names file and process")
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path) as daemon:
        result = run("-k", f"{scratch()}/pr.sock", "-f", path)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert path in result.stderr and f"pid {daemon.pid}" in result.stderr, result
        assert read(path) == f"{daemon.pid}\n" and serves(daemon)


@test("a PID file that a dead process has left is taken over")
def _():
    for text in ("12345\n", "4194305 \n\n", ""):
        path = f"{scratch()}/pid"
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        with Daemon("-f", path) as daemon:
            assert read(path) == f"{daemon.pid}\n"


@test("a file that has something else in it is left alone")
def _():
    for text in ("precious\n", "12 monkeys\n", "1" * 40):
        path = f"{scratch()}/file"
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        result = run("-k", f"{scratch()}/pr.sock", "-f", path)
        assert result.returncode == 1 and path in result.stderr, result
        assert read(path) == text


@forking_test("a PID file that cannot be written is an error, with and without -d")
def _():
    for options in ([], ["-d"]):
        directory = scratch()
        path = f"{directory}/missing/pid"
        result = run(*options, "-k", f"{directory}/pr.sock", "-f", path)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert path in result.stderr and "No such file" in result.stderr, result
        assert os.listdir(directory) == []


@forking_test("a relative PID file is in the directory of the start, with and without -d")
def _():
    directory = scratch()
    with Daemon("-f", "pid", cwd=directory) as daemon:
        assert read(f"{directory}/pid") == f"{daemon.pid}\n"
    assert run("-d", "-k", f"{directory}/pr.sock", "-f", "pid", cwd=directory).returncode == 0
    with adopt(f"{directory}/pid", f"{directory}/pr.sock") as daemon:
        assert serves(daemon)
    assert not os.path.exists(f"{directory}/pid")


@test("a PID file that is not its own any more is left alone")
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path) as daemon:
        os.unlink(path)
        with open(path, "w", encoding="ascii") as file:
            file.write("1\n")
        assert daemon.stop() == 0 and read(path) == "1\n"


@test("a PID file that its user may not remove names no process any more")
def _():
    need_root("to become another user")
    path = f"{scratch()}/pid"
    with Daemon("-f", path, "-u", "nobody") as daemon:
        assert read(path) == f"{daemon.pid}\n"
    assert read(path) == ""


# Background

@forking_test("-d returns when the helper serves, and leaves nothing of the starter open")
def _():
    directory = scratch()
    since = time.monotonic()
    result = detached(directory)
    with adopt(f"{directory}/pid", f"{directory}/pr.sock") as daemon:
        assert serves(daemon)
        assert (result.returncode, result.stdout) == (0, "")
        # Where there is no journal it says that.
        assert all("nothing will be logged" in line for line in result.stderr.splitlines()), result
        assert time.monotonic() - since < 5
        descriptors = daemon.descriptors()
        assert [descriptors[n] for n in range(3)] == ["/dev/null"] * 3, descriptors
        assert not [name for name in descriptors.values() if "pipe" in name], descriptors
        assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
        assert os.getsid(daemon.pid) == daemon.pid


@forking_test("-d tells an error by its exit status and on the terminal")
def _():
    directory = scratch()
    os.mkdir(f"{directory}/pr.sock")
    result = detached(directory)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result
    assert f"{directory}/pr.sock" in result.stderr, result
    assert os.listdir(directory) == ["pr.sock"]

@forking_test("an error longer than any buffer reaches the terminal whole, with and without -d")
def _():
    path = "/" + "x" * 3000
    for options in ([], ["-d"]):
        result = run(*options, "-k", path, "-f", f"{scratch()}/pid")
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert f"'{path}'" in result.stderr and result.stderr.endswith("allow\n"), result


@forking_test("-d without -f uses the default PID file and socket")
def _():
    mounts = private_mounts("to have a directory of its own in place of /run")
    script = 'mount -t tmpfs none /run && "$0" -d -qq && cat /run/qemu-pr-helper.pid && ' \
             'ls /run && kill $(cat /run/qemu-pr-helper.pid)'
    result = subprocess.run([*mounts, "sh", "-c", script, program()], check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    lines = result.stdout.decode().splitlines()
    assert lines[1:] == ["qemu-pr-helper.pid", "qemu-pr-helper.sock"], lines


# Descriptors

@forking_test("descriptors that it inherits stay open, and keep their locks")
def _():
    for options in ([], ["-d"]):
        directory = scratch()
        with open(f"{directory}/lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            number = lock.fileno()
            result = subprocess.Popen(      # pylint: disable=consider-using-with
                [program(), *options, "-k", f"{directory}/pr.sock", "-f", f"{directory}/pid"],
                pass_fds=[number], stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists(f"{directory}/pr.sock"))
        until(lambda: result.poll() == 0 or not options)
        with adopt(f"{directory}/pid", f"{directory}/pr.sock") as daemon:
            assert daemon.descriptors()[number] == f"{directory}/lock"
            with open(f"{directory}/lock", "wb") as again:
                try:
                    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    assert False, "the lock is gone"
                except BlockingIOError:
                    pass
        result.returncode = 0


@test("started with standard descriptors closed, it does not take their place")
def _():
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        daemon = Daemon(command=["sh", "-c", f'exec "$0" "$@" {closed}', program()])
        with daemon:
            descriptors = daemon.descriptors()
            assert serves(daemon)
            assert not [descriptors[n] for n in range(3) if "socket" in descriptors[n] or
                        "anon" in descriptors[n]], descriptors


@test("a log file that may not grow any more stops nothing")
def _():
    path = f"{scratch()}/log"
    with open(path, "w+b") as file, Daemon("-v", stderr=file) as daemon:
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1000, 1000))
        for _ in range(50):
            assert serves(daemon)
        assert os.path.getsize(path) == 1000


@test("what it inherits leaves room for fewer clients, and as much for what they send")
def _():
    # What does not fit is closed by the kernel, on the main loop.
    def clients(inherited):
        result = run("--check", "-k", f"{scratch()}/pr.sock", pass_fds=inherited, preexec_fn=lambda:
                     resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 1500)))
        return int(re.search(r"enough for (\d+) clients", result.stdout)[1])

    inherited = [os.dup(NULL) for _ in range(432)]
    few, many = clients(inherited), clients([])
    for fd in inherited:
        os.close(fd)
    # Two each; at most 32 are counted as our own.
    assert many - few in range(200, 220), (few, many)


def limited(files):
    """Between fork and exec: so many descriptors."""
    return lambda: die_with_parent() or \
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


@test("a limit on open files that leaves room for few clients is told, by --check and the start")
def _():
    for files, options, verdict, warns in ((64, [], "FIX ", True), (600, [], "FIX ", True),
                                           (1000, [], "ok  ", False),
                                           (600, ["--max-clients=10"], "ok  ", False),
                                           (600, ["--max-clients=100"], "FIX ", True)):
        result = run("--check", "-k", f"{scratch()}/pr.sock", *options, preexec_fn=limited(files))
        line, = [line for line in result.stdout.splitlines() if "open files" in line]
        assert line.startswith(verdict) and "1 clients" not in line, line
        with Daemon("-q", *options, preexec_fn=limited(files)) as daemon:
            assert ("serving at most" in daemon.log()) == warns, (files, options, daemon.log())
            assert "1 clients" not in daemon.log(), daemon.log()


@test("a reader of its stderr may go away")
def _():
    ours, theirs = os.pipe()
    with Daemon("-v", "--log-target=stderr", stderr=theirs) as daemon:
        os.close(theirs)
        assert serves(daemon)
        os.close(ours)
        assert serves(daemon) and serves(daemon)


@test("a reader of its stderr that does not read blocks nothing, and learns what it missed")
def _():
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with Daemon("-T", "connection_*", "--log-target=stderr", stderr=theirs) as daemon:
        os.close(theirs)
        with daemon.client(timeout=5) as client:
            for _ in range(500):
                client.command(IN, NULL)
            text = os.read(ours, 1 << 20).decode()
            assert len(text) > 30000 and text.endswith("\n"), len(text)
            client.command(IN, NULL)
            text = os.read(ours, 1 << 20).decode()
        assert "log messages were lost" in text, text
    os.close(ours)


main()
