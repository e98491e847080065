# SPDX-License-Identifier: GPL-2.0-or-later
"""The fence agent of Pacemaker clusters, fence_scsi, as nodes of a cluster call it."""
import os
import shutil
import subprocess

from tap import skip

AGENT = "fence_scsi"
ON, OFF = 0, 2                  # the agent's exit status for the action "status"
# Where the agent keeps what its node once registered.
STATE = ("/run/cluster.key", "/run/cluster.dev")


class Node:
    """One node of a cluster, with its key, its disk and its ways to reach it.

    All nodes of the tests are on one machine, so each one's state is put where
    the agent wants it, and taken away again.
    """

    def __init__(self, name, key, disk, sg_persist="/usr/bin/sg_persist",
                 sg_turs="/usr/bin/sg_turs"):
        self.key, self.disk = key, disk
        self.programs = [f"--sg_persist-path={sg_persist}", f"--sg_turs-path={sg_turs}"]
        self.directory = f"/run/fence-{name}"
        shutil.rmtree(self.directory, ignore_errors=True)
        os.mkdir(self.directory)
        self.said = ""

    def agent(self, action, key=None):
        """Call the agent; returns its exit status, and leaves its words in self.said."""
        if not shutil.which(AGENT):
            skip(f"no {AGENT} here")
        kept = [os.path.join(self.directory, os.path.basename(path)) for path in STATE]
        move(kept, STATE)
        try:
            result = subprocess.run(
                [AGENT, f"--action={action}", f"--devices={self.disk}", *self.programs,
                 f"--key={key or self.key:x}"], text=True, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        finally:
            move(STATE, kept)
        self.said = result.stdout
        return result.returncode


def move(sources, destinations):
    """Rename those files that exist."""
    for source, destination in zip(sources, destinations):
        if os.path.exists(source):
            os.rename(source, destination)
