# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a multipath map, and another host on the same disk.

The kernel's SCSI target gives a disk three I_T nexuses. The first two are paths
of one map, which the real udevd and multipathd make and keep; the third one,
which multipathd is told to leave alone, is the other host. So what the disk
has made of a command can be looked at from outside, byte for byte.
"""
import atexit
import contextlib
import fcntl
import functools
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import helper
import rig
import scsi
import sgio
from tap import diag

SOCKET = "\0/org/kernel/linux/storage/multipathd"
CONFIGURATION = "/etc/multipath.conf"
DIRECTORY = "/etc/multipath"
LOG = "/run/multipathd.log"
UDEVD = "/lib/systemd/systemd-udevd"
RESERVATION_KEY = "reservation_key file"
# What the root of the multipathd to be tested is; None: this machine's.
ROOT = None
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
RAW = "raw"
# As LIO makes it of the hexadecimal digits of "serial-raw".
RAW_WWID = "36001405eaa"


# struct dm_ioctl of <linux/dm-ioctl.h>, what is said in it, and what stands before an answer.
DM_IOCTL = struct.Struct("=3IIIIiIIIQ128s129s7x")
DM_TABLE_STATUS = 0xC138FD0C
DM_NOFLUSH = 1 << 11
DM_TARGET = struct.Struct("=QQiI16s")


def map_status(name):
    """As dmsetup status has it, which takes a process each time."""
    buffer = bytearray(16384)
    DM_IOCTL.pack_into(buffer, 0, 4, 0, 0, len(buffer), DM_IOCTL.size, 0, 0, DM_NOFLUSH, 0, 0, 0,
                       name.encode(), b"")
    with open("/dev/mapper/control", "rb", buffering=0) as control:
        fcntl.ioctl(control, DM_TABLE_STATUS, buffer)
    start = DM_IOCTL.unpack_from(buffer)[4] + DM_TARGET.size
    return buffer[start:buffer.index(0, start)].decode()


def run(*command):
    """What a command has printed; it has to succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Path:
    """One of the map's paths, which may go and come back under another name."""

    def __init__(self, nexus):
        self.nexus = nexus
        # HOST:CHANNEL:TARGET:LUN, the name of the device's directory in sysfs.
        self.address = os.path.basename(os.path.realpath(nexus.device))

    @property
    def name(self):
        """The kernel's: "sda"."""
        return os.path.basename(self.nexus.sd)

    def offline(self):
        """Every command fails from now on."""
        self.nexus.set_state("offline")

    def online(self):
        """They are executed again; multipathd has to notice."""
        self.nexus.set_state("running")

    def delete(self):
        """Pull the cable; the kernel forgets the device."""
        self.nexus.delete()
        rig.wait_for(lambda: not os.path.exists(self.nexus.device), "the device to go")

    def rescan(self):
        """Plug it in again."""
        host = self.address.split(":", maxsplit=1)[0]
        # This bus has one channel; wildcards reach it all the same.
        rig.write(f"/sys/class/scsi_host/host{host}/scan", "- - -")
        self.nexus = rig.Nexus(f"/sys/class/scsi_device/{self.address}/device")


class Multipathd:
    """The daemon of that name, with its configuration."""

    def __init__(self, blacklist):
        self.blacklist = blacklist
        self.process = None

    def configure(self, reservation_key=RESERVATION_KEY):
        """Write the configuration; every section on lines of its own, or the rest is ignored."""
        names = [f'\tdevnode "^{name}$"' for name in self.blacklist]
        names.append(f'\twwid "^{RAW_WWID}0*$"')
        lines = ["defaults {", "\tfind_multipaths no", "\tuser_friendly_names yes",
                 "\tpolling_interval 1", "\tmax_polling_interval 1", "\t" + reservation_key, "}",
                 "blacklist {", *names, "}", "overrides {", "\tno_path_retry queue", "}"]
        with open(CONFIGURATION, "w", encoding="ascii") as file:
            print(*lines, sep="\n", file=file)

    def start(self):
        """Returns when it answers."""
        program = [os.path.join(HERE, "multipathd-in"), ROOT] if ROOT else ["multipathd"]
        with open(LOG, "ab") as file:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen([*program, "-d"], stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file)
        rig.wait_for(self._answers, "multipathd to answer")

    def _answers(self):
        assert self.process.poll() is None, f"multipathd has ended:\n{log()}"
        try:
            # Says "timeout" for as long as it is setting up its maps.
            return not self.ask("show daemon").startswith(("timeout", "fail"))
        except ConnectionRefusedError:
            return False

    def stop(self):
        """The maps stay."""
        self.process.terminate()
        self.process.wait(20)

    def restart(self):
        """As after a change of the configuration."""
        self.stop()
        self.start()

    @staticmethod
    def ask(text):
        """One of its commands, and its answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(SOCKET)
            sock.sendall(struct.pack("=Q", len(text) + 1) + text.encode() + b"\0")
            with sock.makefile("rb") as file:
                size, = struct.unpack("=Q", file.read(8))
                return file.read(size).rstrip(b"\0").decode().strip()


def log():
    """What multipathd has said so far."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        return file.read()


