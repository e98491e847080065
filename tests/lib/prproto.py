# SPDX-License-Identifier: GPL-2.0-or-later
"""The client's side of the persistent reservation helper's socket protocol.

Strict where QEMU is strict, and stricter: anything in an answer that the
protocol does not allow is a ProtocolError, since QEMU aborts the whole virtual
machine for some of it. It can also send what no well-behaved client sends, for
the tests of how the daemon takes that.

    with Client("/run/pr.sock") as client:
        status, sense, payload = client.command(scsi.pr_in(scsi.READ_KEYS), fd)

    client = Client(path, handshake=False)      # byte by byte, by hand
    client.read_features(); client.send(bytes(4))
    client.send(cdb[:3], fds=[a, b]); client.send(cdb[3:])
    assert client.is_closed_by_peer()
"""
import array
import socket
import struct
from typing import NamedTuple

import scsi

CDB_SIZE = 16
SENSE_SIZE = 96
DATA_SIZE = 8192
HEADER = struct.Struct(f">II{SENSE_SIZE}s")


class ProtocolError(Exception):
    """The daemon sent what the protocol does not allow."""


class PeerClosed(ProtocolError):
    """The daemon closed the connection where it owed an answer."""


class Reply(NamedTuple):
    """An answer; sense is always 96 bytes as received."""
    status: int
    sense: bytes
    payload: bytes

    def __str__(self):
        return scsi.outcome(self.status, self.sense)


class Client:
    """One connection. Every wait is bounded by timeout (socket.timeout is raised)."""

    def __init__(self, path, timeout=60, features=0, handshake=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            if handshake:
                self.read_features()
                self.send(struct.pack(">I", features))
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hang up."""
        self.sock.close()

    def fileno(self):
        """For select and poll."""
        return self.sock.fileno()

    # The three usual steps in one, for everything that is well formed.

    def command(self, cdb, fd, data=None):
        """Send a PERSISTENT RESERVE command on fd and return the checked Reply.

        data is the parameter list of OUT. Its length has to be the one in the
        CDB, or the two sides lose step; send() is there for doing so.
        """
        if cdb[0] == scsi.PERSISTENT_RESERVE_OUT:
            data = data or b""
            assert len(data) == scsi.parameter_list_length(cdb)
        self.request(cdb, fd, data)
        return self.reply(cdb)

    def request(self, cdb, fd, data=None):
        """The first half of command(): send it, wait for nothing."""
        self.send(cdb, [fd])
        if data:
            self.send(data)

    def reply(self, cdb=None):
        """The second half: read an answer and hold it against the CDB, if given."""
        status, size, sense = HEADER.unpack(self.read(HEADER.size))
        if size > DATA_SIZE:
            raise ProtocolError(f"payload of {size} bytes")
        if status > 0xFF:
            raise ProtocolError(f"status {status:#x} is no SCSI status")
        if cdb is not None:
            self._check_size(cdb, status, size)
        return Reply(status, sense, self.read(size))

    @staticmethod
    def _check_size(cdb, status, size):
        if size and (cdb[0] != scsi.PERSISTENT_RESERVE_IN or status != scsi.GOOD):
            raise ProtocolError(f"{size} bytes of payload for {cdb.hex()}, status {status:#x}")
        if size > scsi.allocation_length(cdb):
            raise ProtocolError(f"{size} bytes of payload for {cdb.hex()}")

    # The pieces, for doing it wrong.

    def read_features(self):
        """Read the daemon's 4 bytes of supported features."""
        return struct.unpack(">I", self.read(4))[0]

    def send(self, data, fds=(), flags=0):
        """Send bytes, with any number of descriptors on the first of them."""
        rest = memoryview(bytes(data))
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())
            rest = rest[self.sock.sendmsg([rest], [rights], flags):]
        if rest:
            self.sock.sendall(rest)

    def read(self, size):
        """Read exactly size bytes."""
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise PeerClosed(f"closed after {len(data)} of {size} bytes")
            data += more
        return data

    def is_closed_by_peer(self, within=5):
        """True once the daemon hung up without another byte; False if it did not in time.

        Bytes instead of the end of file are a ProtocolError.
        """
        before = self.sock.gettimeout()
        self.sock.settimeout(within)
        try:
            extra = self.sock.recv(1)
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        finally:
            self.sock.settimeout(before)
        if extra:
            raise ProtocolError(f"unexpected byte {extra!r}")
        return True

    def is_silent(self, seconds=0.05):
        """True if the connection is open and nothing waits to be read."""
        try:
            return not self.is_closed_by_peer(seconds)
        except ProtocolError:
            return False
