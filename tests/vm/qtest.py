# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QEMU whose guest is a Python program.

The daemon's one real client is QEMU, but a guest operating system takes
minutes to boot without KVM. So the guest's processor halts at its first
instruction, and the tests drive the guest's virtio SCSI adapter themselves, by
QEMU's qtest interface, which reads and writes the guest's memory and its
devices' registers. What lies behind the adapter is QEMU's as always.
"""
import os
import socket
import struct
import subprocess
import time
from typing import NamedTuple

# The "microvm" machine has its virtio-mmio devices here, 512 bytes each.
MMIO_BASE, MMIO_SIZE, MMIO_COUNT = 0xFEB00000, 0x200, 24
MAGIC, LEGACY, SCSI_ADAPTER = 0x74726976, 1, 8
# Registers of a legacy virtio-mmio device.
(REG_MAGIC, REG_VERSION, REG_DEVICE_ID, REG_GUEST_FEATURES, REG_GUEST_PAGE_SIZE, REG_QUEUE_SEL,
 REG_QUEUE_NUM, REG_QUEUE_ALIGN, REG_QUEUE_PFN, REG_QUEUE_NOTIFY, REG_STATUS) = (
     0x00, 0x04, 0x08, 0x20, 0x28, 0x30, 0x38, 0x3C, 0x40, 0x50, 0x70)
ACKNOWLEDGE, DRIVER, DRIVER_OK = 1, 2, 4
# PCI's ports and registers, and those of a legacy virtio-pci device, at PORTS.
PCI_ADDRESS, PCI_DATA, PCI_ID, PCI_COMMAND, PCI_BAR0 = 0xCF8, 0xCFC, 0x00, 0x04, 0x10
PCI_IO, PCI_MASTER = 1, 4
PCI_SCSI_ADAPTER = 0x10041AF4
PORTS = 0xC000
(PORT_GUEST_FEATURES, PORT_QUEUE_PFN, PORT_QUEUE_NUM, PORT_QUEUE_SEL, PORT_QUEUE_NOTIFY,
 PORT_STATUS) = (0x04, 0x08, 0x0C, 0x0E, 0x10, 0x12)
# The adapter's first request queue; 0 and 1 are for control and events.
REQUEST_QUEUE = 2

PAGE = 4096
QUEUE_LENGTH = 8
# The guest's memory: the ring, then a request, its answer and its data.
RING, REQUEST, RESPONSE, DATA = 0x100000, 0x110000, 0x111000, 0x112000
DESC_NEXT, DESC_WRITE = 1, 2
RESPONSE_SIZE = 108
# The adapter's own verdict, beside the disk's status.
RESPONSE_OK = 0

FIRMWARE_SIZE = 64 << 10
CLI_HLT = b"\xfa\xf4"

PROGRAM = ("qemu-system-x86_64",)


class Answer(NamedTuple):
    """What the guest got; data is what QEMU says it transferred."""
    status: int
    sense: bytes
    payload: bytes


def write_firmware(path):
    """A ROM that stops the processor at the reset vector."""
    with open(path, "wb") as file:
        file.write(CLI_HLT.rjust(FIRMWARE_SIZE - 14, b"\xf4").ljust(FIRMWARE_SIZE, b"\xf4"))


def supplementary(groups):
    """The option of setpriv for a process with these groups beside its own."""
    return [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]


class Driver:
    """The guest's driver of its adapter. QEMU connects to it; so it comes before QEMU.

    This one is for a virtio-mmio adapter of the machine "microvm".
    """

    def __init__(self, name):
        self.path = f"/run/qtest-{name}"
        self.firmware = self.path + ".bin"
        write_firmware(self.firmware)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen()

    def options(self):
        """What QEMU has to be told, beside -bios self.firmware."""
        return ["-qtest", f"unix:{self.path}", "-qtest-log", "/dev/null"]

    def attach(self, source=None):
        """Meet QEMU, and bring its adapter up; or leave that to migration from the source."""
        self.listener.settimeout(30)
        self.sock = self.listener.accept()[0]
        self.listener.close()
        os.unlink(self.path)
        self.sock.settimeout(60)
        self.file = self.sock.makefile("r", encoding="ascii")
        self.requests = 0
        if source:
            self.base, self.length = source.base, source.length
        else:
            self._start_adapter()

    def detach(self):
        """Hang up."""
        self.file.close()
        self.sock.close()

    # The qtest protocol: a line out, a line back.

    def _ask(self, line):
        self.sock.sendall(line.encode() + b"\n")
        words = self.file.readline().split()
        assert words[:1] == ["OK"], f"{line[:80]}: {words or 'QEMU is gone'}"
        return words[1:]

    def _write(self, address, data):
        self._ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def _read(self, address, size):
        return bytes.fromhex(self._ask(f"read {address:#x} {size:#x}")[0][2:])

    # The adapter.

    def _get(self, register):
        return int(self._ask(f"readl {self.base + register:#x}")[0], 16)

    def _set(self, register, value):
        self._ask(f"writel {self.base + register:#x} {value:#x}")

    def _is_adapter_at(self, number):
        self.base = MMIO_BASE + number * MMIO_SIZE
        return (self._get(REG_MAGIC), self._get(REG_VERSION), self._get(REG_DEVICE_ID)) == \
            (MAGIC, LEGACY, SCSI_ADAPTER)

    def _start_adapter(self):
        assert any(self._is_adapter_at(number) for number in range(MMIO_COUNT)), "no adapter"
        for value in (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER):
            self._set(REG_STATUS, value)
        self._set(REG_GUEST_FEATURES, 0)
        self._set(REG_GUEST_PAGE_SIZE, PAGE)
        self._set(REG_QUEUE_SEL, REQUEST_QUEUE)
        self.length = QUEUE_LENGTH
        self._set(REG_QUEUE_NUM, self.length)
        self._set(REG_QUEUE_ALIGN, PAGE)
        self._set(REG_QUEUE_PFN, RING // PAGE)
        self._set(REG_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK)

    def _notify(self):
        self._set(REG_QUEUE_NOTIFY, REQUEST_QUEUE)

    # A ring and its requests.

    def _used(self):
        """The ring's second half is on a page of its own."""
        avail_end = 16 * self.length + 6 + 2 * self.length
        return RING + (avail_end + PAGE - 1) // PAGE * PAGE

    def command(self, cdb, data_out=b"", data_in=0, timeout=60):
        """One SCSI command of the guest, on its one disk."""
        self.request(cdb, data_out, data_in)
        return self.reply(data_in, timeout)

    def request(self, cdb, data_out=b"", data_in=0):
        """The first half of command(): send it, wait for nothing."""
        self._write(REQUEST, struct.pack("<8BQ3B32s", 1, 0, 0x40, 0, 0, 0, 0, 0,
                                         self.requests, 0, 0, 0, cdb))
        self._write(RESPONSE, b"\xee" * RESPONSE_SIZE)
        if data_out or data_in:
            self._write(DATA, data_out or bytes(data_in))
        self._queue(len(data_out), data_in)

    def reply(self, data_in=0, timeout=60):
        """The second half: wait until it is done."""
        self._wait(timeout)
        return self._answer(data_in)

    def _queue(self, size_out, size_in):
        """One chain of descriptors: first what the adapter reads, then what it writes."""
        parts = [(REQUEST, 51, 0)]
        if size_out:
            parts.append((DATA, size_out, 0))
        parts.append((RESPONSE, RESPONSE_SIZE, DESC_WRITE))
        if size_in:
            parts.append((DATA, size_in, DESC_WRITE))
        last = len(parts) - 1
        self._write(RING, b"".join(
            struct.pack("<QIHH", address, size, flags | (DESC_NEXT if index < last else 0),
                        index + 1 if index < last else 0)
            for index, (address, size, flags) in enumerate(parts)))
        avail = RING + 16 * self.length
        self._write(avail + 4 + 2 * (self.requests % self.length), struct.pack("<H", 0))
        self.requests += 1
        self._write(avail, struct.pack("<HH", 0, self.requests & 0xFFFF))
        self._notify()

    def has_reply(self):
        """Is the last command done?"""
        return struct.unpack("<H", self._read(self._used() + 2, 2))[0] == self.requests & 0xFFFF

    def _wait(self, timeout):
        end = time.monotonic() + timeout
        while not self.has_reply():
            assert time.monotonic() < end, f"no answer after {timeout} s"
            time.sleep(0.005)

    def _answer(self, data_in):
        response = self._read(RESPONSE, RESPONSE_SIZE)
        sense_size, residual, _, status, result = struct.unpack("<IIHBB", response[:12])
        assert result == RESPONSE_OK, f"virtio-scsi response {result}"
        payload = self._read(DATA, data_in - residual) if data_in > residual else b""
        return Answer(status, response[12:12 + sense_size], payload)


