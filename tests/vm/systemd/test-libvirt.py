#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt starts, watches and stops the daemon, for guests with reservations."""
import glob
import os
import pwd
import re
import signal
import subprocess

# pylint: disable=wrong-import-position
import domain
from domain import MANAGED, UNMANAGED, Domain
import guide
import process
import rig
import scsi
import sgio
from cluster import KEY_A, KEY_B, equal, outcome
from helper import Helper
from scenarios import CONFLICT, GOOD, REGISTRATIONS_PREEMPTED
from tap import main, test
import unit

BUILD = os.path.realpath(unit.install(__doc__))
unit.stop_everything()                  # libvirt and these tests start helpers
HELPER, CLIENT = f"{BUILD}/qemu-pr-helper", f"{BUILD}/qemu-pr-client"
QEMU = os.path.realpath("/usr/bin/qemu-system-x86_64")
QEMU_USER = pwd.getpwnam("libvirt-qemu")
SYSTEM_SOCKET = "/run/qemu-pr-helper.sock"
TYPE = scsi.WRITE_EXCLUSIVE


def socket_of(pid):
    """The -k option of a helper, which has to be its only one."""
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        program, option, path = file.read().rstrip("\0").split("\0")
    equal((program, option), (HELPER, "-k"))
    return path


def helper_of(guest):
    """The process number of a domain's helper."""
    mine = [pid for pid in domain.processes(HELPER) if f"-{guest.name}/" in socket_of(pid)]
    assert len(mine) == 1, f"helpers of {guest.name}: {mine}"
    return mine[0]


def namespace(pid):
    return os.readlink(f"/proc/{pid}/ns/mnt")


def readers_of(pipe):
    """Which processes have this pipe open."""
    return {path.split("/")[2] for path in glob.glob("/proc/[0-9]*/fd/*")
            if os.path.islink(path) and link(path) == pipe}


