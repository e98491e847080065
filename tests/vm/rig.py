# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI disks of every kind the tests need, made by the kernel itself (LIO).

A disk is one LIO backstore, exported by several targets. The kernel logs in to
each and gets a block device per target: so many I_T nexuses of one logical
unit, or in other words so many hosts that share a disk. Only for use in the
virtual machine that tests/vm/run starts, and so it refuses to be used anywhere
else; what is made here is meant to go down with the machine, except for what a
test wants gone before.
"""
import contextlib
import ctypes
import fcntl
import glob
import os
import struct
import subprocess
import time
import zlib

CONFIGFS = "/sys/kernel/config/target"
SIZE = 16 << 20
PORTAL = "127.0.0.1:3260"
LIBC = ctypes.CDLL(None)
INITIATOR = "iqn.2000-01.test.invalid:initiator"

# What tests/vm/init leaves in its machine's root directory.
assert os.path.exists("/.vm/control"), "not on a real machine: use tests/vm/run"


def write(path, text):
    """Write a line to a file of sysfs or configfs, in one write, like echo."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")


def read(path):
    """Read a file of sysfs or configfs."""
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def wait_for(condition, what, seconds=30):
    """Poll until condition() is true, and return what it returned."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return result


def can_open(node):
    """Is there a device behind the node already, or still?"""
    try:
        os.close(os.open(node, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


class Nexus:
    """A disk as one host sees it: sd and sg are its device nodes."""

    def __init__(self, device):
        self.device = device
        self.sd = self._node("block/sd*")
        self.sg = self._node("scsi_generic/sg*")

    def _node(self, pattern):
        """The node is of use some time after its name is known."""
        path = wait_for(lambda: glob.glob(f"{self.device}/{pattern}"), pattern)[0]
        node = "/dev/" + os.path.basename(path)
        wait_for(lambda: can_open(node), node)
        return node

    def open(self, flags=os.O_RDWR):
        """A new descriptor of the block device."""
        return os.open(self.sd, flags | os.O_CLOEXEC | os.O_NONBLOCK)

    def set_state(self, state):
        """Make the device "offline" or "running"."""
        write(self.device + "/state", state)

    def delete(self):
        """Remove the device from the kernel, as when a disk is pulled."""
        write(self.device + "/delete", "1")


class Backstore:
    """A file that LIO serves as a logical unit."""

    def __init__(self, name):
        self.name = name
        self.path = f"{CONFIGFS}/core/fileio_0/{name}"
        self.file = f"/run/{name}.img"
        with open(self.file, "wb") as file:
            file.truncate(SIZE)
        os.makedirs(self.path)
        write(self.path + "/control", f"fd_dev_name={self.file},fd_dev_size={SIZE}")
        write(self.path + "/wwn/vpd_unit_serial", "serial-" + name)
        write(self.path + "/enable", "1")

    def export(self, portal_group):
        """Make it LUN 0 of a target portal group."""
        os.mkdir(portal_group + "/lun/lun_0")
        os.symlink(self.path, portal_group + "/lun/lun_0/disk")

    def remove(self):
        """Only once no target exports it any more."""
        os.rmdir(self.path)
        os.unlink(self.file)


def withdraw(portal_group):
    """Undo Backstore.export()."""
    os.unlink(portal_group + "/lun/lun_0/disk")
    os.rmdir(portal_group + "/lun/lun_0")


class LoopTarget:
    """A target that is its own initiator (tcm_loop): the quickest nexus there is."""

    is_cut_off = False

    def __init__(self, backstore, number):
        # World-wide names for the two ends, the same each time for a disk of that name.
        unique = f"{zlib.crc32(backstore.name.encode()):08x}"
        self.base = f"{CONFIGFS}/loopback/naa.6001405{unique}{number}"
        self.group = self.base + "/tpgt_1"
        os.makedirs(self.group)
        write(self.group + "/nexus", f"naa.5001405{unique}{number}")
        backstore.export(self.group)
        address = read(self.group + "/address")
        self.nexus = Nexus(f"/sys/class/scsi_device/{address}:0/device")

    def remove(self):
        """Take the device away from the kernel as well."""
        withdraw(self.group)
        write(self.group + "/nexus", "NULL")
        os.rmdir(self.group)
        os.rmdir(self.base)


class IscsiTarget:
    """A target at the end of a network connection: it can be cut off."""

    is_cut_off = False

    def __init__(self, backstore, number):
        name = f"iqn.2000-01.test.invalid:{backstore.name}-{number}"
        self.base = f"{CONFIGFS}/iscsi/{name}"
        self.group = self.base + "/tpgt_1"
        os.makedirs(self.group)
        for attribute, value in (("authentication", "0"), ("generate_node_acls", "1"),
                                 ("demo_mode_write_protect", "0")):
            write(f"{self.group}/attrib/{attribute}", value)
        backstore.export(self.group)
        os.mkdir(f"{self.group}/np/{PORTAL}")
        write(self.group + "/enable", "1")
        before = self._sessions()
        host, port = PORTAL.split(":")
        subprocess.run(["iscsistart", "-i", INITIATOR, "-t", name, "-g", "1",
                        "-a", host, "-p", port], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.session = (self._sessions() - before).pop()
        path = f"/sys/class/iscsi_session/{self.session}/device/target*/*:0"
        self.nexus = Nexus(wait_for(lambda: glob.glob(path), path)[0])

    @staticmethod
    def _sessions():
        return set(os.listdir("/sys/class/iscsi_session"))

    def hang(self, seconds):
        """Cut it off: for so many seconds the kernel holds every command, then fails it."""
        write(f"/sys/class/iscsi_session/{self.session}/recovery_tmo", str(seconds))
        write(self.group + "/enable", "0")
        self.is_cut_off = True

    def remove(self):
        """Take the device away from the kernel as well; one that is cut off has to stay."""
        self.nexus.delete()
        write(self.group + "/enable", "0")
        os.rmdir(f"{self.group}/np/{PORTAL}")
        withdraw(self.group)
        os.rmdir(self.group)
        os.rmdir(self.base)


class Disk:
    """A logical unit with its nexuses, self.nexus[0], [1]..."""

    def __init__(self, name, nexuses, kind):
        # Where LIO keeps reservations that persist through power loss (APTPL).
        os.makedirs("/var/target/pr", exist_ok=True)
        self.backstore = Backstore(name)
        self.targets = [kind(self.backstore, number) for number in range(nexuses)]
        self.nexus = [target.nexus for target in self.targets]

    def can_go(self):
        """Whether remove() works."""
        return not any(target.is_cut_off for target in self.targets)

    def remove(self):
        """All of it."""
        for target in self.targets:
            target.remove()
        self.backstore.remove()


def loop_disk(name, nexuses=2):
    """A disk for each use but those that follow."""
    return Disk(name, nexuses, LoopTarget)


def iscsi_disk(name, nexuses=1):
    """A disk that can be cut off, and one that can abort commands."""
    return Disk(name, nexuses, IscsiTarget)


@contextlib.contextmanager
def fresh_disk(nexuses=2):
    """A disk that is the same each time, down to its serial and its nexuses' names."""
    disk = loop_disk("fresh", nexuses)
    try:
        yield disk
    finally:
        disk.remove()


