#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the other tests here stand on: multipathd, two paths, and another host."""
import os

# pylint: disable=wrong-import-position
import san
import rig
import scsi
import sgio
from load import Load
from san import KEY, OTHER
from tap import main, test

san.parse_arguments(__doc__)


@test("the map has two paths, and the other host's is none of them")
def _():
    assert set(SAN.states()) == {path.name for path in SAN.paths}, SAN.states()
    uuid = rig.read(f"/sys/block/{SAN.map}/dm/uuid")
    assert uuid.startswith("mpath-"), uuid


@test("three nexuses, three registrations")
def _():
    SAN.clean()
    for number, nexus in enumerate(SAN.disk.nexus, 1):
        fd = nexus.open()
        answer = sgio.pr_command(fd, scsi.pr_out(scsi.REGISTER), scsi.parameters(0, number))
        os.close(fd)
        assert str(answer) == "GOOD", answer
    assert SAN.keys() == [1, 2, 3]


@test("I/O on a path that is not registered fails where others are")
def _():
    SAN.clean()
    SAN.other_host_joins()
    assert SAN.other_host(scsi.RESERVE, OTHER, kind=scsi.WRITE_EXCLUSIVE) == "GOOD"
    with Load(SAN) as load:
        load.goes_on()
    assert load.errors and not load.done


@test("multipathd keeps a key for the map")
def _():
    SAN.clean()
    assert SAN.multipathd_key() == "none"
    assert SAN.ask("setprkey", f" key {KEY:x}") == "ok"
    assert SAN.multipathd_key() == f"{KEY:#x}"
    assert SAN.ask("unsetprkey") == "ok"


MULTIPATHD, SAN = san.start()
main()
