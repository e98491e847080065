#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operator reads: usage records.py HELPER.

A cluster has failed over in the night, and the question is which virtual
machine did what to which disk, and what the disk said. One record has to tell,
on stderr as well as in the journal, and no client may write what it likes.
"""
import ctypes
import os
import re
import socket
import subprocess

from daemon import Daemon, adopt, forking_test, private_mounts, program, scratch, until
from fakedevice import FakeDevice
import scsi
from tap import main, skip, test

IN = scsi.pr_in(scsi.READ_KEYS)
LIST = scsi.parameters(0x1122334455667788, 0xFEDCBA9876543210)
NULL = os.open("/dev/null", os.O_RDWR)
PR_SET_NAME = 15
WHO = f"client pid {os.getpid()} "


def records(log):
    """The records of commands."""
    return [line for line in log.splitlines() if "PERSISTENT RESERVE" in line]


@test("a PERSISTENT RESERVE OUT has one record, and it has everything")
def _():
    with Daemon() as daemon, FakeDevice(status=0x18) as device:
        daemon.command(device.fd, scsi.pr_out(scsi.PREEMPT, 5), LIST)
        line = daemon.await_log("PERSISTENT RESERVE")
        assert len(records(daemon.log())) == 1
    for part in (f"qemu-pr-helper: {WHO}(", f") uid {os.getuid()}: ",
                 "PERSISTENT RESERVE OUT PREEMPT (0x04)", "Write Exclusive - Registrants Only",
                 "key 0x1122334455667788", "service action key 0xfedcba9876543210",
                 "RESERVATION CONFLICT (0x18)"):
        assert part.lower() in line.lower(), (part, line)
    assert re.search(r" \d+\.\d{3} ms$", line), line


@test("sense data is told in words and numbers")
def _():
    sense = bytes.fromhex("70000600000000 0a 000000002a05").ljust(18, b"\0")
    with Daemon() as daemon, FakeDevice(status=2, sense=sense) as device:
        daemon.command(device.fd, scsi.pr_out(scsi.REGISTER), LIST)
        line = daemon.await_log("PERSISTENT RESERVE")
    for part in ("CHECK CONDITION (0x02)", "UNIT ATTENTION", "6/2A/05",
                 "REGISTRATIONS PREEMPTED"):
        assert part in line, (part, line)


@test("an answer of the helper's own says so, and why, and what the descriptor was")
def _():
    with Daemon() as daemon:
        for fd, kind in ((NULL, "1:3"), (os.open("/", os.O_RDONLY), "a directory"),
                         (os.memfd_create("named"), None)):
            daemon.command(fd, IN)
            if kind:
                line = daemon.await_log(kind)
                assert "by the helper" in line and "B/00/06" in line, line


@test("-q leaves out what went well, -v adds every command, -qq what is no error")
def _():
    def said(*options):
        with Daemon(*options) as daemon, FakeDevice() as device:
            daemon.command(device.fd, scsi.pr_out(scsi.REGISTER), LIST)
            daemon.command(device.fd, IN)
            daemon.command(NULL, IN)
            assert daemon.stop() == 0
            log = daemon.log()
        return ["serving" in log, "REGISTER" in log, "READ KEYS (0x00) on no" in log,
                "by the helper" in log]
    assert said() == [True, True, False, True]
    assert said("-v") == [True, True, True, True]
    assert said("-q") == [False, False, False, True]
    assert said("-q", "-q") == [False, False, False, False]


@test("a breach of the protocol is told, with the client and the reason")
def _():
    with Daemon() as daemon:
        with daemon.client() as client:
            client.send(bytes(16), [NULL])
            assert client.is_closed_by_peer()
        assert WHO in daemon.await_log("sent a command that is not PERSISTENT RESERVE")


@test("a client cannot write to the log what it likes")
def _():
    libc = ctypes.CDLL(None)
    names = [b"a\nqemu-pr", b"\x1b[2J\x07\x7f\x08", b"\xc2\x9b31m", b"\x9b31m\xff", b"%s%n%1$s"]
    with Daemon() as daemon:
        for name in names:
            pid = os.fork()
            if pid == 0:
                libc.prctl(PR_SET_NAME, name, 0, 0, 0)
                try:
                    daemon.command(NULL, IN)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        until(lambda: len(records(daemon.log())) == len(names))
        with open(daemon._log, "rb") as file:       # pylint: disable=protected-access
            log = file.read()
        assert re.fullmatch(rb"(qemu-pr-helper: [ -~]+\n)+", log), log


# The journal

class Journal:
    """Listens where journald does, in a mount namespace of the helper's own."""

    def __init__(self):
        self.mounts = private_mounts("to put a socket in place of journald's")
        self.directory = scratch()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{self.directory}/socket")
        self.socket.settimeout(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def command(self, redirection=""):
        """A command that runs its arguments as a helper for which this is the journal."""
        script = f"mount -t tmpfs none /run && mkdir -p /run/systemd/journal && " \
                 f"mount --bind {self.directory} /run/systemd/journal && " \
                 f"exec \"$0\" \"$@\" {redirection}"
        return [*self.mounts, "sh", "-c", script, program()]

    def daemon(self, *options, close_stderr=False, **popen):
        """A helper for which this is the journal."""
        return Daemon(*options, command=self.command("2>&-" if close_stderr else ""), **popen)

    def entry(self):
        """The next entry, as a dictionary."""
        lines = self.socket.recv(65536).decode().splitlines()
        fields = [line.partition("=")[::2] for line in lines]
        assert len(dict(fields)) == len(fields), fields
        return dict(fields)


@test("the journal gets the same record, with fields to search for")
def _():
    with Journal() as journal, FakeDevice(status=0x18) as device:
        with journal.daemon("--log-target=journal") as daemon:
            start = journal.entry()
            assert start["SYSLOG_IDENTIFIER"] == "qemu-pr-helper" and start["PRIORITY"] == "6"
            assert "serving on" in start["MESSAGE"], start
            daemon.command(device.fd, scsi.pr_out(scsi.PREEMPT, 5), LIST)
            entry = journal.entry()
            assert daemon.log() == "", daemon.log()
    expected = {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "qemu-pr-helper",
                "PR_PEER_PID": str(os.getpid()), "PR_PEER_UID": str(os.getuid()),
                "PR_COMMAND": "PERSISTENT RESERVE OUT", "PR_SERVICE_ACTION": "PREEMPT",
                "PR_TYPE": "5", "PR_KEY": "0x1122334455667788",
                "PR_SERVICE_ACTION_KEY": "0xfedcba9876543210",
                "PR_STATUS": "RESERVATION CONFLICT"}
    assert {name: entry.get(name) for name in expected} == expected, entry
    assert WHO in entry["MESSAGE"] and entry["PR_DURATION_USEC"].isdigit(), entry


def said_on(ours, options, **popen):
    """Where a helper with this stderr has said that it serves; ours is our end of it."""
    with Journal() as journal, journal.daemon(*options, **popen):
        os.set_blocking(ours, False)
        journal.socket.setblocking(False)
        places = set()
        for place, read in (("stderr", lambda: os.read(ours, 1000)),
                            ("journal", lambda: journal.socket.recv(1000))):
            try:
                if b"serving on" in read():
                    places.add(place)
            except BlockingIOError:
                pass
    return places


@test("with a journal, what stderr is decides where messages go: the table of docs/LOGGING.md")
def _():
    pipe, pair, terminal = os.pipe(), socket.socketpair(), os.openpty()
    path = f"{scratch()}/file"
    with open(path, "wb") as file, open(path, "rb") as written, open("/dev/null", "wb") as null:
        table = [("a pipe, as libvirt has it", pipe[0], pipe[1], "journal"),
                 ("a socket, as systemd has it", pair[0].fileno(), pair[1], "journal"),
                 ("/dev/null", pipe[0], null, "journal"),
                 ("a terminal", terminal[0], terminal[1], "stderr"),
                 ("a file", written.fileno(), file, "stderr")]
        for what, ours, theirs, expected in table:
            places = said_on(ours, [], stderr=theirs)
            assert places == {expected}, (what, places)
            other = {"journal", "stderr"} - {expected}
            if what != "/dev/null":
                places = said_on(ours, [f"--log-target={one}" for one in other], stderr=theirs)
                assert places == other, (what, places)
    assert said_on(pipe[0], [], stderr=pipe[1], close_stderr=True) == {"journal"}
    for one in pair:
        one.close()
    for fd in (*pipe, *terminal):
        os.close(fd)


@forking_test("with -d messages go to the journal, whatever stderr is")
def _():
    pidfile = f"{scratch()}/pid"
    path = f"{scratch()}/pr.sock"
    with open(f"{scratch()}/file", "w+b") as file, Journal() as journal:
        subprocess.run([*journal.command(), "-d", "-k", path, "-f", pidfile], check=True,
                       stderr=file, timeout=20)
        with adopt(pidfile, path):
            assert "serving on" in journal.entry()["MESSAGE"]
        file.seek(0)
        assert file.read() == b""


@test("where stderr is a pipe and there is no journal, as in a container, stderr has them")
def _():
    if os.path.exists("/run/systemd/journal/socket"):
        skip("there is a journal here")
    ours, theirs = os.pipe()
    with Daemon(stderr=theirs):
        assert b"serving on" in os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)


