#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-pr-client against a helper that says what the test wants.

    test-client.py PATH-OF-qemu-pr-client

The helper is a thread here: it answers with chosen bytes, lies, hangs, or
hangs up at any step of the conversation. --ping is tried on real ones, too: QEMU's,
and the fake/qemu-pr-helper beside the client. TAP on standard output.
"""
import array
import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import scsi  # noqa: E402  pylint: disable=wrong-import-position
from tap import main, skip, test  # noqa: E402  pylint: disable=wrong-import-position

CLIENT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
PEER = "/usr/bin/qemu-pr-helper"
FAKE = CLIENT and os.path.join(os.path.dirname(CLIENT), "fake/qemu-pr-helper")
WORK = tempfile.mkdtemp(prefix="test-client-")
SOCKET = os.path.join(WORK, "pr.sock")

KEYS = bytes.fromhex("0000000100000008" "0000000000123abc")
KEYS_TEXT = ("  PR generation=0x1, 1 registered reservation key follows:\n"
             "    0x123abc\n")


def sense(key, asc, ascq):
    """Fixed format sense data."""
    return bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq]).ljust(96, b"\0")


def reply(status=0, sense_data=b"", payload=b"", size=None):
    """A whole answer; size is the lie about the payload's."""
    size = len(payload) if size is None else size
    return struct.pack(">II", status, size) + sense_data.ljust(96, b"\0") + payload


class Close(Exception):
    """Raised in a script: hang up now."""


class Helper:
    """A helper that serves one connection by a script, in a thread.

    The script gets the helper. Whatever it does not do by itself is there as
    a method; what the client sent is in the attributes afterwards.
    """

    def __init__(self, script, backlog=5):
        self.script = script
        self.features = self.cdb = self.parameters = None
        self.after = None           # what came after the answer; b"" is EOF
        self.descriptors = []       # (st_rdev, st_ino, access mode) of each
        self.error = None
        self.conn = None
        self.done = threading.Event()       # set: a script that hangs may end
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(SOCKET)
        self.listener.listen(backlog)
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.done.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        os.unlink(SOCKET)
        if self.error and exc == (None, None, None):
            raise self.error

    def _serve(self):
        try:
            self.conn, _ = self.listener.accept()
        except OSError:
            return              # the client never came
        with self.conn:
            try:
                self.script(self)
            except (Close, ConnectionError):
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.error = error

    def send(self, data):
        """Send it all."""
        self.conn.sendall(data)

    def receive(self, size):
        """Receive exactly this many bytes."""
        data = b""
        while len(data) < size:
            more = self.conn.recv(size - len(data))
            if not more:
                raise Close()
            data += more
        return data

    def handshake(self, features=0):
        """Both feature words."""
        self.send(struct.pack(">I", features))
        self.features, = struct.unpack(">I", self.receive(4))

    def take_cdb(self):
        """The CDB and its descriptors, which are looked at and closed."""
        data = b""
        while len(data) < 16:
            more, control, _, _ = self.conn.recvmsg(16 - len(data), socket.CMSG_SPACE(4 * 8))
            if not more:
                raise Close()
            data += more
            for level, kind, raw in control:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                for fd in array.array("i", raw):
                    info = os.fstat(fd)
                    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
                    self.descriptors.append((info.st_rdev, info.st_ino, mode))
                    os.close(fd)
        self.cdb = data

    def take_command(self):
        """The handshake, the CDB, and the parameter list if it has one."""
        self.handshake()
        self.take_cdb()
        if self.cdb[0] == scsi.PERSISTENT_RESERVE_OUT:
            self.parameters = self.receive(scsi.parameter_list_length(self.cdb))

    def drain(self):
        """Wait for the client to hang up."""
        self.after = self.conn.recv(1)

    def hang(self):
        """Do nothing until the test is over."""
        self.done.wait(30)


def answering(data):
    """The script that answers one command with these bytes."""
    def script(helper):
        helper.take_command()
        helper.send(data)
        helper.drain()
    return script


def run(*arguments, device="/dev/null", client=CLIENT, prefix=(), **options):
    """Run the client on SOCKET; device=None for none."""
    command = [client, *prefix, f"--socket={SOCKET}", *arguments]
    if device is not None:
        command.append(device)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                          check=False, **options)


