#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that stays uid 0 where the helper does not: usage real-broker.py HELPER.

When there is one, what it holds, that it goes with the helper and not before,
and that the helper goes without it. For the real helper, as root.
"""
import os
import signal
import subprocess
import sys

from daemon import Daemon, adopt, forking_test, need_root, private_mounts, program, read, run, \
    scratch, until
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             "--inh-caps=-all,+sys_rawio", "--ambient-caps=-all,+sys_rawio",
             "--bounding-set=-all,+sys_rawio"]


def children(pid):
    """Numbers of the processes that it has started."""
    return [int(word) for word in read(f"/proc/{pid}/task/{pid}/children").split()]


def is_alive(pid):
    """Whether there is such a process, and no zombie of it."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def serves(daemon):
    """Whether it answers."""
    return str(daemon.command(NULL, IN)) == "B/00/06"


def broker_of(daemon):
    """The number of its broker."""
    found = children(daemon.pid)
    assert len(found) == 1, found
    return found[0]


def status(pid):
    """/proc/PID/status."""
    pairs = (line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines())
    return {name: value.strip() for name, value in pairs}


def with_broker(*options, **popen):
    """A helper that has one."""
    need_root("to become another user")
    return Daemon("-u", "nobody", *options, **popen)


@test("the broker is uid 0 in name only")
def _():
    need_root("to have groups")
    command = ["setpriv", "--groups=4,27", "--inh-caps=+sys_rawio,+chown",
               "--ambient-caps=+sys_rawio,+chown", program()]
    with with_broker(command=command) as daemon:
        found = status(broker_of(daemon))
        assert found["Name"] == "pr-broker", found["Name"]
        assert found["Uid"].split() == ["0"] * 4 and found["Gid"].split() == ["0"] * 4
        assert found["Groups"] == "", found["Groups"]
        for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"):
            assert int(found[name], 16) == 0, (name, found[name])
        assert (found["NoNewPrivs"], found["Threads"]) == ("1", "1"), found
        # The filter knows no processor of 32 bits, and the log tells.
        filtered = found["Seccomp"] == "2"
        assert filtered == ("without a seccomp filter" not in daemon.log()), daemon.log()
        assert filtered == (sys.maxsize > 2 ** 32)


@test("the broker has nothing open but its socket, and nothing of who started it")
def _():
    with open(f"{scratch()}/lock", "wb") as lock:
        with with_broker(pass_fds=[lock.fileno()]) as daemon:
            directory = f"/proc/{broker_of(daemon)}"
            numbers = sorted(os.listdir(f"{directory}/fd"), key=int)
            names = [os.readlink(f"{directory}/fd/{number}") for number in numbers]
            assert names[:3] == ["/dev/null"] * 3 and len(names) == 4, names
            assert names[3].startswith("socket:"), names
            assert os.readlink(f"{directory}/cwd") == "/"
            assert daemon.descriptors()[lock.fileno()] == lock.name


@test("the broker cannot be looked into by its own user")
def _():
    with with_broker() as daemon:
        assert os.stat(f"/proc/{broker_of(daemon)}/mem").st_uid == 0
        result = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "readlink",
                                 f"/proc/{broker_of(daemon)}/exe"], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode != 0, result.stdout


@test("who stays uid 0 needs no broker, and who is not cannot have one")
def _():
    need_root("to be others")
    for daemon in (Daemon(), Daemon("-u", "root"), Daemon("-g", "daemon")):
        with daemon:
            assert serves(daemon) and children(daemon.pid) == []
    os.chmod(os.path.dirname(scratch()), 0o755)
    directory = scratch()
    os.chmod(directory, 0o777)
    with Daemon(socket=f"{directory}/pr.sock", command=[*AS_NOBODY, program()]) as daemon:
        assert serves(daemon) and children(daemon.pid) == []


@test("the broker ends with the helper, however that ends")
def _():
    for number in (signal.SIGTERM, signal.SIGKILL):
        with with_broker() as daemon:
            broker = broker_of(daemon)
            daemon.send(number)
            daemon.wait()
            until(lambda pid=broker: not is_alive(pid), what="the end of the broker")
            daemon.status = 0


@test("signals for all processes of a service do not end the broker before the helper")
def _():
    with with_broker() as daemon, daemon.client() as client:
        broker = broker_of(daemon)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            os.kill(broker, number)
        assert str(client.command(IN, NULL)) == "B/00/06"
        assert is_alive(broker) and broker_of(daemon) == broker


@test("without its broker the helper serves on, and leaves no zombie")
def _():
    with with_broker() as daemon, daemon.client() as client:
        broker = broker_of(daemon)
        os.kill(broker, signal.SIGKILL)
        until(lambda: children(daemon.pid) == [], what="the broker's being reaped")
        assert not os.path.exists(f"/proc/{broker}")
        assert str(client.command(IN, NULL)) == "B/00/06" and serves(daemon)


@test("a broker that would hold too much is not started")
def _():
    need_root("to be deprived of a capability")
    # Without CAP_SETPCAP nobody can empty the bounding set: the helper neither.
    result = subprocess.run(["setpriv", "--bounding-set=-setpcap", program(), "-k",
                             f"{scratch()}/pr.sock", "-u", "nobody"],
                            check=False, stderr=subprocess.PIPE, text=True)
    lines = result.stderr.splitlines()
    assert result.returncode == 1 and len(lines) == 2, result
    assert "multipath maps will be refused" in lines[0] and "bounding" in lines[0], result


@test("without a broker, raw SCSI disks are served all the same, and the log tells")
def _():
    # The broker wants /dev/null, the helper does not.
    command = [*private_mounts("to hide /dev/null"), "sh", "-c",
               'mount -t tmpfs none /dev && exec "$@"', "sh", program()]
    with Daemon("-u", "nobody", command=command) as daemon:
        assert "multipath maps will be refused" in daemon.log(), daemon.log()
        assert children(daemon.pid) == [] and serves(daemon)


@forking_test("with -d, too, the broker is the helper's, and keeps nobody waiting")
def _():
    need_root("to become another user")
    directory = scratch()
    result = run("-d", "-k", f"{directory}/pr.sock", "-f", f"{directory}/pid", "-u", "nobody")
    # Where there is no journal it says that.
    lines = [line for line in result.stderr.splitlines() if "nothing will be logged" not in line]
    assert (result.returncode, lines) == (0, []), result
    with adopt(f"{directory}/pid", f"{directory}/pr.sock") as daemon:
        broker = broker_of(daemon)
        assert serves(daemon) and os.getsid(broker) == daemon.pid
    until(lambda: not is_alive(broker), what="the end of the broker")


main()
