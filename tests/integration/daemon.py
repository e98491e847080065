# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under test as a process: started, watched and stopped.

Every test program takes the helper binary as its first argument. Whatever a
test leaves behind, running daemons, detached ones and files, is cleared away
when the program ends, however it ends; and a report of a sanitizer fails the
test that the daemon belongs to.
"""
import atexit
import contextlib
import ctypes
import glob
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

# pylint: disable=wrong-import-position
from prproto import Client                                                  # noqa: E402
from tap import diag, skip, test                                                  # noqa: E402

ROOT = os.geteuid() == 0
SANITIZED = os.environ.get("SANITIZED") == "1"

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# A user who is not root may have no more descriptors under way in messages, of all its
# processes, than it may open files. The helper has to get along with less: it starts with SOFT.
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
SOFT = min(1024, HARD)
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)     # daemons that detach stay our children
_base = tempfile.mkdtemp(prefix="pr-")
_numbers = iter(range(1000000))

for _name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
    os.environ[_name] = f"log_path={_base}/sanitizer:{os.environ.get(_name, '')}"
os.environ["TSAN_OPTIONS"] += ":atexit_sleep_ms=0"
if SANITIZED:
    os.environ["G_SLICE"] = "always-malloc"     # sanitizers do not know GLib's allocator


def program():
    """The binary under test."""
    return os.path.abspath(sys.argv[1])


def forking_test(name):
    """tap.test() for what needs -d. ThreadSanitizer starts a thread in each process that forks,
    and the helper refuses to serve where it finds one; so these tests do not exist for it.
    """
    with open(program(), "rb") as binary:
        threaded = b"libtsan" in binary.read()
    return (lambda function: function) if threaded else test(name)


def need_root(why):
    """Skip the running test where it is not run by root."""
    if not ROOT:
        skip(f"needs root {why}")


def private_mounts(why):
    """Begins the command of a process whose mounts nobody else sees; skips where there are none."""
    need_root(why)
    command = [os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib/private-mounts")]
    probe = subprocess.run([*command, "mount", "-t", "tmpfs", "none", scratch()], check=False,
                           stderr=subprocess.PIPE, text=True)
    if probe.returncode != 0:
        skip(probe.stderr.strip())
    return command


def is_real():
    """Whether the helper has the real back end; the fake one needs no capability."""
    return os.path.basename(os.path.dirname(program())) != "fake"


def need_real():
    """Skip the running test on the fake back end."""
    if not is_real():
        skip("the fake back end keeps no capability")


def need_to_serve():
    """Skip the running test where the helper could not start."""
    if is_real():
        need_root("to start a helper that needs CAP_SYS_RAWIO")


def scratch():
    """A new, empty directory; its path is short enough for sockets."""
    path = os.path.join(_base, str(next(_numbers)))
    os.mkdir(path)
    return path


def until(condition, seconds=10, what="what the test waits for"):
    """Return the first true result of condition(), or fail."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.002)


def read(path):
    """A file's text; "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def children():
    """Numbers of all child processes, adopted ones too."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        fields = read(path).rpartition(")")[2].split() if os.path.exists(path) else []
        if len(fields) > 1 and int(fields[1]) == os.getpid():
            found.append(int(path.split("/")[2]))
    return found


def check_sanitizers():
    """Fail where a sanitizer has complained."""
    for path in glob.glob(f"{_base}/sanitizer*"):
        text = read(path)
        os.unlink(path)
        raise AssertionError(f"sanitizer report:\n{text[:6000]}")


