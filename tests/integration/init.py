#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The script for sysvinit, run as init runs it: usage init.py HELPER.

Exit statuses are those that the LSB wants, as package scripts and cluster managers
read them.
"""
import os
import re
import shutil
import signal
import subprocess

from daemon import adopt, forking_test, need_root, program, read, scratch, until
from fakedevice import FakeDevice
import scsi
from tap import main, skip, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
SCRIPT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../contrib/init/sysvinit.in")


class Service:
    """An installation of the script, below a directory of its own."""

    def __init__(self, options="", bindir=None, patience=None):
        need_root("as init is")
        directory = scratch()
        self.pidfile = f"{directory}/qemu-pr-helper.pid"
        self.socket = f"{directory}/pr.sock"
        self.script = f"{directory}/init"
        text = read(SCRIPT)
        for name, value in (("@bindir@", bindir or os.path.dirname(program())),
                            ("@RUNSTATEDIR@", directory), ("/etc/default", directory)):
            assert name in text
            text = text.replace(name, value)
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(text)
        with open(f"{directory}/qemu-pr-helper", "w", encoding="utf-8") as file:
            file.write(f"OPTIONS='--log-target=journal -k {self.socket} {options}'\n")
            if patience is not None:
                file.write(f"STOP_PATIENCE={patience}\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if read(self.pidfile).strip() and self.run("status")[0] == 0:
            self.process().kill()

    def run(self, *arguments, command=()):
        """Exit status, standard output and error."""
        # A file: -d leaves a pipe open until it serves, and the script ends then.
        result = subprocess.run([*command, "sh", self.script, *arguments], check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=40)
        return result.returncode, result.stdout, result.stderr

    def status(self, *arguments):
        """The exit status alone."""
        return self.run(*arguments)[0]

    def process(self):
        """The daemon, which is ours by adoption."""
        return adopt(self.pidfile, self.socket)


def serves(process):
    """Whether it answers."""
    return str(process.command(NULL, IN)) == "B/00/06"


@forking_test("start, status and stop do so, twice as well as once")
def _():
    with Service() as service:
        assert service.status("status") == 3
        assert service.status("start") == 0
        daemon = service.process()
        assert serves(daemon)
        status, said, _ = service.run("status")
        assert status == 0 and f"process {daemon.pid}" in said, said
        assert service.status("start") == 0 and read(service.pidfile) == f"{daemon.pid}\n"
        assert service.status("stop") == 0
        assert daemon.wait() == 0
        assert service.status("status") == 3
        assert service.status("stop") == 0


@forking_test("stop and restart work for another user's daemon, whose PID file stays")
def _():
    with Service("-u nobody") as service:
        assert service.status("start") == 0
        first = service.process()
        assert service.status("restart") == 0
        assert first.wait() == 0
        second = service.process()
        assert second.pid != first.pid and serves(second)
        assert service.status("stop") == 0 and os.path.exists(service.pidfile)
        assert second.wait() == 0 and service.status("status") == 3


@forking_test("what was killed is dead, and the next start takes its place")
def _():
    with Service() as service:
        assert service.status("start") == 0
        service.process().kill()
        assert service.status("status") == 1
        assert service.status("stop") == 0
        assert service.status("start") == 0
        assert serves(service.process())


@forking_test("restart starts what does not run, try-restart does not")
def _():
    with Service() as service:
        for verb in ("try-restart", "force-reload"):
            assert service.status(verb) == 0 and service.status("status") == 3
        assert service.status("restart") == 0
        pids = [service.process().pid]
        for verb in ("restart", "try-restart", "force-reload"):
            assert service.status(verb) == 0
            pids.append(service.process().pid)
        assert len(set(pids)) == 4 and serves(service.process())


@forking_test("restart does not wait for a slow disk: the old process answers, the new one serves")
def _():
    with Service() as service, FakeDevice(delay=6000, payload=b"payload!") as device:
        assert service.status("start") == 0
        old = service.process()
        with old.client() as client:
            client.request(IN, device.fd)
            until(device.executed)
            assert service.status("restart") == 0
            new = service.process()
            assert new.pid != old.pid and serves(new) and old.poll() is None
            assert client.reply(IN).payload == b"payload!"
        assert old.wait() == 0


@forking_test("stop waits until what was taken has been answered")
def _():
    with Service() as service, FakeDevice(delay=500, payload=b"payload!") as device:
        assert service.status("start") == 0
        daemon = service.process()
        with daemon.client() as client:
            client.request(IN, device.fd)
            until(device.executed)
            assert service.status("stop") == 0
            assert daemon.wait() == 0
            assert client.reply(IN).payload == b"payload!"


@forking_test("what does not end is killed, and that is told")
def _():
    for verb, after in (("stop", 3), ("restart", 0)):
        with Service(patience=1) as service:
            assert service.status("start") == 0
            daemon = service.process()
            os.kill(daemon.pid, signal.SIGSTOP)
            status, _, said = service.run(verb)
            assert status == 0 and f"process {daemon.pid} does not end" in said, said
            assert daemon.wait() == -signal.SIGKILL
            assert service.status("status") == after


@forking_test("a process that is not the daemon is left alone, whatever the PID file says")
def _():
    need_root("as init is")
    with subprocess.Popen(["sleep", "1000"]) as other:
        for text in (f"{other.pid}\n", "nonsense\n", "../../etc/passwd\n", "-1\n", ""):
            with Service() as service:
                with open(service.pidfile, "w", encoding="ascii") as file:
                    file.write(text)
                assert service.status("status") == (1 if text else 3), text
                assert service.status("stop") == 0
                assert other.poll() is None
        other.kill()


@forking_test("a start that fails says why, and so does its exit status")
def _():
    with Service("--max-clients=0") as service:
        status, said, why = service.run("start")
        assert status == 1 and "failed" in said and "--max-clients" in why, (said, why)
        assert service.status("status") == 3


@test("what it cannot do has an exit status of its own")
def _():
    with Service() as service:
        for arguments, expected in ((["bogus"], 2), ([], 2), (["reload"], 3)):
            status, said, why = service.run(*arguments)
            assert status == expected and why and not said, (arguments, status, said, why)
        os.chmod(os.path.dirname(os.path.dirname(service.script)), 0o755)
        os.chmod(os.path.dirname(service.script), 0o755)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for verb in ("start", "stop", "restart"):
            assert service.run(verb, command=nobody)[0] == 4
        assert service.run("status", command=nobody)[0] == 3
    with Service(bindir=scratch()) as service:
        assert service.status("start") == 5 and service.status("status") == 3


@test("its header tells insserv what it needs")
def _():
    header = re.search(r"^### BEGIN INIT INFO\n(.*?)^### END INIT INFO", read(SCRIPT),
                       re.M | re.S)[1]
    fields = dict(re.findall(r"^# ([A-Z][A-Za-z-]+): +(\S.*)$", header, re.M))
    wanted = {"Provides", "Required-Start", "Required-Stop", "Default-Start", "Default-Stop",
              "Short-Description", "Description"}
    assert wanted <= set(fields) and fields["Provides"] == "qemu-pr-helper", fields


for SHELL in ("dash", "bash --posix", "busybox sh"):
    @forking_test(f"{SHELL} will do")
    def _(shell=tuple(SHELL.split())):
        if not shutil.which(shell[0]):
            skip(f"no {shell[0]}")
        with Service() as service:
            for verb, expected in (("start", 0), ("status", 0), ("restart", 0), ("stop", 0),
                                   ("status", 3)):
                result = subprocess.run([*shell, service.script, verb], check=False,
                                        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        timeout=20)
                assert result.returncode == expected, (verb, result)


main()
