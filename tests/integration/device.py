#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the device says is what the client hears: usage device.py HELPER.

Clusters decide by these bytes who may write to a disk, and QEMU aborts the
whole virtual machine where an answer carries more than was asked for. The
helper is the one with the fake back end, so that a test can let the device
say, and claim, anything.
"""
import os
import random

from daemon import SANITIZED, Daemon
from fakedevice import FakeDevice
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
OUT = scsi.pr_out(scsi.REGISTER)
LIST = scsi.parameters(0, 1)
NO_SENSE = bytes.fromhex("70000000000000 0a").ljust(96, b"\0")

seeded = random.Random(1)
daemon = Daemon()


def ask(cdb=IN, data=None, **script):
    """The answer of a device with that script to one command."""
    with FakeDevice(**script) as device:
        return daemon.command(device.fd, cdb, data)


@test("every status comes through, with all of its sense data")
def _():
    for status in (0x02, 0x04, 0x08, 0x18, 0x22, 0x28, 0x30, 0x40, 0xFF):
        for size in (1, 8, 18, 95, 96):
            sense = b"\x70" + seeded.randbytes(size - 1)
            for cdb, data in ((IN, None), (OUT, LIST)):
                reply = ask(cdb, data, status=status, sense=sense)
                assert reply == (status, sense.ljust(96, b"\0"), b""), (status, size, reply)


@test("unit attentions of reservations come through in both formats")
def _():
    for code in range(3, 6):
        fixed = bytes([0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2A, code, 0, 0, 0, 0])
        descriptor = bytes([0x72, 6, 0x2A, code, 0, 0, 0, 0])
        for sense in (fixed, descriptor):
            assert str(ask(status=2, sense=sense)) == f"6/2A/{code:02X}"


@test("payloads of all sizes come through byte for byte")
def _():
    for size in [0, 1, 7, 8, 9, 255, 256, 4095, 4096, 8191, 8192]:
        payload = seeded.randbytes(size)
        assert ask(payload=payload) == (scsi.GOOD, bytes(96), payload), size


@test("a payload is cut to the allocation length")
def _():
    payload = seeded.randbytes(8192)
    for length in (0, 1, 7, 8, 24, 252, 8191):
        reply = ask(scsi.pr_in(scsi.READ_KEYS, length), payload=payload)
        assert reply.payload == payload[:length], length


@test("a device that claims to have sent more than there was room for cannot make an answer long")
def _():
    for claim in ({"resid": -1}, {"resid": -2147483648}, {"transferred": 8193}, {"resid": -8192}):
        for length in (0, 8, 8192):
            reply = ask(scsi.pr_in(scsi.READ_KEYS, length), payload=b"\1\2\3\4\5\6\7\x08", **claim)
            assert reply.payload == b"\1\2\3\4\5\6\7\x08".ljust(length, b"\0")[:length], claim


@test("a device that claims to have sent less than nothing makes an answer empty")
def _():
    for resid in (8193, 65536, 2147483647):
        assert ask(payload=bytes(8), resid=resid).payload == b"", resid


@test("only GOOD has a payload")
def _():
    for status in (0x02, 0x04, 0x08, 0x18, 0x28, 0x40):
        assert ask(payload=b"payload!", status=status).payload == b"", status


@test("PERSISTENT RESERVE OUT has no payload")
def _():
    for claim in ({"transferred": 24}, {"resid": -24}, {"transferred": 8192}):
        assert ask(OUT, LIST, **claim) == (scsi.GOOD, bytes(96), b""), claim


@test("CHECK CONDITION without sense data becomes NO SENSE")
def _():
    for sense in (b"", bytes(1), bytes(96)):
        assert ask(status=2, sense=sense) == (2, NO_SENSE, b""), sense


@test("other statuses get no sense data that the device did not send")
def _():
    for status in (0x00, 0x08, 0x18, 0x28):
        assert ask(status=status).sense == bytes(96), status


@test("a transport error is never GOOD, and its sense says what to think of it")
def _():
    known = {0x01: "B/05/00", 0x03: "B/2E/02", 0x04: "B/05/00", 0x05: "B/2E/02",
             0x07: "B/2E/02", 0x08: "B/2E/02", 0x0B: "B/2E/02",
             0x0E: "B/08/00", 0x0F: "B/08/00", 0x14: "B/08/00"}
    for host in range(1, 0x20):
        for cdb, data in ((IN, None), (OUT, LIST)):
            reply = ask(cdb, data, host=host, payload=b"payload!")
            assert (str(reply), reply.payload) == (known.get(host, "B/00/06"), b""), host


@test("a status of the device wins over a transport error")
def _():
    # Kernels before 6.1 report RESERVATION CONFLICT with host status 0x11.
    for host in (0x01, 0x07, 0x11, 0x12):
        assert str(ask(status=0x18, host=host)) == "CONFLICT", host
        sense = bytes.fromhex("70000600000000 0a 000000002a05").ljust(18, b"\0")
        assert str(ask(status=2, host=host, sense=sense)) == "6/2A/05", host


@test("an answer never has bytes of another client's in it")
def _():
    for _ in range(50):
        assert ask(payload=b"\xAA" * 8192).payload == b"\xAA" * 8192
        assert ask(payload=b"\xBB" * 16, transferred=8192).payload == \
            (b"\xBB" * 16).ljust(8192, b"\0")


@test("the device gets exactly the command and the parameter list that were sent")
def _():
    sent = []
    with FakeDevice() as device, daemon.client() as client:
        for length in (0, 1, 24, 25, 1000, 8192):
            cdb = bytearray(scsi.pr_out(scsi.PREEMPT, 5, length))
            cdb[9:] = seeded.randbytes(7)
            data = seeded.randbytes(length)
            client.command(bytes(cdb), device.fd, data)
            sent.append((bytes(cdb), data))
        for action in range(32):
            cdb = bytes([0x5E, 0xE0 | action]) + seeded.randbytes(5) + b"\x20\0" + \
                seeded.randbytes(7)
            client.command(cdb, device.fd)
            sent.append((cdb, b""))
        assert device.executed() == sent


@test("IN works through a descriptor opened for reading, OUT is refused and not sent")
def _():
    with FakeDevice(readonly=1, payload=b"payload!") as device:
        fd = device.read_only()
        try:
            assert daemon.command(fd, IN).payload == b"payload!"
            device.script()
            assert str(daemon.command(fd, OUT, LIST)) == "5/20/00"
            assert not device.executed()
        finally:
            os.close(fd)


@test("the device is closed by the time that the answer is there")
def _():
    # Who has the answer may count on that, to remove the device for instance.
    for _ in range(200):
        with FakeDevice() as device:
            daemon.command(device.fd, OUT, LIST)
            kept = [name for name in daemon.descriptors().values() if "memfd" in name]
            assert not kept, kept


@test("each of many clients gets the answers of its own device")
def _():
    pairs = [(daemon.client(), FakeDevice(payload=seeded.randbytes(64))) for _ in range(100)]
    expected = [os.pread(device.fd, 200, 0).split(b"=")[1].strip().decode()
                for _, device in pairs]
    for _ in range(5):
        for client, device in pairs:
            client.request(IN, device.fd)
            client.request(OUT, device.fd, LIST)
        for (client, _), payload in zip(pairs, expected):
            assert client.reply(IN).payload.hex() == payload
            assert client.reply(OUT) == (scsi.GOOD, bytes(96), b"")
    for client, device in pairs:
        assert device.executed() == [(IN, b""), (OUT, LIST)] * 5
        client.close()
        device.close()


def resources():
    """Descriptors, threads, and memory in KiB."""
    memory = next(line for line in daemon.proc("status").splitlines() if "VmRSS" in line)
    return len(daemon.descriptors()), daemon.threads(), int(memory.split()[1])


@test("ten thousand commands leave nothing behind")
def _():
    with FakeDevice(readonly=1, payload=bytes(24)) as device, daemon.client() as client:
        def ask_often(times):
            for _ in range(times):
                client.command(IN, device.fd)
                client.command(OUT, device.fd, LIST)

        ask_often(500)
        descriptors, threads, memory = resources()
        ask_often(5000)
        after = resources()
        assert after[0] <= descriptors, (descriptors, after)
        assert after[1] <= threads + 1, (threads, after)
        assert SANITIZED or after[2] <= memory + 256, (memory, after)


@test("it ends in order")
def _():
    with daemon:
        pass


main()
