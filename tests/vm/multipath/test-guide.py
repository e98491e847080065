#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guide for maps: its configuration is what multipathd needs to keep a key."""
import os
import sys

# pylint: disable=wrong-import-position
import san
sys.path.append(os.path.join(san.HERE, "../systemd"))
import guide
from helper import Helper
from san import KEY, expect_good
from tap import main, test

OPTIONS = san.parse_arguments(__doc__)


def is_kept():
    """Does multipathd take a key for the map?"""
    SAN.ask("setprkey", f" key {KEY:x}")
    return SAN.multipathd_key() == hex(KEY)


def configuration(section):
    """Without it no key is kept, and with it a guest can register."""
    for text, kept in (("", False), (section, True)):
        SAN.clean()
        MULTIPATHD.configure(reservation_key="", section=text)
        MULTIPATHD.restart()
        assert is_kept() == kept, text
    with Helper(OPTIONS.helper) as started, san.fresh_guest(started, SAN) as it:
        expect_good(it.register(KEY))
        assert (SAN.keys(), SAN.multipathd_key()) == ([KEY, KEY], hex(KEY))


MULTIPATHD, SAN = san.start()
guide.register("MULTIPATH.md", {}, conf=configuration)
main()