class San:
    """A disk with a map of two paths, and the other host's nexus of it."""

    def __init__(self, name, make=rig.loop_disk):
        """The name's hexadecimal digits are all that tells one disk's WWID from another's."""
        self.disk = make(name, nexuses=3)
        # Those of others can be made to hang for good.
        self.can_go = make is rig.loop_disk
        self.paths = [Path(nexus) for nexus in self.disk.nexus[:2]]
        self.other = self.disk.nexus[2]
        self.fd = self.other.open()

    @functools.cached_property
    def map(self):
        """The kernel's name of it: "dm-0"; it stays when the paths go."""
        holders = f"/sys/block/{self.paths[0].name}/holders"
        return rig.wait_for(lambda: os.listdir(holders), "the map")[0]

    @property
    def node(self):
        """/dev/dm-N"""
        return "/dev/" + self.map

    @property
    def alias(self):
        """The administrator's name of it: "mpatha"."""
        return rig.read(f"/sys/block/{self.map}/dm/name")

    def open(self, flags=os.O_RDWR):
        """A descriptor of the map, as QEMU has one."""
        return os.open(self.node, flags | os.O_CLOEXEC | os.O_NONBLOCK)

    # What the kernel and multipathd say.

    def states(self):
        """{"sda": "A", "sdb": "F"}: what the kernel uses the map's paths for."""
        status = map_status(self.alias)
        return {os.path.basename(os.path.realpath(f"/sys/dev/block/{number}")): state
                for number, state in re.findall(r" (\d+:\d+) ([AF])\b", status)}

    def wait_for_paths(self, wanted):
        """Until exactly these paths carry I/O, and multipathd has found the others dead.

        A path that is back before multipathd has looked is none to it that was away.
        """
        names = {path.name for path in wanted}
        try:
            rig.wait_for(lambda: self._active() == names == self._ready(), f"{names} to be active")
        except AssertionError:
            diag(f"{self.states()}\n{log()[-2000:]}")
            raise

    def _active(self):
        return {name for name, state in self.states().items() if state == "A"}

    def _ready(self):
        lines = Multipathd.ask('show paths raw format "%d %T"').splitlines()
        ready = {line.split()[0] for line in lines if line.split()[1:] == ["ready"]}
        return ready & {path.name for path in self.paths}

    def ask(self, verb, more=""):
        """Of multipathd, about this map."""
        return Multipathd.ask(f"{verb} map {self.map}{more}")

    def multipathd_key(self):
        """As multipathd writes it: "0xabc", "none"."""
        return self.ask("getprkey")

    def is_registering(self):
        """Will multipathd register the paths that come back? Newer ones answer in words."""
        answer = self.ask("getprstatus")
        assert answer in ("0", "1", "unset", "set", "pending"), answer
        return answer in ("1", "set")

    # What the disk says, to the other host.

    def keys(self):
        """The keys registered, one for each nexus, in ascending order."""
        return sorted(scsi.keys(self._read(READ_KEYS)))

    def reservation(self):
        """(key, type), or None."""
        return scsi.reservation(self._read(scsi.pr_in(scsi.READ_RESERVATION)))

    def _read(self, cdb):
        while (answer := sgio.pr_command(self.fd, cdb)).status != scsi.GOOD:
            assert scsi.sense_code(answer.sense).startswith("6/"), answer
        return answer.payload

    def other_host(self, action, key=0, new_key=0, kind=0):
        """A command of the other host's; the outcome behind unit attentions."""
        return settled(lambda: sgio.pr_command(self.fd, scsi.pr_out(action, kind),
                                               scsi.parameters(key, new_key)))

    # Between tests.

    def clean(self):
        """All paths back, no keys, no unit attentions, and nothing that multipathd remembers."""
        self.ask("unsetprstatus")
        self.ask("unsetprkey")
        # First, because some path checkers read: a reservation makes their paths dead.
        if self.keys():
            self.other_host(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, 0xC1EA)
            assert self.other_host(scsi.CLEAR, 0xC1EA) == "GOOD"
        for path in self.paths:
            if not os.path.exists(path.nexus.device):
                path.rescan()
            elif rig.read(path.nexus.device + "/state") != "running":
                path.online()
        self.wait_for_paths(self.paths)
        assert (self.keys(), self.reservation()) == ([], None)
        for path in self.paths:
            with contextlib.closing(Descriptor(path.nexus)) as descriptor:
                descriptor.settle()
        return self


