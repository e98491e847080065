#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each command on a map: what it does to both paths, to the other host, and to multipathd."""
import contextlib
import os

# pylint: disable=wrong-import-position
import san
import scsi
import sgio
from helper import Helper
from load import Load
from san import KEY, KIND, NEW, OTHER, WRONG, expect_good
from tap import main, test

OPTIONS = san.parse_arguments(__doc__)
# Of these, every registrant is a holder, and the disk names no key.
ALL_REGISTRANTS = (scsi.WRITE_EXCLUSIVE_ALL_REGISTRANTS, scsi.EXCLUSIVE_ACCESS_ALL_REGISTRANTS)
# Those that let every path of who has registered through.
FOR_REGISTRANTS = ALL_REGISTRANTS + (KIND, scsi.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY)


def knows(key):
    """What multipathd will do with a path that comes back."""
    found = (SAN.multipathd_key(), SAN.is_registering())
    assert found == (hex(key) if key else "none", key != 0), found


@test("REGISTER: a new key, another one, none")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY))
        assert SAN.keys() == sorted([KEY, KEY, OTHER])
        expect_good(it.register(NEW, KEY))
        assert SAN.keys() == sorted([NEW, NEW, OTHER])
        knows(NEW)
        expect_good(it.register(0, NEW))
        assert SAN.keys() == [OTHER]
        knows(0)


@test("REGISTER AND IGNORE EXISTING KEY: the same")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        for key in (KEY, NEW):
            expect_good(it.out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, key))
            assert SAN.keys() == [key, key]
            knows(key)
        expect_good(it.out(scsi.REGISTER_AND_IGNORE_EXISTING_KEY, 0, 0))
        assert SAN.keys() == []
        knows(0)


@test("REGISTER with a wrong key: a conflict, and all is as it was")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        assert it.register(NEW, WRONG) == "CONFLICT"
        assert SAN.keys() == []
        knows(0)
        expect_good(it.register(KEY), it.reserve(KEY))
        for new in (NEW, 0):
            assert it.register(new, WRONG) == "CONFLICT"
            assert SAN.keys() == [KEY, KEY]
            assert SAN.reservation() == (KEY, KIND)
            knows(KEY)


@test("who holds and leaves takes the reservation along, and nobody else's key")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY), it.register(0, KEY))
        assert (SAN.keys(), SAN.reservation()) == ([OTHER], None)


@test("a path with another key than the guest's is brought into line")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY))
        with contextlib.closing(san.Descriptor(SAN.paths[1].nexus)) as path:
            expect_good(str(sgio.pr_command(path.fd, scsi.pr_out(scsi.REGISTER),
                                            scsi.parameters(KEY, WRONG))))
        assert SAN.keys() == sorted([KEY, WRONG])
        expect_good(it.register(NEW, KEY))
        assert SAN.keys() == [NEW, NEW]


@test("ALL_TG_PT: one registration for a host's ports is as good as two")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.out(scsi.REGISTER, 0, KEY, flags=scsi.ALL_TG_PT), it.reserve(KEY))
        assert set(SAN.keys()) == {KEY}
        with Load(SAN) as load:
            load.goes_on()
        assert not load.errors, load.errors


for _kind in scsi.ALL_TYPES:
    @test(f"RESERVE and RELEASE, type {_kind}")
    def _(kind=_kind):
        with san.fresh_guest(HELPER, SAN) as it:
            SAN.other_host_joins()
            expect_good(it.register(KEY), it.reserve(KEY, kind))
            assert SAN.reservation() == (0 if kind in ALL_REGISTRANTS else KEY, kind)
            expect_good(it.reserve(KEY, kind))              # again is no error
            if kind in FOR_REGISTRANTS:
                with Load(SAN) as load:
                    load.goes_on()
                assert not load.errors, load.errors
            wrong = KIND if kind != KIND else scsi.WRITE_EXCLUSIVE
            same(it, scsi.pr_out(scsi.RELEASE, wrong), scsi.parameters(KEY))
            assert SAN.reservation()[1] == kind
            expect_good(it.release(KEY, kind))
            assert SAN.reservation() is None
            assert SAN.keys() == sorted([KEY, KEY, OTHER])


@test("RESERVE without a key, and against the other host: a conflict")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        same(it, scsi.pr_out(scsi.RESERVE, KIND), scsi.parameters(KEY))
        SAN.other_host_joins()
        expect_good(SAN.other_host(scsi.RESERVE, OTHER, kind=KIND), it.register(KEY))
        assert it.reserve(KEY) == "CONFLICT"
        assert SAN.reservation() == (OTHER, KIND)


