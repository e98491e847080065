# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted sequences of commands on a disk that three hosts share.

A scenario is played once straight on a fresh disk and once through the daemon
on another one like it; the two transcripts have to be the same to the last
byte. So a scenario says what to send and, to prove that it tests what it
claims to, what a disk answers; it knows nothing of how commands get there.
"""
import random
import struct
from typing import NamedTuple

import scsi
from scsi import (CLEAR, PREEMPT, READ_FULL_STATUS, REGISTER, REGISTER_AND_IGNORE_EXISTING_KEY,
                  REGISTER_AND_MOVE, RELEASE, RESERVE)

A, B, C = range(3)
HOSTS = "ABC"
KEY_A, KEY_B, KEY_C = 0xAAAAAAAAAAAAAAAA, 0xB, 0xC000000000000000
WRONG = 0xDEAD

GOOD, CONFLICT = "GOOD", "CONFLICT"
COMMUNICATION_FAILURE = "2/08/00"       # LIO's answer to hosts without a registration
INVALID_FIELD_IN_CDB = "5/24/00"
PARAMETER_LIST_LENGTH_ERROR = "5/1A/00"
RESERVATIONS_PREEMPTED = "6/2A/03"
RESERVATIONS_RELEASED = "6/2A/04"
REGISTRATIONS_PREEMPTED = "6/2A/05"
ANY = None

READ_ACTIONS = range(4)
WRITE_10 = bytes([0x2A, 0, 0, 0, 0, 64, 0, 0, 1, 0])
READ_10 = bytes([0x28, 0, 0, 0, 0, 64, 0, 0, 1, 0])

SCENARIOS = {}


def scenario(name):
    """Decorator: add a function of one Player to SCENARIOS."""
    def register(function):
        assert name not in SCENARIOS
        SCENARIOS[name] = function
        return function
    return register


class Entry(NamedTuple):
    """One command and its answer."""
    command: str
    status: int
    sense: bytes
    payload: bytes

    def __str__(self):
        return f"{self.command} -> {scsi.outcome(self.status, self.sense)} " \
               f"sense {self.sense.rstrip(bytes(1)).hex()} payload {self.payload.hex()}"


class Player:
    """Plays a scenario and keeps the transcript.

    send(host, cdb, data) carries a reservation command, media(host, cdb, data)
    a READ or WRITE, which always goes straight to the disk. Both return
    something with status, sense and payload. If strict, an answer other than
    the expected one ends the scenario; if not, it is left to the comparison.
    """

    def __init__(self, send, media, strict):
        self.send = send
        self.media = media
        self.strict = strict
        self.transcript = []

    def command(self, host, cdb, data=b"", expect=GOOD):
        """Send a reservation command; expect is its outcome, or ANY."""
        return self._play(self.send, host, cdb, data, expect)

    def _play(self, carry, host, cdb, data, expect):
        answer = carry(host, cdb, data)
        # As zeros behind the sense data say nothing, lengths need not agree.
        sense = answer.sense.ljust(96, b"\0") if answer.status else bytes(96)
        text = f"{HOSTS[host]} {cdb.hex()} {data[:32].hex()}"
        entry = Entry(text, answer.status, sense, answer.payload)
        self.transcript.append(entry)
        if self.strict:
            outcome = scsi.outcome(answer.status, answer.sense)
            assert expect in (ANY, outcome), f"{entry}\nexpected {expect}"
        return answer

    def read(self, host, action, length=8192, expect=GOOD):
        """PERSISTENT RESERVE IN."""
        return self.command(host, scsi.pr_in(action, length), expect=expect)

    def look(self, host=A):
        """All four actions of PERSISTENT RESERVE IN: the whole state of the disk."""
        for action in READ_ACTIONS:
            self.read(host, action)

    def out(self, host, action, key=0, new_key=0, kind=0, flags=0, expect=GOOD):
        """PERSISTENT RESERVE OUT with a regular parameter list."""
        return self.command(host, scsi.pr_out(action, kind),
                            scsi.parameters(key, new_key, flags), expect)

    def register_all(self):
        """Hosts A and B get their keys; C stays a stranger."""
        self.out(A, REGISTER, 0, KEY_A)
        self.out(B, REGISTER, 0, KEY_B)

    def access(self, host, write=True, read=True):
        """Does the disk let that host write and read?"""
        for allowed, cdb, data in ((write, WRITE_10, bytes(512)), (read, READ_10, b"")):
            self._play(self.media, host, cdb, data, GOOD if allowed else CONFLICT)


@scenario("a fresh disk")
def fresh(s):
    for host in (A, B, C):
        s.look(host)


@scenario("REGISTER: new, changed, removed")
def register(s):
    s.out(A, REGISTER, 0, KEY_A)
    s.look()
    s.out(A, REGISTER, KEY_A, KEY_A + 1)
    s.look()
    s.out(A, REGISTER, KEY_A + 1, 0)
    s.look()


@scenario("REGISTER: wrong keys")
def register_wrong(s):
    s.out(A, REGISTER, WRONG, KEY_A, expect=CONFLICT)
    s.out(A, REGISTER, 0, KEY_A)
    s.out(A, REGISTER, WRONG, KEY_A + 1, expect=CONFLICT)
    s.out(A, REGISTER, 0, KEY_A + 1, expect=CONFLICT)
    s.out(A, REGISTER, WRONG, 0, expect=CONFLICT)
    s.look(B)


@scenario("REGISTER: unregistering what is not registered")
def unregister_nothing(s):
    s.out(A, REGISTER, 0, 0)
    s.out(A, REGISTER_AND_IGNORE_EXISTING_KEY, WRONG, 0)
    s.look()


@scenario("REGISTER: APTPL and ALL_TG_PT")
def register_flags(s):
    s.out(A, REGISTER, 0, KEY_A, flags=scsi.APTPL)
    s.out(B, REGISTER, 0, KEY_B, flags=scsi.ALL_TG_PT, expect=ANY)
    s.look()


@scenario("REGISTER AND IGNORE EXISTING KEY")
def register_and_ignore(s):
    s.out(A, REGISTER_AND_IGNORE_EXISTING_KEY, 0, KEY_A)
    s.out(B, REGISTER_AND_IGNORE_EXISTING_KEY, WRONG, KEY_B)
    s.out(A, REGISTER_AND_IGNORE_EXISTING_KEY, WRONG, KEY_A + 1)
    s.look(C)
    s.out(B, REGISTER_AND_IGNORE_EXISTING_KEY, WRONG, 0)
    s.look(C)


@scenario("several hosts with the same key")
def same_key(s):
    for host in (A, B, C):
        s.out(host, REGISTER, 0, KEY_A)
    s.look()
    s.out(C, REGISTER, KEY_A, 0)
    s.look()


def reserve(s, kind):
    exclusive = kind in (scsi.EXCLUSIVE_ACCESS, scsi.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
                         scsi.EXCLUSIVE_ACCESS_ALL_REGISTRANTS)
    registrants = kind not in (scsi.WRITE_EXCLUSIVE, scsi.EXCLUSIVE_ACCESS)
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=kind)
    s.look(C)
    s.access(A)
    s.access(B, write=registrants, read=registrants or not exclusive)
    s.access(C, write=False, read=not exclusive)
    s.out(A, RESERVE, KEY_A, kind=kind)
    other = kind % 8 + 1 if kind % 8 + 1 in scsi.ALL_TYPES else scsi.WRITE_EXCLUSIVE
    other = other if other != kind else scsi.EXCLUSIVE_ACCESS
    s.out(A, RESERVE, KEY_A, kind=other, expect=CONFLICT)
    s.out(B, RESERVE, KEY_B, kind=kind, expect=ANY)
    s.out(C, RESERVE, 0, kind=kind, expect=CONFLICT)
    s.out(A, RELEASE, KEY_A, kind=other, expect=CONFLICT)
    s.out(A, RELEASE, WRONG, kind=kind, expect=CONFLICT)
    s.out(A, RELEASE, KEY_A, kind=kind)
    s.look(A)
    # The others are told, where the type concerned them.
    s.read(B, scsi.READ_KEYS, expect=ANY)
    s.read(B, scsi.READ_KEYS)
    s.read(C, scsi.READ_KEYS)
    s.access(C)


for _kind in scsi.ALL_TYPES:
    scenario(f"RESERVE and RELEASE: type {_kind}")(lambda s, kind=_kind: reserve(s, kind))


@scenario("RESERVE and RELEASE: not by strangers, not with wrong keys")
def reserve_wrong(s):
    s.out(C, RESERVE, 0, kind=scsi.WRITE_EXCLUSIVE, expect=COMMUNICATION_FAILURE)
    s.register_all()
    s.out(A, RESERVE, WRONG, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    s.out(B, RELEASE, KEY_B, kind=scsi.WRITE_EXCLUSIVE)
    s.out(C, RELEASE, KEY_A, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.look(B)


@scenario("RESERVE: types and scopes that do not exist")
def reserve_reserved(s):
    s.out(A, REGISTER, 0, KEY_A)
    for kind in sorted(set(range(16)) - set(scsi.ALL_TYPES)) + [0x11, 0x21, 0xF1]:
        s.out(A, RESERVE, KEY_A, kind=kind, expect=ANY)
        s.read(A, scsi.READ_RESERVATION)


@scenario("unregistering the holder releases")
def unregister_holder(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE_REGISTRANTS_ONLY)
    s.out(A, REGISTER, KEY_A, 0)
    s.read(B, scsi.READ_KEYS, expect=RESERVATIONS_RELEASED)
    s.look(B)


@scenario("CLEAR")
def clear(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.EXCLUSIVE_ACCESS)
    s.out(C, CLEAR, KEY_A, expect=CONFLICT)
    s.out(B, CLEAR, WRONG, expect=CONFLICT)
    s.out(B, CLEAR, KEY_B)
    s.read(A, scsi.READ_KEYS, expect=RESERVATIONS_PREEMPTED)
    s.look(A)
    s.look(C)


@scenario("PREEMPT: the holder")
def preempt_holder(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    s.out(B, PREEMPT, KEY_B, KEY_A, kind=scsi.EXCLUSIVE_ACCESS)
    s.look(B)
    s.read(A, scsi.READ_KEYS, expect=REGISTRATIONS_PREEMPTED)
    s.read(A, scsi.READ_KEYS)
    s.out(A, RELEASE, KEY_A, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.access(A, write=False, read=False)


@scenario("PREEMPT: a registrant without the reservation")
def preempt_registrant(s):
    s.register_all()
    s.out(C, REGISTER, 0, KEY_C)
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    s.out(C, PREEMPT, KEY_C, KEY_B, kind=scsi.WRITE_EXCLUSIVE)
    s.read(B, scsi.READ_KEYS, expect=REGISTRATIONS_PREEMPTED)
    s.look(B)


@scenario("PREEMPT: wrong keys, and by a stranger")
def preempt_wrong(s):
    s.register_all()
    s.out(A, PREEMPT, KEY_A, WRONG, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.out(A, PREEMPT, WRONG, KEY_B, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.out(A, PREEMPT, KEY_A, 0, kind=scsi.WRITE_EXCLUSIVE, expect=ANY)
    s.out(C, PREEMPT, 0, KEY_A, kind=scsi.WRITE_EXCLUSIVE, expect=CONFLICT)
    s.look()


@scenario("PREEMPT: all registrants, by key 0")
def preempt_all(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE_ALL_REGISTRANTS)
    s.out(B, PREEMPT, KEY_B, 0, kind=scsi.WRITE_EXCLUSIVE)
    s.read(A, scsi.READ_KEYS, expect=REGISTRATIONS_PREEMPTED)
    s.look(A)


@scenario("PREEMPT: oneself")
def preempt_self(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    s.out(A, PREEMPT, KEY_A, KEY_A, kind=scsi.EXCLUSIVE_ACCESS, expect=ANY)
    s.look()


def registration(s, host, key):
    """The relative target port and the TransportID of a registration, as the disk reports them."""
    payload = s.read(host, READ_FULL_STATUS).payload
    at = 8
    while at < len(payload):
        found, port, length = struct.unpack_from(">Q10xHI", payload, at)
        if found == key:
            return port, payload[at + 24:at + 24 + length]
        at += 24 + length
    raise AssertionError(f"no key {key:#x} in {payload.hex()}")


@scenario("REGISTER AND MOVE")
def register_and_move(s):
    s.register_all()
    port, transport_id = registration(s, A, KEY_B)
    move = scsi.move_parameters(KEY_A, KEY_C, port, transport_id)
    cdb = scsi.pr_out(REGISTER_AND_MOVE, length=len(move))
    s.command(A, cdb, move, expect=ANY)     # there is nothing to move yet
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    s.command(B, cdb, move, expect=ANY)     # by one who does not hold it
    s.command(A, cdb, move)
    s.look(C)
    s.access(A, write=False)
    s.access(B)


@scenario("REGISTER AND MOVE: malformed")
def register_and_move_wrong(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    port, transport_id = registration(s, A, KEY_B)
    for key, new_key, number, identifier in (
            (WRONG, KEY_C, port, transport_id), (KEY_A, 0, port, transport_id),
            (KEY_A, KEY_C, 0x7777, transport_id), (KEY_A, KEY_C, port, bytes(24))):
        move = scsi.move_parameters(key, new_key, number, identifier)
        s.command(A, scsi.pr_out(REGISTER_AND_MOVE, length=len(move)), move, expect=ANY)
    for length in (0, 8, 24, 25, 40):
        move = scsi.move_parameters(KEY_A, KEY_C, port, transport_id)[:length]
        s.command(A, scsi.pr_out(REGISTER_AND_MOVE, length=length), move, expect=ANY)
    s.look()


@scenario("allocation lengths")
def allocation_lengths(s):
    s.register_all()
    s.out(A, RESERVE, KEY_A, kind=scsi.WRITE_EXCLUSIVE)
    for action in READ_ACTIONS:
        for length in (0, 1, 4, 7):
            s.read(A, action, length, expect=ANY)
        for length in (8, 9, 15, 16, 23, 24, 25, 64, 255, 256, 511, 512, 4095, 4096, 8191, 8192):
            s.read(A, action, length)
    for length in (0, 1, 4, 7):
        s.read(A, scsi.READ_KEYS, length, expect=INVALID_FIELD_IN_CDB)


@scenario("parameter list lengths")
def parameter_list_lengths(s):
    full = scsi.parameters(0, KEY_A) + bytes(8192)
    for length in (0, 1, 8, 23, 25, 8191, 8192):
        s.command(A, scsi.pr_out(REGISTER, length=length), full[:length],
                  expect=PARAMETER_LIST_LENGTH_ERROR)
    s.look()
    s.command(A, scsi.pr_out(REGISTER, length=24), full[:24])
    for action in (RESERVE, RELEASE, CLEAR, PREEMPT):
        for length in (0, 8, 23, 25, 8192):
            s.command(A, scsi.pr_out(action, scsi.WRITE_EXCLUSIVE, length), full[:length],
                      expect=ANY)
    s.look()


@scenario("service actions that do not exist")
def reserved_actions(s):
    for action in range(4, 32):
        s.read(A, action, expect=INVALID_FIELD_IN_CDB)
    s.out(A, REGISTER, 0, KEY_A)
    for action in range(8, 32):
        s.out(A, action, KEY_A, expect=INVALID_FIELD_IN_CDB)
    s.look()


@scenario("odd bits in the CDB")
def odd_bits(s):
    """Reserved bits and the control byte are the disk's to judge."""
    cdb = bytearray(scsi.pr_in(scsi.READ_KEYS))
    for index, value in ((1, 0xE0), (2, 0xFF), (4, 0xFF), (9, 0x04), (9, 0xFF), (15, 0xFF)):
        odd = bytearray(cdb)
        odd[index] |= value
        s.command(A, bytes(odd), expect=ANY)


