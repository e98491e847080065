# SPDX-License-Identifier: GPL-2.0-or-later
"""Act 3: a path of a multipath map fails, and comes back under a reservation."""
import os

import multipathd
import rig
import san
from stage import REFUSED, Daemon, Hosts, run, waited

TITLE = "Multipath: a path fails, and comes back under a reservation"


def prepare():
    """The map of two paths, made by udevd and multipathd, and host B's path of its own."""
    multipathd.forget()
    # Those of the acts before are there, and are none of multipathd's business.
    others = "|".join(name for name in os.listdir("/sys/block") if name.startswith("sd"))
    made = san.San("1")
    name = os.path.basename(made.other.sd)
    daemon = multipathd.Multipathd([f'\tdevnode "^({others + "|" if others else ""}{name})$"'])
    daemon.configure()
    run(["/lib/systemd/systemd-udevd", "--daemon"])
    run(["udevadm", "trigger", "--action=add", "--settle",
         *[nexus.sd for nexus in made.disk.nexus]])
    daemon.start()
    made.wait_for_paths(made.paths)
    rig.wait_for(lambda: os.path.exists("/dev/mapper/" + made.alias), "the map's name")
    return made


class Map:
    """A map as its operator sees it."""

    def __init__(self, stage, made):
        self.stage, self.san = stage, made

    def fails(self, path):
        """A path of it."""
        self.stage.type(f"echo offline >/sys/block/{path.name}/device/state")
        self.san.lose(path)
        self.stage.outcome(f"{path.name} has failed, the map goes on with the other path")

    def returns(self, path):
        """And comes back."""
        self.stage.type(f"echo running >/sys/block/{path.name}/device/state")
        self.san.bring_back(path)
        self.stage.outcome(f"{path.name} is back")

    def wait_for_keys(self, count):
        """What multipathd does for a path that is back may take a moment."""
        self.stage.check(f"{count} registrations", waited(lambda: len(self.san.keys()) == count))


def play(stage, made, programs):
    """The act."""
    first, second = made.paths
    node = "/dev/mapper/" + made.alias
    other = made.other.sd
    stage.tell(f"Host A has the disk by two paths, {first.name} and {second.name}, of which "
               f"multipathd has made {node}. Host B has it as {other}.")
    with Daemon(stage, programs.helper) as daemon:
        hosts = Hosts(stage, daemon, programs.client, {"A": node, "B": other})
        paths = Map(stage, made)
        stage.tell("One path fails; then the guest on host A registers, and reserves.")
        paths.fails(first)
        hosts.out("A", f"registered, by way of {second.name}", "--register",
                  "--param-sark=0xa11ce")
        hosts.out("A", "reserved: Write Exclusive - Registrants Only", "--reserve",
                  "--prout-type=5", "--param-rk=0xa11ce")
        stage.tell("The path comes back. The disk does not know it yet, and would refuse its "
                   "writes; but the helper has given multipathd the key:")
        paths.returns(first)
        paths.wait_for_keys(2)
        hosts.reads("B", "--read-keys", "registered by both paths", "2 registered")
        hosts.writes("A", "written")
        stage.tell(f"Now {second.name} fails, through which the disk was reserved.")
        paths.fails(second)
        hosts.writes("A", f"written, by way of {first.name}")
        hosts.writes("B", REFUSED, refused=True)
