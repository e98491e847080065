#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is when the machine has booted with the service enabled (before-boot)."""
import os

# pylint: disable=wrong-import-position
import unit
from tap import main, test


def entered(name):
    """When a unit became active, in microseconds since the machine started."""
    return int(unit.show("ActiveEnterTimestampMonotonic", name))


@test("enabled, the service has started at boot, and said that it is ready")
def _():
    assert unit.run("systemctl", "is-enabled", unit.SERVICE) == "enabled"
    # The target waits for it, and this program for the target.
    assert 0 < entered(unit.SERVICE) <= entered("multi-user.target")
    assert (unit.state(), unit.show("Type")) == ("active", "notify")
    assert unit.show("StatusText") == "Serving.", unit.show("StatusText")
    assert os.readlink(f"/proc/{unit.main_pid()}/exe") == unit.PROGRAM


@test("its socket came along")
def _():
    assert 0 < entered(unit.SOCKET_UNIT) <= entered(unit.SERVICE)
    unit.ping()


@test("booted, nothing has failed")
def _():
    assert unit.run("systemctl", "--failed", "--plain", "--no-legend") == ""


try:
    main()
finally:
    # The other programs begin with nothing enabled, and nothing running.
    unit.run("systemctl", "disable", unit.SERVICE)
    unit.stop_everything()
