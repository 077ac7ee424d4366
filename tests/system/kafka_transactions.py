#!/usr/bin/env python3
"""kafka_transactions.py BIN_DIR: transactions at an Apache Kafka 4.1.1 source, seen through a mirror link.

Committed, aborted, interleaved and open transactions of several real producers over several partitions. Consumers with
either isolation level see at the target exactly what they see at the source: while transactions are open, after they
ended, after the target was killed and restarted. The log files and the transaction indexes are byte-identical. Then the
source is lost with transactions open: failover aborts them, says so, and read_committed goes on.
Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys

from harness import World, check, files_of, kcat, peers_or_skip, until
from kafka_node import KafkaNode

PARTITIONS = 4
LEVELS = ('read_uncommitted', 'read_committed')


class Producers:
    """txn-producer: transactional producers of librdkafka, one command at a time."""

    def __init__(self, world, bootstrap):
        self.process = subprocess.Popen([world.bin / 'txn-producer', bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(world.directory / 'txn-producer.log', 'a'), text=True)
        world.started.append(self.process)

    def __call__(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != 'ok':
            raise SystemExit(f'txn-producer {words}: {answer}')
        return answer[1:]

    def send(self, producer, topic, count, tag):
        """`count` records of one producer to every partition, in the log when this returns."""
        for n in range(count):
            for p in range(PARTITIONS):
                self('send', producer, topic, p, f'{tag}-{n}', f'{tag}.{p}.{n}.' + 'v' * 50)
        self('flush', producer)


def seen(broker, topic, level):
    """What a consumer sees, by partition: (offset, key, value) of every record, in its order."""
    rows = [[] for _ in range(PARTITIONS)]
    for p in range(PARTITIONS):
        out = kcat('-C', '-b', broker, '-t', topic, '-p', str(p), '-o', 'beginning', '-e', '-q', '-f', '%o %k %s\\n',
                   '-X', f'isolation.level={level}').stdout.decode()
        rows[p] = out.splitlines()
    return rows


def ends(producers, topic, level):
    return [producers('end', topic, p, level) for p in range(PARTITIONS)]


def main(world):
    node = KafkaNode(world, 'kafka-transactions')
    west_data = world.directory / 'west'
    broker = world.bin / 'farshore-broker'
    west_process, west = world.start('west', broker, '--data', west_data, '--listen', '127.0.0.1:0')
    world.gateway('gateway', west)
    source = node.ready()
    at_source = Producers(world, source)
    at_target = Producers(world, west)

    def mirrored():
        return world.lag() == 0 and ends(at_source, 'orders', LEVELS[0]) == ends(at_target, 'orders', LEVELS[0])

    def compare(when):
        until(f'lag goes to zero ({when})', mirrored)
        for level in LEVELS:
            there, here = seen(source, 'orders', level), seen(west, 'orders', level)
            check(f'{when}: {level} consumers see the same {sum(map(len, there))} records at both ends', there == here)
            check(f'{when}: {level} ends are the same', ends(at_source, 'orders', level) == ends(at_target, 'orders', level))
        return there  # as committed

    def index_of(directory):
        """Aborted transactions as the files say: (producer id, first offset, last offset, last stable offset)."""
        entry = struct.Struct('>hqqqq')
        data = [b''.join(f.read_bytes() for f in sorted((directory / f'orders-{p}').glob('*.txnindex'))) for p in range(PARTITIONS)]
        return [[e[1:] for e in entry.iter_unpack(d[:len(d) // entry.size * entry.size])] for d in data]

    for producer in 'ABCD':
        at_source('open', producer)
    kcat('-P', '-b', source, '-t', 'orders', '-z', 'lz4', data=b''.join(b'plain-%d\n' % n for n in range(400)))
    for n in range(3):
        at_source('begin', 'A')
        at_source.send('A', 'orders', 20, f'committed-{n}')
        at_source('commit', 'A')
        at_source('begin', 'B')
        at_source.send('B', 'orders', 10, f'aborted-{n}')
        at_source('abort', 'B')
    world.farshore('link', 'create', 'k', '--source', source, '--topics', 'orders', '--set', 'group.sync.interval.ms=200')
    committed = compare('transactions that ended before the link')
    check('aborted records are there, and hidden', not any('aborted' in r for rows in committed for r in rows)
          and any('aborted' in r for rows in seen(west, 'orders', LEVELS[0]) for r in rows))

    # Interleaved, and read while they are open: nothing behind the first open one is stable.
    at_source('begin', 'A')
    at_source.send('A', 'orders', 5, 'open-a')
    at_source('begin', 'B')
    at_source.send('B', 'orders', 5, 'interleaved-aborted')
    kcat('-P', '-b', source, '-t', 'orders', data=b''.join(b'behind-%d\n' % n for n in range(100)))
    at_source('begin', 'C')
    at_source.send('C', 'orders', 5, 'interleaved-committed')
    at_source.send('A', 'orders', 5, 'open-a-more')
    while_open = compare('transactions are open')
    check('read_committed waits behind the first open transaction', while_open == committed)
    at_source('commit', 'C')
    at_source('abort', 'B')
    check('and still does when later ones ended', compare('later transactions ended') == committed)
    at_source('commit', 'A')
    compare('all ended')

    # Offsets that a group committed in a transaction follow; those of an aborted one do not.
    at_source('begin', 'A')
    at_source('offset', 'A', 'workers', 'orders', 0, 17)
    at_source('commit', 'A')
    at_source('begin', 'B')
    at_source('offset', 'B', 'workers', 'orders', 1, 9)
    at_source('abort', 'B')

    def workers():
        groups = json.loads(world.farshore('offsets', 'groups', '--link', 'k', '-o', 'json').stdout)
        return {p['partition']: p['target_committed'] for g in groups for p in g['partitions']
                if g['group'] == 'workers' and p['target_committed'] >= 0}
    until('the group offset of a committed transaction follows', lambda: workers() == {0: 17})

    # The target is killed with transactions open, and knows them again.
    at_source('begin', 'B')
    at_source.send('B', 'orders', 5, 'over-the-restart')
    compare('open before the restart')
    west_process.send_signal(signal.SIGKILL)
    west_process.wait()
    at_source.send('B', 'orders', 5, 'while-down')
    world.started.remove(west_process)
    at_target.process.kill()
    west_process, _ = world.start('west-again', broker, '--data', west_data, '--listen', west)
    at_target = Producers(world, west)
    compare('after the restart, still open')
    at_source('commit', 'B')
    compare('after the restart, committed')
    check("the log files are byte-identical to Apache Kafka's",
          files_of(node.data, 'orders', PARTITIONS) == files_of(west_data, 'orders', PARTITIONS))
    # Indexes of the last segment are written when the broker stops (FORMAT.md: they are derived).
    west_process.terminate()
    west_process.wait()
    at_target.process.kill()
    indexes = index_of(west_data)
    if indexes != index_of(node.data):
        print('source', index_of(node.data), '\ntarget', indexes)
    check('so are the transaction indexes', indexes == index_of(node.data) and all(indexes))

    world.start('west-at-last', broker, '--data', west_data, '--listen', west)
    at_target = Producers(world, west)
    compare('after a stop in order')

    # The source is lost with two transactions open.
    at_source('begin', 'C')
    at_source('send', 'C', 'orders', 0, 'lost', 'lost-with-the-source')
    at_source('flush', 'C')
    at_source('begin', 'D')
    at_source.send('D', 'orders', 3, 'lost-everywhere')
    committed = compare('before the source is lost')
    node.process.kill()
    node.process.wait()
    dry = json.loads(world.farshore('mirror', 'failover', '--link', 'k', '--all', '--dry-run', '-o', 'json').stdout)
    planned = [p['aborted_transactions'] for p in dry[-1]['mirror']['promotion']['partitions']]
    over = json.loads(world.farshore('mirror', 'failover', '--link', 'k', '--all', '-o', 'json').stdout)
    partitions = over[-1]['mirror']['promotion']['partitions']
    aborted = [p['aborted_transactions'] for p in partitions]
    check('the failover names the transactions that it aborted, by partition', [len(a) for a in aborted] == [2, 1, 1, 1])
    check('the dry run had named the same', planned == aborted)
    check('none of them is torn', not any(p.get('torn_transactions') for p in partitions))
    check('read_committed shows what it showed', seen(west, 'orders', 'read_committed') == committed)
    for p in range(PARTITIONS):
        kcat('-P', '-b', west, '-t', 'orders', '-p', str(p), data=b'after the failover\n')
    after = seen(west, 'orders', 'read_committed')
    check('and goes on behind the markers, without what was open',
          all(rows[:len(old)] == old and len(rows) == len(old) + 1 and rows[-1].endswith('after the failover')
              for rows, old in zip(after, committed)))
    check('read_uncommitted shows all of it', any('lost-with-the-source' in r for r in seen(west, 'orders', LEVELS[0])[0]))
    table = world.farshore('mirror', 'describe', '--link', 'k', 'orders').stdout
    check('mirror describe keeps the record', 'failover' in table)


peers_or_skip()
World('kafka-transactions').run(main)
