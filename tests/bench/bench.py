#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: this helper, the one that it replaces, and SG_IO itself.

    tests/vm/run tests/bench/bench.py CLIENT HELPER REFERENCE

In the virtual machine, in one boot and in alternating turns, because only
ratios of what was measured side by side mean anything there. Each figure is
the median of the turns; of a ratio, the median of the turns' ratios, with
their quartiles. Prints Markdown tables, then the figures as JSON behind a line
"JSON". Nothing here passes or fails.
"""
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), name)
                for name in ("../lib", "../vm")]

# pylint: disable=wrong-import-position
import rig

CLIENT, OURS, REFERENCE = sys.argv[1:4]
TURNS = int(os.environ.get("BENCH_TURNS", "11"))
SECONDS = "0.5"
CONNECTIONS = (1, 8, 64)
HANGING = (1, 16, 64, 500)
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A running helper."""

    def __init__(self, program, name, *options):
        self.path = f"/run/{name}.sock"
        before = time.monotonic()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([program, "-k", self.path, *options],
                                        stderr=subprocess.DEVNULL)
        self.seconds_to_connect = self._connect() - before

    def _connect(self):
        while True:
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
                client.connect(self.path)
                if len(client.recv(4)) == 4:
                    return time.monotonic()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, what):
        """VmRSS or VmHWM, in KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(what))

    def stop(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def client(*arguments):
    """One run of the load: operations per second and latencies in microseconds."""
    output = subprocess.run([CLIENT, *map(str, arguments)], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()
    operations, seconds, p50, p99, longest = map(float, output)
    return {"operations": operations, "ops/s": operations / seconds, "p50": p50, "p99": p99,
            "longest": longest}


def load(server, device, connections, active=None):
    before = server.cpu_seconds()
    result = client("socket", server.path, device, connections, active or connections, SECONDS)
    result["cpu/op"] = (server.cpu_seconds() - before) / result["operations"] * 1e6
    return result


def spread(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(title, head, rows):
    print(f"\n## {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def measure_load(device, figures):
    """Latency, throughput and processor time, in turns."""
    servers = {"ours": Server(OURS, "ours"), "reference": Server(REFERENCE, "reference")}
    turns = {(name, number): [] for name in servers for number in CONNECTIONS}
    direct = []
    for _ in range(TURNS):
        direct.append(client("sgio", device, SECONDS))
        for number in CONNECTIONS:
            for name, server in servers.items():
                turns[name, number].append(load(server, device, number))
    rows = []
    for number in CONNECTIONS:
        for what in ("p50", "p99", "ops/s", "cpu/op"):
            ours = [turn[what] for turn in turns["ours", number]]
            theirs = [turn[what] for turn in turns["reference", number]]
            # One processor tick may be all that a short turn used.
            ratios = [a / b for a, b in zip(ours, theirs) if b]
            rows.append([number, what, f"{statistics.median(ours):.0f}",
                         f"{statistics.median(theirs):.0f}", spread(ratios)])
            figures[f"{what} {number}"] = statistics.median(ratios)
    table("Load (microseconds, or commands a second)",
          ["connections", "what", "ours", "reference", "ratio (quartiles)"], rows)
    sgio = statistics.median(turn["p50"] for turn in direct)
    rows = [["SG_IO itself", f"{sgio:.0f}", "1.0"]]
    for name in servers:
        p50 = statistics.median(turn["p50"] for turn in turns[name, 1])
        rows.append([name, f"{p50:.0f}", f"{p50 / sgio:.1f}"])
    table("One connection against SG_IO", ["what", "p50", "times SG_IO"], rows)
    for server in servers.values():
        server.stop()


def measure_memory(device, figures):
    rows = []
    results = {}
    for name, program in (("ours", OURS), ("reference", REFERENCE)):
        server = Server(program, name)
        load(server, device, 1)
        peak = server.memory("VmHWM")
        idle = server.memory("VmRSS")
        results[name] = [peak, idle]
        with contextlib.ExitStack() as stack:
            for total in (500, 5000):
                with contextlib.suppress(OSError):
                    connect_idle(server, total, stack)
                results[name].append(server.memory("VmRSS"))
        server.stop()
    labels = ("peak with one connection", "idle", "with 500 idle connections",
              "with 5000 idle connections")
    for label, ours, theirs in zip(labels, results["ours"], results["reference"]):
        rows.append([label, ours, theirs, f"{ours / theirs:.2f}"])
    growth = [(result[2] - result[1]) / 500 for result in results.values()]
    rows.append(["for each of 500 idle connections", f"{growth[0]:.2f}", f"{growth[1]:.2f}",
                 f"{growth[0] / growth[1]:.2f}"])
    figures["peak memory"] = results["ours"][0] / results["reference"][0]
    figures["memory per connection"] = growth[0] / growth[1]
    table("Memory (KiB)", ["what", "ours", "reference", "ratio"], rows)


def connect_idle(server, total, stack):
    """Open connections up to so many, and do nothing with them."""
    while len(stack._exit_callbacks) < total:  # pylint: disable=protected-access
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(10)
        while connection.connect_ex(server.path) != 0:
            pass
        connection.recv(4)
        connection.send(bytes(4))


def measure_start(figures):
    times = {"ours": [], "reference": []}
    for _ in range(TURNS):
        for name, program in (("ours", OURS), ("reference", REFERENCE)):
            server = Server(program, name)
            times[name].append(server.seconds_to_connect * 1e3)
            server.stop()
    ratios = [a / b for a, b in zip(times["ours"], times["reference"])]
    figures["start"] = statistics.median(ratios)
    table("From exec to the first handshake (milliseconds)",
          ["ours", "reference", "ratio (quartiles)"],
          [[f"{statistics.median(times['ours']):.0f}",
            f"{statistics.median(times['reference']):.0f}", spread(ratios)]])


def measure_isolation(device, figures):
    """Another device's latency while commands to a disk hang."""
    rows = []
    disk = rig.iscsi_disk("bench-hang")
    hung = disk.nexus[0].sd
    server = Server(OURS, "ours", "--command-timeout=3600", "-q", "-q")
    calm = statistics.median(load(server, device, 1)["p99"] for _ in range(5))
    os.close(os.open(hung, os.O_RDWR | os.O_NONBLOCK))
    disk.targets[0].hang(3600)
    for number in HANGING:
        # pylint: disable=consider-using-with
        process = subprocess.Popen([CLIENT, "hang", server.path, hung, str(number)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        loaded = statistics.median(load(server, device, 1)["p99"] for _ in range(5))
        rows.append([number, f"{calm:.0f}", f"{loaded:.0f}", f"{loaded / calm:.2f}"])
        figures[f"isolation {number}"] = loaded / calm
        process.kill()
        process.wait()
    server.process.kill()
    table("READ KEYS on one disk while another hangs (p99, microseconds)",
          ["hanging commands", "before", "meanwhile", "ratio"], rows)


def measure_scale(device, figures):
    """5000 connections, 200 of them active."""
    server = Server(OURS, "ours")
    alone = statistics.median(load(server, device, 200)["p50"] for _ in range(3))
    among = statistics.median(load(server, device, 5000, 200)["p50"] for _ in range(3))
    figures["scale"] = among / alone
    table("200 active connections (p50, microseconds)",
          ["alone", "among 5000", "ratio"], [[f"{alone:.0f}", f"{among:.0f}",
                                              f"{among / alone:.2f}"]])
    server.stop()


def main():
    device = rig.loop_disk("bench").nexus[0].sd
    figures = {}
    measure_load(device, figures)
    measure_memory(device, figures)
    measure_start(figures)
    measure_scale(device, figures)
    measure_isolation(device, figures)
    print("\nJSON")
    print(json.dumps(figures))


main()
