#!/usr/bin/env python3
"""relay_readers.py BIN_DIR: libfarshore at a relay link into a real Apache Kafka 4.1.1, with gateway and source gone.

The Translator, both ways, for every offset of a topic with records of others in it; a FailoverConsumer that reads at the
source, and goes on at the target at exactly the next record. The source is a Farshore broker.
Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import ctypes
import re
import signal
import sys

from harness import World, check, kcat, peers_or_skip, until
from kafka_node import KafkaNode
from relay_world import CODECS, is_ours, produce, read

PARTITIONS = 2
OUT_OF_RANGE, NOT_MIRRORED = -3, -4


class Translator:
    """farshore.h, as an application in C has it."""

    def __init__(self, world, target, link=None):
        self.library = ctypes.CDLL(str(next(p for p in (world.bin / '..').rglob('libfarshore.so') if p.exists())))
        for name in ('farshore_to_target', 'farshore_to_source', 'farshore_translation_limit'):
            getattr(self.library, name).restype = ctypes.c_int64
        self.library.farshore_translator_open.restype = ctypes.c_void_p
        self.library.farshore_translator_open_link.restype = ctypes.c_void_p
        self.library.farshore_last_error.restype = ctypes.c_char_p
        self.handle = ctypes.c_void_p(self.library.farshore_translator_open_link(target.encode(), link.encode()) if link else
                                      self.library.farshore_translator_open(target.encode(), None))

    def ask(self, way, topic, partition, offset):
        """(the offset at the other end, or an error; whether exactly)"""
        to = getattr(self.library, f'farshore_to_{way}')
        found = to(self.handle, topic.encode(), partition, ctypes.c_int64(offset), 30000)
        return found, self.library.farshore_translated_exactly(self.handle) == 1

    def limit(self):
        return self.library.farshore_translation_limit(self.handle)

    def error(self):
        return self.library.farshore_last_error().decode()

    def close(self):
        self.library.farshore_translator_close(self.handle)


def every_offset(world, when, source, target, step=1):
    """`source`, `target`: what the clusters hold, by partition. `step`: only each so manieth."""
    translator = Translator(world, target['at'])
    asked = others = 0
    for p in range(PARTITIONS):
        there, here = target[p], source[p]
        for offset, record in list(here.items())[::step]:
            found, exact = translator.ask('target', 'orders', p, offset)
            if not exact or there.get(found) != record:
                check(f'{when}: {p}/{offset} is {found} at the target: {translator.error()}', False)
            asked += 1
        end = max(here) + 1
        found, exact = translator.ask('target', 'orders', p, end)
        if not exact or found != max(o for o, r in there.items() if is_ours(r)) + 1 or translator.limit() != end:
            check(f'{when}: the end {p}/{end} is {found}, the limit {translator.limit()}', False)
        found, _ = translator.ask('target', 'orders', p, end + 1)
        if found != OUT_OF_RANGE:
            check(f'{when}: what was never relayed translates to {found}', False)
        ours = sorted(o for o, r in there.items() if is_ours(r))
        for offset in range(ours[0], ours[-1] + 1, step):  # markers and records of others, too
            found, exact = translator.ask('source', 'orders', p, offset)
            mine = offset in there and is_ours(there[offset])
            following = next(o for o in ours if o >= offset)
            if exact != mine or here.get(found) != there[following]:
                check(f'{when}: {p}/{offset} of the target is {found} at the source, exact {exact}', False)
            asked += 1
            others += not mine
    found, _ = translator.ask('target', 'unknown', 0, 0)
    check(f'{when}: a topic that no link has: {translator.error()}', found == NOT_MIRRORED)
    translator.close()
    check(f'{when}: the Translator is right about {asked} offsets, {others} of them without a record of ours', others > 0)


def records(at):
    return {p: read(at, 'orders', p) for p in range(PARTITIONS)}


def interleaved(east, target, first, rounds):
    for n in range(rounds):
        produce(east, 'orders', first + n * 300, 300, CODECS[n % len(CODECS)], batch=20)
        foreign = b''.join(b'k%d&foreign-%d\n' % (i, i) for i in range(60))
        kcat('-P', '-b', target, '-t', 'orders', '-K&', '-X', 'batch.num.messages=5', data=foreign)
    return first + rounds * 300


class Reader:
    """farshore-example-consumer: R partition offset key, and E with what happened."""

    def __init__(self, world, name, east, target, group, *more):
        self.out = world.directory / f'{name}.records'
        self.process = world.spawn(name, world.bin / 'farshore-example-consumer', '--source', east, '--target', target, '--group',
                                   group, '--topic', 'orders', '--out', self.out, '--source-lost-ms', '2000', *more)

    def lines(self, letter):
        text = self.out.read_text() if self.out.exists() else ''
        return [line[2:] for line in text.split('\n')[:-1] if line.startswith(letter + ' ')]  # whole lines

    def delivered(self):
        """[(partition, offset, key)]"""
        return [(int(p), int(o), k) for p, o, k in (line.split(' ', 2) for line in self.lines('R'))]

    def said(self, text):
        return any(text in line for line in self.lines('E'))


def main(world):
    node = KafkaNode(world, 'target')
    broker, east = world.start('east', world.bin / 'farshore-broker', '--data', world.directory / 'east', '--listen', '127.0.0.1:0',
                               '--set', f'num.partitions={PARTITIONS}')
    target = node.ready()
    gateway = world.gateway('gateway', target)
    produce(east, 'orders', 0, 300, 'lz4')
    until('the gateway has taken hold of its links', lambda: world.farshore('link', 'list', expect=None).returncode == 0, 60)
    # Group offsets are left to the application here: it must find its place by itself.
    world.farshore('link', 'create', 'r', '--source', east, '--topics', 'orders', '--mode', 'relay', '--no-group-sync')
    until('the relay catches up', lambda: world.lag() == 0, 60)
    number = interleaved(east, target, 300, 4)
    until('the relay catches up', lambda: world.lag() == 0, 60)
    every_offset(world, 'an open run', records(east), dict(records(target), at=target))

    # Half-way through the source's records: one reader that has read all, one that will have read a part.
    whole = Reader(world, 'whole', east, target, 'whole', '--idle-exit-ms', '5000')
    part = Reader(world, 'part', east, target, 'part', '--idle-exit-ms', '5000')
    until('both have read all', lambda: len(whole.delivered()) == len(part.delivered()) == number)
    part.process.send_signal(signal.SIGSTOP)  # SIGSTOP: what comes now it will not have read
    number = interleaved(east, target, number, 2)
    until('one has read on', lambda: len(whole.delivered()) == number)
    until('the relay catches up', lambda: world.lag() == 0, 60)
    # More comes which the relay does not have yet: consumed, and lost with the source.
    gateway.send_signal(signal.SIGSTOP)
    produce(east, 'orders', number, 200)
    until('it has read what is not relayed', lambda: len(whole.delivered()) == number + 200)
    source = records(east)
    broker.kill()
    broker.wait()
    gateway.kill()
    gateway.wait()
    part.process.send_signal(signal.SIGCONT)
    at_target = records(target)
    ends = {p: sum(1 for record in at_target[p].values() if is_ours(record)) for p in range(PARTITIONS)}
    relayed = {p: {o: r for o, r in source[p].items() if o < ends[p]} for p in range(PARTITIONS)}
    every_offset(world, 'gateway and source are gone', relayed, dict(at_target, at=target), step=11)
    until('the reader says that the link is still active', lambda: whole.said('mirror still active'))
    check('and does not move', not whole.said('failed over') and not part.said('failed over'))
    gateway = world.gateway('gateway2', target)
    until('the gateway knows the topic', lambda: 'orders' in world.farshore('mirror', 'list', expect=None).stdout, 60)
    world.farshore('mirror', 'failover', '--link', 'r', '--all')
    gateway.kill()
    gateway.wait()
    kcat('-P', '-b', target, '-t', 'orders', '-K&', data=b''.join(b'key-%d&foreign-own-%d\n' % (n, n) for n in range(100)))  # the target's own
    for reader in (whole, part):
        until('it moved', lambda r=reader: r.said('failed over to the target'), 60)
        until('it ends', lambda r=reader: r.process.poll() is not None, 60)
    at_target = records(target)
    every_offset(world, 'the link has ended', relayed, dict(at_target, at=target), step=11)
    lost = 0
    for what, reader in (('one that had read all', whole), ('one that had read a part', part)):
        ends = {int(m[1]): [int(n) for n in m.groups()[1:]] for m in (re.match(
            r'orders\[(\d+)\] failover offset (\d+), position (\d+), continued at (\d+), consumed but lost (\d+),', line)
            for line in reader.lines('E')) if m}
        check(f'{what} tells each partition: {ends}', len(ends) == PARTITIONS)
        for p in range(PARTITIONS):
            end, position, continued_at, gone = ends[p]
            got = [(o, k) for q, o, k in reader.delivered() if q == p]
            before, after = got[:position], got[position:]
            expected = [(o, r[1]) for o, r in source[p].items() if o < position]
            check(f'{what}: partition {p}: {position} records of the source, each once and in order', before == expected)
            rest = [r for o, r in sorted(source[p].items()) if min(position, end) <= o < end]
            there = [(o, r) for o, r in sorted(at_target[p].items()) if o >= continued_at]
            ours = [r for _, r in there if is_ours(r)]
            check(f'{what}: partition {p}: {len(rest)} relayed records were still to come, and come exactly', ours == rest)
            check(f'{what}: partition {p}: all {len(there)} records from {continued_at} on, each once, none skipped',
                  after == [(o, r[1]) for o, r in there])
            check(f'{what}: partition {p}: {gone} consumed but lost', gone == max(0, position - end))
            lost += gone
    check(f'{lost} records were consumed and lost', lost == 200)
    # A second life: from what was committed at the target, nothing twice.
    again = Reader(world, 'again', east, target, 'whole', '--idle-exit-ms', '6000')
    until('it ends', lambda: again.process.poll() is not None, 60)
    check('a second life starts at the target and is given nothing again', again.said('started at the target') and again.delivered() == [])


peers_or_skip()
try:
    World('relay-readers').run(main)
except OSError as error:
    if not re.search('undefined symbol: __(asan|ubsan|tsan|sancov)|static TLS', str(error)):
        raise
    print(f'SKIPPED: Python cannot load a libfarshore that is built for a sanitizer ({error})')
    sys.exit(77)
