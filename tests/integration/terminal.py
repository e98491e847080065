#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""On a terminal, in a pipe, or with nothing at all: usage terminal.py HELPER.

What a person starts, the helper in the foreground, --check and the client, does
the same and says the same whatever standard input, output and error are.
"""
import itertools
import os
import pty
import subprocess

from daemon import Daemon, need_to_serve, program, run, scratch, until
from fakedevice import FakeDevice
import scsi
import sinks
from tap import main, test

CLIENT = os.path.join(os.path.dirname(program()), "../qemu-pr-client")
IN = scsi.pr_in(scsi.READ_KEYS)
KEYS = bytes.fromhex("0000000100000008" "0000000000123abc")


def mixtures():
    """Each kind of output and of error, beside a pipe and alike; and of input in turn."""
    inputs = itertools.cycle(sinks.SOURCES.items())
    for kind in sinks.KINDS:
        for one, two in {(kind, "pipe"), ("pipe", kind), (kind, kind)}:
            (zero, source), output, error = next(inputs), sinks.KINDS[one], sinks.KINDS[two]
            yield f"input {zero}, output {one}, error {two}", source(), output(), error()


def same_everywhere(command, status, output, error):
    """Run it on each mixture, and expect this of it wherever it can be seen.

    That its output is closed is an error, and said, if it had something to say.
    """
    for name, *streams in mixtures():
        seen = sinks.run(command, *streams), streams[1].text(), streams[2].text()
        if "output closed" in name and output:
            assert seen[0] != 0 and (seen[2] is None or "standard output" in seen[2]), (name, seen)
            continue
        wanted = tuple(wish if text is not None else None
                       for wish, text in zip((status, output, error), seen))
        assert seen == wanted, f"{name}: {seen}, and not {wanted}"


@test("the client says the same, whatever its outputs are")
def _():
    with Daemon() as daemon, FakeDevice(readonly=1, payload=KEYS) as device:
        socket = f"--socket={daemon.socket}"
        path = f"/proc/{os.getpid()}/fd/{device.fd}"
        for arguments in (["--read-keys", path], ["--ping"], ["--read-keys", "/dev/null"]):
            command = [CLIENT, socket, *arguments]
            plain = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, check=False)
            assert plain.stdout or plain.stderr, plain
            same_everywhere(command, plain.returncode, plain.stdout, plain.stderr)


@test("--check says the same, whatever its outputs are")
def _():
    options = ["--check", "-k", f"{scratch()}/pr.sock", "/dev/null"]
    plain = run(*options)
    assert "/dev/null" in plain.stdout, plain
    same_everywhere([program(), *options], plain.returncode, plain.stdout, plain.stderr)


@test("the helper serves, whatever its outputs are, and logs to a terminal")
def _():
    need_to_serve()
    for name, source, output, error in mixtures():
        closing = "".join(text for sink, text in ((source, " <&-"), (output, " >&-"),
                                                  (error, " 2>&-")) if sink.descriptor is None)
        command = ["sh", "-c", f'exec "$0" "$@"{closing}', program()]
        with Daemon("-v", "--log-target=stderr", command=command, stdin=source.descriptor,
                    stdout=output.descriptor, stderr=error.descriptor) as daemon:
            for sink in (source, output, error):
                sink.started()
            with FakeDevice() as device:
                assert str(daemon.command(device.fd, IN)) == "GOOD", name
            assert daemon.stop() == 0, name
        texts = output.text(), error.text()
        assert texts[0] in ("", None), (name, texts)
        assert texts[1] is None or "PERSISTENT RESERVE IN" in texts[1], (name, texts)


@test("a terminal that is stopped, by Ctrl-S, holds up nobody")
def _():
    need_to_serve()
    master, slave = pty.openpty()
    with Daemon("-T", "connection_*", "--log-target=stderr", stderr=slave) as daemon, \
            FakeDevice() as device, daemon.client(timeout=10) as client:
        for _ in range(1000):
            assert str(client.command(IN, device.fd)) == "GOOD"
    os.close(slave)
    os.close(master)


@test("a terminal that goes away, and was not its own, ends nothing")
def _():
    need_to_serve()
    master, slave = pty.openpty()
    with Daemon("-v", "--log-target=stderr", stderr=slave) as daemon, FakeDevice() as device:
        os.close(slave)
        os.close(master)
        for _ in range(3):
            assert str(daemon.command(device.fd, IN)) == "GOOD"
        assert daemon.stop() == 0


@test("Ctrl-C on its terminal ends it in good order")
def _():
    need_to_serve()
    master, slave = pty.openpty()
    with Daemon("--log-target=stderr", command=["setsid", "--ctty", program()], stdin=slave,
                stderr=slave) as daemon:
        os.write(master, b"\x03")
        assert until(lambda: daemon.poll() is not None, what="its end")
        assert daemon.status == 0 and not os.path.exists(daemon.socket), daemon.status
    os.close(slave)
    os.close(master)


main()