@scenario("SPEC_I_PT")
def spec_i_pt(s):
    s.register_all()
    _port, transport_id = registration(s, A, KEY_B)
    s.out(B, REGISTER, KEY_B, 0)
    for identifiers in (transport_id, transport_id * 3, transport_id[:10], b""):
        more = struct.pack(">I", len(identifiers)) + identifiers
        data = scsi.parameters(0, KEY_C, scsi.SPEC_I_PT) + more
        s.command(C, scsi.pr_out(REGISTER, length=len(data)), data, expect=ANY)
    s.look()


@scenario("many registrations and long answers")
def many(s):
    """Re-registration keeps PRGENERATION going and the answers full."""
    for number in range(1, 64):
        for host in (A, B, C):
            s.out(host, REGISTER_AND_IGNORE_EXISTING_KEY, 0, number << 8 | host)
    s.look()


def random_command(rng, player):
    """A command that a confused cluster manager might send."""
    host = rng.choice((A, B, C))
    some_keys = (0, KEY_A, KEY_B, KEY_C, WRONG)
    if rng.random() < 0.3:
        length = rng.choice((0, 4, 8, 24, 255, 8192))
        player.read(host, rng.randrange(5), length, expect=ANY)
        return
    action = rng.choice((REGISTER, REGISTER, REGISTER_AND_IGNORE_EXISTING_KEY, RESERVE, RESERVE,
                         RELEASE, CLEAR, PREEMPT, PREEMPT, REGISTER_AND_MOVE))
    kind = rng.choice(scsi.ALL_TYPES + (0, 2))
    data = scsi.parameters(rng.choice(some_keys), rng.choice(some_keys),
                           rng.choice((0, 0, 0, scsi.APTPL)))
    length = rng.choice((24, 24, 24, 24, 24, 24, 23, 32))
    player.command(host, scsi.pr_out(action, kind, length), data.ljust(32, b"\0")[:length],
                   expect=ANY)


@scenario("400 commands at random")
def at_random(s):
    rng = random.Random("persistent")
    for _ in range(400):
        random_command(rng, s)
    outcomes = {scsi.outcome(entry.status, entry.sense) for entry in s.transcript}
    assert {GOOD, CONFLICT, INVALID_FIELD_IN_CDB, PARAMETER_LIST_LENGTH_ERROR} < outcomes, outcomes