def run_as_nobody(*arguments, **options):
    """The same without privileges."""
    if os.geteuid() != 0:
        return run(*arguments, **options)
    copy = os.path.join(WORK, "client")     # where nobody can reach it
    shutil.copy(CLIENT, copy)
    os.chmod(WORK, 0o755)
    return run(*arguments, client=copy, user=65534, group=65534, extra_groups=[], **options)


def ask(data, *arguments, **options):
    """Run the client against an answer; returns (helper, result)."""
    with Helper(answering(data)) as helper:
        result = run(*arguments, **options)
    return helper, result


def check_error(result, status, *words):
    """A failure: this exit status, nothing printed, one line with these words."""
    assert result.returncode == status, (result.returncode, result.stderr)
    assert result.stdout == "", result.stdout
    check_message(result, *words)


def check_message(result, *words):
    """One line on standard error, with these words."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("qemu-pr-client: "), result.stderr
    for word in words:
        assert word in lines[0], (word, result.stderr)


# What is sent, and good answers.

@test("READ KEYS: request, descriptor and output")
def _():
    helper, result = ask(reply(payload=KEYS))
    assert (result.returncode, result.stdout, result.stderr) == (0, KEYS_TEXT, ""), result
    assert helper.features == 0
    assert helper.cdb == scsi.pr_in(scsi.READ_KEYS), helper.cdb.hex()
    assert helper.after == b"", "the client sent more than a command"
    assert helper.descriptors == [(os.stat("/dev/null").st_rdev, os.stat("/dev/null").st_ino,
                                   os.O_RDONLY)], helper.descriptors


@test("RESERVE: request, parameter list, a descriptor for writing")
def _():
    helper, result = ask(reply(), "--out", "--reserve", "--param-rk=123abc", "--prout-type=5")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
    assert helper.cdb == scsi.pr_out(scsi.RESERVE, 5), helper.cdb.hex()
    assert helper.parameters == scsi.parameters(0x123abc), helper.parameters.hex()
    assert [mode for _, _, mode in helper.descriptors] == [os.O_RDWR]


@test("--readonly: once for reading, twice for writing")
def _():
    helper, result = ask(reply(2, sense(5, 0x20, 0)), "-o", "-R", "-T1", "-y")
    assert helper.descriptors[0][2] == os.O_RDONLY
    check_error(result, 9, "PR out (Reserve): Illegal request", "(sense 5/20/00)",
                "open for reading only")
    helper, _ = ask(reply(payload=KEYS), "-yy")
    assert helper.descriptors[0][2] == os.O_RDWR


@test("a device that may not be written falls back to reading")
def _():
    path = os.path.join(WORK, "readonly")
    with open(path, "wb"):
        os.chmod(path, 0o444)
    with Helper(answering(reply(2, sense(5, 0x20, 0)))) as helper:
        os.chmod(SOCKET, 0o666)
        result = run_as_nobody("-o", "-R", "-T1", device=path)
    assert helper.descriptors[0][2] == os.O_RDONLY
    check_error(result, 9, "open for reading only")


@test("REGISTER AND MOVE and REGISTER with TransportIDs")
def _():
    sas = bytes.fromhex("060000005000c50005b32001").ljust(24, b"\0")
    helper, result = ask(reply(), "-oMUZ", "-K1", "-S2", "-T5", "-Q3",
                         "--transport-id=sas,5000c50005b32001")
    assert result.returncode == 0, result
    assert helper.cdb == scsi.pr_out(scsi.REGISTER_AND_MOVE, 5, 48)
    assert helper.parameters == scsi.move_parameters(1, 2, 3, sas, True, True)
    helper, result = ask(reply(), "-oG", "-S2", "-X", "-",
                         stdin=None, input="# two\nsas,5000c50005b32001\n6,0,0,0,1\n")
    assert result.returncode == 0, result
    assert helper.parameters == (scsi.parameters(0, 2, scsi.SPEC_I_PT) + struct.pack(">I", 48)
                                 + sas + b"\6\0\0\0\1".ljust(24, b"\0"))


@test("the longest parameter list, taken slowly")
def _():
    def script(helper):
        helper.handshake()
        helper.take_cdb()
        size = scsi.parameter_list_length(helper.cdb)
        helper.parameters = b""
        while len(helper.parameters) < size:
            helper.parameters += helper.receive(min(512, size - len(helper.parameters)))
            time.sleep(0.01)
        helper.send(reply())
    with Helper(script) as helper:
        result = run("-oG", "-S1", *["--transport-id=6"] * 340)
    assert result.returncode == 0, result
    assert len(helper.parameters) == 28 + 340 * 24


@test("an answer that comes byte by byte, with descriptors in it")
def _():
    def script(helper):
        helper.take_command()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("ii", 0, 1))]
        for byte in reply(payload=KEYS):
            helper.conn.sendmsg([bytes([byte])], rights)
        helper.drain()
    with Helper(script):
        result = run()
    assert (result.returncode, result.stdout) == (0, KEYS_TEXT), result


@test("every action reaches the helper under its number")
def _():
    for number, name in enumerate(["read-keys", "read-reservation", "report-capabilities",
                                   "read-full-status"]):
        helper, _ = ask(reply(2, sense(5, 0x24, 0)), f"--{name}", "--alloc-length=18")
        assert helper.cdb == scsi.pr_in(number, 24), (name, helper.cdb.hex())
    for number, name in enumerate(["register", "reserve", "release", "clear", "preempt",
                                   "preempt-abort", "register-ignore"]):
        helper, _ = ask(reply(), "--out", f"--{name}", "-T1")
        assert helper.cdb == scsi.pr_out(number, 1), (name, helper.cdb.hex())


@test("--verbose shows what is sent")
def _():
    _, result = ask(reply(), "-vv", "-oG", "-S1")
    assert result.stdout == "", result
    assert result.stderr.endswith("\nPR out: command (Register) successful\n"), result
    assert "Persistent reservation out cdb: [5f 00 00 00 00 00 00 00 18 00]" in result.stderr
    assert " 00     00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 01\n" in result.stderr


@test("--verbose: the words behind each action, on standard error as sg_persist")
def _():
    for action, words in (("-G", "command (Register) successful"),
                          ("-I", "command (Register and ignore existing key) successful"),
                          ("-A", "command (Preempt and abort) successful"),
                          ("-M", "'register and move' command successful")):
        more = ("-X", "sas,5000c50005b32001") if action == "-M" else ()
        for json_too in ((), ("-j",)):
            _, result = ask(reply(), "-v", "-o", action, "-T5", *more, *json_too)
            assert result.stderr.endswith(f"]\nPR out: {words}\n"), result
            assert (result.stdout == "") == (not json_too), result


@test("an action that needs a type warns, and is sent")
def _():
    for action in ("-R", "-L", "-P", "-A"):
        helper, result = ask(reply(), "-o", action, "-K1")
        assert result.returncode == 0 and helper.cdb[2] == 0, result
        check_message(result, "--prout-type probably needs to be given")
    # The type stays as it is, so sg_persist asks for none.
    _, result = ask(reply(), "-oM", "-K1", "-S2", "-X", "sas,5000c50005b32001")
    assert (result.returncode, result.stderr) == (0, ""), result


@test("a command that was carried out with a remark is a success")
def _():
    for key in (0, 1):
        _, result = ask(reply(2, sense(key, 0x17, 1)), "-oG", "-S1")
        assert (result.returncode, result.stdout) == (0, ""), result
        check_message(result, "PR out (Register): ", f"(sense {key}/17/01)", "was carried out")
        _, result = ask(reply(2, sense(key, 0x17, 1)), "-oG", "-S1", "-j")
        assert json.loads(result.stdout)["exit_status"] == 0, result
        # What was to be read did not come along.
        _, result = ask(reply(2, sense(key, 0x17, 1)), "-k")
        check_error(result, 20 + key, f"(sense {key}/17/01)")


# What the device refuses.

@test("status and sense become sg_persist's exit statuses")
def _():
    for answer, status, words in (
            (reply(0x18), 24, "PR in (Read keys): Reservation conflict (status 0x18); "),
            (reply(0x18), 24, "--read-full-status shows who"),
            (reply(0x08), 26, "Busy"), (reply(0x28), 27, "Task set full"),
            (reply(0x30), 28, "ACA active"), (reply(0x40), 29, "Task aborted"),
            (reply(0x04), 25, "Condition met"), (reply(0x55), 99, "(status 0x55)"),
            (reply(2, sense(2, 4, 1)), 2, "Not ready"),
            (reply(2, sense(5, 0x24, 0)), 5, "INVALID FIELD IN CDB (sense 5/24/00)"),
            (reply(2, sense(5, 0x20, 0)), 9, "(sense 5/20/00)"),
            (reply(2, sense(6, 0x2a, 3)), 6, "Unit attention: RESERVATIONS PREEMPTED"),
            (reply(2, sense(0xb, 0, 6)), 11, "is DEVICE a SCSI device"),
            (reply(2, bytes([0x72, 6, 0x2a, 5])), 6, "REGISTRATIONS PREEMPTED"),
            (reply(2), 98, "without sense data")):
        _, result = ask(answer)
        check_error(result, status, "/dev/null: ", words)


# Answers that the device cut off, or got wrong.

@test("a list that the allocation length cut off says so")
def _():
    payload = struct.pack(">II4Q", 3, 88, 1, 2, 3, 4)
    _, result = ask(reply(payload=payload), "-l", "28")
    assert result.returncode == 0 and result.stderr == "", result
    assert result.stdout == ("  PR generation=0x3, 11 registered reservation keys follow:\n"
                             "    0x1\n    0x2\n    0x3\n    0x4\n    list continues: 40 of 96 "
                             "bytes shown; use --alloc-length=60\n"), result.stdout


@test("a list shorter than the device says is malformed")
def _():
    payload = struct.pack(">II4Q", 3, 88, 1, 2, 3, 4)
    _, result = ask(reply(payload=payload))
    assert result.returncode == 97 and "    0x4\n" in result.stdout, result
    check_message(result, "/dev/null", "should have 96 bytes, but 40 arrived")


@test("lying lengths are reported, whatever the action")
def _():
    for action, payload in (("-k", struct.pack(">II", 1, 0xffffffff)),
                            ("-k", b""), ("-k", b"\1\2\3"),
                            ("-r", struct.pack(">IIQ", 1, 16, 5)),
                            ("-r", struct.pack(">IIQQ", 1, 17, 5, 5)),
                            ("-c", bytes.fromhex("0009000000000000")),
                            ("-c", bytes.fromhex("0008")),
                            ("-s", struct.pack(">IIQ4xBB4xHI", 1, 24, 5, 0, 0, 0, 0xffffffff)),
                            ("-s", struct.pack(">IIQ", 1, 8, 5))):
        for options in ((), ("-H",), ("-HH",), ("-j",), ("-jH",)):
            _, result = ask(reply(payload=payload), action, *options)
            assert result.returncode == 97, (action, payload.hex(), options, result)
            check_message(result, "malformed")
            if "j" in "".join(options):
                assert json.loads(result.stdout)["complete"] is False


@test("an initiator's name cannot write to the terminal")
def _():
    name = b"iqn.\x1b[31m\n\xff\xe2\x80\xae".ljust(20, b"\0")
    payload = struct.pack(">IIQ4xBB4xHI", 1, 48, 5, 0, 0, 0, 24) + b"\5\0\0\x14" + name
    _, result = ask(reply(payload=payload), "-s")
    assert result.returncode == 0, result
    assert "iSCSI name: iqn.\\x1b[31m\\x0a\\xff\\xe2\\x80\\xae\n" in result.stdout, result.stdout
    _, result = ask(reply(payload=payload), "-s", "-j")
    assert result.stdout.isascii() or "\x1b" not in result.stdout
    assert json.loads(result.stdout)["registrations"][0]["transport_id"]["text"] == (
        "iqn.\x1b[31m\n\ufffd\u202e")


# A helper that breaks the protocol.

@test("a helper that answers with more than was asked for")
def _():
    for data, arguments in ((reply(payload=KEYS + b"\0" * 9), ("-l", "18")),
                            (reply(size=8193), ()), (reply(size=0xffffffff), ()),
                            (reply(size=1), ("-l", "0")),
                            (reply(payload=KEYS), ("-oG",)),
                            (reply(0x18, payload=KEYS), ()),
                            (reply(2, sense(6, 0x29, 0), KEYS), ())):
        _, result = ask(data, *arguments)
        check_error(result, 97, SOCKET, "breaks the protocol", " where at most ")


@test("a helper that sends no SCSI status, or more than its answer")
def _():
    _, result = ask(reply(0x100))
    check_error(result, 97, SOCKET, "0x100 is not a SCSI status")
    _, result = ask(reply(payload=KEYS) + b"x")
    check_error(result, 97, SOCKET, "sends more than its answer")


@test("something else than a helper")
def _():
    for arguments, device in (((), "/dev/null"), (("--ping",), None)):
        with Helper(lambda helper: helper.handshake(0x7b22514d)) as helper:
            result = run(*arguments, device=device)
        check_error(result, 97, SOCKET, "unknown features (0x7b22514d)")
        assert helper.cdb is None and not helper.descriptors


def close_at(step):
    """A script that hangs up at this step."""
    def script(helper):
        if step == "greeting":
            raise Close()
        if step == "half a greeting":
            helper.send(b"\0\0")
            raise Close()
        helper.handshake()
        if step == "handshake":
            helper.conn.shutdown(socket.SHUT_RDWR)
            raise Close()
        helper.take_cdb()
        if step == "cdb":
            raise Close()
        helper.receive(24)
        whole = reply(payload=KEYS)
        helper.send(whole[:{"command": 0, "half a header": 50}[step]])
        raise Close()
    return script


@test("a helper that hangs up during the handshake")
def _():
    for step in ("greeting", "half a greeting"):
        with Helper(close_at(step)):
            result = run()
        check_error(result, 15, SOCKET, "before the handshake was complete")
        with Helper(close_at(step)):
            result = run("--ping", device=None)
        check_error(result, 15, SOCKET, "before the handshake was complete")


@test("a helper that hangs up instead of answering")
def _():
    for step in ("handshake", "cdb", "command", "half a header"):
        with Helper(close_at(step)):
            result = run("-oG", "-S1")
        check_error(result, 99, SOCKET, "closed the connection")
        assert ("was not carried out" in result.stderr) != ("is unknown" in result.stderr)
    with Helper(close_at("half a header")):
        result = run("-oG", "-S1")
    check_error(result, 99, "whether the command was carried out is unknown")


@test("a helper that hangs up in the payload")
def _():
    def script(helper):
        helper.take_command()
        helper.send(reply(payload=KEYS)[:-1])
    with Helper(script):
        result = run()
    check_error(result, 99, SOCKET, "is unknown")


@test("a helper that hangs, at every step")
def _():
    def greeting(helper):
        helper.hang()

    def cdb(helper):
        helper.handshake()
        helper.hang()

    def answer(helper):
        helper.take_command()
        helper.hang()

    def payload(helper):
        helper.take_command()
        helper.send(reply(payload=KEYS)[:-1])
        helper.hang()
    for script, words in ((greeting, "no answer within the time limit"),
                          (cdb, "no answer to the command"), (answer, "is unknown"),
                          (payload, "is unknown")):
        start = time.monotonic()
        with Helper(script):
            result = run("--timeout=1")
        check_error(result, 33, SOCKET, words)
        assert 0.9 < time.monotonic() - start < 5


@test("a helper that answers too slowly is within the same time limit")
def _():
    def script(helper):
        helper.take_command()
        for byte in reply(payload=KEYS):
            helper.send(bytes([byte]))
            if helper.done.wait(0.2):
                return
    start = time.monotonic()
    with Helper(script):
        result = run("-t1")
    check_error(result, 33, "is unknown")
    assert time.monotonic() - start < 5


# No helper.

@test("no socket, no process, no permission, no stream socket")
def _():
    check_error(run(), 15, SOCKET, "no such socket", "is qemu-pr-helper running")
    check_error(run("--ping", device=None), 15, SOCKET, "no such socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.close()
    check_error(run(), 15, SOCKET, "connection refused", "start qemu-pr-helper again")
    os.unlink(SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(SOCKET)
        check_error(run(), 15, SOCKET, "not a stream socket")
    os.unlink(SOCKET)
    with open(SOCKET, "x", encoding="ascii"):
        check_error(run(), 15, SOCKET, "is not a socket", "--socket")
    os.unlink(SOCKET)


@test("a socket that this user may not open")
def _():
    with Helper(lambda helper: helper.handshake()):
        os.chmod(SOCKET, 0)
        result = run_as_nobody("--ping", device=None)
    check_error(result, 15, SOCKET, "permission denied")


@test("a full backlog ends with the time limit")
def _():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET)
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect(SOCKET)
        except BlockingIOError:
            pass
        check_error(run("--timeout=1"), 33, SOCKET, "no answer within the time limit")
        for client in waiting:
            client.close()
    os.unlink(SOCKET)


@test("a device that cannot be opened; the helper is left alone")
def _():
    with Helper(lambda helper: helper.handshake()) as helper:
        check_error(run(device="/nowhere/x"), 52, "/nowhere/x: cannot open it for reading")
        check_error(run("-oG", device=WORK), 71, WORK, "for writing")
    assert helper.features is None


# --ping

@test("--ping: one line, the handshake, and no command")
def _():
    def script(helper):
        helper.handshake()
        helper.drain()
    with Helper(script) as helper:
        result = run("--ping", device=None)
    assert (result.returncode, result.stderr) == (0, ""), result
    assert result.stdout == (
        f"{SOCKET}: another helper answers, QEMU's own for example: pid {os.getpid()}, "
        f"user {user()}, program {os.readlink('/proc/self/exe')}\n"), result
    assert helper.features == 0 and helper.after == b""


def user():
    """Who this process is, as the client says it."""
    with open("/etc/passwd", encoding="utf-8") as lines:
        for line in lines:
            name, _, uid = line.split(":")[:3]
            if int(uid) == os.getuid():
                return name
    return str(os.getuid())


@contextlib.contextmanager
def serving(program):
    """A real helper at SOCKET."""
    with subprocess.Popen([program, "-k", SOCKET], stderr=subprocess.DEVNULL) as helper:
        try:
            while run("--ping", device=None).returncode != 0:
                assert helper.poll() is None, f"{program} ended"
                time.sleep(0.05)
            yield helper
        finally:
            helper.terminate()


@test("--ping: a helper of this project, and which version runs")
def _():
    program = os.path.join(WORK, "qemu-pr-helper")
    shutil.copy(FAKE, program)
    version = run("--version", device=None).stdout.split()[1]
    with serving(program) as helper:
        result = run("--ping", device=None)
        assert result.stdout == (f"{SOCKET}: qemu-pr-helper {version} answers: pid {helper.pid}, "
                                 f"user {user()}, program {program}\n"), result
        assert json.loads(run("-jp", device=None).stdout) == {
            "socket": SOCKET, "exit_status": 0,
            "helper": {"kind": "own", "version": version, "pid": helper.pid, "uid": os.getuid(),
                       "user": user(), "program": program}}
        # The program that runs is looked at, and not what has taken its place.
        os.unlink(program)
        with open(program, "wb") as other:
            other.write(b"@(#)qemu-pr-helper 99\0")
        result = run("--ping", device=None)
        assert f"qemu-pr-helper {version} answers" in result.stdout, result
        assert result.stdout.endswith(f"program {program} (deleted)\n"), result


@test("--ping: a helper that is not for this user to look into")
def _():
    if os.geteuid() != 0:
        skip("needs root to be another user")
    with serving(FAKE) as helper:
        os.chmod(SOCKET, 0o666)
        result = run_as_nobody("--ping", device=None)
        assert (result.returncode, result.stderr) == (0, ""), result
        assert result.stdout == (
            f"{SOCKET}: a helper answers, its version is unknown (cannot read "
            f"/proc/{helper.pid}/exe: Permission denied): pid {helper.pid}, user root, "
            f"program qemu-pr-helper\n"), result
        found = json.loads(run_as_nobody("-jp", device=None).stdout)["helper"]
        assert (found["kind"], found["version"]) == ("unknown", None), found
        assert "Permission denied" in found["reason"], found


@test("--ping: a helper outside of the client's container")
def _():
    unshare = ("unshare", "--pid", "--fork")
    if subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        skip("may not make a PID namespace")
    with serving(FAKE):
        result = run("--ping", device=None, client=unshare[0], prefix=(*unshare[1:], CLIENT))
        assert result.stdout == (f"{SOCKET}: a helper answers, its version is unknown (its process "
                                 f"is outside of this container (PID namespace)): user "
                                 f"{user()}\n"), result


@test("--ping: systemd listens, and the service does not come up")
def _():
    with open("/proc/self/comm", "r+", encoding="ascii") as comm:
        name = comm.read()
        comm.seek(0)
        comm.write("systemd")
        comm.flush()
        try:
            with Helper(lambda helper: helper.hang()):
                result = run("-pt1", device=None)
                check_error(result, 33, SOCKET, "systemd holds this socket", "does not come up",
                            "'systemctl --user status qemu-pr-helper.service'")
        finally:
            comm.seek(0)
            comm.write(name)


# --json and --hex

@test("--json: one object, whatever happens")
def _():
    _, result = ask(reply(payload=KEYS), "--json", "--hex")
    assert json.loads(result.stdout) == {
        "socket": SOCKET, "device": "/dev/null", "command": "PERSISTENT RESERVE IN",
        "service_action": "READ KEYS", "status": "GOOD", "status_code": 0, "generation": 1,
        "keys": ["0x123abc"], "complete": True, "payload": KEYS.hex(), "exit_status": 0}, result
    for answer, status in ((reply(0x18), 24), (reply(2, sense(6, 0x29, 0)), 6),
                           (reply(size=9000), 97), (b"x", 99)):
        def script(helper, answer=answer):
            helper.take_command()
            helper.send(answer)
        with Helper(script):
            result = run("-j")
        assert result.returncode == status, result
        found = json.loads(result.stdout)
        assert found["exit_status"] == status and ("error" in found) == (status >= 97), found
    assert json.loads(run("-j").stdout)["exit_status"] == 15
    assert json.loads(run("-jp", device=None).stdout)["exit_status"] == 15
    assert json.loads(run("-j", device=b"/no\xffwhere\"\n").stdout)["device"] == (
        "/no\ufffdwhere\"\n")
    assert json.loads(run("-joG", "-X", "sas,1").stdout)["exit_status"] == 1


@test("--hex: the bytes that the device means")
def _():
    _, result = ask(reply(payload=KEYS + b"\0" * 100), "-HH")
    assert result.stdout == " 00     00 00 00 01 00 00 00 08  00 00 00 00 00 12 3a bc\n", result
    _, result = ask(reply(payload=KEYS), "-H")
    assert result.stdout == ("  PR generation=0x1, Additional length=8\n"
                             " 00     00 00 00 00 00 12 3a bc\n"), result


# The command line and the standard descriptors.

@test("a wrong command line: exit status 1 or 31, and a hint")
def _():
    for status, arguments in ((1, []), (1, ["--bogus", "/dev/null"]),
                              (1, ["-K", "12g", "/dev/null"]), (31, ["-G", "/dev/null"]),
                              (31, ["--ping", "/dev/null"])):
        result = run(*arguments, device=None)
        assert result.returncode == status and result.stdout == "", result
        assert result.stderr.endswith("Try 'qemu-pr-client --help' for more information.\n")


@test("output that cannot be written is a failure")
def _():
    with open("/dev/full", "w", encoding="ascii") as full:
        _, result = ask(reply(payload=KEYS), stdout=full)
        assert result.returncode == 15 and "No space left" in result.stderr, result
        assert run("--help", device=None, stdout=full).returncode == 15
        # What the device said is the more important news.
        _, result = ask(reply(0x18), "-j", stdout=full)
        assert result.returncode == 24, result
    reader, writer = os.pipe()
    os.close(reader)
    _, result = ask(reply(payload=KEYS), stdout=writer)
    os.close(writer)
    assert result.returncode == 15 and "Broken pipe" in result.stderr, result


def read_all(fd):
    """Until the end; a terminal whose last user has gone says EIO."""
    data = b""
    try:
        while more := os.read(fd, 4096):
            data += more
    except OSError as error:
        assert error.errno == errno.EIO, error
    return data.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def stream(kind):
    """A descriptor for the client, and a function that returns what was written to it."""
    if kind == "closed":
        yield None, lambda: ""
        return
    if kind == "terminal":
        ours, theirs = os.openpty()
    elif kind == "pipe":
        ours, theirs = os.pipe()
    else:
        path = os.devnull if kind == "null" else tempfile.mktemp(dir=WORK)
        theirs = os.open(path, os.O_RDWR | os.O_CREAT)
        ours = os.open(path, os.O_RDONLY)

    def written():
        nonlocal theirs
        os.close(theirs)
        theirs = -1
        return read_all(ours)
    try:
        yield theirs, written
    finally:
        if theirs >= 0:
            os.close(theirs)
        os.close(ours)


def run_on(streams, *arguments):
    """Run the client with these descriptors as 0, 1 and 2, or without."""
    def prepare():
        moved = [fd if fd is None else fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in streams]
        for number, fd in enumerate(moved):
            if fd is None:
                os.close(number)
            else:
                os.dup2(fd, number)
                os.close(fd)
    # pylint: disable=subprocess-popen-preexec-fn
    return subprocess.run([CLIENT, f"--socket={SOCKET}", *arguments], preexec_fn=prepare,
                          check=False, stdin=subprocess.DEVNULL).returncode


@test("whatever standard input, output and error are, in every mixture")
def _():
    kinds = ("terminal", "pipe", "file", "null", "closed")
    for place, (out, err) in enumerate(itertools.product(kinds, kinds)):
        with (stream(kinds[place % 4]) as (stdin, _), stream(out) as (stdout, printed),
              stream(err) as (stderr, said), Helper(answering(reply(payload=KEYS)))):
            status = run_on((stdin, stdout, stderr), "-v", "/dev/null")
            where = f"{out}, {err}"
            assert status == (15 if out == "closed" else 0), (where, status)
            if out not in ("null", "closed"):
                assert printed() == KEYS_TEXT, where
            if err not in ("null", "closed"):
                text = said()
                assert "cdb: [5e 00 00 00 00 00 00 20 00 00]\n" in text, where
                assert ("standard output: Bad file descriptor" in text) == (out == "closed"), where


@test("--help to a pipe of which only the first line is read")
def _():
    for option, line in (("--help", "Usage: qemu-pr-client"), ("--version", "qemu-pr-client ")):
        result = subprocess.run(["/bin/sh", "-c", f'"$0" {option} | head -n 1', CLIENT],
                                check=False, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, ""), result
        assert result.stdout.startswith(line), result


@test("with closed standard descriptors the device is not printed to")
def _():
    path = os.path.join(WORK, "device")
    for redirection in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"):
        with open(path, "wb"):
            pass
        with Helper(answering(reply(2, sense(5, 0x24, 0)))) as helper:
            result = subprocess.run(
                ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", CLIENT, "-jvvoG", "-S1",
                 "-u", SOCKET, path], check=False, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
        assert result.returncode == 5, (redirection, result)
        assert os.path.getsize(path) == 0, redirection
        assert helper.descriptors[0][1] == os.stat(path).st_ino


@test("the manual and the completion know every option")
def _():
    text = run("--help", device=None).stdout
    names = set(re.findall(r"--[a-z-]+", text))
    assert len(names) > 30, names
    assert run("--version", device=None).stdout.startswith("qemu-pr-client ")
    with open(os.path.join(ROOT, "docs", "qemu-pr-client.8.in"), encoding="ascii") as manual:
        manual = manual.read()
    with open(os.path.join(ROOT, "contrib", "qemu-pr-client.bash"), encoding="ascii") as script:
        script = script.read()
    for name in names:
        # In mdoc's words: ".It Fl k , -read-keys"
        assert re.search(fr"[ ,]{name[1:]}\b", manual), f"{name} is not in the manual"
        assert name in script, f"{name} is not in the completion"


# The other implementation, if there is one.

@test("QEMU's own helper")
def _():
    if not os.access(PEER, os.X_OK):
        skip(f"no {PEER}")
    if os.geteuid() != 0:
        skip("needs root to start a helper that needs CAP_SYS_RAWIO")
    with serving(PEER) as peer:
        result = run("--ping", device=None)
        assert result.stdout == (
            f"{SOCKET}: another helper answers, QEMU's own for example: pid {peer.pid}, "
            f"user root, program {os.path.realpath(PEER)}\n"), result
        check_error(run(), 11, "(sense b/00/06)")
        check_error(run("-oG", "-y"), 9, "(sense 5/20/00)")


try:
    assert CLIENT, "usage: test-client.py PATH-OF-qemu-pr-client"
    main()
finally:
    shutil.rmtree(WORK)
