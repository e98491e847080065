#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where there is no journal: usage syslog.py HELPER.

A daemon of a machine without systemd logs to /dev/log, where a syslogd listens:
from the start or later, restarted or stuck. The test is the syslogd, or watches a
real one, in a mount namespace of the helper's own.
"""
import os
import re
import shutil
import socket
import subprocess

from daemon import Daemon, adopt, die_with_parent, forking_test, private_mounts, program, read, \
    scratch, until
import scsi
from tap import main, skip, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
LINE = re.compile(r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d qemu-pr-helper\[(\d+)\]: (.*)")


class Machine:
    """A /dev and a /run of the helper's own, without a journal; /dev/log is ours to make."""

    def __init__(self, listen=True, kind=socket.SOCK_DGRAM):
        self.mounts = private_mounts("for a /dev of its own")
        self.dev = scratch()
        os.chmod(os.path.dirname(self.dev), 0o755)
        os.chmod(self.dev, 0o755)
        self.log = f"{self.dev}/log"
        self.kind = kind
        self.socket = self.accepted = None
        if listen:
            self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def listen(self):
        """Become its syslogd."""
        self.socket = socket.socket(socket.AF_UNIX, self.kind)
        self.socket.bind(self.log)
        os.chmod(self.log, 0o666)
        self.socket.settimeout(5)
        if self.kind == socket.SOCK_STREAM:
            self.socket.listen()

    def end(self):
        """The syslogd's end."""
        for one in (self.socket, self.accepted):
            if one:
                one.close()
        if self.socket:
            os.unlink(self.log)
        self.socket = self.accepted = None

    def command(self, redirection=""):
        """A command that runs its arguments as a helper on this machine."""
        script = f"""mount -t tmpfs none /run
            for name in null urandom zero
            do
                : >{self.dev}/$name
                mount --bind /dev/$name {self.dev}/$name
            done
            mount --rbind {self.dev} /dev && exec "$0" "$@" {redirection}"""
        return [*self.mounts, "sh", "-c", script, program()]

    def daemon(self, *options, redirection="", **popen):
        """A helper in the foreground."""
        return Daemon(*options, command=self.command(redirection), **popen)

    def message(self):
        """The next message: priority, process, text."""
        text = self.socket.recv(65536).decode()
        found = LINE.fullmatch(text)
        assert found, text
        return int(found[1]), int(found[2]), found[3]

    def await_message(self, text):
        """The next one that has this text."""
        while True:
            message = self.message()
            if text in message[2]:
                return message


@test("--log-target=syslog: /dev/log gets what stderr would")
def _():
    with Machine() as machine, machine.daemon("-v", "--log-target=syslog") as daemon:
        priority, pid, text = machine.message()
        assert (priority, pid) == (30, daemon.pid) and "serving on" in text, text
        daemon.command(NULL, IN)
        priority, _, text = machine.message()
        assert priority == 28 and text.startswith(f"client pid {os.getpid()} "), text
        assert daemon.log() == "", daemon.log()


@test("a syslogd that listens for a stream gets the same, each message with a NUL at its end")
def _():
    with Machine(kind=socket.SOCK_STREAM) as machine, \
            machine.daemon("--log-target=syslog") as daemon:
        machine.accepted, _ = machine.socket.accept()
        machine.accepted.settimeout(5)
        daemon.command(NULL, IN)
        text = b""
        while text.count(b"\0") < 2:
            text += machine.accepted.recv(65536)
        lines = text.decode().split("\0")
        assert all(LINE.fullmatch(line) for line in lines[:-1]) and lines[-1] == "", lines
        assert "serving on" in lines[0] and "READ KEYS" in lines[1], lines


def said_on(machine, **popen):
    """Whether /dev/log has heard that it serves."""
    with machine.daemon(**popen):
        machine.socket.setblocking(False)
        try:
            return "serving on" in machine.message()[2]
        except BlockingIOError:
            return False


