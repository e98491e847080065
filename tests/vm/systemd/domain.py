# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains of a real libvirtd, with guests that the tests drive by qtest."""
import contextlib
import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../lib")]

# pylint: disable=wrong-import-position
from cluster import Initiator
from qtest import PciDriver

CONFIGURATION = "/etc/libvirt/qemu.conf"
MANAGED = "<reservations managed='yes'/>"
UNMANAGED = ("<reservations managed='no'>"
             "<source type='unix' path='{}' mode='client'/></reservations>")
DISK = """
<disk type='block' device='lun'>
  <driver name='qemu' type='raw'/>
  <source dev='{disk}'>{reservations}</source>
  <target dev='sda' bus='scsi'/>
</disk>
"""
# -qtest goes past libvirt: it is how the tests drive the guest.
DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader type='rom' readonly='yes'>{firmware}</loader>
  </os>
  <devices>
    {disk}
    <controller type='scsi' model='virtio-scsi'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>{arguments}</qemu:commandline>
</domain>
"""


def run(*command):
    """A command's output; it has to succeed."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}"
    return result.stdout.strip()


def configure(helper=None):
    """Have libvirtd use this helper, as its administrator would do it; None: Debian's."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("pr_helper")]
    with open(CONFIGURATION, "w", encoding="utf-8") as file:
        file.writelines(lines + ([f'pr_helper = "{helper}"\n'] if helper else []))
    # A bridge is of no use here.
    for path in glob.glob("/etc/libvirt/qemu/networks/autostart/*"):
        os.unlink(path)
    run("systemctl", "restart", "libvirtd.service")


@contextlib.contextmanager
def confined():
    """libvirtd under AppArmor, by what its package brings and nothing of the administrator's.

    It takes effect with libvirtd's next start, which configure() is.
    """
    profiles = [f"/etc/apparmor.d/{name}"
                for name in ("usr.lib.libvirt.virt-aa-helper", "usr.sbin.libvirtd")]
    with open("/etc/apparmor.d/local/usr.sbin.libvirtd", "w", encoding="ascii"):
        pass
    run("apparmor_parser", "-r", *profiles)
    try:
        yield
    finally:
        run("apparmor_parser", "-R", *profiles)
        run("systemctl", "restart", "libvirtd.service")


def processes(program):
    """The process numbers of all that run this program."""
    found = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.path.realpath(path) == program:
                found.append(int(path.split("/")[2]))
        except OSError:
            continue
    return sorted(found)


class Domain(Initiator, PciDriver):
    """A running domain with one disk, or none yet."""

    def __init__(self, name, disk=None, reservations=MANAGED):
        super().__init__(name)
        self.name = name
        element = DISK.format(disk=disk, reservations=reservations) if disk else ""
        arguments = "".join(f"<qemu:arg value='{option}'/>" for option in self.options())
        path = f"/run/{name}.xml"
        with open(path, "w", encoding="ascii") as file:
            file.write(DOMAIN.format(name=name, disk=element, firmware=self.firmware,
                                     arguments=arguments))
        run("virsh", "create", path)
        self.attach()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.name in run("virsh", "list", "--name").split():
            run("virsh", "destroy", self.name)
        self.detach()

    def state(self):
        """As libvirt sees it."""
        return run("virsh", "domstate", self.name)
