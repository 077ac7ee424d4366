#!/usr/bin/env python3
"""suspended_broker.py BIN_DIR: a broker that was suspended does not evict members whose heartbeats were in time.

The broker is stopped (SIGSTOP) for longer than the members' session timeout. Each member sends a heartbeat meanwhile, which lies
in the socket until the broker goes on. Every one of them is answered as if nothing had been.
"""
import signal
import struct
import time

from harness import World, check
from wire import Wire, text

FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, SYNC_GROUP = 10, 11, 12, 14
MEMBERS = 40
SESSION_MS = 6000  # the smallest that the broker allows


class Member:
    """The only member of a group of its own."""

    def __init__(self, address, group):
        self.wire, self.group = Wire(address), group
        joined = self.wire.ask(JOIN_GROUP, 2, text(group) + struct.pack('>ii', SESSION_MS, 60000) + text('') + text('consumer')
                               + struct.pack('>i', 1) + text('range') + struct.pack('>i', 0))
        code, self.generation = struct.unpack_from('>hi', joined, 4)
        assert code == 0, code
        at = 10
        for _ in range(3):  # protocol, leader, own id
            length = struct.unpack_from('>h', joined, at)[0]
            self.id = joined[at + 2:at + 2 + length].decode()
            at += 2 + length
        synced = self.wire.ask(SYNC_GROUP, 1, self.who() + struct.pack('>i', 1) + text(self.id) + struct.pack('>i', 0))
        assert struct.unpack_from('>h', synced, 4)[0] == 0

    def who(self):
        return text(self.group) + struct.pack('>i', self.generation) + text(self.id)

    def send_heartbeat(self):
        frame = struct.pack('>hhi', HEARTBEAT, 1, 7) + text('by hand') + self.who()
        self.wire.send(struct.pack('>i', len(frame)) + frame)

    def code(self):
        return struct.unpack_from('>h', self.wire.answer(), 8)[0]


def member_of(address, group):
    """__consumer_offsets is made when somebody asks for a coordinator; until its partition is open, the code is not 0."""
    for attempt in range(100):
        Wire(address).ask(FIND_COORDINATOR, 1, text(group) + b'\0')
        try:
            return Member(address, group)
        except AssertionError as refused:
            last = refused
            time.sleep(0.1)
    raise last


def main(world):
    broker, at = world.start('broker', world.bin / 'farshore-broker', '--data', world.directory / 'data', '--listen', '127.0.0.1:0',
                             '--set', 'group.initial.rebalance.delay.ms=0')
    members = [member_of(at, f'group-{n}') for n in range(MEMBERS)]
    for member in members:
        member.send_heartbeat()
    check('all are members', all(member.code() == 0 for member in members))
    broker.send_signal(signal.SIGSTOP)
    for member in members:
        member.send_heartbeat()
    time.sleep(SESSION_MS / 1000 + 2)
    broker.send_signal(signal.SIGCONT)
    codes = [member.code() for member in members]
    check(f'all are members after the suspension: {codes}', set(codes) == {0})


World('suspended-broker').run(main)
