#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What it may hold, and that it serves nobody when it holds more: usage real-privileges.py HELPER.

The helper proves to itself what it has given up; so each thing too much that
somebody can start it with has to make it refuse, by name. For the real helper,
which needs CAP_SYS_RAWIO; as root.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

# pylint: disable=wrong-import-position
from prproto import Client
from tap import main, skip, test

HELPER = os.path.abspath(sys.argv[1])
NOBODY = 65534
RAWIO = 1 << 17
AS_SERVICE = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
              "--inh-caps=-all,+sys_rawio", "--ambient-caps=-all,+sys_rawio"]
BOUNDED = ["--bounding-set=-all,+sys_rawio"]


def need_root():
    if os.geteuid() != 0:
        skip("needs root")


class Running:
    """A helper that was started by a command of its own."""

    def __init__(self, *command, options=()):
        self.directory = tempfile.TemporaryDirectory()
        os.chmod(self.directory.name, 0o777)
        self.path = self.directory.name + "/pr.sock"
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([*command, HELPER, "-k", self.path, *options],
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.directory.cleanup()

    def refusal(self):
        """The error line of one that did not start, and left no socket behind."""
        error = re.sub("^.* without a seccomp filter, .*\n", "",   # as for 32 bits
                       self.process.communicate(timeout=10)[1], flags=re.M)
        assert self.process.returncode == 1, (self.process.returncode, error)
        assert error.count("\n") == 1, error
        return error

    def status(self):
        """/proc/PID/status, once it serves."""
        end = time.monotonic() + 10
        while True:
            try:
                Client(self.path).close()
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.01)
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            pairs = (line.split(":", 1) for line in file)
            return {name: value.strip() for name, value in pairs}


def check_holds(status, uid, bounding):
    for name, value in (("CapPrm", RAWIO), ("CapEff", RAWIO), ("CapInh", 0), ("CapAmb", 0),
                        ("CapBnd", bounding)):
        assert int(status[name], 16) == value, (name, status[name])
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == [str(uid)] * 4
    assert set(status["Groups"].split()) <= {status["Gid"].split()[0]}, status["Groups"]


@test("as root it keeps one capability and nothing else")
def _():
    need_root()
    with Running("setpriv", "--groups=4,27") as running:
        check_holds(running.status(), 0, 0)


@test("as a service it keeps what its manager gave it, and its bounding set is that")
def _():
    need_root()
    with Running(*AS_SERVICE, *BOUNDED) as running:
        check_holds(running.status(), NOBODY, RAWIO)


@test("as a service it may be told the user that it is already")
def _():
    need_root()
    with Running(*AS_SERVICE, *BOUNDED, options=["-u", "nobody"]) as running:
        check_holds(running.status(), NOBODY, RAWIO)


@test("without the capability it says what it needs, before there is a socket")
def _():
    need_root()
    with Running("setpriv", f"--reuid={NOBODY}", "--clear-groups", "--regid=65534") as running:
        assert "needs CAP_SYS_RAWIO" in running.refusal()


@test("root without the capability is told how a container gets it, and so is --check")
def _():
    need_root()
    lacking = ["setpriv", "--bounding-set=-sys_rawio"]
    with Running(*lacking) as running:
        error = running.refusal()
    for words in ("needs CAP_SYS_RAWIO", "--cap-add SYS_RAWIO", 'capabilities.add: ["SYS_RAWIO"]'):
        assert words in error, error
    assert "start it as root" not in error, error
    result = subprocess.run([*lacking, HELPER, "--check"], check=False, stdout=subprocess.PIPE,
                            text=True)
    line = result.stdout.splitlines()[0]
    assert line.startswith("FIX  privileges: needs") and "--cap-add SYS_RAWIO" in line, line


@test("root that may not change its user is told so, and what a container needs")
def _():
    need_root()
    with Running("setpriv", "--bounding-set=-setuid,-setgid", options=["-u", "nobody"]) as running:
        error = running.refusal()
        assert "CAP_SETUID" in error and "--cap-add" in error, error


@test("a bounding set that holds more is refused, by name")
def _():
    need_root()
    with Running(*AS_SERVICE) as running:
        error = running.refusal()
        assert "CAP_CHOWN" in error and "bounding" in error, error


@test("each capability of the running kernel is looked at")
def _():
    need_root()
    with open("/proc/self/status", encoding="ascii") as file:
        ours, = [line.split()[1] for line in file if line.startswith("CapBnd:")]
    highest = int(ours, 16).bit_length() - 1
    assert highest > 30, "this proves nothing"
    with Running(*AS_SERVICE, f"--bounding-set=-all,+sys_rawio,+cap_{highest}") as running:
        assert "bounding" in running.refusal()


@test("supplementary groups that it cannot give up are refused")
def _():
    need_root()
    command = [word for word in AS_SERVICE if word != "--clear-groups"]
    with Running(*command, "--groups=4,27", *BOUNDED) as running:
        assert "supplementary groups" in running.refusal()


@test("another user that it cannot become is refused")
def _():
    need_root()
    with Running(*AS_SERVICE, *BOUNDED, options=["-u", "daemon"]) as running:
        assert "change to the user" in running.refusal()


THREAD = r"""
#include <pthread.h>
#include <unistd.h>
static void *wait_for_ever(void *data) { for (;;) pause(); return data; }
__attribute__((constructor)) static void start(void)
{
	pthread_t thread;
	pthread_create(&thread, 0, wait_for_ever, 0);
}
"""


@test("a thread that has kept its privileges is noticed")
def _():
    need_root()
    with tempfile.TemporaryDirectory() as directory:
        library = directory + "/thread.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-pthread"],
                       input=THREAD, text=True, check=True)
        with Running("env", "LD_PRELOAD=" + library) as running:
            assert "a thread" in running.refusal()


main()
