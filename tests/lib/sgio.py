# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI commands straight to a device, by the SG_IO ioctl.

The measure for the daemon: what the device answers here is what a client of
the daemon has to see, byte for byte. Nothing is interpreted, nothing retried.
"""
import ctypes
import fcntl
from typing import NamedTuple

import scsi

SG_IO = 0x2285
SG_DXFER_NONE = -1
SG_DXFER_TO_DEV = -2
SG_DXFER_FROM_DEV = -3
BUFFER_SIZE = 8192
SENSE_SIZE = 96


class SgIoHdr(ctypes.Structure):
    """struct sg_io_hdr of <scsi/sg.h>."""
    _fields_ = [
        ("interface_id", ctypes.c_int),
        ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p),
        ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    ]


class Answer(NamedTuple):
    """What the device said; sense is always 96 bytes, zeros behind what was written."""
    status: int
    sense: bytes
    payload: bytes
    host_status: int
    driver_status: int

    def __str__(self):
        return scsi.outcome(self.status, self.sense)


def sg_io(fd, cdb, data_out=None, data_in=0, timeout_ms=60000):
    """One command: write data_out, or read up to data_in bytes, or neither.

    Raises OSError where the ioctl itself fails. The payload is what the device
    transferred, data_in - resid bytes.
    """
    size = len(data_out) if data_out is not None else data_in
    buffer = ctypes.create_string_buffer(data_out or b"", max(size, 1))
    sense = ctypes.create_string_buffer(SENSE_SIZE)
    command = ctypes.create_string_buffer(bytes(cdb), len(cdb))
    if size == 0:
        direction = SG_DXFER_NONE
    else:
        direction = SG_DXFER_TO_DEV if data_out is not None else SG_DXFER_FROM_DEV
    hdr = SgIoHdr(interface_id=ord("S"), dxfer_direction=direction, cmd_len=len(cdb),
                  mx_sb_len=SENSE_SIZE, dxfer_len=size,
                  dxferp=ctypes.addressof(buffer) if size else None,
                  cmdp=ctypes.addressof(command), sbp=ctypes.addressof(sense),
                  timeout=timeout_ms)
    fcntl.ioctl(fd, SG_IO, hdr)
    payload = buffer.raw[:size - hdr.resid] if direction == SG_DXFER_FROM_DEV else b""
    return Answer(hdr.status, sense.raw, payload, hdr.host_status, hdr.driver_status)


def pr_command(fd, cdb, data=b"", timeout_ms=60000):
    """A PERSISTENT RESERVE command, as an ideal helper would send it.

    IN gets a buffer of 8 KiB whatever its allocation length; the payload is cut
    to the smaller of that length and what was transferred, and empty unless
    the status is GOOD. OUT gets data as it is.
    """
    if cdb[0] == scsi.PERSISTENT_RESERVE_OUT:
        return sg_io(fd, cdb, data_out=data, timeout_ms=timeout_ms)
    answer = sg_io(fd, cdb, data_in=BUFFER_SIZE, timeout_ms=timeout_ms)
    good = answer.status == scsi.GOOD and not answer.host_status
    return answer._replace(payload=answer.payload[:scsi.allocation_length(cdb)] if good else b"")
