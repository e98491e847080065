# SPDX-License-Identifier: GPL-2.0-or-later
"""Act 1: two hosts share a disk; one is gone, and the other takes over."""
import rig
from stage import CONFLICT, REFUSED, Daemon, Hosts

TITLE = "Failover: two hosts share a disk, and one takes over from the other"


def prepare():
    """The disk."""
    return rig.loop_disk("failover")


def play(stage, disk, programs):
    """The act."""
    nodes = dict(zip("AB", (nexus.sd for nexus in disk.nexus)))
    stage.tell(f"Host A has the disk as {nodes['A']}, host B as {nodes['B']}. The helper becomes "
               "user nobody and keeps CAP_SYS_RAWIO alone:")
    with Daemon(stage, programs.helper) as daemon:
        failover(stage, Hosts(stage, daemon, programs.client, nodes))


def failover(stage, hosts):
    """The story."""
    stage.tell("Both hosts register a key with the disk; host A reserves it.")
    hosts.out("A", "registered", "--register", "--param-sark=0xa11ce")
    hosts.out("B", "registered", "--register", "--param-sark=0xb0b")
    hosts.out("A", "reserved: Write Exclusive", "--reserve", "--prout-type=1",
              "--param-rk=0xa11ce")
    hosts.writes("A", "written")
    hosts.writes("B", REFUSED, refused=True)
    hosts.out("B", REFUSED, "--reserve", "--prout-type=1", "--param-rk=0xb0b", status=CONFLICT)

    stage.tell("Host A does not answer any more. Host B fences it, and takes over.")
    hosts.out("B", "preempted: A's key and reservation are gone", "--preempt", "--prout-type=1",
              "--param-rk=0xb0b", "--param-sark=0xa11ce")
    hosts.reads("B", "--read-reservation", "held by host B", "0xb0b")
    hosts.writes("B", "written")

    stage.tell("Host A comes back, and believes that the disk is still its own.")
    hosts.writes("A", REFUSED, refused=True)
    hosts.out("A", REFUSED, "--reserve", "--prout-type=1", "--param-rk=0xa11ce", status=CONFLICT)
