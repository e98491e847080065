# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a multipath map, and another host on the same disk.

The kernel's SCSI target gives a disk three I_T nexuses. The first two are paths
of one map, which the real udevd and multipathd make and keep; the third one,
which multipathd is told to leave alone, is the other host. So what the disk
has made of a command can be looked at from outside, byte for byte.
"""
import atexit
import contextlib
import functools
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
import helper
import multipathd
import rig
import scsi
import sgio
from mapper import map_status
from multipathd import Multipathd
from tap import diag

UDEVD = "/lib/systemd/systemd-udevd"
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)
RAW = "raw"
# As LIO makes it of the hexadecimal digits of "serial-raw".
RAW_WWID = "36001405eaa"
# Our guest's key and its next one, the other host's, and nobody's.
KEY, NEW, OTHER, WRONG = 0xA11CE, 0xBEEF, 0xB0B, 0xBAD
KIND = scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY


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


class San:
    """A disk with a map of two paths, and the other host's nexus of it."""

    def __init__(self, name, make=rig.loop_disk):
        """The name's hexadecimal digits are all that tells one disk's WWID from another's."""
        self.disk = make(name, nexuses=3)
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
            diag(f"{self.states()}\n{multipathd.log()[-2000:]}")
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

    def other_host_joins(self):
        """With its key."""
        expect_good(self.other_host(scsi.REGISTER, 0, OTHER))

    def other_host_writes(self):
        """Does the disk take what it writes?"""
        try:
            os.pwrite(self.fd, bytes(512), 0)
            os.fsync(self.fd)
            return True
        except OSError:
            return False

    # What happens to the paths.

    def lose(self, path):
        """It is offline, and out of use."""
        path.offline()
        self.wait_for_paths([other for other in self.paths if other is not path])

    def bring_back(self, path):
        """Of a path that was lost, and all of them are in use."""
        path.online()
        self.wait_for_paths(self.paths)

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


def expect_good(*outcomes):
    """Each of these commands has done what it should."""
    assert set(outcomes) == {"GOOD"}, outcomes


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

    def reserve(self, key, kind=KIND):
        """RESERVE."""
        return self.out(scsi.RESERVE, key, kind=kind)

    def release(self, key, kind=KIND):
        """RELEASE."""
        return self.out(scsi.RELEASE, key, kind=kind)


def fresh_guest(daemon, san):
    """A guest on a map of which nothing is known yet."""
    return Guest(daemon, san.clean())


def parse_arguments(description):
    """The command line of the test programs here."""
    options = helper.parse_arguments(description, ("--multipathd", "the multipathd of this root"))
    multipathd.ROOT = options.multipathd
    return options


def raw_disk():
    """A descriptor of a disk beside the maps."""
    disk = rig.loop_disk(RAW, nexuses=1)
    fd = disk.nexus[0].open()
    atexit.register(lambda: (os.close(fd), disk.remove()))
    return fd


def start(makes=(rig.loop_disk,)):
    """The hosts' disks, and multipathd with a map on each: (multipathd, san...)."""
    multipathd.forget()
    sans = [San(str(number), make) for number, make in enumerate(makes, 1)]
    daemon = Multipathd(
        [*(f'\tdevnode "^{os.path.basename(san.other.sd)}$"' for san in sans),
         f'\twwid "^{RAW_WWID}0*$"'])
    daemon.configure()
    if not os.path.exists("/run/udev/control"):
        subprocess.run([UDEVD, "--daemon"], check=True, stderr=subprocess.DEVNULL)
    # As at boot, for what was there before udevd; but other tests leave disks that hang.
    run("udevadm", "trigger", "--action=add",
        *[nexus.sd for san in sans for nexus in san.disk.nexus])
    run("udevadm", "settle")
    daemon.start()
    atexit.register(end, daemon, sans)
    for san in sans:
        san.wait_for_paths(san.paths)
        node = "/dev/mapper/" + san.alias
        rig.wait_for(lambda node=node: os.path.exists(node), node)
    run("udevadm", "settle")
    return (daemon, *sans)


def end(daemon, sans):
    """The next program finds no map, and sda free again; or there is no next program."""
    if not all(san.disk.can_go() for san in sans):
        daemon.process.kill()
        return
    if daemon.process.poll() is None:
        daemon.stop()
    for san in sans:
        with contextlib.suppress(subprocess.CalledProcessError):
            os.close(san.fd)
            run("dmsetup", "remove", "--retry", san.alias)
            san.disk.remove()