class Descriptor:
    """Direct access to a nexus, past the map."""

    def __init__(self, nexus):
        self.fd = nexus.open()

    def close(self):
        """Undo it."""
        os.close(self.fd)

    def settle(self):
        """Take all unit attentions that are waiting."""
        assert settled(lambda: sgio.sg_io(self.fd, scsi.TEST_UNIT_READY)) == "GOOD"


def settled(send):
    """The outcome of send() behind all unit attentions, which guests also go past."""
    while (outcome := str(send())).startswith("6/"):
        pass
    return outcome


class Guest:
    """A machine on the map, whose reservations go through the daemon."""

    def __init__(self, daemon, san):
        self.fd = san.open()
        self.client = daemon.client()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        os.close(self.fd)

    def command(self, cdb, data=b""):
        """The Reply to one command."""
        return self.client.command(cdb, self.fd, data)

    def out(self, action, key=0, new_key=0, kind=0, flags=0):
        """The outcome of PERSISTENT RESERVE OUT behind all unit attentions."""
        return settled(lambda: self.command(scsi.pr_out(action, kind),
                                            scsi.parameters(key, new_key, flags)))

    def register(self, key, old=0):
        """REGISTER."""
        return self.out(scsi.REGISTER, old, key)

    def reserve(self, key, kind=scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY):
        """RESERVE."""
        return self.out(scsi.RESERVE, key, kind=kind)

    def release(self, key, kind=scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY):
        """RELEASE."""
        return self.out(scsi.RELEASE, key, kind=kind)


class Load:
    """I/O on the map for the length of a "with" block: what a guest's programs would notice."""

    BLOCK = 4096

    def __init__(self, san):
        self.fd = san.open(os.O_RDWR | os.O_DIRECT)
        self.buffer = mmap.mmap(-1, self.BLOCK)
        self.done, self.errors = 0, []
        self.ended = False
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        block = 0
        while not self.ended:
            block = (block + 1) % (rig.SIZE // self.BLOCK)
            try:
                os.pwrite(self.fd, self.buffer, block * self.BLOCK)
                os.preadv(self.fd, [self.buffer], block * self.BLOCK)
                self.done += 1
            except OSError as error:
                self.errors.append(error)
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        self.goes_on()
        return self

    def goes_on(self, count=20):
        """Wait until it has made so much progress from now on."""
        start = self.done + len(self.errors)
        rig.wait_for(lambda: self.done + len(self.errors) >= start + count, "I/O to go on")

    def __exit__(self, kind, *_):
        self.ended = True
        self.thread.join(30)
        os.close(self.fd)
        diag(f"{self.done} writes and reads, {len(self.errors)} failed")


def parse_arguments(description):
    """The command line of the test programs here."""
    global ROOT                             # pylint: disable=global-statement
    options = helper.parse_arguments(description, ("--multipathd", "the multipathd of this root"))
    ROOT = options.multipathd
    return options


def raw_disk():
    """A descriptor of a disk beside the maps."""
    disk = rig.loop_disk(RAW, nexuses=1)
    fd = disk.nexus[0].open()
    atexit.register(lambda: (os.close(fd), disk.remove()))
    return fd


def start(makes=(rig.loop_disk,)):
    """The hosts' disks, and multipathd with a map on each: (multipathd, san...)."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    sans = [San(str(number), make) for number, make in enumerate(makes, 1)]
    multipathd = Multipathd([os.path.basename(san.other.sd) for san in sans])
    multipathd.configure()
    if not os.path.exists("/run/udev/control"):
        subprocess.run([UDEVD, "--daemon"], check=True, stderr=subprocess.DEVNULL)
    # As at boot, for what was there before udevd; but other tests leave disks that hang.
    run("udevadm", "trigger", "--action=add",
        *[nexus.sd for san in sans for nexus in san.disk.nexus])
    run("udevadm", "settle")
    multipathd.start()
    atexit.register(end, multipathd, sans)
    for san in sans:
        san.wait_for_paths(san.paths)
        node = "/dev/mapper/" + san.alias
        rig.wait_for(lambda node=node: os.path.exists(node), node)
    run("udevadm", "settle")
    return (multipathd, *sans)


def end(multipathd, sans):
    """The next program finds no map, and sda free again; or there is no next program."""
    if not all(san.can_go for san in sans):
        multipathd.process.kill()
        return
    if multipathd.process.poll() is None:
        multipathd.stop()
    for san in sans:
        with contextlib.suppress(subprocess.CalledProcessError):
            os.close(san.fd)
            run("dmsetup", "remove", "--retry", san.alias)
            san.disk.remove()
