#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The process, as its users know it: usage blackbox-process.py HELPER [--reference].

Options, files, signals and privileges. Everything here is true of the helper
that this one replaces, too, except what KNOWN_DIFFERENCES lists.
"""
import grp
import os
import pwd
import signal
import socket
import subprocess

from cases import Difference, answer, case, known_differences, main
from daemon import Daemon, adopt, need_real, need_root, need_to_serve, program, read, run, \
    scratch, until
from prproto import Client
import scsi

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
NO_DEVICE = "B/00/06"

# Exit status, and which of the outputs has something.
PRINTED, REFUSED, FOUND = (0, True, False), (1, False, True), (1, True, False)

known_differences({
    "an argument that is no option is refused": Difference(
        "started", "it ignores what it does not understand; a typing error should show"),
    "a burst of connects is accepted": Difference(
        2, "its backlog is 1, so a host that starts many guests at once has to be lucky"),
    "a socket that a running helper serves is left to it": Difference(
        "started", "it takes the socket away from a helper that has clients"),
    "a file that is no socket is left alone": Difference(
        "started", "it removes whatever is in the way"),
    "a successor's socket survives the end": Difference(
        False, "it removes the path at its end, whoever listens there by then"),
    "the PID file goes with the process": Difference(
        False, "it leaves the file behind, and a number that may be someone else's one day"),
    "all requests that were sent before the end are answered": Difference(
        "not all", "it reads no more; QEMU fails the guest's command then, and a live migration "
                   "with it"),
    "without the capability that it needs it does not start": Difference(
        [1, False], "it does not say what it lacks"),
    "nothing is gained by exec": Difference(
        "0", "it does not set no_new_privs"),
    "-u means the user's group, too": Difference(
        "0 0 0 0", "it stays in the group of root, unless -g is given"),
    "a command leaves a line in the log": Difference(
        0, "it logs nothing of commands, with -v either"),
    "--check looks at the host": Difference(
        REFUSED, "it has no such option"),
})


# Options

def verdict(*arguments):
    """Exit status, and which of the outputs has something."""
    result = run(*arguments)
    return result.returncode, bool(result.stdout), bool(result.stderr)


@case("--help and --version go to standard output", [PRINTED] * 4)
def _():
    return [verdict(option) for option in ("--help", "-h", "--version", "-V")]


@case("--help names every option", [])
def _():
    text = run("--help").stdout
    options = ["-h, --help", "-V, --version", "-d, --daemon", "-f, --pidfile=", "-k, --socket=",
               "-T, --trace", "-u, --user=", "-g, --group="]
    return [option for option in options if option not in text]


@case("-T help lists trace points", PRINTED)
def _():
    return verdict("-T", "help")


def start(*arguments):
    """How a start ends that has no directory for its socket, if nothing ends it before: what it
    has printed, or the word of its complaint.
    """
    need_to_serve()
    result = run("-k", "/nonexistent/pr.sock", "-f", f"{scratch()}/pid", *arguments)
    if "/nonexistent/pr.sock" in result.stderr or "/nonexistent'" in result.stderr:
        return "started"
    if "ambiguous" in result.stderr:
        return "ambiguous"
    if "argument" in result.stderr:
        return "wants an argument"
    return "printed" if (result.returncode, result.stderr) == (0, "") else result.returncode


TRACES = {"?": "printed", "help": "printed", "enable=?": "printed", "enable=help": "printed",
          "help,file=/nonexistent/x": "printed", "bogus=1": 1, "=x": 1, "help=1": 1, "en=x": 1,
          "a,b": 1, "-x,-y": 1, "events=/nonexistent/x": 1, "file=/nonexistent/x": 1,
          "file=": 1, "": "started", "no_such_*": "started", "no_such": "started",
          "-x": "started", "-?": "started", "enable=": "started", "x,": "started",
          "enable=x,enable=y": "started"}


@case("-T's argument is understood, or refused", TRACES)
def _():
    return {trace: start("-T", trace) for trace in TRACES}


NAMES = ["help", "version", "daemon", "quiet", "verbose", "pidfile", "socket", "trace", "user",
         "group"]


def abbreviation(name, length):
    """What the first letters of an option are good for."""
    word = name[:length]
    if len([other for other in NAMES if other.startswith(word)]) > 1:
        return "ambiguous"
    if name in ("help", "version"):
        return "printed"
    return "started" if name in ("daemon", "quiet", "verbose") else "wants an argument"


@case("each option may be abbreviated as long as it is the only one",
      [(name[:length], abbreviation(name, length)) for name in NAMES
       for length in range(1, len(name) + 1)])
def _():
    return [(name[:length], start(f"--{name[:length]}")) for name in NAMES
            for length in range(1, len(name) + 1)]


@case("an abbreviation takes its argument behind a blank or an equals sign", NO_DEVICE)
def _():
    path = f"{scratch()}/pr.sock"
    with Daemon(f"--soc={path}", "--tr", "no_such_*", socket=path, activated=True) as helper:
        return str(helper.command(NULL, IN))


@case("an unknown option is refused, with a line that says what to try", [(1, True)] * 3)
def _():
    results = [run(option) for option in ("--bogus", "-x", "-k")]
    return [(result.returncode, "Try" in result.stderr.splitlines()[-1] and
             "--help" in result.stderr.splitlines()[-1]) for result in results]


@case("a socket path that is not absolute is refused", REFUSED)
def _():
    return verdict("-k", "relative.sock")


@case("an unknown user or group is refused", [REFUSED] * 2)
def _():
    need_root("to be another user")
    path = f"{scratch()}/pr.sock"
    return [verdict("-k", path, option, "no-such-name") for option in ("-u", "-g")]


def fate(helper, has_begun):
    """What became of a start: "refused", or what it took the liberty to do."""
    until(lambda: helper.poll() is not None or has_begun())
    if helper.poll() is None:
        helper.await_ready()
        return "started"
    status, helper.status = helper.status, 0
    return "refused" if status == 1 else status


@case("an argument that is no option is refused", "refused")
def _():
    with Daemon("stray", ready=False) as helper:
        return fate(helper, lambda: os.path.exists(helper.socket))


# The socket

@case("a burst of connects is accepted", 50)
def _():
    with Daemon() as helper:
        clients, connected = [], 0
        with helper.frozen():
            for _ in range(50):
                clients.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                clients[-1].setblocking(False)
                connected += clients[-1].connect_ex(helper.socket) == 0
        for client in clients:
            client.close()
        return connected


@case("a stale socket is taken over", NO_DEVICE)
def _():
    path = f"{scratch()}/pr.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(path)
    with Daemon(socket=path) as helper:
        return str(helper.command(NULL, IN))


@case("a socket that a running helper serves is left to it", "refused")
def _():
    def inode():
        return os.path.exists(first.socket) and os.stat(first.socket).st_ino

    with Daemon() as first:
        before = inode()
        with Daemon(socket=first.socket, ready=False) as second:
            return fate(second, lambda: inode() not in (False, before))


@case("a file that is no socket is left alone", "refused")
def _():
    path = f"{scratch()}/file"
    with open(path, "w", encoding="ascii") as file:
        file.write("precious")
    with Daemon(socket=path, ready=False) as helper:
        return fate(helper, lambda: not os.path.isfile(path))


@case("a directory that does not exist is refused", REFUSED)
def _():
    return verdict("-k", f"{scratch()}/missing/pr.sock")


# The end

@case("SIGTERM, SIGINT and SIGHUP end it in order, and its socket goes", [(0, False)] * 3)
def _():
    def end(number):
        with Daemon() as helper:
            return helper.stop(number), os.path.exists(helper.socket)
    return [end(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


@case("signals that QEMU's main loop has for itself do not end it", NO_DEVICE)
def _():
    with Daemon() as helper:
        for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGIO, signal.SIGPIPE):
            helper.send(number)
        with helper.frozen():
            pass
        return str(helper.command(NULL, IN))


@case("the end closes idle connections", "closed")
def _():
    with Daemon() as helper, helper.client() as client:
        str(client.command(IN, NULL))
        helper.send(signal.SIGTERM)
        return answer(client)


@case("all requests that were sent before the end are answered", "all")
def _():
    with Daemon() as helper, helper.client() as client:
        str(client.command(IN, NULL))
        with helper.frozen():
            for _ in range(20):
                client.request(IN, NULL)
            helper.send(signal.SIGTERM)
        answers = [answer(client) for _ in range(21)]
        return "all" if answers == [NO_DEVICE] * 20 + ["closed"] else "not all"


@case("a successor's socket survives the end", True)
def _():
    path = f"{scratch()}/pr.sock"
    with Daemon(socket=path) as helper:
        os.unlink(path)
        with Daemon(socket=path):
            helper.stop()
            return os.path.exists(path)


# PID file, background

@case("-f writes the PID file without -d, too", True)
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path) as helper:
        return read(path) == f"{helper.pid}\n"


@case("the PID file goes with the process", True)
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path):
        pass
    return not os.path.exists(path)


@case("a PID file that is locked stops a second helper", 1)
def _():
    path = f"{scratch()}/pid"
    with Daemon("-f", path):
        return run("-k", f"{scratch()}/pr.sock", "-f", path).returncode


@case("-d returns when the socket can be connected to", [0, NO_DEVICE, 0])
def _():
    need_to_serve()
    directory = scratch()
    path, pidfile = f"{directory}/pr.sock", f"{directory}/pid"
    status = subprocess.run([program(), "-d", "-k", path, "-f", pidfile], check=False,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    with Client(path) as client:
        outcome = str(client.command(IN, NULL))
    return [status, outcome, adopt(pidfile, path).stop()]


@case("-d reports an error at the start by its exit status", 1)
def _():
    directory = scratch()
    return run("-d", "-k", f"{directory}/missing/pr.sock", "-f", f"{directory}/pid").returncode


@case("descriptors that it was started with stay open, without -d", "file")
def _():
    path = f"{scratch()}/file"
    with open(path, "wb") as file, Daemon(pass_fds=[file.fileno()]) as helper:
        return os.path.basename(helper.descriptors()[file.fileno()])


# What the operator is told

@case("a command leaves a line in the log", 1)
def _():
    with Daemon("-v") as helper:
        str(helper.command(NULL, scsi.pr_out(scsi.REGISTER), scsi.parameters(0, 1)))
        helper.stop()
        return helper.log().count("PERSISTENT RESERVE OUT REGISTER")


@case("--check looks at the host", FOUND)
def _():
    return verdict("--check", "-k", f"{scratch()}/pr.sock", "/dev/null")


# Privileges

def status_of(helper, *names):
    """Lines of /proc/PID/status."""
    lines = dict(line.split(":\t", 1) for line in helper.proc("status").splitlines())
    return [" ".join(lines[name].split()) for name in names]


RAWIO = f"{1 << 17:016x}"
NONE = f"{0:016x}"


@case("as root it keeps one capability, and no way to more",
      ["0 0 0 0", "0 0 0 0", RAWIO, RAWIO, NONE, NONE, NONE, ""])
def _():
    need_root("to drop privileges")
    need_real()
    with Daemon() as helper:
        return status_of(helper, "Uid", "Gid", "CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb",
                         "Groups")


@case("as another user it keeps the same", ["user", "group", RAWIO, RAWIO, NONE, NONE, NONE, ""])
def _():
    need_root("to be another user")
    need_real()
    user, group = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_gid
    with Daemon("-u", "nobody", "-g", str(grp.getgrgid(group).gr_name)) as helper:
        ids = status_of(helper, "Uid", "Gid")
        rest = status_of(helper, "CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb", "Groups")
    expected = [" ".join([str(number)] * 4) for number in (user, group)]
    return [*(["user", "group"] if ids == expected else ids), *rest]


@case("without the capability that it needs it does not start", [1, True])
def _():
    need_root("to be deprived of a capability")
    need_real()
    result = subprocess.run(["setpriv", "--bounding-set=-sys_rawio", program(), "-k",
                             f"{scratch()}/pr.sock"], check=False, stderr=subprocess.PIPE)
    return [result.returncode, b"CAP_SYS_RAWIO" in result.stderr]


@case("nothing is gained by exec", "1")
def _():
    with Daemon() as helper:
        return status_of(helper, "NoNewPrivs")[0]


@case("-u means the user's group, too", "the user's")
def _():
    need_root("to be another user")
    with Daemon("-u", "nobody") as helper:
        group, = status_of(helper, "Gid")
    return "the user's" if set(group.split()) == {str(pwd.getpwnam("nobody").pw_gid)} else group


@case("a client that stops reading does not stop others", NO_DEVICE)
def _():
    with Daemon() as helper, helper.client() as stuck:
        stuck.sock.setblocking(False)
        try:
            while True:
                stuck.sock.send(bytes(4096))
        except OSError:
            pass
        return str(helper.command(NULL, IN))


main()
