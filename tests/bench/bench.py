#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: this helper, the one that it replaces, and the limits of both.

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
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), name)
                for name in ("../lib", "../vm")]

# pylint: disable=wrong-import-position
import rig
import scsi
from prproto import Client, ProtocolError

CLIENT, OURS, REFERENCE = sys.argv[1:4]
PROGRAMS = {"ours": [OURS], "reference": [REFERENCE]}
TURNS = int(os.environ.get("BENCH_TURNS", "21"))
# Of a turn. With 64 clients long enough for all of them to have had theirs.
SECONDS = {1: 0.25, 8: 0.5, 64: 2, 200: 2}
HANGING = (1, 16, 64, 500)
READ_KEYS = scsi.pr_in(scsi.READ_KEYS)


class Server:
    """A running helper."""

    def __init__(self, command, name, *options, log=os.devnull):
        self.path = f"/run/{name}.sock"
        before = time.monotonic()
        with open(log, "ab") as file:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen([*command, "-k", self.path, *options], stderr=file)
        # The processor time of all of a process's threads; see clock_getcpuclockid(3).
        self.clock = (~self.process.pid << 3) | 2
        self.seconds_to_connect = self._connect() - before

    def _connect(self):
        while True:
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
                client.connect(self.path)
                if len(client.recv(4)) == 4:
                    return time.monotonic()

    def cpu_seconds(self):
        return time.clock_gettime(self.clock)

    def memory(self):
        """What is resident, in KiB; VmRSS and VmHWM lag behind by up to 64 pages a thread."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Bare(Server):
    """The least that a helper can do."""

    def __init__(self):
        super().__init__(["/bin/sh", "-c", f'exec {CLIENT} bare "$2"', "bare"], "bare")


def client(*arguments):
    """One run of the load: operations per second and latencies in microseconds."""
    output = subprocess.run([CLIENT, *map(str, arguments)], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()
    operations, seconds, p50, p99, longest = map(float, output)
    return {"operations": operations, "ops/s": operations / seconds, "p50": p50, "p99": p99,
            "longest": longest}


def load(server, devices, number, how="threads", command="in"):
    """So many clients of their own; see bench-client.c."""
    before = server.cpu_seconds()
    result = client("load", server.path, how, command, number, SECONDS[number], *devices)
    result["cpu/op"] = (server.cpu_seconds() - before) / result["operations"] * 1e6
    return result


def quiet(server, device):
    """A client that sends now and then, beside one that never stops."""
    return client("quiet", server.path, 1, device)


def in_turns(measures, turns=TURNS):
    """{name: function} to {name: results}; each turn begins with another one."""
    results = {name: [] for name in measures}
    names = list(measures)
    for turn in range(turns):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            results[name].append(measures[name]())
    return results


def median(results, what):
    return statistics.median(result[what] for result in results)


def ratio(ours, theirs):
    """(text, median) of the turns' ratios."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(ours, theirs)], n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})", middle


