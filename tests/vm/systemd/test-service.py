#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped units, as they are: start by a client, life and end, and what they may do."""
import contextlib
import grp
import os
import signal
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# pylint: disable=wrong-import-position
import unit
import process
import rig
import scsi
from prproto import Client
from tap import diag, main, test

BUILD = unit.install(__doc__)
MAX_EXPOSURE = 1.5
# From <sys/ptrace.h> and <sys/wait.h>.
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
REGISTER = scsi.pr_out(scsi.REGISTER)


@test("systemd-analyze verify has nothing to say")
def _():
    unit.verify()


@test("systemd-analyze security: at most 1.5")
def _():
    unit.expect_exposure(MAX_EXPOSURE)


@test("systemd-sysusers has made the user, who cannot log in")
def _():
    assert unit.user().pw_shell.endswith("nologin"), unit.user()
    assert unit.user().pw_uid < 1000, unit.user()


@test("only the socket is enabled: the first client starts the service")
def _():
    unit.stop()
    unit.run("systemctl", "stop", unit.SOCKET_UNIT)
    unit.run("systemctl", "enable", unit.SOCKET_UNIT)
    unit.run("systemctl", "start", "sockets.target")        # as at boot
    assert unit.state() == "inactive", unit.state()
    unit.ping()
    assert unit.state() == "active", unit.state()


@test("--ping tells root who serves: version, process, user, program")
def _():
    version = unit.run("/usr/local/bin/qemu-pr-client", "--version").split()[1]
    said = unit.run("/usr/local/bin/qemu-pr-client", "--ping")
    assert said == (f"/var/run/qemu-pr-helper.sock: qemu-pr-helper {version} answers: "
                    f"pid {unit.main_pid()}, user {unit.USER}, program {unit.PROGRAM}"), said


