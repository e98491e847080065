# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells of a process."""
import contextlib
import glob
import struct
from socket import SO_PEERCRED, SOL_SOCKET

from prproto import Client

SYS_RAWIO = 1 << 17             # CAP_SYS_RAWIO in a capability set
PEER = struct.Struct("3i")      # process, user and group at the other end


def status(path):
    """/proc/PID/status, or that of a thread, as a dictionary."""
    with open(path, encoding="ascii") as file:
        return {name: value.strip() for name, value in (line.split(":", 1) for line in file)}


def threads(pid):
    """The status of every thread."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        # A thread may end between the two.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(status(path))
    return found


def children(pid):
    """Numbers of the processes that its main thread has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def serving(path, timeout=10):
    """Which process answers at this socket? None if nobody does, or not in time."""
    try:
        with Client(path, timeout) as client:
            return PEER.unpack(client.sock.getsockopt(SOL_SOCKET, SO_PEERCRED, PEER.size))[0]
    except (FileNotFoundError, ConnectionRefusedError, TimeoutError):
        return None