def link(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None


def left_files():
    """What belongs to helpers in libvirt's directories."""
    return [path for directory in ("/run/libvirt", "/var/lib/libvirt")
            for path in glob.glob(directory + "/**/*pr-helper*", recursive=True)]


def keys():
    return sorted(scsi.keys(sgio.pr_command(FD, scsi.pr_in(scsi.READ_KEYS)).payload))


@test("a domain gets a helper of its own: as root, in QEMU's namespace, with one capability",
      timeout=120)
def _():
    with Domain("one", SD[0]) as guest:
        pid = helper_of(guest)
        path = socket_of(pid)
        assert re.fullmatch(r"/var/lib/libvirt/qemu/domain-\d+-one/pr-helper0\.sock", path), path
        qemu, = domain.processes(QEMU)
        equal(namespace(pid), namespace(qemu))
        assert namespace(pid) != namespace("self")
        found = process.status(f"/proc/{pid}/status")
        equal((found["Uid"].split(), found["Groups"], found["NoNewPrivs"]), (["0"] * 4, "", "1"))
        equal([int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")],
              [process.SYS_RAWIO, process.SYS_RAWIO, 0, 0, 0])


@test("libvirt changes the socket's owner and label, and QEMU's user can use it", timeout=120)
def _():
    with Domain("two", SD[0]) as guest:
        path = socket_of(helper_of(guest))
        equal(os.stat(path).st_uid, QEMU_USER.pw_uid)
        # Where SELinux is in use; Debian's libvirt does not.
        os.setxattr(path, "security.selinux", b"system_u:object_r:svirt_t:s0:c1,c2\0")
        said = domain.run("setpriv", f"--reuid={QEMU_USER.pw_uid}", "--clear-groups",
                          f"--regid={QEMU_USER.pw_gid}", CLIENT, "--ping", f"--socket={path}")
        assert "answers" in said, said
    assert not os.path.exists(path)


@test("its log goes to the journal, since nobody reads its standard error", timeout=120)
def _():
    with Domain("three", SD[0]) as guest:
        pid = helper_of(guest)
        pipe = os.readlink(f"/proc/{pid}/fd/2")
        assert pipe.startswith("pipe:"), pipe
        equal(readers_of(pipe), {str(pid)})
        equal(guest.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(keys(), [KEY_A])
        equal(guest.pr_out(scsi.CLEAR, KEY_A), GOOD)
        rig.wait_for(lambda: "REGISTER" in journal(pid), "the record")
        assert "(qemu-system-x86)" in journal(pid), journal(pid)


def journal(pid):
    return domain.run("journalctl", "-q", "-o", "cat", f"_PID={pid}")


@test("two domains on a disk: one fences the other", timeout=180)
def _():
    with Domain("four", SD[0]) as a, Domain("five", SD[1]) as b:
        assert helper_of(a) != helper_of(b)
        equal(a.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(b.pr_out(scsi.REGISTER, 0, KEY_B), GOOD)
        equal(a.pr_out(scsi.RESERVE, KEY_A, kind=TYPE), GOOD)
        equal((a.writes(), b.writes()), (GOOD, CONFLICT))
        equal(b.pr_out(scsi.PREEMPT, KEY_B, KEY_A, TYPE), GOOD)
        equal(a.once(scsi.pr_in(scsi.READ_KEYS), 8192), REGISTRATIONS_PREEMPTED)
        equal((a.writes(), b.writes()), (CONFLICT, GOOD))
        equal(b.pr_out(scsi.CLEAR, KEY_B), GOOD)


def is_served(guest):
    """QEMU itself waits for a new helper, but for no more than 5 s."""
    return outcome(guest.pr_in(scsi.READ_KEYS)) == GOOD


@test("a helper that is killed is started again, for the guest's next commands", timeout=180)
def _():
    with Domain("six", SD[0]) as guest:
        equal(guest.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        for _ in range(2):
            before = helper_of(guest)
            os.kill(before, signal.SIGKILL)
            rig.wait_for(lambda: is_served(guest), "the next helper", 120)
            equal(guest.keys(), [KEY_A])
            assert helper_of(guest) != before
            equal(guest.state(), "running")
        equal(guest.pr_out(scsi.CLEAR, KEY_A), GOOD)


@test("libvirtd restarts, and the helper stays", timeout=180)
def _():
    with Domain("seven", SD[0]) as guest:
        before = helper_of(guest)
        domain.run("systemctl", "restart", "libvirtd.service")
        equal(guest.state(), "running")
        equal(guest.keys(), [])
        equal(helper_of(guest), before)
    equal(domain.processes(HELPER), [])


@test("it ends with its domain, and leaves nothing", timeout=180)
def _():
    with Domain("eight", SD[0]) as guest:
        assert left_files()
        domain.run("virsh", "destroy", guest.name)
        equal(domain.processes(HELPER), [])
        equal(left_files(), [])
    # Also when QEMU comes to an unexpected end.
    with Domain("nine", SD[0]) as guest:
        qemu, = domain.processes(QEMU)
        os.kill(qemu, signal.SIGKILL)
        rig.wait_for(lambda: not domain.processes(HELPER), "the helper to end")
        rig.wait_for(lambda: not left_files(), "its files to go")


@test("a helper for the whole host, which libvirt does not manage", timeout=180)
def _():
    with Helper(HELPER, "--socket-mode=0660", "--socket-group=kvm", socket=SYSTEM_SOCKET,
                drop=()) as helper:
        with Domain("ten", SD[0], UNMANAGED.format(SYSTEM_SOCKET)) as guest:
            equal(domain.processes(HELPER), [helper.pid])
            equal(guest.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
            equal(keys(), [KEY_A])
            equal(guest.pr_out(scsi.CLEAR, KEY_A), GOOD)
        assert helper.process.poll() is None
        helper.command(FD, scsi.pr_in(scsi.READ_KEYS))


@test("what the helper says at a failed start reaches the user", timeout=120)
def _():
    with open("/run/refusing-helper", "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexec "{HELPER}" -u no-such-user "$@"\n')
    os.chmod("/run/refusing-helper", 0o755)
    domain.configure("/run/refusing-helper")
    try:
        with Domain("eleven", SD[0], MANAGED):
            raise RuntimeError("it started")
    except AssertionError as error:
        assert "no-such-user" in str(error), error
    equal(left_files(), [])


def check_denied(name):
    """A domain cannot start, because libvirtd may not start its helper."""
    try:
        with Domain(name, SD[0]):
            raise RuntimeError("it started")
    except AssertionError as error:
        assert re.search("cannot execute binary .*: Permission denied", str(error)), error


@test("where AppArmor confines libvirtd, the helper needs the line of the guide, a link to it too",
      timeout=300)
def _():
    link = "/usr/bin/linked-pr-helper"
    os.symlink(unit.PROGRAM, link)
    commands, = [contents for _, _, contents in guide.blocks("LIBVIRT.md")
                 if "apparmor_parser" in contents]
    with domain.confined():
        domain.configure(unit.PROGRAM)
        check_denied("twelve")
        assert not may_start(unit.PROGRAM) and not may_start(link)
        domain.configure()
        guide.run(commands)
        check_confined("thirteen")
        assert may_start(unit.PROGRAM) and may_start(link)
    assert "unconfined" in confinement(libvirtd()), confinement(libvirtd())


def libvirtd():
    return domain.processes("/usr/sbin/libvirtd")[0]


def confinement(pid):
    with open(f"/proc/{pid}/attr/current", encoding="ascii") as file:
        return file.read()


def may_start(program):
    """Whether libvirtd's profile lets it."""
    command = ["aa-exec", "-p", "libvirtd", "--", "/bin/sh", "-c", f"{program} --version"]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0 or "Permission denied" in result.stdout, result
    return result.returncode == 0


def check_confined(name):
    """A domain can start, and its guest can reserve, although AppArmor confines them."""
    assert confinement(libvirtd()).startswith("libvirtd (enforce)"), confinement(libvirtd())
    with Domain(name, SD[0]) as guest:
        qemu, = domain.processes(QEMU)
        assert "(enforce)" in confinement(qemu), confinement(qemu)
        equal(len(domain.processes(unit.PROGRAM)), 1)
        equal(guest.pr_out(scsi.REGISTER, 0, KEY_A), GOOD)
        equal(guest.pr_out(scsi.CLEAR, KEY_A), GOOD)


DISK = rig.loop_disk("libvirt", nexuses=3)
SD = [nexus.sd for nexus in DISK.nexus]
FD = DISK.nexus[2].open()
domain.configure(HELPER)
main()
