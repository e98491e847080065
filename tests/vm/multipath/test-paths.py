#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that go and come back: whoever is registered stays so, and whoever was fenced, too."""
# pylint: disable=wrong-import-position
import san
import rig
import scsi
from helper import Helper
from load import Load
from san import KEY, KIND, NEW, OTHER, expect_good
from tap import main, test

OPTIONS = san.parse_arguments(__doc__)


def becomes(keys):
    """What multipathd does for a path that is back may take a moment."""
    wanted = sorted(keys)
    try:
        rig.wait_for(lambda: SAN.keys() == wanted, "the keys", 10)
    except AssertionError:
        assert SAN.keys() == wanted, [hex(key) for key in SAN.keys()]


def of_each_path(name):
    """One test for each path: which one holds a reservation is the helper's choice."""
    def register(function):
        for number, place in enumerate(("first", "second")):
            test(name.format(place))(lambda path=SAN.paths[number]: function(path))
    return register


MULTIPATHD, SAN = san.start()


@test("REGISTER reaches both paths, and multipathd knows the key")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY))
        assert SAN.keys() == [KEY, KEY]
        assert SAN.multipathd_key() == hex(KEY)
        assert SAN.is_registering()


@test("a reservation holds on both paths, and against the other host")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        assert SAN.reservation() == (KEY, KIND)
        with Load(SAN) as load:
            load.goes_on()
        assert not load.errors, load.errors
        assert not SAN.other_host_writes()


@of_each_path("the {} path is away while the key changes, and comes back under I/O")
def _(path):
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        with Load(SAN) as load:
            SAN.lose(path)
            expect_good(it.register(NEW, KEY))
            assert SAN.reservation() == (NEW, KIND), SAN.reservation()
            load.goes_on()
            SAN.bring_back(path)
            load.goes_on()
        assert not load.errors, load.errors
        becomes([NEW, NEW])
        assert SAN.reservation() == (NEW, KIND), SAN.reservation()
        assert SAN.multipathd_key() == hex(NEW)


@test("a path is deleted and found again under I/O")
def _():
    path = SAN.paths[0]
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        with Load(SAN) as load:
            path.delete()
            SAN.wait_for_paths([other for other in SAN.paths if other is not path])
            load.goes_on()
            path.rescan()
            SAN.wait_for_paths(SAN.paths)
            load.goes_on()
        assert not load.errors, load.errors
        becomes([KEY, KEY])
        # The helper finds it, too.
        expect_good(it.register(NEW, KEY))
        assert SAN.keys() == [NEW, NEW]


@test("a path that was not there when the guest registered gets its key when it comes")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.lose(SAN.paths[0])
        expect_good(it.register(KEY), it.reserve(KEY))
        with Load(SAN) as load:
            SAN.bring_back(SAN.paths[0])
            load.goes_on()
        assert not load.errors, load.errors
        becomes([KEY, KEY])


@of_each_path("RELEASE while the {} path is dead: ours is gone, the other host's key is not")
def _(path):
    with san.fresh_guest(HELPER, SAN) as it:
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY))
        SAN.lose(path)
        expect_good(it.release(KEY))
        assert SAN.reservation() is None, SAN.reservation()
        assert OTHER in SAN.keys() and KEY in SAN.keys(), SAN.keys()
        SAN.bring_back(path)
        becomes([KEY, KEY, OTHER])


@test("RELEASE by who does not hold it leaves the other host's reservation")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        other_host_reserves()
        expect_good(it.register(KEY), it.release(KEY))
        assert SAN.reservation() == (OTHER, KIND)
        assert SAN.keys() == sorted([KEY, KEY, OTHER])


@test("what is held through a path, deleted since, is the guest's to release or take along")
def _():
    path = SAN.paths[0]

    def held_through_it():
        SAN.clean()
        SAN.other_host_joins()
        expect_good(it.register(KEY), it.reserve(KEY))
        path.delete()
        SAN.wait_for_paths([other for other in SAN.paths if other is not path])

    def back():
        path.rescan()
        SAN.wait_for_paths(SAN.paths)

    with san.fresh_guest(HELPER, SAN) as it:
        held_through_it()
        expect_good(it.release(KEY))
        assert SAN.reservation() is None, SAN.reservation()
        assert OTHER in SAN.keys() and KEY in SAN.keys(), SAN.keys()
        back()
        expect_good(it.register(0, KEY))
        held_through_it()
        expect_good(it.register(NEW, KEY))
        assert SAN.reservation() == (NEW, KIND), SAN.reservation()
        back()
        expect_good(it.register(0, NEW))
        held_through_it()
        expect_good(it.reserve(KEY))
        assert SAN.reservation() == (KEY, KIND), SAN.reservation()
        back()
        expect_good(it.register(0, KEY))
        held_through_it()
        expect_good(it.register(0, KEY))
        assert SAN.reservation() is None, SAN.reservation()
        assert OTHER in SAN.keys(), SAN.keys()
        back()


@test("RELEASE by who does not hold it, while a path is dead")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        other_host_reserves()
        expect_good(it.register(KEY))
        SAN.lose(SAN.paths[0])
        expect_good(it.release(KEY))
        assert SAN.reservation() == (OTHER, KIND)
        assert SAN.keys() == sorted([KEY, KEY, OTHER])


def other_host_reserves():
    SAN.other_host_joins()
    expect_good(SAN.other_host(scsi.RESERVE, OTHER, kind=KIND))


@test("preempted while a path is away, it is not registered again")
def _():
    path = SAN.paths[0]
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        SAN.lose(path)
        SAN.other_host_joins()
        expect_good(SAN.other_host(scsi.PREEMPT, OTHER, KEY, KIND))
        SAN.bring_back(path)
        assert SAN.keys() == [OTHER], SAN.keys()
        with Load(SAN) as load:
            load.goes_on()
        assert load.errors and not load.done
        assert it.reserve(KEY) == "CONFLICT"
        # It may join again.
        expect_good(it.register(KEY))
        assert SAN.keys() == sorted([KEY, KEY, OTHER])


@test("a path that comes back after CLEAR stays unregistered")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        SAN.lose(SAN.paths[0])
        expect_good(it.out(scsi.CLEAR, KEY))
        SAN.bring_back(SAN.paths[0])
        assert SAN.keys() == [], SAN.keys()
        assert SAN.multipathd_key() == "none"


@test("a path that comes back after the guest has gone stays unregistered")
def _():
    with san.fresh_guest(HELPER, SAN) as it:
        expect_good(it.register(KEY), it.reserve(KEY))
        SAN.lose(SAN.paths[0])
        expect_good(it.register(0, KEY))
        assert SAN.reservation() is None, SAN.reservation()
        SAN.bring_back(SAN.paths[0])
        assert SAN.multipathd_key() == "none"
        # The dead path could not be told; it must not come into use with a key that nobody knows.
        assert SAN.keys() in ([], [KEY]), SAN.keys()


with Helper(OPTIONS.helper) as HELPER:
    main()