def table(title, head, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def start_all():
    """Each program, with a log as it would have, and ours that logs no more than it does."""
    servers = {name: Server(command, name, log=f"/run/{name}.log")
               for name, command in PROGRAMS.items()}
    servers["ours, -q"] = Server([OURS], "silent", "-q")
    servers["limit"] = Bare()
    return servers


# The table's columns; a load need not have all of them.
COLUMNS = ("reference", "ours", "ours, -q", "limit")


def compare(measures, what_of, figures, label):
    """Rows of the table: each program's median, and its ratio to the reference."""
    turns = in_turns(measures)
    for what in what_of:
        row = [label, what]
        for name in COLUMNS:
            if name not in turns:
                row.append("")
                continue
            text, middle = ratio([turn[what] for turn in turns[name]],
                                 [turn[what] for turn in turns["reference"]])
            figures[f"{label}: {what}, {name}"] = middle
            shown = f"{median(turns[name], what):.0f}"
            row.append(shown if name == "reference" else f"{shown}: {text}")
        yield row


LOADS = [
    ("1 client", 1, "threads", "in", 1), ("8 clients", 8, "threads", "in", 1),
    ("8 processes", 8, "processes", "in", 1), ("64 clients", 64, "threads", "in", 1),
    ("8 clients, two disks", 8, "threads", "in", 2),
    ("1 client, OUT", 1, "threads", "out", 1), ("8 clients, OUT", 8, "threads", "out", 1),
]


def measure_load(devices, figures):
    """Latency, throughput and processor time."""
    servers = start_all()
    rows = []
    for label, number, how, command, disks in LOADS:
        chosen = {name: server for name, server in servers.items()
                  if command == "in" or name != "limit"}     # which knows READ KEYS only
        if command == "in":
            del chosen["ours, -q"]                           # which logs no READ KEYS anyway
        rows += compare({name: lambda server=server, number=number, how=how, command=command,
                         disks=disks: load(server, devices[:disks], number, how, command)
                         for name, server in chosen.items()},
                        ("p50", "p99", "ops/s", "cpu/op"), figures, label)
    rows += compare({name: lambda server=servers[name]: quiet(server, devices[0])
                     for name in PROGRAMS}, ("p50", "p99"), figures,
                    "quiet beside a busy one")
    for server in servers.values():
        server.stop()
    table("Load (microseconds, or commands a second; behind the colon the ratio)",
          ["load", "what", *COLUMNS], rows)


def measure_memory(device, figures):
    results = {}
    for name, command in PROGRAMS.items():
        server = Server(command, name)
        load(server, [device], 1)
        # Neither gives memory back so soon: the peak.
        results[name] = [server.memory()]
        with contextlib.ExitStack() as stack:
            for more in (500, 4500):
                for _ in range(more):
                    stack.enter_context(idle_connection(server))
                results[name].append(server.memory())
        server.stop()
    for result in results.values():
        result += [(result[1] - result[0]) / 500, (result[2] - result[0]) / 5000]
    labels = ("peak with one connection", "with 500 idle connections",
              "with 5000 idle connections", "for each of 500", "for each of 5000")
    rows = [[label, f"{ours:.5g}", f"{theirs:.5g}", f"{ours / theirs:.2f}"]
            for label, ours, theirs in zip(labels, *results.values())]
    figures["peak memory"] = results["ours"][0] / results["reference"][0]
    figures["memory per connection"] = results["ours"][3] / results["reference"][3]
    table("Memory (KiB)", ["what", *results, "ratio"], rows)


def idle_connection(server):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    while connection.connect_ex(server.path) != 0:
        pass
    connection.recv(4)
    connection.send(bytes(4))
    return connection


def seconds_to_connect(command, name):
    server = Server(command, name)
    server.stop()
    return server.seconds_to_connect * 1e3


def restart_gap(command, name, fd):
    """Milliseconds from the last answer before a restart to the first one after it."""
    server = Server(command, name)
    with Client(server.path) as connection:
        connection.command(READ_KEYS, fd)
    last = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait()
    server = Server(command, name)
    while True:
        with contextlib.suppress(OSError, ProtocolError), Client(server.path) as connection:
            connection.command(READ_KEYS, fd)
            break
    gap = time.monotonic() - last
    server.stop()
    return gap * 1e3


def measure_start(fd, figures):
    rows = []
    for what, measure in (("exec to the first handshake", seconds_to_connect),
                          ("restart, answer to answer",
                           lambda command, name: restart_gap(command, name, fd))):
        turns = in_turns({name: lambda command=command, name=name: measure(command, name)
                          for name, command in PROGRAMS.items()})
        text, figures[what] = ratio(turns["ours"], turns["reference"])
        rows.append([what, *(f"{statistics.median(values):.0f}" for values in turns.values()),
                     text])
    table("Start (milliseconds)", ["what", *PROGRAMS, "ratio (quartiles)"], rows)


def measure_isolation(device, figures):
    """One disk's latency with commands to another that hang, and without."""
    disk = rig.iscsi_disk("bench-hang")
    hung = disk.nexus[0].sd
    os.close(disk.nexus[0].open())
    options = ("--command-timeout=3600", "-q", "-q")
    calm, loaded = (Server([OURS], name, *options) for name in ("calm", "loaded"))
    disk.targets[0].hang(3600)
    rows = []
    for number in HANGING:
        # pylint: disable=consider-using-with
        process = subprocess.Popen([CLIENT, "hang", loaded.path, hung, str(number)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        turns = in_turns({"without": lambda: load(calm, [device], 1),
                          "with": lambda: load(loaded, [device], 1)})
        for what in ("p50", "p99"):
            text, figures[f"isolation {what} {number}"] = ratio(
                *([turn[what] for turn in turns[name]] for name in ("with", "without")))
            rows.append([number, what, *(f"{median(turns[name], what):.0f}" for name in turns),
                         text])
        process.kill()
        process.wait()
    for server in (calm, loaded):
        server.process.kill()       # and no wait: its threads hang
    table("READ KEYS on one disk while another hangs (microseconds)",
          ["hanging commands", "what", "without", "with", "ratio (quartiles)"], rows)


def measure_scale(device, figures):
    """200 active connections, alone and among 5000."""
    alone, among = Server([OURS], "alone"), Server([OURS], "among")
    with contextlib.ExitStack() as stack:
        for _ in range(4800):
            stack.enter_context(idle_connection(among))
        turns = in_turns({"alone": lambda: load(alone, [device], 200),
                          "among 5000": lambda: load(among, [device], 200)}, 9)
    rows = []
    for what in ("p50", "p99", "cpu/op"):
        text, figures[f"scale {what}"] = ratio(
            *([turn[what] for turn in turns[name]] for name in ("among 5000", "alone")))
        rows.append([what, *(f"{median(turns[name], what):.0f}" for name in turns), text])
    for server in (alone, among):
        server.stop()
    table("200 active connections (microseconds)", ["what", *turns, "ratio (quartiles)"], rows)


def main():
    # For 5000 clients of a helper, which inherits it, and for ours.
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    nexus = rig.loop_disk("bench").nexus[0]
    other = rig.loop_disk("bench-other").nexus[0]
    figures = {}
    measure_load([nexus.sd, other.sd], figures)
    measure_start(nexus.open(), figures)
    measure_memory(nexus.sd, figures)
    measure_scale(nexus.sd, figures)
    measure_isolation(nexus.sd, figures)
    print("\nJSON")
    print(json.dumps(figures))


main()
