#!/usr/bin/env python3
"""relay_kafka.py BIN_DIR TALE: relay links into a real Apache Kafka 4.1.1, driven and read by real clients.

In every tale each record of the source is at the target once and in order, and every offset translates to exactly its
record, in both directions. Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import json
import signal
import subprocess
import sys
import time

from harness import World, check, kcat, peers_or_skip, until
from kafka_node import KafkaNode
from relay_world import CODECS, LossyProxy, compare, lines, produce, read, translated

PARTITIONS = 4
FAST = ('--set', 'group.sync.interval.ms=200', '--set', 'topic.sync.interval.ms=500')


def both_nodes(world):
    source, target = KafkaNode(world, 'source'), KafkaNode(world, 'target')
    source.ready()
    target.ready()
    return source, target


def create(world, name, source, topics, *more):
    in_control(world)
    return world.farshore('link', 'create', name, '--source', source, '--topics', topics, '--mode', 'relay', *FAST, *more)


def in_control(world):
    until('the gateway has taken hold of its links', lambda: world.farshore('link', 'list', expect=None).returncode == 0, 60)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def whole(world):
    until('the relay catches up', lambda: world.lag() == 0, 60)


def mirrors(world):
    """[] while the gateway has not read its links."""
    run = world.farshore('mirror', 'list', '-o', 'json', expect=None)
    return json.loads(run.stdout) if run.returncode == 0 else []


def every_record(world):
    """Compressed and plain, from Apache Kafka and from Farshore; groups; an empty disk; the verbs."""
    source, target = both_nodes(world)
    _, east = world.start('east', world.bin / 'farshore-broker', '--data', world.directory / 'east', '--listen', '127.0.0.1:0',
                          '--set', 'num.partitions=2')
    gateway = world.gateway('gateway', target.at)
    for n, codec in enumerate(CODECS):
        produce(source.at, 'orders', n * 400, 400, codec)
    produce(east, 'events', 0, 600, 'lz4')
    in_control(world)
    refused = world.farshore('link', 'create', 'm', '--source', source.at, '--topics', '*', '--mode', 'mirror', expect=None)
    check('mirror mode into plain Kafka is refused with the reason', refused.returncode == 2 and '--mode relay' in refused.stderr)
    produce(target.at, 'foreign', 0, 3)
    produce(source.at, 'foreign', 0, 3)
    plan = create(world, 'r', source.at, 'orders,foreign', '--dry-run').stdout
    check('a dry run names the topics, and warns of one that holds other records',
          'would relay orders (4 partitions)' in plan and 'warning: topic foreign' in plan)
    check('and makes nothing', json.loads(world.farshore('link', 'list', '-o', 'json').stdout) == [])
    create(world, 'r', source.at, 'orders')
    create(world, 'f', east, 'events', '--prefix', 'east.')
    whole(world)
    compare(world, 'from Apache Kafka', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)
    compare(world, 'from Farshore', 'f', east, 'events', target.at, 'east.events', 2)

    kcat('-b', source.at, '-G', 'readers', '-c', '700', '-X', 'auto.offset.reset=earliest', 'orders')

    def synced():
        groups = json.loads(world.farshore('offsets', 'groups', '--link', 'r', '-o', 'json').stdout)
        rows = [p for g in groups for p in g['partitions'] if g['group'] == 'readers']
        return rows if rows and all(p['state'] == 'SYNCED' and p['target_committed'] == p['target_wanted'] for p in rows) \
            and sum(p['source_committed'] for p in rows) >= 700 else None
    until('the group offsets follow', synced)
    for row in synced():
        at_source, at_target = (read(at, 'orders', row['partition']) for at in (source.at, target.at))
        check(f"group: partition {row['partition']} goes on at the same record ({row['source_committed']} -> {row['target_committed']})",
              [r for o, r in at_source.items() if o >= row['source_committed']] ==
              [r for o, r in at_target.items() if o >= row['target_committed']])

    kill(gateway)
    produce(source.at, 'orders', 2000, 500, 'zstd')
    world.gateway('gateway2', target.at)
    until('the topics are known', lambda: len(mirrors(world)) == 2)
    whole(world)
    compare(world, 'after SIGKILL and with an empty disk', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)

    refused = world.farshore('mirror', 'promote', '--link', 'r', '--all', expect=None)
    check('promote says that Apache Kafka cannot be fenced', refused.returncode == 1 and '--source-quiesced' in refused.stdout)
    dry = world.farshore('mirror', 'failover', '--link', 'r', '--all', '--dry-run').stdout
    check('a dry run of the failover ends nothing', 'would end' in dry and all(m['state'] == 'ACTIVE' for m in mirrors(world)))
    world.farshore('mirror', 'promote', '--link', 'r', '--all', '--source-quiesced')
    over = json.loads(world.farshore('mirror', 'failover', '--link', 'f', '--all', '-o', 'json').stdout)[-1]
    ends = over['mirror']['promotion']['partitions']
    check('the failover names its end in offsets of the source', sum(p['failover_offset'] for p in ends) == 600)
    for p in ends:
        at_target = read(target.at, 'east.events', p['partition'])
        check('and of the target', p['failover_target_offset'] == max(at_target) + 1 and p['lost_at_least_records'] == 0)
    produce(source.at, 'orders', 9000, 50)
    produce(target.at, 'orders', 8000, 1)
    world.gateway('gateway3', target.at)
    until('ended topics are known as ended', lambda: len(mirrors(world)) == 2 and all(m['state'] == 'STOPPED' for m in mirrors(world)))
    last = {p: max(read(source.at, 'orders', p)) for p in range(PARTITIONS)}
    count = sum(len(read(target.at, 'orders', p)) for p in range(PARTITIONS))
    check(f'nothing is relayed after the end ({sum(last.values()) + PARTITIONS} at the source)', count == 2501)
    rows = translated(world, 'f', 'east.events', 0, 0, 10)
    check('an ended topic still translates', len(rows) == 11 and all(r['exact'] for r in rows))
    world.farshore('link', 'delete', 'r')
    world.farshore('link', 'delete', 'f')


def stopped_target(world):
    """SIGSTOP of the target with requests in its socket; another gateway takes over; SIGCONT."""
    source, target = both_nodes(world)
    first = world.gateway('gateway', target.at)
    produce(source.at, 'orders', 0, 400, 'lz4')
    create(world, 'r', source.at, 'orders')
    whole(world)
    for round_number, end_first in enumerate((True, False)):
        target.process.send_signal(signal.SIGSTOP)
        produce(source.at, 'orders', 1000 * (round_number + 1), 800, 'lz4')
        time.sleep(2)  # the gateway fetches, and its requests wait in the target's socket
        if end_first:
            kill(first)
        second = world.gateway(f'gateway{round_number + 2}', target.at)
        time.sleep(1)
        target.process.send_signal(signal.SIGCONT)
        until('the new gateway knows the link', lambda: len(mirrors(world)) == 1, 60)
        whole(world)
        what = 'the first gateway was killed' if end_first else 'the first gateway lives on'
        compare(world, f'SIGSTOP, takeover, SIGCONT; {what}', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)
        if end_first:
            first = second
    # The one that was taken over from says so, and does nothing more.
    log = world.directory / 'gateway2.log'
    until('the gateway that was fenced says so', lambda: 'another gateway' in log.read_text(), 30)
    produce(source.at, 'orders', 5000, 400, 'zstd')
    whole(world)
    compare(world, 'with a fenced gateway beside it', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)


def foreign_writer(world):
    """Somebody else writes into the target topic all the time; gateways are killed meanwhile."""
    source, target = both_nodes(world)
    gateway = world.gateway('gateway', target.at)
    produce(source.at, 'orders', 0, 400)
    create(world, 'r', source.at, 'orders')
    whole(world)
    number = 0
    for round_number in range(4):
        produce(source.at, 'orders', 1000 * (round_number + 1), 500, CODECS[round_number])
        foreign = b''.join(b'k%d&foreign-%d\n' % (n, number + n) for n in range(200))
        kcat('-P', '-b', target.at, '-t', 'orders', '-K&', '-X', 'batch.num.messages=10', data=foreign)
        number += 200
        if round_number % 2:
            kill(gateway)
            kcat('-P', '-b', target.at, '-t', 'orders', '-K&', '-X', 'batch.num.messages=10', data=foreign)
            gateway = world.gateway(f'gateway{round_number}', target.at)
            until('the new gateway knows the link', lambda: len(mirrors(world)) == 1, 60)
    whole(world)
    compare(world, 'with a foreign writer', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS, foreign=True)


def old_data(world):
    """Data three days old, answers of the target lost, producers swept every 2 s: a blind retry would be appended twice."""
    proxy = LossyProxy()
    source = KafkaNode(world, 'source')
    target = KafkaNode(world, 'target', 'producer.id.expiration.check.interval.ms=2000', advertised=f'127.0.0.1:{proxy.port}')
    proxy.to = target.port
    source.ready()
    target.ready()
    gateway = world.gateway('gateway', target.at)

    def old(first, count, codec):
        subprocess.run([world.bin / 'old-producer', source.at, 'orders', str(int(time.time() * 1000) - 3 * 24 * 3600 * 1000), codec],
                       input=lines(first, count), check=True, timeout=120)
    old(0, 600, 'lz4')
    create(world, 'r', source.at, 'orders')
    whole(world)
    for round_number, pause in enumerate((1, 4, 7)):
        proxy.lose(True)
        old(1000 * (round_number + 1), 600, CODECS[round_number + 1])
        time.sleep(pause)
        proxy.lose(False)
        whole(world)
    check(f'answers were lost ({proxy.lost_bytes} bytes)', proxy.lost_bytes > 0)
    compare(world, 'answers lost', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)
    proxy.lose(True)
    old(6000, 600, 'zstd')
    time.sleep(3)
    kill(gateway)
    proxy.lose(False)
    time.sleep(5)  # the target forgets the producer
    world.gateway('gateway2', target.at)
    until('the new gateway knows the link', lambda: len(mirrors(world)) == 1, 60)
    whole(world)
    compare(world, 'answers lost, then the gateway', 'r', source.at, 'orders', target.at, 'orders', PARTITIONS)


TALES = {t.__name__: t for t in (every_record, stopped_target, foreign_writer, old_data)}
peers_or_skip()
World('relay-' + sys.argv[2].replace('_', '-')).run(TALES[sys.argv[2]])