@test("PREEMPT of the other host: it is out, and both of our paths are in")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(SAN.other_host(scsi.RESERVE, OTHER, kind=KIND), it.register(KEY),
                    it.out(scsi.PREEMPT, KEY, OTHER, KIND))
        assert (SAN.keys(), SAN.reservation()) == ([KEY, KEY], (KEY, KIND))
        knows(KEY)
        with Load(SAN) as load:
            load.goes_on()
        assert not load.errors, load.errors


@test("PREEMPT of our own key: both paths are registered all the same")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY),
                    it.out(scsi.PREEMPT, KEY, KEY, scsi.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY))
        assert SAN.keys() == sorted([KEY, KEY, OTHER])
        assert SAN.reservation() == (KEY, scsi.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY)


@test("PREEMPT of all registrants: the other host is out")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(SAN.other_host(scsi.RESERVE, OTHER, kind=ALL_REGISTRANTS[0]), it.register(KEY),
                    it.out(scsi.PREEMPT, KEY, 0, KIND))
        assert (SAN.keys(), SAN.reservation()) == ([KEY, KEY], (KEY, KIND))


@test("PREEMPT of a key that nobody has: a conflict")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY))
        assert it.out(scsi.PREEMPT, KEY, WRONG, KIND) == "CONFLICT"
        assert SAN.keys() == [KEY, KEY]


@test("preempted by the other host, the guest hears of it")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY),
                    SAN.other_host(scsi.PREEMPT, OTHER, KEY, KIND))
        assert (SAN.keys(), SAN.reservation()) == ([OTHER], (OTHER, KIND))
        answer = it.command(scsi.pr_out(scsi.RESERVE, KIND), scsi.parameters(KEY))
        assert str(answer).startswith("6/2A/") or str(answer) == "CONFLICT", answer
        assert it.reserve(KEY) == "CONFLICT"


@test("CLEAR: all keys are gone, and multipathd's")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY))
        assert it.out(scsi.CLEAR, WRONG) == "CONFLICT"
        knows(KEY)
        expect_good(it.out(scsi.CLEAR, KEY))
        assert (SAN.keys(), SAN.reservation()) == ([], None)
        knows(0)


@test("REGISTER AND MOVE is refused")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        data = scsi.move_parameters(KEY, NEW, 1, bytes(24))
        answer = it.command(scsi.pr_out(scsi.REGISTER_AND_MOVE, KIND, len(data)), data)
        assert str(answer) == "5/24/00", answer
        assert (SAN.keys(), SAN.reservation()) == ([KEY, KEY], (KEY, KIND))


@test("PERSISTENT RESERVE IN: the device's bytes")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        for prepare in (lambda: None, lambda: expect_good(it.register(KEY)),
                        lambda: expect_good(it.reserve(KEY))):
            prepare()
            it.out(scsi.PREEMPT, WRONG)             # settles both sides
            for action in range(4):
                for length in (8, 16, 24, 255, 8192):
                    same(it, scsi.pr_in(action, length))


@test("what the device refuses, it refuses through the helper in the same words")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY))
        same(it, scsi.pr_in(0x1F))
        same(it, scsi.pr_in(scsi.READ_KEYS, 4))
        same(it, scsi.pr_out(scsi.RESERVE, KIND, 23), bytes(23))
        same(it, scsi.pr_out(0x1F), scsi.parameters(KEY))
        same(it, scsi.pr_out(scsi.RESERVE, 0xF), scsi.parameters(KEY))


def same(it, cdb, data=b""):
    """As SG_IO on one of its paths would answer."""
    with contextlib.closing(san.Descriptor(SAN.paths[0].nexus)) as path:
        direct = sgio.pr_command(path.fd, cdb, data)
    helped = it.command(cdb, data)
    wanted = (direct.status, direct.sense, direct.payload)
    assert wanted == tuple(helped), f"{cdb.hex()}\ndevice: {wanted}\nhelper: {helped}"


@test("a descriptor for reading reads, and changes nothing")
def _():
    with san.fresh_guest(HELPER, SAN), HELPER.client() as client, \
            open(SAN.node, "rb", buffering=0, opener=lambda *_: SAN.open(os.O_RDONLY)) as file:
        expect_good(str(client.command(scsi.pr_in(scsi.READ_KEYS), file.fileno())))
        answer = client.command(scsi.pr_out(scsi.REGISTER), file.fileno(), scsi.parameters(0, KEY))
        assert str(answer) == "5/20/00", answer
        assert SAN.keys() == []
        knows(0)


MULTIPATHD, SAN = san.start()
with Helper(OPTIONS.helper) as HELPER:
    main()