@test("a journal that never reads blocks nothing, and hears later what it missed")
def _():
    with Journal() as journal, journal.daemon("-T", "*", "--log-target=journal") as daemon:
        with daemon.client(timeout=5) as client:
            for _ in range(1000):
                client.command(IN, NULL)
            # Reading makes room; the next message that gets through says it.
            client.sock.settimeout(1)
            for _ in range(2000):
                if "log messages were lost" in journal.entry()["MESSAGE"]:
                    break
                client.command(IN, NULL)
            else:
                assert False, "nothing was said of what was lost"


@test("an error at the start is on stderr, and in the journal, too")
def _():
    with Journal() as journal:
        with Daemon() as first:
            second = journal.daemon("--log-target=journal", socket=first.socket, ready=False)
            assert second.wait() == 1
            assert "another process serves" in second.log()
            entry = journal.entry()
            assert "another process serves" in entry["MESSAGE"] and entry["PRIORITY"] == "3"


@test("where stderr is the journal's own, an error at the start is there once")
def _():
    ours, theirs = socket.socketpair()
    inode = os.fstat(theirs.fileno())
    with Journal() as journal, Daemon() as first:
        for stream, expected in ((f"{inode.st_dev}:{inode.st_ino}", b""),
                                 (f"{inode.st_dev}:1", b"another process serves"),
                                 ("nonsense", b"another process serves")):
            second = journal.daemon(socket=first.socket, ready=False, stderr=theirs,
                                    env={"JOURNAL_STREAM": stream})
            assert second.wait() == 1
            assert "another process serves" in journal.entry()["MESSAGE"]
            ours.settimeout(0.2)
            try:
                said = ours.recv(4096)
            except socket.timeout:
                said = b""
            assert expected in said and bool(expected) == bool(said), (stream, said)


@forking_test("-d where there is no journal says that nothing will be logged")
def _():
    hidden = [*private_mounts("to hide journald's socket"), "sh", "-c",
              'mount -t tmpfs none /run && exec "$0" "$@"']
    for options, lines in (([], 1), (["-qq"], 0)):
        directory = scratch()
        result = subprocess.run([*hidden, program(), "-d", *options, "-k", f"{directory}/pr.sock",
                                 "-f", f"{directory}/pid"],
                                check=False, stderr=subprocess.PIPE, text=True, timeout=20)
        with adopt(f"{directory}/pid", f"{directory}/pr.sock"):
            assert result.returncode == 0 and result.stderr.count("\n") == lines, result
            assert not lines or "nothing will be logged" in result.stderr, result


main()