class Qemu(Driver):
    """One QEMU with one disk, a process of an ordinary user.

    If there is a source, another Qemu, its guest is to be migrated to this one.
    """

    def __init__(self, name, disk, helper_socket, user, groups=(), device="scsi-block",
                 program=PROGRAM, more=(), source=None):
        super().__init__(name)
        incoming = ("-incoming", "defer") if source else ()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={user}", f"--regid={user}", *supplementary(groups),
             *program, "-accel", "tcg", "-m", "16", "-nodefaults", "-no-user-config",
             "-display", "none", "-machine", "microvm,acpi=off", "-bios", self.firmware,
             *self.options(), "-global", "virtio-mmio.force-legacy=true",
             "-object", f"pr-manager-helper,id=pr,path={helper_socket}",
             "-blockdev", "node-name=hd,driver=raw,file.driver=host_device,"
                          f"file.filename={disk},file.pr-manager=pr",
             "-device", "virtio-scsi-device", "-device", f"{device},drive=hd", *more, *incoming])
        try:
            self.attach(source)
        except BaseException:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.detach()


class PciDriver(Driver):
    """The driver of a transitional virtio-pci adapter, which libvirt's domains have."""

    def _start_adapter(self):
        assert any(self._is_adapter_at(slot) for slot in range(32)), "no adapter"
        self._configure(PCI_BAR0, PORTS)
        self._configure(PCI_COMMAND, PCI_IO | PCI_MASTER)
        for value in (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER):
            self._out("b", PORT_STATUS, value)
        self._out("l", PORT_GUEST_FEATURES, 0)
        self._out("w", PORT_QUEUE_SEL, REQUEST_QUEUE)
        self.length = int(self._ask(f"inw {PORTS + PORT_QUEUE_NUM:#x}")[0], 16)
        self._out("l", PORT_QUEUE_PFN, RING // PAGE)
        self._out("b", PORT_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK)

    def _is_adapter_at(self, slot):
        self.slot = slot
        self._select(PCI_ID)
        return int(self._ask(f"inl {PCI_DATA:#x}")[0], 16) == PCI_SCSI_ADAPTER

    def _select(self, register):
        self._ask(f"outl {PCI_ADDRESS:#x} {1 << 31 | self.slot << 11 | register:#x}")

    def _configure(self, register, value):
        self._select(register)
        self._ask(f"outl {PCI_DATA:#x} {value:#x}")

    def _out(self, size, port, value):
        self._ask(f"out{size} {PORTS + port:#x} {value:#x}")

    def _notify(self):
        self._out("w", PORT_QUEUE_NOTIFY, REQUEST_QUEUE)