def die_with_parent():
    """Between fork and exec: no daemon outlives a test program that was killed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def run(*arguments, timeout=20, **popen):
    """Run the helper to its end; returns subprocess.CompletedProcess with texts."""
    popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
             "encoding": "utf-8", "errors": "replace", "preexec_fn": die_with_parent, **popen}
    result = subprocess.run([program(), *arguments], timeout=timeout, check=False, **popen)
    check_sanitizers()
    return result


class Process:
    """A daemon by its number: one that detached and was adopted, for instance."""

    def __init__(self, pid, socket):
        self.pid = pid
        self.socket = socket
        self.status = None
        self._ending = False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.poll() is None and kind:
            self.kill()
        if self.poll() is None:
            assert (self.wait() if self._ending else self.stop()) == 0, \
                f"exit status {self.status}"
        if kind is None:
            check_sanitizers()

    def poll(self):
        """The exit status, negative for a signal; None while it runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, seconds=15):
        """The same, once it has ended."""
        until(lambda: self.poll() is not None, seconds, "end of the daemon")
        return self.status

    def send(self, number):
        """Send a signal."""
        self._ending = self._ending or number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        os.kill(self.pid, number)

    def kill(self):
        """End it for good."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, number=signal.SIGTERM):
        """End it, and return the exit status."""
        self.send(number)
        return self.wait()

    @contextlib.contextmanager
    def frozen(self):
        """For as long as the block runs, its main loop does not."""
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: self.proc("stat").rpartition(")")[2].split()[0] == "T")
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def client(self, timeout=30, **options):
        """A new connection."""
        return Client(self.socket, timeout, **options)

    def command(self, fd, cdb, data=None):
        """One command on a connection of its own."""
        with self.client() as client:
            return client.command(cdb, fd, data)

    def proc(self, name):
        """Text of /proc/PID/name."""
        return read(f"/proc/{self.pid}/{name}")

    def descriptors(self):
        """What its open descriptors are, by number."""
        found = {}
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found[int(number)] = os.readlink(f"/proc/{self.pid}/fd/{number}")
            except FileNotFoundError:
                pass
        return found

    def threads(self):
        """How many threads it has."""
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def cpu_seconds(self):
        """Processor time that it has used."""
        fields = self.proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Daemon(Process):
    """A daemon in the foreground, whose stderr is a file unless told otherwise.

    ready=False: do not wait until it serves. activated=True: no -k is given.
    Other keywords go to subprocess.Popen.
    """

    def __init__(self, *options, socket=None, ready=True, command=None, activated=False,
                 **popen):
        need_to_serve()
        directory = scratch()
        super().__init__(0, socket or f"{directory}/pr.sock")
        self._log = f"{directory}/log"
        arguments = [] if activated else ["-k", self.socket]
        popen.setdefault("preexec_fn", die_with_parent)
        with open(self._log, "ab") as log:
            popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                     "stderr": log, **popen}
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen([*(command or [program()]), *arguments, *options],
                                            **popen)
        self.pid = self.process.pid
        if ready:
            self.await_ready()

    def __exit__(self, kind, *rest):
        try:
            super().__exit__(kind, *rest)
        except BaseException:
            kind = True
            raise
        finally:
            if kind:
                diag(f"the daemon's log:\n{self.log()[-3000:]}")

    def poll(self):
        self.status = self.process.poll()
        return self.status

    def await_ready(self, seconds=10):
        """Wait until it serves."""
        try:
            until(self._is_ready, seconds, "a daemon that serves")
        except BaseException:
            if self.poll() is None:
                self.kill()
            raise

    def _is_ready(self):
        assert self.poll() is None, f"ended with {self.status}: {self.log()}"
        try:
            self.client(timeout=5).close()
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def log(self):
        """What it has written to stderr so far."""
        return read(self._log)

    def await_log(self, text, seconds=5):
        """Wait until the text is in the log; returns the line that has it."""
        until(lambda: text in self.log(), seconds, f"'{text}' in the log")
        return next(line for line in self.log().splitlines() if text in line)


def adopt(pidfile, socket):
    """The detached daemon that wrote this PID file, as a Process."""
    return Process(int(read(pidfile)), socket)


def _clear_away():
    for pid in children():
        os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass
    shutil.rmtree(_base, ignore_errors=True)


atexit.register(_clear_away)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