@test("without a journal, what stderr is decides where messages go: the table of docs/LOGGING.md")
def _():
    pipe, terminal = os.pipe(), os.openpty()
    with open(f"{scratch()}/file", "wb") as file:
        for stderr, expected in ((subprocess.DEVNULL, True), (file, False), (pipe[1], False),
                                 (terminal[1], False)):
            with Machine() as machine:
                assert said_on(machine, stderr=stderr) == expected, (stderr, expected)
    with Machine() as machine:
        assert said_on(machine, redirection="2>&-")
    for fd in (*pipe, *terminal):
        os.close(fd)


def detach(machine, *options):
    """Start one with -d; what it said, and the helper."""
    directory = scratch()
    result = subprocess.run([*machine.command(), "-d", "-k", f"{directory}/pr.sock", "-f",
                             f"{directory}/pid", *options], check=True, stderr=subprocess.PIPE,
                            text=True, timeout=20)
    return result.stderr, adopt(f"{directory}/pid", f"{directory}/pr.sock")


@forking_test("with -d and no journal, messages go to the syslogd, also as another user")
def _():
    for options in ([], ["-u", "nobody"]):
        with Machine() as machine:
            said, daemon = detach(machine, *options)
            with daemon:
                assert said == "", said
                machine.await_message("serving on")
                daemon.command(NULL, IN)
                assert machine.await_message("READ KEYS")[1] == daemon.pid
            machine.await_message("stopped")


@forking_test("a syslogd that starts later, or again, hears of it from then on")
def _():
    with Machine(listen=False) as machine:
        said, daemon = detach(machine, "-u", "nobody")
        with daemon:
            assert said.count("\n") == 1 and "nothing will be logged until a syslogd does" in said
            for _ in range(2):
                daemon.command(NULL, IN)
                machine.listen()
                daemon.command(NULL, IN)
                machine.await_message("lost, as")
                machine.await_message("READ KEYS")
                machine.end()


@test("a syslogd that never reads blocks nothing, and hears later what it missed")
def _():
    with Machine() as machine, machine.daemon("-T", "*", "--log-target=syslog") as daemon:
        with daemon.client(timeout=5) as client:
            for _ in range(1000):
                client.command(IN, NULL)
            # Reading makes room; the next message that gets through says it.
            machine.socket.settimeout(1)
            for _ in range(2000):
                if "log messages were lost" in machine.message()[2]:
                    break
                client.command(IN, NULL)
            else:
                assert False, "nothing was said of what was lost"


@test("an error at the start is on stderr, and in the syslog, too")
def _():
    with Machine() as machine, Daemon() as first:
        second = machine.daemon("--log-target=syslog", socket=first.socket, ready=False)
        assert second.wait() == 1
        assert "another process serves" in second.log()
        priority, _, text = machine.message()
        assert priority == 27 and "another process serves" in text, text


@test("busybox's syslogd writes what it is sent")
def _():
    if not shutil.which("busybox") or "syslogd" not in run_busybox():
        skip("no busybox with a syslogd")
    with Machine(listen=False) as machine, machine.daemon("--log-target=syslog") as daemon:
        messages = f"{scratch()}/messages"
        # pylint: disable=consider-using-with
        syslogd = subprocess.Popen(["nsenter", f"--mount=/proc/{daemon.pid}/ns/mnt", "busybox",
                                    "syslogd", "-n", "-O", messages],
                                   preexec_fn=die_with_parent)
        try:
            until(lambda: os.path.exists(machine.log))
            daemon.command(NULL, IN)
            until(lambda: "READ KEYS" in read(messages))
            line = next(line for line in read(messages).splitlines() if "READ KEYS" in line)
            assert re.search(rf"daemon\.warn qemu-pr-helper\[{daemon.pid}\]: client pid ", line)
        finally:
            syslogd.kill()
            syslogd.wait()


def run_busybox():
    """The names of its programs."""
    return subprocess.run(["busybox", "--list"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.split()


main()