# <linux/blkpg.h>; addpart(8) is not in every release.
BLKPG, BLKPG_ADD_PARTITION = 0x1269, 1


def add_partition(disk, number, start, size):
    """Tell the kernel of a partition, in bytes; nothing is written to the disk."""
    partition_data = ctypes.create_string_buffer(
        struct.pack("qqi64s64sxxxx", start, size, number, b"", b""))
    argument = struct.pack("iiiP", BLKPG_ADD_PARTITION, 0, len(partition_data),
                           ctypes.addressof(partition_data))
    with open(disk, "rb") as file:
        fcntl.ioctl(file, BLKPG, argument)


def partition(nexus):
    """Make a partition in the middle of a disk; returns its device node."""
    node = nexus.sd + "1"
    if not os.path.exists(node):
        add_partition(nexus.sd, 1, 2048 * 512, 16384 * 512)
        wait_for(lambda: can_open(node), node)
    return node


def _map(name, table, *options):
    subprocess.run(["dmsetup", "create", "--noudevsync", name, *options, "--table", table],
                   check=True)
    minor = subprocess.run(["dmsetup", "info", "-c", "--noheadings", "-o", "minor", name],
                           check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    return f"/dev/dm-{minor}"


def linear_map(nexus, name):
    """A device-mapper volume on a part of a disk; returns its device node."""
    return _map(name, f"0 8192 linear {nexus.sd} 2048")


def multipath_map(nexuses, name):
    """A dm-multipath map over a disk's nexuses, as multipathd makes it; its device node."""
    paths = " ".join(f"{nexus.sd} 1" for nexus in nexuses)
    return _map(name, f"0 {SIZE // 512} multipath 0 0 1 1 round-robin 0 {len(nexuses)} 1 {paths}",
                "--uuid", f"mpath-{name}")


def remove_map(name):
    """Undo linear_map() or multipath_map()."""
    subprocess.run(["dmsetup", "remove", "--noudevsync", name], check=True)


def bsg_node(nexus):
    """A disk's third device node, which wants another kind of SG_IO."""
    return "/dev/bsg/" + os.listdir(nexus.device + "/bsg")[0]


def _own_node(pattern):
    """The node of a device that the machine has from the start (DISKS in tests/vm/run)."""
    node = "/dev/" + os.path.basename(wait_for(lambda: glob.glob(pattern), pattern)[0])
    wait_for(lambda: can_open(node), node)
    return node


def nvme_disk():
    """An NVMe disk's device node."""
    return _own_node("/sys/block/nvme*n1")


def cdrom():
    """A SCSI CD-ROM's device node; its drive knows no persistent reservations."""
    return _own_node("/sys/block/sr*")


def dead_fuse_directory(path):
    """Mount a FUSE file system that nobody serves; returns what keeps it mounted.

    Whoever asks for a file's attributes there waits until that is closed.
    """
    os.makedirs(path)
    device = open("/dev/fuse", "r+b", buffering=0)    # pylint: disable=consider-using-with
    options = f"fd={device.fileno()},rootmode=40000,user_id=0,group_id=0,allow_other"
    assert LIBC.mount(b"dead", path.encode(), b"fuse", 0, options.encode()) == 0
    return device


def loop_device(path):
    """A loop device on a file; returns its device node."""
    return subprocess.run(["losetup", "--show", "-f", path], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()