@test("--ping says so if the service does not come up")
def _():
    with unit.drop_in("ExecStart=", "ExecStart=/bin/false", begin=unit.stop):
        result = subprocess.run(["/usr/local/bin/qemu-pr-client", "--ping", "--timeout=3"],
                                check=False, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (33, ""), result
        for words in ("systemd holds this socket", "does not come up",
                      "'systemctl status qemu-pr-helper.service'"):
            assert words in result.stderr, result
    unit.ping()


@test("the socket is for the group kvm, and for nobody else")
def _():
    status = os.stat(unit.SOCKET)
    assert stat.S_IMODE(status.st_mode) == 0o660, oct(status.st_mode)
    assert status.st_uid == 0 and grp.getgrgid(status.st_gid).gr_name == "kvm", status

    # A process with uid 0 may do anything, so an ordinary one has to try.
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresuid(unit.GUEST, unit.GUEST, unit.GUEST)
        os._exit(0 if connect_refused() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def connect_refused():
    try:
        Client(unit.SOCKET).close()
        return False
    except PermissionError:
        return True


@test("the socket stays when the service stops, and starts it again")
def _():
    before = os.stat(unit.SOCKET).st_ino
    unit.stop()
    assert os.stat(unit.SOCKET).st_ino == before
    assert unit.show("ActiveState", unit.SOCKET_UNIT) == "active"
    unit.ping()
    assert os.stat(unit.SOCKET).st_ino == before


@contextlib.contextmanager
def half_a_request():
    """A client that is slow to send one, and read; it is answered behind the block."""
    rest = REGISTER[5:] + scsi.parameters(0, 1)
    hurry = threading.Event()

    def send_rest():
        # Who sends nothing for a second is let go.
        for number in range(len(rest)):
            if hurry.wait(0.25):
                client.send(rest[number:])
                return
            client.send(rest[number:number + 1])

    with open("/dev/null", "r+b") as null, Client(unit.SOCKET) as client:
        client.send(REGISTER[:5], [null.fileno()])
        sender = threading.Thread(target=send_rest)
        sender.start()
        rig.wait_for(lambda: is_reading(unit.main_pid()), "the request to be read")
        try:
            yield
        finally:
            hurry.set()
            sender.join()
        assert str(client.reply(REGISTER)) == "B/00/06"


def check_end():
    rig.wait_for(lambda: unit.state() != "deactivating", "the end")
    assert unit.state() == "inactive" and unit.show("Result") == "success", unit.show("Result")
    unit.start()


@test("it says that it stops, and answers whom it has listened to")
def _():
    with half_a_request():
        unit.run("systemctl", "stop", "--no-block", unit.SERVICE)
        rig.wait_for(lambda: unit.show("StatusText") == "Answering what clients have sent.",
                     "the status text")
        # TimeoutStopSec= is shorter than this: it is put off.
        time.sleep(4)
        assert unit.show("SubState") == "stop-sigterm", unit.show("SubState")
    check_end()


@test("ended by another than systemd, it tells systemd")
def _():
    with half_a_request():
        os.kill(unit.main_pid(), signal.SIGTERM)
        rig.wait_for(lambda: unit.show("SubState") == "stop-sigterm", "the word to arrive")
    check_end()


def is_reading(pid):
    """Has it taken a descriptor of /dev/null beside the one that it keeps?"""
    files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return files.count("/dev/null") > 2


def check_thread(status):
    uid, gid = unit.user().pw_uid, unit.user().pw_gid
    assert status["Uid"].split() == [str(uid)] * 4, status
    assert status["Gid"].split() == [str(gid)] * 4, status
    assert status["Groups"].split() in ([], [str(gid)]), status
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[name], 16) == process.SYS_RAWIO, (name, status)
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status


@test("every thread has one capability and nothing else")
def _():
    disk = rig.loop_disk("threads", nexuses=3)
    fds = [nexus.open() for nexus in disk.nexus] * 2
    with ThreadPoolExecutor(len(fds)) as pool:
        for answer in pool.map(lambda fd: unit.command(fd, READ_KEYS), fds):
            assert str(answer) == "GOOD"
        found = process.threads(unit.main_pid())
    assert len(found) > 1, found
    for status in found:
        check_thread(status)


@test("it may have as many open files as the unit says")
def _():
    with open(f"/proc/{unit.main_pid()}/limits", encoding="ascii") as file:
        limits = [line for line in file if line.startswith("Max open files")]
    assert limits[0].split()[3:5] == ["32768", "32768"], limits


def another_than(pid):
    """Is there another process by now?"""
    return rig.wait_for(lambda: unit.main_pid() not in (0, pid), "another process")


@test("killed, it is there again for the next client")
def _():
    for _ in range(3):
        before = unit.main_pid()
        os.kill(before, signal.SIGKILL)
        unit.ping()
        assert another_than(before)


@test("as shipped it has no options, and a drop-in gives it some")
def _():
    assert unit.arguments() == [unit.PROGRAM], unit.arguments()
    with unit.with_options("--command-timeout=10", "-v"):
        assert unit.arguments() == [unit.PROGRAM, "--command-timeout=10", "-v"], unit.arguments()
        unit.ping()


def start_in_vain():
    """It cannot start, and systemd goes on trying."""
    unit.run("systemctl", "restart", "--no-block", unit.SERVICE)


@test("a wrong option: the journal tells it, and there is a start a second at most")
def _():
    journal = unit.Journal("-u", unit.SERVICE)
    attempts = 4
    with unit.with_options("--no-such-option", begin=start_in_vain):
        rig.wait_for(lambda: int(unit.show("NRestarts")) >= 1, "the first new start")
        before, first = time.monotonic(), int(unit.show("NRestarts"))
        journal.has("--no-such-option")
        rig.wait_for(lambda: int(unit.show("NRestarts")) >= first + attempts, "more of them")
        seconds = time.monotonic() - before
        made = int(unit.show("NRestarts")) - first
    diag(f"{made} starts in {seconds:.1f} s")
    # The first one may have been made a while before it was seen.
    assert made <= seconds + 2, (made, seconds)
    unit.ping()


@test("the watchdog is fed for as long as the main loop turns")
def _():
    with unit.drop_in("WatchdogSec=2s"):
        pid, restarts = unit.main_pid(), unit.show("NRestarts")
        with open(f"/proc/{pid}/environ", "rb") as file:
            assert b"WATCHDOG_USEC=2000000" in file.read().split(b"\0")
        time.sleep(5)
        assert (unit.main_pid(), unit.show("NRestarts")) == (pid, restarts)


def stop_main_thread(pid):
    """As a debugger does; its other threads go on. Returns the debugger's process."""
    debugger = os.fork()
    if debugger == 0:
        rig.LIBC.ptrace(PTRACE_SEIZE, pid, 0, 0)
        rig.LIBC.ptrace(PTRACE_INTERRUPT, pid, 0, 0)
        with contextlib.suppress(ChildProcessError):
            while True:                 # until it is gone
                os.waitpid(pid, WALL)
        os._exit(0)
    rig.wait_for(lambda: process.status(f"/proc/{pid}/status")["State"].startswith("t"),
                 "the thread to stop")
    return debugger


@test("a loop that is stuck is found out, and another process serves")
def _():
    with unit.drop_in("WatchdogSec=2s"):
        journal = unit.Journal("-u", unit.SERVICE)
        before = unit.main_pid()
        debugger = stop_main_thread(before)
        unit.ping()                     # waits for the next process
        assert another_than(before)
        journal.has("Watchdog timeout")
        os.waitpid(debugger, 0)


main()
