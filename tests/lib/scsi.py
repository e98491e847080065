# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI persistent reservation commands, as the tests write them.

Pure functions: the builders return CDBs and parameter lists as bytes, the
decoders give names to what came back. Where a test wants a malformed command,
it changes the bytes. Clause numbers are those of SPC-4.
"""
import struct

# Status (SAM-5, 5.3.1)
GOOD = 0x00
CHECK_CONDITION = 0x02
RESERVATION_CONFLICT = 0x18

# Operation codes
PERSISTENT_RESERVE_IN = 0x5E
PERSISTENT_RESERVE_OUT = 0x5F

# Service actions of PERSISTENT RESERVE IN (6.15)
READ_KEYS = 0x00
READ_RESERVATION = 0x01
REPORT_CAPABILITIES = 0x02
READ_FULL_STATUS = 0x03

# Service actions of PERSISTENT RESERVE OUT (6.16)
REGISTER = 0x00
RESERVE = 0x01
RELEASE = 0x02
CLEAR = 0x03
PREEMPT = 0x04
PREEMPT_AND_ABORT = 0x05
REGISTER_AND_IGNORE_EXISTING_KEY = 0x06
REGISTER_AND_MOVE = 0x07

# Reservation types (6.15.3.4)
WRITE_EXCLUSIVE = 0x1
EXCLUSIVE_ACCESS = 0x3
WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 0x5
EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 0x6
WRITE_EXCLUSIVE_ALL_REGISTRANTS = 0x7
EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 0x8
ALL_TYPES = (0x1, 0x3, 0x5, 0x6, 0x7, 0x8)

# Flags in byte 20 of the parameter list (6.16.3)
SPEC_I_PT = 0x08
ALL_TG_PT = 0x04
APTPL = 0x01

TEST_UNIT_READY = bytes(6)


def pr_in(action, length=8192):
    """CDB of PERSISTENT RESERVE IN; length is the allocation length."""
    return struct.pack(">BB5xHx", PERSISTENT_RESERVE_IN, action, length).ljust(16, b"\0")


def pr_out(action, kind=0, length=24):
    """CDB of PERSISTENT RESERVE OUT; length is the parameter list length."""
    return struct.pack(">BBB2xIx", PERSISTENT_RESERVE_OUT, action, kind, length).ljust(16, b"\0")


def parameters(key=0, new_key=0, flags=0):
    """The 24-byte parameter list of every action but REGISTER AND MOVE."""
    return struct.pack(">QQ4xB3x", key, new_key, flags)


def move_parameters(key, new_key, port, transport_id, unreg=False, aptpl=False):
    """The parameter list of REGISTER AND MOVE (6.16.4)."""
    return struct.pack(">QQxBHI", key, new_key, unreg << 1 | aptpl, port,
                       len(transport_id)) + transport_id


def allocation_length(cdb):
    """Allocation length of PERSISTENT RESERVE IN."""
    return struct.unpack_from(">H", cdb, 7)[0]


def parameter_list_length(cdb):
    """Parameter list length of PERSISTENT RESERVE OUT."""
    return struct.unpack_from(">I", cdb, 5)[0]


def sense_code(sense):
    """Fixed or descriptor sense data as text, "5/20/00"; "" if there is none."""
    response = sense[0] & 0x7F if sense else 0
    if response in (0x70, 0x71):
        key, asc, ascq = sense[2] & 0xF, sense[12], sense[13]
    elif response in (0x72, 0x73):
        key, asc, ascq = sense[1] & 0xF, sense[2], sense[3]
    else:
        return ""
    return f"{key:X}/{asc:02X}/{ascq:02X}"


def outcome(status, sense):
    """A status with its sense as one word: "GOOD", "CONFLICT", "5/20/00"..."""
    if status == CHECK_CONDITION:
        return sense_code(sense) or "CHECK CONDITION without sense"
    return {GOOD: "GOOD", RESERVATION_CONFLICT: "CONFLICT"}.get(status, f"status {status:#04x}")


def keys(payload):
    """The keys in the answer to READ KEYS, in the device's order."""
    length, = struct.unpack_from(">I", payload, 4)
    return list(struct.unpack_from(f">{length // 8}Q", payload, 8))


def generation(payload):
    """PRGENERATION, which every answer but REPORT CAPABILITIES begins with."""
    return struct.unpack_from(">I", payload, 0)[0]


def reservation(payload):
    """The answer to READ RESERVATION: (key, type), or None if there is none."""
    if struct.unpack_from(">I", payload, 4)[0] == 0:
        return None
    key, kind = struct.unpack_from(">Q5xB", payload, 8)
    return key, kind & 0xF
