# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors whose owners mean harm: closing one, or asking its state, may take for ever."""
import ctypes
import errno
import os
import socket
import stat
import struct
import threading

from daemon import scratch

MNT_FORCE, MNT_DETACH = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


class LingeringSockets:
    """TCP sockets, each of whose last close() blocks for some seconds.

    Their data can never be sent, as the other end does not read, and SO_LINGER
    makes close() wait for that. hand_over() sends them while the helper is
    frozen, so that its close() is the last one.
    """

    def __init__(self, count=1, seconds=1):
        self.sockets, self._ends = [], []
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            listener.bind(("127.0.0.1", 0))
            listener.listen(count)
            for _ in range(count):
                self.sockets.append(self._full(listener.getsockname(), seconds))
                self._ends.append(listener.accept()[0])

    @staticmethod
    def _full(address, seconds):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
        one.connect(address)
        one.setblocking(False)
        try:
            while True:
                one.send(bytes(65536))
        except BlockingIOError:
            return one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Resets the connections: no close() has to wait any more."""
        for end in self._ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        for one in self.sockets:
            one.close()

    def hand_over(self, helper, client, data, flags=0):
        """Send them with data; then they are the helper's alone."""
        with helper.frozen():
            client.send(data, [one.fileno() for one in self.sockets], flags)
            for one in self.sockets:
                one.close()
        self.sockets = []


class FuseFile:
    """A file of a file system that answers nobody but this process once it is open.

    Needs root. `silent` has the names of the requests that others made in vain.
    """

    INIT, GETATTR, LOOKUP, OPEN, FLUSH = 26, 3, 1, 14, 25
    NAMES = {GETATTR: "GETATTR", FLUSH: "FLUSH"}
    HEADER = struct.Struct("<IIQQIIIHH")
    ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")

    def __init__(self):
        self.silent = []
        self._directory = scratch()
        self._server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._server},rootmode=40000,user_id=0,group_id=0"
        if _libc.mount(b"test", self._directory.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount of fuse")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        try:
            self.fd = os.open(f"{self._directory}/file", os.O_RDWR | os.O_CLOEXEC)
        except BaseException:
            self._unmount()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Ends the file system: whoever waits for it gets an error."""
        os.close(self.fd)
        self._unmount()

    def _unmount(self):
        _libc.umount2(self._directory.encode(), MNT_FORCE | MNT_DETACH)
        self._thread.join(5)
        os.close(self._server)

    def _serve(self):
        while True:
            try:
                request = os.read(self._server, 1 << 17)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return
            _, opcode, unique, node, _, _, pid, _, _ = self.HEADER.unpack_from(request)
            others = pid != os.getpid() and opcode in self.NAMES
            if others:
                self.silent.append(self.NAMES[opcode])
                continue
            body = self._answer(opcode, node)
            if body is None:
                reply = struct.pack("<IiQ", 16, -errno.ENOSYS, unique)
            else:
                reply = struct.pack("<IiQ", 16 + len(body), 0, unique) + body
            try:
                os.write(self._server, reply)
            except OSError:
                pass        # nobody waits for it: FORGET, RELEASE

    def _attributes(self, node):
        mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o666
        return self.ATTRIBUTES.pack(node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, opcode, node):
        if opcode == self.INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, 0)
        if opcode == self.LOOKUP:       # no attribute stays valid: each question is asked anew
            return struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + self._attributes(2)
        if opcode == self.GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if opcode == self.OPEN:
            return struct.pack("<QII", 0, 0, 0)
        if opcode == self.FLUSH:
            return b""
        return None
