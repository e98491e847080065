# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of a map."""
import fcntl
import struct

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
