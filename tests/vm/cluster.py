# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of real QEMUs, as nodes of a cluster that shares a disk.

The guests are qtest's: no system runs in them, the tests are their drivers.
"""
import contextlib
import os

import qmp
import rig
import scsi
from qtest import Qemu
from scenarios import READ_10, WRITE_10

USER = 12345
KEY_A, KEY_B = 0xA11CE, 0xB0B


class Initiator:
    """A guest's cluster manager, to be mixed with a qtest.Driver.

    Its methods return the outcome as scsi.outcome() does.
    """

    def settled(self, cdb, data_out=b"", data_in=0):
        """A command's answer behind all unit attentions, which real guests also go past."""
        while True:
            answer = self.command(cdb, data_out, data_in)
            if scsi.sense_code(answer.sense)[:2] != "6/":
                return answer

    def once(self, cdb, data_in=0):
        """One command, of which a unit attention is an outcome like any other."""
        return outcome(self.command(cdb, data_in=data_in))

    def pr_out(self, action, key=0, new_key=0, kind=0):
        """PERSISTENT RESERVE OUT."""
        return outcome(self.settled(scsi.pr_out(action, kind), scsi.parameters(key, new_key)))

    def pr_in(self, action, length=8192):
        """PERSISTENT RESERVE IN; returns the whole answer."""
        return self.settled(scsi.pr_in(action, length), data_in=length)

    def keys(self):
        """The keys on the disk, in ascending order."""
        return sorted(scsi.keys(self.pr_in(scsi.READ_KEYS).payload))

    def reservation(self):
        """(key, type) of who holds the disk, or None."""
        return scsi.reservation(self.pr_in(scsi.READ_RESERVATION).payload)

    def writes(self):
        """A plain WRITE."""
        return outcome(self.settled(WRITE_10, bytes(512)))

    def reads(self):
        """A plain READ."""
        return outcome(self.settled(READ_10, data_in=512))


class Node(Initiator, Qemu):
    """A guest with one disk, and QEMU's control connection, qmp.

    The disk is a device node; it is given to the user that QEMU runs as.
    """

    def __init__(self, name, disk, helper_socket, **more):
        os.chown(disk, USER, USER)
        with contextlib.closing(qmp.Listener(f"/run/qmp-{name}")) as listener:
            super().__init__(name, disk, helper_socket, USER, more=listener.options(), **more)
            try:
                self.qmp = listener.accept()
            except BaseException:
                super().__exit__()
                raise

    def __exit__(self, *_):
        super().__exit__()
        self.qmp.close()

    def is_alive(self):
        """Or has QEMU ended?"""
        return self.process.poll() is None

    def migrate_to(self, other):
        """Move the running guest there, to a Node that was made with this one as its source."""
        uri = f"unix:/tmp/migration-{other.path.rpartition('/')[2]}"
        other.qmp.command("migrate-incoming", uri=uri)
        self.qmp.command("migrate", uri=uri)
        rig.wait_for(self._has_migrated, "the migration")
        rig.wait_for(lambda: other.qmp.command("query-status")["running"], "the guest to run")
        other.requests = self.requests

    def _has_migrated(self):
        found = self.qmp.command("query-migrate")
        assert found.get("status") != "failed", found
        return found.get("status") == "completed"

    # QEMU's own view of its helper.

    def is_connected(self):
        """To the helper, as far as QEMU knows."""
        manager, = self.qmp.command("query-pr-managers")
        assert manager["id"] == "pr", manager
        return manager["connected"]

    def learns(self, connected):
        """Wait for QEMU's next word on the helper, which has to be this one."""
        data = self.qmp.event("PR_MANAGER_STATUS_CHANGED")
        assert data == {"id": "pr", "connected": connected}, data


def outcome(answer):
    """scsi.outcome() of an answer."""
    return scsi.outcome(answer.status, answer.sense)


def equal(found, wanted):
    """An assertion that says what it found."""
    assert found == wanted, f"{found}, not {wanted}"
