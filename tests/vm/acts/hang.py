# SPDX-License-Identifier: GPL-2.0-or-later
"""Act 2: a disk hangs; who still gets answers, with this helper and with QEMU's own."""
import contextlib
import signal
import subprocess
import time

import process
import rig
import scsi
from prproto import Client
from stage import NAMES, SOCKET, TIMEOUT, Daemon, Running, as_typed, waited

TITLE = "A disk hangs: who still gets answers?"
CLIENTS = 64            # as many commands as QEMU's helper has threads
LIMIT = 3               # of our helper, in seconds
PATIENCE = 5            # with QEMU's
GRACE = 3               # for it to end
SLACK = 10              # what a busy machine may add
FOREVER = 600
THEIR_SOCKET = "/run/qemu.sock"
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


def prepare():
    """A disk at the end of a network connection that can be cut, and a healthy one."""
    return rig.iscsi_disk("hung"), rig.loop_disk("healthy", nexuses=1)


def play(stage, disks, programs):
    """The act."""
    hung, healthy = (disk.nexus[0].sd for disk in disks)
    stage.tell(f"{hung} is an iSCSI disk, {healthy} is another one. The helper answers each "
               f"command within {LIMIT} s here, so that nobody has to wait for the usual 25 s.")
    NAMES[programs.client] = "qemu-pr-client"
    with Daemon(stage, programs.helper, f"--command-timeout={LIMIT}") as daemon:
        theirs = start_theirs(stage, programs.reference)
        cut_off(disks[0], [SOCKET] + [THEIR_SOCKET] * bool(theirs))
        stage.tell(f"The cable of {hung} is pulled. {CLIENTS} clients have sent a command for it, "
                   "which the kernel holds. Two more, one for each disk:")
        rows = Asked(programs.client, (healthy, hung), theirs)
        ours = rows.tell(stage, daemon)
        stage.tell("Can the helper be restarted, while the kernel still holds commands of it?")
        ours.append(ends(stage, daemon))
    with Daemon(stage, programs.helper, f"--command-timeout={LIMIT}"):
        pass
    if theirs:
        compare(stage, (healthy, hung), ours, rows.theirs() + [outlives(theirs)])


def start_theirs(stage, program):
    """QEMU's helper, at a socket of its own; None where it is not installed."""
    if not is_qemus(program):
        stage.tell("QEMU's own helper is not installed here, and so not shown beside it.")
        return None
    command = [program, "-u", "nobody", "-k", THEIR_SOCKET]
    stage.tell("Beside it QEMU's own, which serves the same disks:")
    stage.type(as_typed(command) + " &")
    # pylint: disable=consider-using-with
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    rig.wait_for(lambda: process.serving(THEIR_SOCKET, 2), "QEMU's helper to serve")
    return started


def is_qemus(program):
    """Is it there, and QEMU's? Ours may have taken its place."""
    with contextlib.suppress(OSError):
        text = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=False).stdout
        return b"Bellard" in text
    return False


def cut_off(disk, sockets):
    """Let it hang, with many clients of each helper that wait for it; they stay until the end."""
    fd = disk.nexus[0].open()
    disk.targets[0].hang(FOREVER)
    for path in sockets:
        for _ in range(CLIENTS):
            client = Client(path)
            client.request(READ_KEYS, fd)
            WAITING.append(client)


WAITING = []


class Asked:
    """A command for each disk to each helper; those that take long all at once."""

    def __init__(self, client, nodes, theirs):
        def ask(node, *options):
            return Running([client, *options, "--out", "--register-ignore",
                            "--param-sark=0xa11ce", node])

        # First, and alone: how long it takes is told.
        self._ours = [ask(nodes[0])]
        self._ours[0].wait()
        self._ours.append(ask(nodes[1]))
        self._theirs = [ask(node, f"--socket={THEIR_SOCKET}", f"--timeout={PATIENCE}")
                        for node in nodes if theirs]

    def tell(self, stage, daemon):
        """Of ours, as the answers come: what came of it, in words."""
        told = []
        for running, good in zip(self._ours, (True, False)):
            stage.type(as_typed(running.command))
            result = running.wait()
            words = "answered after " + seconds(result.seconds)
            right = (result.status == 0) == good and result.seconds < LIMIT + SLACK
            stage.outcome(words + ("" if good else ": not sent, the guest may try again"), right,
                          result.output)
            daemon.record_of(result)
            told.append(words)
        return told

    def theirs(self):
        """The same of QEMU's."""
        results = [running.wait() for running in self._theirs]
        return [f"no answer within {PATIENCE} s" if result.status == TIMEOUT
                else "answered after " + seconds(result.seconds) for result in results]


def seconds(number):
    """In as many digits as are of use."""
    return f"{number:.2f} s" if number < 1 else f"{number:.1f} s"


def ends(stage, daemon):
    """SIGTERM to ours: what came of it."""
    stage.type(f"kill {daemon.pid}")
    before = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    gone = waited(lambda: is_dead(daemon.process))
    words = "ended after " + seconds(time.monotonic() - before)
    stage.outcome(words, gone)
    return words


def outlives(theirs):
    """SIGTERM to QEMU's: what came of it."""
    before = time.monotonic()
    theirs.send_signal(signal.SIGTERM)
    if waited(lambda: is_dead(theirs), GRACE):
        return "ended after " + seconds(time.monotonic() - before)
    return f"still runs after {GRACE} s"


def is_dead(program):
    """Is all of it gone that the kernel lets go? Threads with a command are not reaped."""
    if program.poll() is not None:
        return True
    states = {status["State"][0] for status in process.threads(program.pid)}
    return "Z" in states and states <= {"D", "Z", "X"}


def compare(stage, nodes, ours, theirs):
    """Both, side by side: the other one was asked at the same time."""
    stage.tell(f"{CLIENTS} clients wait for {nodes[1]}, which hangs. Side by side:")
    questions = [f"{nodes[0]}, which works", f"{nodes[1]}, which hangs", "kill (SIGTERM)"]
    stage.table(("", "this helper", "QEMU's own"), zip(questions, ours, theirs))
