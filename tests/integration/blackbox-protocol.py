#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The conversation, as any helper has to hold it: usage blackbox-protocol.py HELPER [--reference].

Everything here is true of the helper that this one replaces, too, except what
KNOWN_DIFFERENCES lists. No SCSI device is needed: how the bytes flow shows on
/dev/null just as well.
"""
import os
import socket
import struct

from cases import Difference, answer, ask, case, helper, known_differences, main
from daemon import scratch, until
from prproto import Client
import scsi
from tap import skip

NO_DEVICE = "B/00/06"
READ_ONLY = "5/20/00"
IN = scsi.pr_in(scsi.READ_KEYS)
OUT = scsi.pr_out(scsi.REGISTER)
LIST = scsi.parameters(0, 1)
NULL = os.open("/dev/null", os.O_RDWR)
NULL_READ_ONLY = os.open("/dev/null", os.O_RDONLY)

known_differences({
    "OUT knows its length from bytes 5 to 8": Difference(
        [NO_DEVICE, NO_DEVICE, "closed"],
        "it looks at bytes 7 and 8 only; of a length that needs more, it would read a part as "
        "the parameter list and the rest as the next command"),
    "a loop device is no device": Difference(
        ["5/24/00"] * 2,
        "it sends SG_IO to every block device and translates EINVAL, which loop returns; here "
        "nothing is sent to what is no SCSI device"),
})


# The start of a conversation

@case("the helper speaks first, and offers no feature", 0)
def _():
    with Client(helper().socket, handshake=False) as client:
        return client.read_features()


@case("a request for a feature that was not offered closes", ["closed"] * 32)
def _():
    def ask_for(bit):
        with helper().client(features=1 << bit) as client:
            return answer(client)
    return [ask_for(bit) for bit in range(32)]


@case("the feature word may come in pieces", NO_DEVICE)
def _():
    with Client(helper().socket, handshake=False) as client:
        client.read_features()
        for _ in range(4):
            client.send(b"\0")
        return str(client.command(IN, NULL))


@case("the feature word and a request may be sent before the helper has spoken", NO_DEVICE)
def _():
    with Client(helper().socket, handshake=False) as client:
        client.send(bytes(4))
        client.request(IN, NULL)
        client.read_features()
        return answer(client)


@case("a descriptor that comes with the feature word is ignored", NO_DEVICE)
def _():
    with Client(helper().socket, handshake=False) as client:
        client.read_features()
        client.send(bytes(4), [NULL])
        return str(client.command(IN, NULL))


# Breaches

@case("every other operation code closes", {"closed"})
def _():
    codes = [code for code in range(256) if code not in (0x5E, 0x5F)]
    return {ask(bytes([code]) + IN[1:], NULL) for code in codes}


@case("a command without a descriptor closes", ["closed", "closed"])
def _():
    def send(cdb, data):
        with helper().client() as client:
            client.send(cdb)
            try:
                client.send(data)
            except BrokenPipeError:
                pass
            return answer(client)
    return [send(IN, b""), send(OUT, LIST)]


@case("two descriptors in one message close", "closed")
def _():
    with helper().client() as client:
        client.send(IN, [NULL, NULL])
        return answer(client)


@case("two descriptors in two messages of one command close", "closed")
def _():
    with helper().client() as client:
        client.send(IN[:8], [NULL])
        try:
            client.send(IN[8:], [NULL])
        except BrokenPipeError:
            pass
        return answer(client)


@case("a breach costs the connection that made it, and no other", NO_DEVICE)
def _():
    with helper().client() as other:
        ask(bytes(16), NULL)
        return str(other.command(IN, NULL))


# Lengths

@case("IN up to 8192 bytes is served", [NO_DEVICE] * 4)
def _():
    return [ask(scsi.pr_in(scsi.READ_KEYS, length), NULL) for length in (0, 1, 8, 8192)]


@case("IN of more than 8192 bytes closes", ["closed"] * 2)
def _():
    return [ask(scsi.pr_in(scsi.READ_KEYS, length), NULL) for length in (8193, 65535)]


@case("IN knows its length from bytes 7 and 8 alone", NO_DEVICE)
def _():
    return ask(IN[:2] + b"\xff" * 5 + IN[7:], NULL)


@case("OUT up to 8192 bytes is served", [NO_DEVICE] * 4)
def _():
    return [ask(scsi.pr_out(scsi.REGISTER, length=length), NULL, bytes(length))
            for length in (0, 1, 24, 8192)]


@case("OUT of more than 8192 bytes closes", ["closed"] * 2)
def _():
    return [ask(scsi.pr_out(scsi.REGISTER, length=length), NULL, bytes(length))
            for length in (8193, 65535)]


@case("OUT knows its length from bytes 5 to 8", ["closed"] * 3)
def _():
    # The last one's low half is too long as well.
    return [ask(scsi.pr_out(scsi.REGISTER, length=length), NULL, LIST)
            for length in (0x00010018, 0x01000018, 0xFFFFFFFF)]


# The flow of bytes

@case("a command may come byte by byte", NO_DEVICE)
def _():
    with helper().client() as client:
        client.send(IN[:1], [NULL])
        for byte in IN[1:]:
            client.send(bytes([byte]))
        return answer(client)


@case("the descriptor may ride on any byte of a command", [NO_DEVICE] * 16)
def _():
    def ride(at):
        with helper().client() as client:
            if at:
                client.send(IN[:at])
            client.send(IN[at:at + 1], [NULL])
            if at < 15:
                client.send(IN[at + 1:])
            return answer(client)
    return [ride(at) for at in range(16)]


@case("a parameter list may come in pieces", NO_DEVICE)
def _():
    with helper().client() as client:
        client.send(OUT, [NULL])
        for byte in LIST:
            client.send(bytes([byte]))
        return answer(client)


@case("a parameter list may come together with its command", NO_DEVICE)
def _():
    with helper().client() as client:
        client.send(OUT + LIST, [NULL])
        return answer(client)


@case("descriptors that come with a parameter list are ignored", [NO_DEVICE, NO_DEVICE])
def _():
    with helper().client() as client:
        client.send(OUT, [NULL])
        client.send(LIST[:5], [NULL_READ_ONLY])
        client.send(LIST[5:], [NULL, NULL_READ_ONLY])
        return [answer(client), str(client.command(IN, NULL))]


@case("requests that are sent early are answered in order", [NO_DEVICE, READ_ONLY] * 5)
def _():
    with helper().client() as client:
        for _ in range(5):
            client.request(IN, NULL)
            client.request(OUT, NULL_READ_ONLY, LIST)
        return [answer(client) for _ in range(10)]


@case("a thousand commands can follow each other on one connection", {NO_DEVICE})
def _():
    with helper().client() as client:
        return {str(client.command(IN, NULL)) for _ in range(1000)}


@case("a client that sends no more still gets its answer", [NO_DEVICE, "closed"])
def _():
    with helper().client() as client:
        client.request(OUT, NULL, LIST)
        client.sock.shutdown(socket.SHUT_WR)
        return [answer(client), answer(client)]


@case("a hundred clients are served at once", {NO_DEVICE})
def _():
    clients = [helper().client() for _ in range(100)]
    try:
        for client in clients:
            client.request(IN, NULL)
        return {answer(client) for client in clients}
    finally:
        for client in clients:
            client.close()


@case("a client may hang up in any state, and leaves no descriptor behind", True)
def _():
    stages = [b"", bytes(2), bytes(4)]
    stages += [bytes(4) + IN[:n] for n in (1, 15)]
    stages += [bytes(4) + OUT + LIST[:n] for n in (0, 1, 23, 24)]
    before = len(helper().descriptors())
    for stage in stages:
        client = Client(helper().socket, handshake=False)
        client.read_features()
        client.send(stage[:4])
        if stage[4:]:
            client.send(stage[4:], [NULL])
        client.close()
    return until(lambda: len(helper().descriptors()) <= before)


# Answers that the helper itself gives

@case("a device that takes no SCSI commands is told from one opened for reading",
      {"rw": [NO_DEVICE, NO_DEVICE], "r": [NO_DEVICE, READ_ONLY]})
def _():
    return {mode: [ask(IN, fd), ask(OUT, fd, LIST)]
            for mode, fd in (("rw", NULL), ("r", NULL_READ_ONLY))}


def ask_both(fd):
    """IN and OUT on a descriptor, which is then closed."""
    try:
        return [ask(IN, fd), ask(OUT, fd, LIST)]
    finally:
        os.close(fd)


@case("a regular file is no device", [NO_DEVICE] * 2)
def _():
    return ask_both(os.open(f"{scratch()}/file", os.O_RDWR | os.O_CREAT))


@case("a directory is no device", [NO_DEVICE, READ_ONLY])
def _():
    return ask_both(os.open("/", os.O_RDONLY))


@case("either end of a pipe is no device", [[NO_DEVICE, READ_ONLY], [NO_DEVICE] * 2])
def _():
    return [ask_both(fd) for fd in os.pipe()]


@case("a socket is no device", [NO_DEVICE] * 2)
def _():
    one, other = socket.socketpair()
    with other:
        return ask_both(one.detach())


@case("a descriptor that gives access to nothing is no device",
      [[NO_DEVICE, READ_ONLY]] * 2)
def _():
    return [ask_both(os.open(path, os.O_PATH)) for path in ("/dev/null", "/")]


@case("/dev/zero is no device", [NO_DEVICE] * 2)
def _():
    return ask_both(os.open("/dev/zero", os.O_RDWR))


@case("a loop device is no device", [NO_DEVICE] * 2)
def _():
    try:
        fd = os.open("/dev/loop0", os.O_RDWR)
    except OSError as error:
        skip(f"/dev/loop0 cannot be opened: {error.strerror}")
    return ask_both(fd)


@case("an answer of the helper itself is fixed format sense data of 18 bytes",
      "70000b000000000a00000000000600000000" + 78 * "00")
def _():
    with helper().client() as client:
        return client.command(IN, NULL).sense.hex()


@case("an answer begins with status and size, both of 32 bits", (2, 0))
def _():
    with helper().client() as client:
        client.request(IN, NULL)
        return struct.unpack(">II", client.read(104)[:8])


main()
